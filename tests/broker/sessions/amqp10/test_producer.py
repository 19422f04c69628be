"""Messages that clients send: confirmed when safe, rejected with the reason."""

from __future__ import annotations

import pytest
from session_peer import Client
from session_peer10 import Client10, Node10, Session10, message

from tanist.core.message import AMQP_1_0, NEVER
from tanist.core.notices import Actor
from tanist.sessions.amqp10.producer import Producer
from tanist.wire.amqp10.composites import Header, Modified, Properties
from tanist.wire.amqp10.encoding import encode_composite
from tanist.wire.amqp10.sections import encode_map_section

NOBODY = Actor("", "")


def producer_of(session: Session10) -> Producer:
    (producer,) = session.client.state.producers.values()
    return producer


def test_a_message_is_accepted_when_its_record_is_safe(slow: Node10) -> None:
    session = Client10(slow).begin()
    sender = session.sender("q")
    first = session.send(sender)
    second = session.send(sender)
    assert not session.outcomes
    slow.open_gate(slow.index - 1)
    session.client.pump()
    assert session.outcome(first) == "Accepted"
    assert second not in session.outcomes
    slow.open_gate()
    session.client.pump()
    assert session.outcome(second) == "Accepted"
    assert session.settled == {first, second}


def test_only_what_the_header_says_is_taken_from_the_octets(
    node: Node10, session: Session10
) -> None:
    bare = message(b"body", annotations={"x-opt": 1}, application={"a": 1})
    hop = encode_map_section(0x71, {"hop": 1})
    header = encode_composite(Header(True, 7, 2500, True, 3))
    session.send(session.sender("q"), header + hop + bare)
    (entry,) = node.broker.queues["q"].entries()
    sent = entry.message
    assert (sent.header, sent.body, sent.form) == (b"", bare, AMQP_1_0)
    assert (sent.durable, sent.priority, sent.expires_at) == (True, 7, node.now + 2.5)
    assert sent.redelivered
    assert (sent.exchange, sent.routing_key) == ("", "q")
    assert sent.origin == session.client.link.number


def test_a_message_without_a_header_has_the_defaults(node: Node10, session: Session10) -> None:
    session.send(session.sender("q"), message())
    (entry,) = node.broker.queues["q"].entries()
    sent = entry.message
    assert (sent.durable, sent.priority, sent.expires_at) == (False, 4, NEVER)
    assert not sent.redelivered


def test_each_message_has_its_own_header(node: Node10, session: Session10) -> None:
    """Also those that are alike, and those whose header begins like that of the one before."""
    sender = session.sender("q")
    wanted = [(True, 4), (True, 4), (False, 4), (True, 9), None, (True, 9), (False, 0), (True, 4)]
    for each in wanted:
        header = b"" if each is None else encode_composite(Header(*each))
        session.send(sender, header + message())
    sent = [entry.message for entry in node.broker.queues["q"].entries()]
    assert [(each.durable, each.priority) for each in sent] == [
        (False, 4) if each is None else each for each in wanted
    ]
    assert {each.body for each in sent} == {message()}


def test_a_second_header_section_is_refused(node: Node10, session: Session10) -> None:
    sender = session.sender("q")
    header = encode_composite(Header(True))
    for octets in (header + header + message(), header * 3):
        assert session.outcome(session.send(sender, octets)) == "amqp:decode-error"
        assert session.outcome(session.send(sender, header + message())) == "Accepted"
    assert node.broker.queues["q"].count == 2


def test_settled_messages_are_not_answered(node: Node10, session: Session10) -> None:
    sender = session.sender("q", snd_settle_mode=1)
    for _ in range(3):
        session.send(sender, settled=True)
    assert not session.outcomes
    assert node.broker.queues["q"].count == 3
    assert session.client.state.published == 3


def test_a_sender_that_settles_first_is_told_and_settles(node: Node10, session: Session10) -> None:
    sender = session.sender("q", rcv_settle_mode=1)
    assert sender.rcv_settle_mode == 1
    number = session.send(sender)
    assert session.outcome(number) == "Accepted"
    assert not session.settled
    session.session.settle_sent(number, number)
    session.client.pump()
    assert node.broker.queues["q"].count == 1


def test_messages_that_cannot_be_taken_are_rejected_and_the_link_lives_on(
    node: Node10, session: Session10
) -> None:
    node.broker.declare_queue("small", NOBODY, arguments={"qpid.max_count": 1})
    sender = session.sender("small")
    assert session.outcome(session.send(sender)) == "Accepted"
    assert session.outcome(session.send(sender)) == "amqp:resource-limit-exceeded"
    assert session.outcome(session.send(sender, b"\x00\x53\x70\xff")) == "amqp:decode-error"
    assert session.outcome(session.send(sender, b"\x00\x80\x00")) == "amqp:decode-error"
    assert session.outcome(session.send(sender, message(), format=7)) == "amqp:not-implemented"
    session.send(sender, settled=True)
    assert sender.alive
    assert node.broker.queues["small"].count == 1


def test_a_sender_that_knows_no_rejection_loses_its_link(node: Node10, session: Session10) -> None:
    node.broker.declare_queue("small", NOBODY, arguments={"qpid.max_count": 1})
    sender = session.sender("small", outcomes=("amqp:accepted:list",))
    session.send(sender)
    number = session.send(sender)
    assert number not in session.outcomes
    error = session.detached["to small"]
    assert error is not None
    assert error.condition == "amqp:resource-limit-exceeded"
    assert not session.client.state.producers


def test_with_users_a_message_names_nobody_else(auth_node: Node10) -> None:
    session = Client10(auth_node, user="anna").begin()
    sender = session.sender("q")
    for allowed in (None, b"anna", b"anna@QPID"):
        octets = message(properties=Properties(user_id=allowed))
        assert session.outcome(session.send(sender, octets)) == "Accepted"
    octets = message(properties=Properties(user_id=b"bert"))
    assert session.outcome(session.send(sender, octets)) == "amqp:unauthorized-access"
    assert auth_node.broker.queues["q"].count == 3


@pytest.fixture(name="auth_node")
def a_node_with_users() -> Node10:
    node = Node10(auth=True)
    node.broker.declare_queue("q", NOBODY)
    return node


def test_a_queue_that_is_deleted_ends_the_link(node: Node10, session: Session10) -> None:
    sender = session.sender("q")
    node.broker.delete_queue("q", NOBODY)
    number = session.send(sender)
    assert session.outcome(number) == "amqp:resource-deleted"
    error = session.detached["to q"]
    assert error is not None
    assert error.condition == "amqp:resource-deleted"
    assert not session.client.state.producers


def test_an_exchange_that_is_deleted_ends_the_link(node: Node10, session: Session10) -> None:
    node.broker.declare_exchange("x", "fanout", NOBODY)
    sender = session.sender("x")
    node.broker.delete_exchange("x", NOBODY)
    assert session.outcome(session.send(sender)) == "amqp:not-found"
    error = session.detached["to x"]
    assert error is not None
    assert error.condition == "amqp:resource-deleted"


def test_what_no_binding_wants_is_accepted_and_dropped(node: Node10, session: Session10) -> None:
    sender = session.sender("amq.direct")
    assert session.outcome(session.send(sender)) == "Accepted"
    assert node.broker.discards_no_route == 1


def test_the_subject_is_the_routing_key(node: Node10, session: Session10) -> None:
    node.broker.bind("amq.direct", "q", "here", None, NOBODY)
    sender = session.sender("amq.direct")
    session.send(sender, message(properties=Properties(subject="here")))
    session.send(sender, message(properties=Properties(subject="there")))
    session.send(sender, message())
    preset = session.sender("amq.direct/here")
    session.send(preset, message(b"preset"))
    session.send(preset, message(properties=Properties(subject="there")))
    entries = node.broker.queues["q"].entries()
    assert [entry.message.routing_key for entry in entries] == ["here", "here"]
    assert {entry.message.exchange for entry in entries} == {"amq.direct"}


def test_the_relay_sends_each_message_where_it_says(node: Node10, session: Session10) -> None:
    node.broker.bind("amq.topic", "r", "a.*", None, NOBODY)
    relay = session.sender(None, "relay")

    def send(to: str | None, subject: str | None = None) -> str:
        properties = Properties(to=to, subject=subject)
        return session.outcome(session.send(relay, message(properties=properties)))

    assert send("q") == "Accepted"
    assert send("amq.topic", "a.b") == "Accepted"
    assert send("amq.topic/a.c") == "Accepted"
    assert send("amq.topic/other", "a.d") == "Accepted"
    assert send("nowhere") == "amqp:not-found"
    assert send("nowhere/near") == "amqp:not-found"
    assert send(None) == "amqp:invalid-field"
    assert relay.alive
    assert node.broker.queues["q"].count == 1
    keys = [entry.message.routing_key for entry in node.broker.queues["r"].entries()]
    assert keys == ["a.b", "a.c", "a.d"]


def test_the_relay_makes_queues_by_pattern() -> None:
    node = Node10(queue_patterns=("auto\\..*",))
    session = Client10(node).begin()
    relay = session.sender(None, "relay")
    for _ in range(2):
        number = session.send(relay, message(properties=Properties(to="auto.1")))
        assert session.outcome(number) == "Accepted"
    assert node.broker.queues["auto.1"].count == 2


def test_credit_comes_by_batches(node: Node10, session: Session10) -> None:
    sender = session.sender("q")
    start = sender.credit
    seen = []
    for _ in range(start + 10):
        session.send(sender)
        seen.append(sender.credit)
    assert min(seen) == start // 2 + 1
    assert max(seen) >= start - 1


def test_a_producer_that_is_not_confirmed_stops() -> None:
    node = Node10(hold=True, credit=10)
    node.broker.declare_queue("q", NOBODY)
    session = Client10(node).begin()
    sender = session.sender("q")
    sent = 0
    while sender.credit and sent < 100:
        session.send(sender)
        sent += 1
    assert sent == 10
    node.open_gate()
    session.client.pump()
    assert len(session.outcomes) == 10
    assert sender.credit > 5
    assert not producer_of(session).holding.count


def test_a_transfer_with_a_state_of_no_transaction_is_rejected(
    node: Node10, session: Session10
) -> None:
    number = session.send(session.sender("q"), state=Modified())
    assert session.outcome(number) == "amqp:invalid-field"
    assert not node.broker.queues["q"].count


def test_nothing_is_confirmed_on_a_link_that_is_over(slow: Node10) -> None:
    session = Client10(slow).begin()
    sender = session.sender("q")
    number = session.send(sender)
    session.close(sender)
    slow.open_gate()
    session.client.pump()
    assert number not in session.outcomes
    assert slow.broker.queues["q"].count == 1


def test_a_queue_that_takes_nothing_of_its_own_connection(node: Node10) -> None:
    client = Client10(node)
    session = client.begin()
    node.broker.declare_queue(
        "own",
        Actor("", "", object(), client.link.number),
        exclusive=True,
        arguments={"no-local": True},
    )
    assert session.outcome(session.send(session.sender("own"))) == "Accepted"
    assert node.broker.queues["own"].count == 0


def test_messages_go_to_0_10_consumers_too(node: Node10, session: Session10) -> None:
    old = Client(node).attach()
    old.subscribe("q")
    session.send(session.sender("q"), message(b"new", durable=True, priority=7))
    old.client.pump()
    (got,) = old.messages
    assert got.body == b"new"
    assert got.properties.priority == 7
    assert got.properties.durable


@pytest.mark.parametrize("address", ["amq.topic", None])
def test_a_subject_longer_than_any_key_is_rejected(session: Session10, address: str | None) -> None:
    """Records have no room for it."""
    octets = message(b"x", properties=Properties(to="amq.topic", subject="s" * 256))
    number = session.send(session.sender(address), octets)
    assert session.outcome(number) == "amqp:invalid-field"

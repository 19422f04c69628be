"""Addresses, and nodes that are made for links."""

from __future__ import annotations

import pytest
from session_peer import Client
from session_peer10 import Client10, Node10, Session10, message, new_uuid

from tanist.core.notices import Actor
from tanist.sessions.amqp10.node_properties import NodeProperties
from tanist.sessions.amqp10.nodes import Nodes
from tanist.sessions.amqp10.settings import SessionSettings
from tanist.types import BrokerError, Condition
from tanist.wire.amqp10.values import Described, ULong

NOBODY = Actor("", "")
ON_CLOSE, ON_NO_LINKS, ON_NO_MESSAGES, ON_NEITHER = 0x2B, 0x2C, 0x2D, 0x2E


def lifetime(code: int) -> dict[str, object]:
    return {"lifetime-policy": Described(ULong(code), [])}


def test_which_node_an_address_names(node: Node10) -> None:
    nodes = node.sessions10.nodes
    node.broker.declare_exchange("both", "topic", NOBODY)
    node.broker.declare_queue("both", NOBODY)
    node.broker.declare_queue("amq.topic/a", NOBODY)

    def named(address: str, *capabilities: str) -> tuple[str, str]:
        found = nodes.resolve(address, capabilities, NodeProperties(), NOBODY)
        return ("queue" if found.queue is not None else "exchange"), found.subject

    assert named("q") == ("queue", "")
    assert named("amq.topic") == ("exchange", "")
    assert named("both") == ("queue", "")
    assert named("both", "topic") == ("exchange", "")
    assert named("both", "queue") == ("queue", "")
    assert named("both", "queue", "topic") == ("queue", "")
    assert named("amq.topic/b/c.d") == ("exchange", "b/c.d")
    assert named("amq.topic/a") == ("queue", "")
    assert named("amq.topic/a", "temporary-topic") == ("exchange", "a")


@pytest.mark.parametrize(
    ("address", "capabilities"),
    [
        ("", ()),
        ("nobody", ()),
        ("/", ()),
        ("/q", ()),
        ("q/sub", ()),
        ("nobody/sub", ()),
        ("amq.topic", ("queue",)),
        ("amq.topic/a", ("queue",)),
        ("q", ("topic",)),
        ("x" * 5000, ()),
    ],
)
def test_what_is_not_there(node: Node10, address: str, capabilities: tuple[str, ...]) -> None:
    with pytest.raises(BrokerError) as caught:
        node.sessions10.nodes.resolve(address, capabilities, NodeProperties(), NOBODY)
    assert caught.value.condition is Condition.NOT_FOUND
    assert len(caught.value.text) < 120


def test_creation_on_demand(node: Node10, session: Session10) -> None:
    on_demand = ("create-on-demand",)
    session.sender("plain", capabilities=on_demand)
    assert node.broker.queues["plain"].number > 0
    properties = {"durable": True, "qpid.max_count": 3, "alternate-exchange": "refused"}
    session.sender("fine", capabilities=(*on_demand, "queue"), dynamic_node_properties=properties)
    fine = node.broker.queues["fine"]
    assert (fine.durable, fine.settings.count_max, fine.alternate_exchange) == (True, 3, "refused")
    session.receiver(
        "x",
        "from x",
        capabilities=(*on_demand, "topic"),
        dynamic_node_properties={"exchange-type": "direct"},
    )
    assert node.broker.exchanges["x"].type == "direct"
    again = session.sender("x", capabilities=(*on_demand, "topic"))
    assert session.refused(again) == "amqp:precondition-failed"


def test_creation_is_confirmed_when_it_is_safe_also_if_somebody_else_did_it(slow: Node10) -> None:
    session = Client10(slow).begin()
    one = session.sender("new", "one", capabilities=("create-on-demand",))
    two = Client10(slow).begin()
    two.sender("new", "two", capabilities=("create-on-demand",))
    plain = two.sender("q", "plain")
    assert "one" not in session.attached
    assert list(two.attached) == ["plain"]
    assert not one.credit
    slow.open_gate()
    session.client.pump()
    two.client.pump()
    assert one.credit
    assert plain.credit
    assert set(two.attached) == {"plain", "two"}


def test_an_attach_that_was_taken_back_is_never_answered(slow: Node10) -> None:
    session = Client10(slow).begin()
    link = session.receiver("new", capabilities=("create-on-demand",), credit=5)
    session.close(link)
    slow.open_gate()
    session.client.pump()
    assert not slow.broker.queues["new"].consumers
    assert not session.client.state.consumers


def test_patterns(node: Node10) -> None:
    node = Node10(queue_patterns=("q\\.[a-z]+", "both"), topic_patterns=("t\\..*", "both"))
    session = Client10(node).begin()
    session.sender("q.one")
    session.sender("t.one")
    session.receiver("both", "as queue")
    session.sender("both", "as topic", capabilities=("topic",))
    assert {"q.one", "both"} <= set(node.broker.queues)
    assert node.broker.exchanges["t.one"].type == "topic"
    assert node.broker.exchanges["both"].type == "topic"
    assert session.refused(session.sender("q.One")) == "amqp:not-found"
    assert session.refused(session.sender("xq.one")) == "amqp:not-found"


def test_patterns_must_be_regular_expressions(node: Node10) -> None:
    for settings in (
        SessionSettings(queue_patterns=("(",)),
        SessionSettings(topic_patterns=("*",)),
    ):
        with pytest.raises(BrokerError) as caught:
            Nodes(node.broker, node.work, settings)
        assert caught.value.condition is Condition.INVALID_ARGUMENT
        assert "-patterns=" in caught.value.text


@pytest.mark.parametrize("sends", [True, False])
def test_a_dynamic_queue_has_a_new_name_and_goes_with_its_link(
    node: Node10, session: Session10, sends: bool
) -> None:
    capabilities = ("temporary-queue",)
    link = (session.sender if sends else session.receiver)(
        None, "temp", dynamic=True, capabilities=capabilities
    )
    answer = session.target(link) if sends else session.source(link)
    name = answer.address
    assert name is not None
    assert answer.dynamic
    assert answer.capabilities == capabilities
    queue = node.broker.queues[name]
    assert queue.number == 0, "it is not replicated"
    assert queue.owner is session.client.link
    session.close(link)
    assert name not in node.broker.queues
    assert not node.sessions10.nodes.dynamics


def test_a_temporary_queue_is_its_connections_and_shared_by_its_sessions(
    node: Node10, session: Session10
) -> None:
    link = session.sender(None, "temp", dynamic=True, capabilities=("temporary-queue",))
    name = session.target(link).address
    other = session.client.begin()
    other.receiver(name, credit=1)
    stranger = Client10(node).begin()
    stranger.send(stranger.sender(name), message(b"reply"))
    other.client.pump()
    assert other.bodies == [b"reply"]
    assert stranger.refused(stranger.receiver(name)) == "amqp:resource-locked"


def test_0_10_replies_reach_a_temporary_queue(node: Node10, session: Session10) -> None:
    link = session.receiver(None, "temp", dynamic=True, credit=1)
    Client(node).attach().publish(str(session.source(link).address), b"reply")
    session.client.pump()
    assert len(session.got) == 1


def test_a_dynamic_topic(node: Node10, session: Session10) -> None:
    link = session.sender(None, "temp", dynamic=True, capabilities=("temporary-topic",))
    name = str(session.target(link).address)
    assert node.broker.exchanges[name].type == "topic"
    assert not node.broker.exchanges[name].replicated
    session.receiver(name, credit=1)
    session.send(link)
    assert len(session.got) == 1
    session.close(link)
    assert name not in node.broker.exchanges


@pytest.mark.parametrize("code", [ON_CLOSE, ON_NO_LINKS, ON_NO_MESSAGES, ON_NEITHER])
def test_dynamic_nodes_die_with_their_connection(
    node: Node10, session: Session10, code: int
) -> None:
    link = session.sender(None, "temp", dynamic=True, dynamic_node_properties=lifetime(code))
    name = str(session.target(link).address)
    session.send(link)
    stranger = Client10(node).begin()
    stranger.receiver(name, credit=1)
    session.client.drop()
    assert name not in node.broker.queues
    assert not node.sessions10.nodes.dynamics
    assert not node.work.watched


def test_delete_on_no_links(node: Node10, session: Session10) -> None:
    link = session.sender(None, "t", dynamic=True, dynamic_node_properties=lifetime(ON_NO_LINKS))
    name = str(session.target(link).address)
    other = session.sender(name, "other")
    session.send(link)
    session.close(link)
    assert name in node.broker.queues
    old = Client(node).attach()
    old.subscribe(name, credit=0)
    session.close(other)
    assert name in node.broker.queues, "a 0-10 consumer is a link, too"
    old.do("message.cancel", destination="d")
    assert name not in node.broker.queues
    assert not node.work.watched


def test_delete_on_no_messages(node: Node10, session: Session10) -> None:
    link = session.sender(None, "t", dynamic=True, dynamic_node_properties=lifetime(ON_NO_MESSAGES))
    name = str(session.target(link).address)
    session.send(link)
    session.close(link)
    assert name in node.broker.queues
    receiver = session.receiver(name, credit=1)
    assert name in node.broker.queues
    session.settle(session.got[0].id)
    assert name not in node.broker.queues
    assert not node.work.watched
    session.client.pump()
    assert session.detached[receiver.name] is not None


def test_delete_on_no_links_or_messages(node: Node10, session: Session10) -> None:
    link = session.sender(None, "t", dynamic=True, dynamic_node_properties=lifetime(ON_NEITHER))
    name = str(session.target(link).address)
    session.send(link)
    session.close(link)
    assert name in node.broker.queues
    receiver = session.receiver(name, credit=1)
    session.settle(session.got[0].id)
    assert name in node.broker.queues
    session.close(receiver)
    assert name not in node.broker.queues
    assert not node.work.watched


def test_a_dynamic_node_that_somebody_deleted_is_no_more(node: Node10, session: Session10) -> None:
    link = session.sender(None, "temp", dynamic=True)
    node.broker.delete_queue(str(session.target(link).address), NOBODY)
    session.close(link)
    assert not node.sessions10.nodes.dynamics


def test_names_of_dynamic_nodes_are_never_used_twice(session: Session10) -> None:
    names = set()
    for number in range(5):
        link = session.sender(None, f"temp {number}", dynamic=True)
        names.add(session.target(link).address)
        session.close(link)
    assert len(names) == 5
    assert new_uuid(0) not in names


def test_bad_properties_of_a_dynamic_node(session: Session10) -> None:
    link = session.sender(None, "t", dynamic=True, dynamic_node_properties={"lifetime-policy": 1})
    assert session.refused(link) == "amqp:invalid-field"

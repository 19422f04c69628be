"""Links on which we send: headers, credit, drains, modes."""

from __future__ import annotations

import pytest
from session_peer import Client
from session_peer10 import UNLIMITED, Client10, Node10, Session10, message

from tanist.core.notices import Actor
from tanist.sessions.amqp10 import consumer
from tanist.sessions.link import STEP_BYTES_MAX
from tanist.wire.amqp10.composites import Modified, Released
from tanist.wire.amqp10.performatives import Flow
from tanist.wire.amqp10.sections import cut_header

NOBODY = Actor("", "")


@pytest.fixture(name="full")
def a_session_with_a_full_queue(session: Session10) -> Session10:
    sender = session.sender("q")
    for number in range(10):
        session.send(sender, message(b"%d" % number), pump=False)
    session.client.pump()
    return session


def test_credit_is_exact(full: Session10) -> None:
    receiver = full.receiver("q")
    assert full.bodies == []
    full.flow(receiver, 3)
    assert full.bodies == [b"0", b"1", b"2"]
    full.flow(receiver, 2)
    assert len(full.bodies) == 5
    full.flow(receiver, 0)
    assert len(full.bodies) == 5


def test_credit_that_is_revoked_is_gone(session: Session10) -> None:
    receiver = session.receiver("q", credit=5)
    session.flow(receiver, 1)
    sender = session.sender("q")
    for _ in range(3):
        session.send(sender)
    assert len(session.got) == 1


def test_credit_without_end(full: Session10) -> None:
    full.receiver("q", credit=UNLIMITED)
    assert len(full.got) == 10


def test_credit_that_comes_with_the_attach_counts(full: Session10) -> None:
    full.receiver("q", credit=4)
    assert len(full.got) == 4


def test_a_drain_brings_what_there_is_and_takes_the_rest(full: Session10) -> None:
    receiver = full.receiver("q")
    full.flow(receiver, 100, drain=True)
    assert len(full.got) == 10
    assert full.drains == ["from q"]
    assert receiver.credit == 0
    full.flow(receiver, 1, drain=True)
    assert full.drains == ["from q"] * 2
    full.send(full.session.links[0], message(b"late"))  # type: ignore[arg-type]
    assert len(full.got) == 10
    full.flow(receiver, 1)
    assert full.bodies[-1] == b"late"


def test_a_drain_within_the_credit(full: Session10) -> None:
    receiver = full.receiver("q")
    full.flow(receiver, 4, drain=True)
    assert len(full.got) == 4
    assert receiver.credit == 0


def test_a_drain_of_a_browser_and_of_a_selector(full: Session10) -> None:
    browser = full.receiver("q", "browser", distribution_mode="copy")
    full.flow(browser, 100, drain=True)
    assert len(full.got) == 10
    assert browser.credit == 0


def test_a_drain_waits_for_a_link_that_cannot_be_written(node: Node10, full: Session10) -> None:
    receiver = full.receiver("q")
    link = full.client.link
    node.steps.writable(link, False)
    full.flow(receiver, 20, drain=True)
    assert not full.got
    assert not full.drains
    node.begin()
    node.steps.writable(link, True)
    node.finish()
    full.client.pump()
    assert len(full.got) == 10
    assert full.drains == ["from q"]


def test_credit_after_an_unfinished_drain_counts(node: Node10, full: Session10) -> None:
    receiver = full.receiver("q")
    link = full.client.link
    node.steps.writable(link, False)
    full.flow(receiver, 20, drain=True)
    full.flow(receiver, 4)
    node.begin()
    node.steps.writable(link, True)
    node.finish()
    full.client.pump()
    assert len(full.got) == 4
    assert not full.drains
    full.flow(receiver, 1)
    assert len(full.got) == 5


def test_an_unfinished_drain_that_is_called_off_takes_no_credit(
    node: Node10, full: Session10
) -> None:
    receiver = full.receiver("q")
    link = full.client.link
    node.steps.writable(link, False)
    full.flow(receiver, 20, drain=True)
    full.flow(receiver, 15)
    node.begin()
    node.steps.writable(link, True)
    node.finish()
    full.client.pump()
    assert len(full.got) == 10
    assert not full.drains
    full.send(full.session.links[0], message(b"late"))  # type: ignore[arg-type]
    assert full.bodies[-1] == b"late"


def test_the_header_of_a_first_delivery(node: Node10, session: Session10) -> None:
    session.send(session.sender("q"), message(durable=True, priority=9, ttl=5000))
    node.tick(2.0)
    session.receiver("q", credit=1)
    header = session.got[0].header
    assert (header.durable, header.priority, header.ttl) == (True, 9, 3000)
    assert header.first_acquirer
    assert header.delivery_count == 0


def test_each_delivery_has_its_own_header(session: Session10) -> None:
    sender = session.sender("q")
    wanted = [(False, 4), (True, 4), (True, 4), (True, 7), (False, 7), (False, 4)]
    for durable, priority in wanted:
        session.send(sender, message(durable=durable, priority=priority))
    receiver = session.receiver("q", credit=6)
    headers = [each.header for each in session.got]
    assert [(header.durable, header.priority) for header in headers] == wanted
    session.settle(session.got[2].id, Modified(True))
    session.flow(receiver, 1)
    again = session.got[-1].header
    assert (again.durable, again.priority, again.delivery_count) == (True, 4, 1)


def test_a_time_to_live_too_long_for_a_header_is_none(node: Node10) -> None:
    old = Client(node).attach()
    old.publish("q", ttl=2**40)
    session = Client10(node).begin()
    session.receiver("q", credit=1)
    assert session.got[0].header.ttl is None


def test_the_sections_of_a_message_are_passed_through(session: Session10) -> None:
    octets = message(b"body", annotations={"x": 1}, application={"y": b"z"})
    session.send(session.sender("q"), octets)
    session.receiver("q", credit=1)
    parts = session.got[0].parts
    assert parts.message[cut_header(parts.message)[1] :] == octets


def test_released_and_failed_deliveries_count(session: Session10) -> None:
    session.send(session.sender("q"))
    receiver = session.receiver("q", credit=1)
    for outcome, count in (
        (Released(), 0),
        (Modified(True), 1),
        (Modified(True), 2),
        (Modified(False), 2),
        (Released(), 2),
    ):
        session.settle(session.got[-1].id, outcome)
        session.flow(receiver, 1)
        assert session.got[-1].count == count
        assert session.got[-1].header.first_acquirer is (count == 0)


def test_what_a_producer_had_delivered_before_counts_at_least_once(session: Session10) -> None:
    session.send(session.sender("q"), message(delivery_count=4))
    session.receiver("q", credit=1)
    assert session.got[0].count == 1
    assert not session.got[0].header.first_acquirer


def test_tags_are_unique_and_any_octets(session: Session10) -> None:
    sender = session.sender("q")
    for _ in range(300):
        session.send(sender, pump=False)
    session.receiver("q", credit=1000)
    tags = {got.tag for got in session.got}
    assert len(tags) == 300
    assert {len(tag) for tag in tags} == {4}


def test_a_receiver_that_wants_them_settled_consumes_by_being_sent(
    node: Node10, full: Session10
) -> None:
    full.receiver("q", credit=4, mode=1)
    assert [got.settled for got in full.got] == [True] * 4
    assert node.broker.queues["q"].count == 6
    assert not full.client.state.unsettled


def test_what_was_sent_settled_is_consumed_before_the_queue_goes_with_its_link(
    node: Node10, session: Session10
) -> None:
    node.broker.declare_queue("passing", NOBODY, auto_delete=True, alternate_exchange="refused")
    sender = session.sender("passing")
    for _ in range(10):
        session.send(sender)
    other = session.client.begin()
    receiver = session.receiver("passing", "name", mode=1)
    receiver.flow(4, drain=True)
    session.session.flush()
    other.receiver("q", "name")  # takes the name over in the step of the drain
    assert len(session.got) == 4
    assert "passing" not in node.broker.queues
    assert node.broker.queues["dead"].count == 6


def test_a_browser_takes_nothing(node: Node10, full: Session10) -> None:
    browser = full.receiver("q", "browser", credit=100, distribution_mode="copy")
    assert full.source(browser).distribution_mode == "copy"
    assert len(full.got) == 10
    full.settle(full.got[0].id, last=full.got[-1].id)
    assert node.broker.queues["q"].available == 10
    settled = full.receiver("q", "settled", credit=100, distribution_mode="copy", mode=1)
    assert len(full.got) == 20
    full.close(settled)
    assert node.broker.queues["q"].available == 10


def test_two_consumers_share(node: Node10, session: Session10) -> None:
    other = Client10(node).begin()
    session.receiver("q", credit=100)
    other.receiver("q", credit=100)
    sender = session.sender("q")
    for _ in range(10):
        session.send(sender)
    other.client.pump()
    assert len(session.got) == len(other.got) == 5


def test_a_link_that_settles_nothing_gets_no_more_than_it_may(
    node: Node10, full: Session10
) -> None:
    (state,) = node.sessions10.sessions_of(full.client.link)
    full.receiver("q", credit=2)
    (sink,) = state.consumers.values()
    sink.count += consumer.UNSETTLED_MAX - 2
    assert not sink.ready()
    sink.count -= 1
    assert sink.ready()


def test_it_gets_more_when_it_settles_some(node: Node10, full: Session10) -> None:
    (state,) = node.sessions10.sessions_of(full.client.link)
    link = full.receiver("q", credit=1)
    (sink,) = state.consumers.values()
    sink.count += consumer.UNSETTLED_MAX - 1
    full.flow(link, 2)
    assert len(full.got) == 1
    full.settle(full.got[0].id)
    assert len(full.got) == 3, "all its credit, without anybody else's doing"


def test_large_messages_are_not_written_all_at_once(node: Node10, session: Session10) -> None:
    sender = session.sender("q")
    body = b"x" * 200_000
    for _ in range(8):
        session.send(sender, message(body))
    end = session.client.end
    receiver = session.receiver("q")
    receiver.flow(8)
    data = session.client.connection.data_to_send()
    node.begin()
    for event in end.connection.receive_data(data, node.now):
        node.sessions10.on_event(session.client.link, event)
    more, sizes = True, []
    while more:
        more = node.steps.dispatch()
        sizes.append(len(end.connection.data_to_send()))
        node.begin()
    assert len(sizes) > 2
    assert max(sizes) < STEP_BYTES_MAX + 2 * len(body)


def test_a_shut_window_stops_and_an_open_one_goes_on(node: Node10, session: Session10) -> None:
    sender = session.sender("q")
    for _ in range(50):
        session.send(sender, pump=False)
    session.receiver("q")
    wire = session.client.end.connection.sessions[0]
    (link,) = [link for link in session.session.links.values() if link.role]
    outgoing = wire.outgoing
    outgoing.window = 3
    link.flow(40)
    data = session.client.connection.data_to_send()
    node.receive(session.client.end, data)  # type: ignore[arg-type]
    sent = session.client.state.delivered
    assert sent < 50
    session.client.pump()
    assert len(session.got) == 40


def test_a_deleted_queue_ends_the_link(node: Node10, session: Session10) -> None:
    session.receiver("q", credit=1)
    node.broker.delete_queue("q", NOBODY)
    node.tick()
    session.client.pump()
    error = session.detached["from q"]
    assert error is not None
    assert error.condition == "amqp:resource-deleted"
    assert not session.client.state.consumers


def test_messages_cannot_be_acquired_for_a_transaction(session: Session10) -> None:
    receiver = session.receiver("q", credit=1)
    flow = Flow(0, 100, 0, 100, receiver.handle, 0, 1, properties={"txn-id": b"1"})
    session.session.send(flow)
    session.client.pump()
    error = session.detached["from q"]
    assert error is not None
    assert error.condition == "amqp:not-implemented"


def test_a_client_that_asks_is_told_what_is_available(node: Node10, full: Session10) -> None:
    receiver = full.receiver("q")
    receiver.flow(0, echo=True)
    full.client.pump()
    assert receiver.available == 10


def test_0_10_messages_are_translated(node: Node10, session: Session10) -> None:
    old = Client(node).attach()
    old.publish("q", b"old", properties={"content_type": "text/plain"}, priority=6)
    session.receiver("q", credit=1)
    (got,) = session.got
    assert got.header.priority == 6
    assert got.body in (b"old", "old")

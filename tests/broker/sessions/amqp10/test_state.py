"""What a session remembers, seen from inside."""

from __future__ import annotations

import pytest
from session_peer10 import Client10, Node10, Session10

from tanist.core.follower import Pledge
from tanist.sessions.amqp10.state import SessionState
from tanist.sessions.held import Held
from tanist.wire.amqp10.composites import Accepted, Discharge


def test_a_session_is_held() -> None:
    assert issubclass(SessionState, Held)


def test_nothing_is_left_after_everything_was_settled(session: Session10) -> None:
    sender = session.sender("q")
    receiver = session.receiver("q")
    coordinator = session.coordinator()
    for _ in range(30):
        session.send(sender)
        session.flow(receiver, 1)
        txn = session.declare(coordinator)
        session.settle(session.got[-1].id, session.within(txn, Accepted()))
        session.request(coordinator, Discharge(txn))
    state = session.client.state
    assert (state.published, state.delivered) == (30, 30)
    assert not state.unsettled
    assert not state.transactions
    assert not state.holding.count
    assert all(consumer.count == 0 for consumer in state.consumers.values())


def test_names_and_subscriptions_for_management(node: Node10) -> None:
    session = Client10(node, container="shop").begin()
    session.receiver("q", "mine")
    (state,) = node.sessions10.sessions_of(session.client.link)
    assert state.name == "shop.0"
    (subscription,) = state.subscriptions
    assert (subscription.name, subscription.queue.name) == ("mine", "q")
    assert state.created_at == node.now


@pytest.mark.parametrize("width", [0, 5, 10**9])
def test_taking_a_range_costs_what_is_unsettled(session: Session10, width: int) -> None:
    sender = session.sender("q")
    for _ in range(10):
        session.send(sender, pump=False)
    session.receiver("q", credit=10)
    state = session.client.state
    first = session.got[0].id
    taken = state.take(first + 2, first + 2 + width)
    assert [number for number, _ in taken] == list(range(first + 2, first + 3 + min(width, 7)))
    assert len(state.unsettled) == 10 - len(taken)
    (consumer,) = state.consumers.values()
    assert consumer.count == len(state.unsettled)


def test_what_was_sent_and_received_is_counted_after_the_end(session: Session10) -> None:
    session.receiver("q", credit=5)
    sender = session.sender("q")
    for _ in range(3):
        session.send(sender)
    link = session.client.link
    session.session.end()
    session.client.pump()
    assert (link.published, link.delivered) == (3, 3)
    assert link.states == []


def test_a_confirmation_waits_for_a_pledge(node: Node10, session: Session10) -> None:
    node.hold = True
    sender = session.sender("q")
    session.send(sender)
    state = session.client.state
    (producer,) = state.producers.values()
    pledge = Pledge()
    pledge.owed = 1
    number = session.send(sender, pump=False)
    node.begin()
    data = session.client.connection.data_to_send()
    for event in session.client.end.connection.receive_data(data, node.now):
        node.sessions10.on_event(session.client.link, event)
    for held in node.work.touched:
        held.pledge(pledge)
    node.finish()
    node.open_gate()
    session.client.pump()
    assert number not in session.outcomes
    pledge.owed = 0
    producer.kept()
    state.kept()
    session.client.pump()
    assert session.outcome(number) == "Accepted"


def test_a_session_that_ended_gives_no_answers(slow: Node10) -> None:
    session = Client10(slow).begin()
    session.sender("new", capabilities=("create-on-demand",))
    state = session.client.state
    session.session.end()
    session.client.pump()
    slow.open_gate()
    session.client.pump()
    assert not state.alive
    assert not session.attached
    state.end(slow.broker)

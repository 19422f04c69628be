"""Outcomes: what each disposition does to the broker."""

from __future__ import annotations

import pytest
from session_peer import Client
from session_peer10 import Client10, Node10, Session10, message

from tanist.sessions.amqp10.interest import REFUSED_MAX
from tanist.wire.amqp10.composites import Accepted, Modified, Received, Rejected, Released
from tanist.wire.amqp10.values import Described, ULong

CASES = [
    # outcome, on "q" afterwards, on "dead", delivery-count of the next delivery (None: none)
    (Accepted(), 0, 0, None),
    (Rejected(), 0, 1, None),
    (Released(), 1, 0, 0),
    (Modified(), 1, 0, 0),
    (Modified(False, False), 1, 0, 0),
    (Modified(True), 1, 0, 1),
    (Modified(True, True), 1, 0, None),
    (Modified(False, True), 1, 0, None),
]


def depths(node: Node10) -> tuple[int, int]:
    return node.broker.queues["q"].count, node.broker.queues["dead"].count


@pytest.fixture(name="holder")
def a_session_that_was_sent_a_message(session: Session10) -> Session10:
    session.send(session.sender("q"), message(b"one"))
    session.receiver("q", credit=1)
    return session


@pytest.mark.parametrize(("outcome", "left", "dead", "count"), CASES)
@pytest.mark.parametrize("second", [False, True])
def test_each_outcome(
    node: Node10, session: Session10, outcome, left: int, dead: int, count, second: bool
) -> None:
    session.send(session.sender("q"), message(b"one"))
    receiver = session.receiver("q", credit=1, second=int(second))
    number = session.got[0].id
    if second:
        session.dispose(number, outcome)
        assert number in session.confirmed
    else:
        session.settle(number, outcome)
    assert depths(node) == (left, dead)
    assert not session.client.state.unsettled
    session.flow(receiver, 1)
    again = session.got[1:]
    assert [got.count for got in again] == ([] if count is None else [count])


def test_a_rejected_message_without_an_alternate_is_dropped(
    node: Node10, session: Session10
) -> None:
    session.send(session.sender("r"))
    session.receiver("r", credit=1)
    session.settle(session.got[0].id, Rejected())
    assert node.broker.queues["r"].count == 0
    assert node.broker.queues["r"].discards_subscriber == 1


def test_undeliverable_here_is_for_others(node: Node10, holder: Session10) -> None:
    holder.settle(holder.got[0].id, Modified(True, True))
    holder.send(holder.session.links[0], message(b"two"))  # type: ignore[arg-type]
    (receiver,) = [link for link in holder.session.links.values() if link.role]
    holder.flow(receiver, 5)  # type: ignore[arg-type]
    assert holder.bodies == [b"one", b"two"]
    other = holder.receiver("q", "other", credit=1)
    assert holder.bodies == [b"one", b"two", b"one"]
    holder.settle(holder.got[-1].id, Modified(True, True))
    holder.flow(other, 5)
    assert len(holder.got) == 3
    old = Client(node).attach()
    old.subscribe("q")
    assert [delivered.body for delivered in old.messages] == [b"one"]
    assert old.messages[0].redelivered


def test_a_link_that_refuses_too_much_rejects(node: Node10, session: Session10) -> None:
    sender = session.sender("q")
    many = REFUSED_MAX + 2
    for number in range(many):
        session.send(sender, pump=number % 400 == 0)
    session.client.pump()
    session.receiver("q", credit=many)
    session.settle(session.got[0].id, Modified(True, True), session.got[-1].id)
    assert depths(node) == (REFUSED_MAX, 2)


def test_annotations_are_merged_for_the_next_delivery(node: Node10, session: Session10) -> None:
    session.send(session.sender("q"), message(b"one", annotations={"a": 1, "b": 2}))
    receiver = session.receiver("q", credit=1)
    session.settle(session.got[0].id, Modified(True, None, {"b": 3, "c": "x"}))
    session.flow(receiver, 1)
    again = session.got[1]
    assert again.annotations == {"a": 1, "b": 3, "c": "x"}
    assert (again.body, again.count) == (b"one", 1)
    session.settle(again.id)
    assert node.broker.queues["q"].bytes == 0


@pytest.mark.parametrize("state", [None, Received(0, 0), Described(ULong(99), [])])
def test_what_is_no_outcome_and_not_settled_changes_nothing(holder: Session10, state) -> None:
    number = holder.got[0].id
    holder.dispose(number, state)
    assert number in holder.client.state.unsettled
    assert number not in holder.confirmed
    holder.settle(number)
    assert not holder.client.state.unsettled


@pytest.mark.parametrize(
    ("default", "left", "count"),
    [(None, 1, 1), (Released(), 1, 0), (Modified(True), 1, 1), (Accepted(), 0, 0)],
)
@pytest.mark.parametrize("end", ["settle", "detach", "close", "session", "connection"])
def test_without_an_outcome_the_default_holds(
    node: Node10, session: Session10, default, left: int, count: int, end: str
) -> None:
    session.send(session.sender("q"))
    other = session.client.begin()
    receiver = other.receiver("q", credit=1, default_outcome=default)
    if end == "settle":
        other.session.settle(other.got[0].id, other.got[0].id, None)
    elif end in ("detach", "close"):
        receiver.detach(end == "close")
    elif end == "session":
        other.session.end()
    session.client.pump()
    if end == "connection":
        session.client.drop()
    assert node.broker.queues["q"].available == left
    if left:
        last = Client10(node).begin()
        last.receiver("q", credit=1)
        assert last.got[0].count == count


def test_a_range_settles_what_is_in_it(node: Node10, session: Session10) -> None:
    sender = session.sender("q")
    for _ in range(20):
        session.send(sender)
    session.receiver("q", credit=20)
    first = session.got[0].id
    session.settle(first + 5, last=first + 14)
    assert node.broker.queues["q"].count == 10
    session.settle(first, last=first + 2_000_000)
    assert node.broker.queues["q"].count == 0
    session.settle(first, last=first + 19)
    assert node.broker.queues["q"].dequeues == 20


def test_accepting_is_one_record_for_a_range(node: Node10, session: Session10) -> None:
    sender = session.sender("q")
    for _ in range(20):
        session.send(sender)
    session.receiver("q", credit=20)
    records = len(node.records)
    session.settle(session.got[0].id, last=session.got[-1].id)
    assert len(node.records) == records + 1


def test_the_settlement_of_ours_waits_for_the_record(slow: Node10) -> None:
    session = Client10(slow).begin()
    session.send(session.sender("q"))
    session.receiver("q", credit=1, second=1)
    number = session.got[0].id
    slow.open_gate()
    session.dispose(number, Accepted())
    assert number not in session.confirmed
    slow.open_gate()
    session.client.pump()
    assert number in session.confirmed


def test_a_disposition_as_a_sender_means_nothing(node: Node10, session: Session10) -> None:
    number = session.send(session.sender("q"))
    session.session.settle_sent(number, number, Released())
    session.client.pump()
    assert node.broker.queues["q"].count == 1


def test_what_somebody_else_holds_now_is_not_settled(node: Node10, session: Session10) -> None:
    session.send(session.sender("q"))
    session.receiver("q", "browser", credit=1, distribution_mode="copy")
    other = Client10(node).begin()
    other.receiver("q", credit=1)
    session.settle(session.got[0].id)
    assert node.broker.queues["q"].count == 1
    other.settle(other.got[0].id)
    assert node.broker.queues["q"].count == 0

"""Transactions: all or nothing, at a discharge."""

from __future__ import annotations

import pytest
from session_peer import Client
from session_peer10 import Client10, Node10, message

from tanist.core.message import Message
from tanist.core.notices import Actor
from tanist.core.records import Entry
from tanist.sessions.amqp10.state import Sent
from tanist.sessions.amqp10.transactions import BYTES_MAX, MESSAGES_MAX, Kept
from tanist.wire.amqp10.composites import (
    Accepted,
    Discharge,
    Modified,
    Rejected,
    Released,
    TransactionalState,
)
from tanist.wire.amqp10.sender import Sender

NOBODY = Actor("", "")


class Busy:
    """A session with a transaction: a job was received from "q", a result goes to "r"."""

    def __init__(self, node: Node10) -> None:
        self.node = node
        self.session = Client10(node).begin()
        self.jobs = self.session.sender("q")
        self.session.send(self.jobs, message(b"job"))
        self.receiver = self.session.receiver("q", credit=1)
        self.results = self.session.sender("r")
        self.coordinator: Sender = self.session.coordinator()
        self.txn = self.session.declare(self.coordinator)
        self.job = self.session.got[0].id

    def publish(self) -> int:
        """A result, in the transaction."""
        state = self.session.within(self.txn)
        return self.session.send(self.results, message(b"result"), state=state)

    def dispose(self, outcome: object, settled: bool = True) -> None:
        """What becomes of the job, in the transaction."""
        state = self.session.within(self.txn, outcome)  # type: ignore[arg-type]
        if settled:
            self.session.session.settle(self.job, self.job, state)
        else:
            self.session.session.dispose(self.job, self.job, state)
        self.session.client.pump()

    def discharge(self, fail: bool = False) -> object:
        """Commit, or roll back."""
        return self.session.request(self.coordinator, Discharge(self.txn, fail))

    @property
    def depths(self) -> tuple[int, int]:
        """Of "q" and "r"."""
        queues = self.node.broker.queues
        return queues["q"].count, queues["r"].count


@pytest.fixture(name="busy")
def a_session_with_a_transaction(node: Node10) -> Busy:
    return Busy(node)


def test_nothing_happens_before_the_discharge(busy: Busy) -> None:
    number = busy.publish()
    state = busy.session.outcomes[number]
    assert state == TransactionalState(busy.txn, Accepted())
    assert number in busy.session.settled
    busy.dispose(Accepted())
    assert busy.depths == (1, 0)
    records = len(busy.node.records)
    assert busy.discharge() == Accepted()
    assert busy.depths == (0, 1)
    assert len(busy.node.records) == records + 2


def test_a_commit_is_confirmed_when_its_records_are_safe(slow: Node10) -> None:
    busy = Busy(slow)
    slow.open_gate()
    busy.publish()
    busy.dispose(Accepted())
    assert busy.discharge() is None
    assert busy.depths == (0, 1)
    slow.open_gate()
    busy.session.client.pump()
    assert busy.session.outcomes[max(busy.session.outcomes)] == Accepted()


@pytest.mark.parametrize(
    ("outcome", "left", "dead"),
    [(Accepted(), 0, 0), (Rejected(), 0, 1), (Released(), 1, 0), (Modified(True), 1, 0)],
)
@pytest.mark.parametrize("settled", [False, True])
def test_outcomes_at_a_commit(busy: Busy, outcome, left: int, dead: int, settled: bool) -> None:
    busy.dispose(outcome, settled)
    assert not busy.session.confirmed
    assert busy.discharge() == Accepted()
    assert busy.node.broker.queues["q"].available == left
    assert busy.node.broker.queues["dead"].count == dead
    assert busy.session.confirmed == (set() if settled else {busy.job})


def test_a_rollback_forgets_and_gives_back_what_was_settled(busy: Busy) -> None:
    busy.publish()
    busy.dispose(Accepted())
    assert busy.discharge(fail=True) == Accepted()
    assert busy.depths == (1, 0)
    busy.session.flow(busy.receiver, 1)
    assert busy.session.bodies == [b"job", b"job"]
    assert busy.session.got[1].count == 1


def test_after_a_rollback_what_was_not_settled_stays_with_its_link(busy: Busy) -> None:
    busy.dispose(Accepted(), settled=False)
    assert busy.discharge(fail=True) == Accepted()
    assert busy.node.broker.queues["q"].available == 0
    busy.session.settle(busy.job)
    assert busy.depths == (0, 0)


def test_a_commit_that_cannot_be_done_is_rolled_back(busy: Busy) -> None:
    busy.node.broker.declare_queue("small", NOBODY, arguments={"qpid.max_count": 1})
    small = busy.session.sender("small")
    for _ in range(2):
        busy.session.send(small, state=busy.session.within(busy.txn))
    busy.dispose(Accepted())
    outcome = busy.discharge()
    assert isinstance(outcome, Rejected)
    assert outcome.error is not None
    assert outcome.error.condition == "amqp:transaction:rollback"
    assert busy.node.broker.queues["small"].count == 0
    assert busy.node.broker.queues["q"].available == 1


def test_a_queue_that_is_deleted_meanwhile_rolls_back(busy: Busy) -> None:
    busy.publish()
    busy.node.broker.delete_queue("r", NOBODY)
    outcome = busy.discharge()
    assert isinstance(outcome, Rejected)
    assert outcome.error is not None
    assert outcome.error.condition == "amqp:transaction:rollback"


@pytest.mark.parametrize("end", ["coordinator", "session", "connection"])
@pytest.mark.parametrize("settled", [False, True])
def test_the_end_of_the_coordinator_is_a_rollback(busy: Busy, end: str, settled: bool) -> None:
    busy.publish()
    busy.dispose(Accepted(), settled)
    if end == "coordinator":
        busy.session.close(busy.coordinator)
    elif end == "session":
        busy.session.session.end()
        busy.session.client.pump()
    else:
        busy.session.client.drop()
    assert busy.depths == (1, 0)
    back = settled or end != "coordinator"
    assert busy.node.broker.queues["q"].available == int(back)


def test_a_link_that_ends_before_the_commit_makes_no_difference(busy: Busy) -> None:
    busy.dispose(Accepted())
    busy.session.close(busy.receiver)
    assert busy.node.broker.queues["q"].available == 0
    assert busy.discharge() == Accepted()
    assert busy.depths == (0, 0)


def test_after_its_link_ended_a_rollback_gives_back_what_was_not_settled(busy: Busy) -> None:
    busy.dispose(Accepted(), settled=False)
    busy.session.close(busy.receiver)
    assert busy.discharge(fail=True) == Accepted()
    assert busy.node.broker.queues["q"].available == 1
    assert not busy.session.client.state.unsettled


def test_several_at_once(busy: Busy) -> None:
    other = busy.session.declare(busy.coordinator)
    assert other != busy.txn
    busy.publish()
    busy.session.send(busy.results, message(b"other"), state=busy.session.within(other))
    assert busy.session.request(busy.coordinator, Discharge(other)) == Accepted()
    assert [entry.message.body[-5:] for entry in busy.node.broker.queues["r"].entries()] == [
        b"other"
    ]
    assert busy.discharge() == Accepted()
    assert busy.depths[1] == 2


def test_a_transfer_of_an_unknown_transaction_is_rejected(busy: Busy) -> None:
    number = busy.session.send(busy.results, state=busy.session.within(b"unknown"))
    assert busy.session.outcome(number) == "amqp:transaction:unknown-id"
    assert busy.results.alive
    busy.session.send(busy.results, settled=True, state=busy.session.within(b"unknown"))
    error = busy.session.detached["to r"]
    assert error is not None
    assert error.condition == "amqp:transaction:unknown-id"
    assert busy.depths == (1, 0)


def test_a_disposition_of_an_unknown_transaction_ends_its_link(busy: Busy) -> None:
    state = busy.session.within(b"unknown", Accepted())
    busy.session.session.settle(busy.job, busy.job, state)
    busy.session.client.pump()
    error = busy.session.detached["from q"]
    assert error is not None
    assert error.condition == "amqp:transaction:unknown-id"
    assert busy.node.broker.queues["q"].available == 1


def test_settled_transfers_take_part(busy: Busy) -> None:
    busy.session.send(busy.results, settled=True, state=busy.session.within(busy.txn))
    assert busy.depths == (1, 0)
    assert busy.discharge() == Accepted()
    assert busy.depths == (1, 1)


def test_a_settled_transfer_that_cannot_be_kept_rolls_all_back(busy: Busy) -> None:
    """All of it or nothing; and there is nothing else to tell it with."""
    state = busy.session.within(busy.txn)
    busy.session.send(busy.results, settled=True, state=state)
    busy.session.send(busy.results, b"no message", settled=True, state=state)
    error = busy.session.detached["coordinator"]
    assert error is not None
    assert error.condition == "amqp:transaction:rollback"
    assert busy.depths == (1, 0)


def test_that_we_settled_is_told_when_the_commit_is_safe(slow: Node10) -> None:
    busy = Busy(slow)
    slow.open_gate()
    busy.dispose(Accepted(), settled=False)
    assert busy.discharge() is None
    assert busy.job not in busy.session.confirmed
    slow.open_gate()
    busy.session.client.pump()
    assert busy.job in busy.session.confirmed


def test_a_transaction_that_keeps_too_much_is_told(busy: Busy) -> None:
    state = busy.session.within(busy.txn)
    large = message(bytes(BYTES_MAX // 2))
    numbers = [busy.session.send(busy.results, large, state=state) for _ in range(2)]
    assert busy.session.outcome(numbers[0]) == "TransactionalState"
    assert busy.session.outcome(numbers[1]) == "amqp:resource-limit-exceeded"


def test_one_that_keeps_too_many_outcomes_ends_its_coordinator(busy: Busy) -> None:
    state = busy.session.client.state
    transaction = state.transactions[busy.txn]
    # What was settled long ago, as often as it may be kept.
    gone = Kept(
        0,
        Sent(
            Entry(Message(b"", b"", "", "q"), state.subscriptions[0].queue, 1),
            next(iter(state.consumers.values())),
        ),
        Accepted(),
        True,
    )
    transaction.kept = [gone] * MESSAGES_MAX
    busy.dispose(Accepted())
    error = busy.session.detached["coordinator"]
    assert error is not None
    assert error.condition == "amqp:transaction:rollback"
    assert busy.node.broker.queues["q"].available == 1


def test_transactions_of_both_protocols_on_one_queue(busy: Busy) -> None:
    old = Client(busy.node).attach()
    old.do("tx.select")
    old.publish("r", b"old")
    busy.publish()
    assert busy.depths == (1, 0)
    old.do("tx.commit")
    assert busy.depths == (1, 1)
    assert busy.discharge() == Accepted()
    assert busy.depths == (1, 2)

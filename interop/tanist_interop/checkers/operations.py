"""Operations: the history read once into the sets that the checkers compare.

A message is known by (producer, sn). ``settled`` holds what a receiver was given **and** tried to
acknowledge: a message that was only seen must still be there at the final drain.

The lines about messages (nearly all of a long history) are not kept: what they say is held as
ranges. Everything else is in ``records``, for the checkers that want more than sets.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from tanist_interop import history, protocol
from tanist_interop.checkers.ranges import Dated, Key, Messages

Task = tuple[str, int]
"""A task: the program it runs in, and the id of the request that began it."""


@dataclass(slots=True)
class Delivery:
    """Messages of one producer with consecutive numbers that a receiver was given in a row."""

    producer: str
    first: int
    last: int
    receiver: Task
    redelivered: bool
    t: int
    count: int | None = None
    first_acquirer: bool | None = None

    def __len__(self) -> int:
        return self.last - self.first + 1


@dataclass
class Acks:
    """When a sender was told of acknowledgements, and of how many."""

    times: array[int] = field(default_factory=lambda: array("q"))
    counts: array[int] = field(default_factory=lambda: array("q"))


@dataclass
class Commit:
    """A transaction in which a receiver acknowledged messages; ``unknown``: nobody answered."""

    t: int
    unknown: bool
    messages: Messages = field(default_factory=Messages)


@dataclass
class Operations:
    """What was tried, what the clients were told, what came out."""

    attempts: Dated = field(default_factory=Dated)
    """With the time at which the program announced them."""
    attempted: Counter[str] = field(default_factory=Counter)
    """Announcements per producer: more than its attempts if it announced one twice."""
    acknowledged: Dated = field(default_factory=Dated)
    """With the time at which the drill learnt of the acknowledgement."""
    acks: defaultdict[Task, Acks] = field(default_factory=lambda: defaultdict(Acks))
    failed: Messages = field(default_factory=Messages)
    rolled_back: Messages = field(default_factory=Messages)
    """Of the failed ones: because the drill wanted it."""
    unknown: Messages = field(default_factory=Messages)
    """Once in doubt; what was sent again may be acknowledged as well."""
    deliveries: list[Delivery] = field(default_factory=list)
    received: Messages = field(default_factory=Messages)
    copies: Counter[str] = field(default_factory=Counter)
    """Deliveries per producer, each copy counted."""
    taken: Counter[Task] = field(default_factory=Counter)
    """Deliveries per receiver, each copy counted."""
    tried: Dated = field(default_factory=Dated)
    """What a receiver tried to acknowledge, with the time at which it first did."""
    settled: Messages = field(default_factory=Messages)
    commits: dict[tuple[Task, int], Commit] = field(default_factory=dict)
    """By receiver and number of the transaction."""
    senders: dict[Task, protocol.Send] = field(default_factory=dict)
    receivers: dict[Task, protocol.Receive | protocol.Drain] = field(default_factory=dict)
    ended: dict[Task, tuple[int, protocol.Ended]] = field(default_factory=dict)
    records: history.Records = field(default_factory=list)
    """All that is not about single messages: notes, requests, replies, connections."""
    span: tuple[int, int] = (0, 0)
    """When the drill noted the first and the last record."""

    def producers(self) -> dict[str, Task]:
        """Which sender task each producer id belongs to."""
        return {send.producer: task for task, send in self.senders.items()}

    def queue_of(self, receiver: Task) -> str:
        """The queue of a receiver task."""
        return self.receivers[receiver].queue

    def name_of(self, sender: Task) -> str:
        """A sender task for people: its program, and its queue if the program has more of them."""
        source, _ = sender
        alone = sum(1 for other, _ in self.senders if other == source) == 1
        return source if alone else f"{source} to {self.senders[sender].queue}"


def read(records: Iterable[history.Record]) -> Operations:
    """All operations of a history. Goes through it once."""
    ops = Operations()
    for record in records:
        ops.span = (ops.span[0] or record.at, record.at)
        kind = protocol.BY_TYPE.get(record.type)
        if kind is None or not issubclass(kind, protocol.Batch):
            ops.records.append(record)
            continue
        batch = protocol.from_dict(record.event)
        assert isinstance(batch, protocol.Batch)
        if isinstance(batch, protocol.Acked):
            _read_acked(ops, batch, record)
        else:
            _read_batch(ops, batch, record)
    ops.settled = ops.received & ops.tried
    _read_tasks(ops.records, ops)
    return ops


def _put(where: Messages, batch: protocol.Batch) -> None:
    for first, last in batch.sns:
        where.add(batch.producer, first, last)


def _read_acked(ops: Operations, batch: protocol.Acked, record: history.Record) -> None:
    for first, last in batch.sns:
        ops.tried.put(batch.producer, first, last, record.t)
    if batch.transaction:
        key = ((record.source, batch.task), batch.transaction)
        commit = ops.commits.setdefault(key, Commit(record.t, batch.unknown))
        _put(commit.messages, batch)


def _read_batch(ops: Operations, batch: protocol.Batch, record: history.Record) -> None:
    task = (record.source, batch.task)
    if isinstance(batch, protocol.Received):
        for first, last in batch.sns:
            given = Delivery(
                batch.producer, first, last, task, batch.redelivered, record.t,
                batch.count, batch.first_acquirer,
            )  # fmt: skip
            ops.deliveries.append(given)
            ops.copies[batch.producer] += len(given)
            ops.taken[task] += len(given)
        _put(ops.received, batch)
    elif isinstance(batch, protocol.Invoke):
        for first, last in batch.sns:
            ops.attempts.put(batch.producer, first, last, record.t)
        ops.attempted[batch.producer] += protocol.count(batch.sns)
    elif isinstance(batch, protocol.Ok):
        for first, last in batch.sns:
            ops.acknowledged.put(batch.producer, first, last, record.at)
        acks = ops.acks[task]
        acks.times.append(record.t)
        acks.counts.append(protocol.count(batch.sns))
    elif isinstance(batch, protocol.Fail):
        _put(ops.failed, batch)
        if batch.reason == protocol.ROLLED_BACK:
            _put(ops.rolled_back, batch)
    else:
        _put(ops.unknown, batch)


def _read_tasks(records: history.Records, ops: Operations) -> None:
    for record, send in history.requests(records, protocol.Send):
        ops.senders[record.source, send.id] = send
    for record, receive in history.requests(records, protocol.Receive):
        ops.receivers[record.source, receive.id] = receive
    for record, drain in history.requests(records, protocol.Drain):
        ops.receivers[record.source, drain.id] = drain
    for record, ended in history.messages(records, protocol.Ended):
        ops.ended[record.source, ended.task] = (record.at, ended)


__all__ = ["Acks", "Commit", "Delivery", "Key", "Operations", "Task", "read"]

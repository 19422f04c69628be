"""Operations: the history read once into the sets that the checkers compare.

A message is known by (producer, sn). ``settled`` holds what a receiver was given **and** tried to
acknowledge: a message that was only seen must still be there at the final drain.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tanist_interop import history, protocol

Key = tuple[str, int]
Task = tuple[str, int]


@dataclass
class Delivery:
    """One copy of a message that a client was given."""

    key: Key
    receiver: Task
    redelivered: bool
    t: int
    at: int


@dataclass
class Operations:
    """What was tried, what the clients were told, what came out."""

    attempts: Counter[Key] = field(default_factory=Counter)
    acknowledged: dict[Key, int] = field(default_factory=dict)
    """When the drill learnt of the acknowledgement."""
    failed: set[Key] = field(default_factory=set)
    unknown: set[Key] = field(default_factory=set)
    deliveries: list[Delivery] = field(default_factory=list)
    settled: set[Key] = field(default_factory=set)
    senders: dict[Task, protocol.Send] = field(default_factory=dict)
    receivers: dict[Task, protocol.Receive | protocol.Drain] = field(default_factory=dict)
    ended: dict[Task, tuple[int, protocol.Ended]] = field(default_factory=dict)

    def producers(self) -> dict[str, Task]:
        """Which sender task each producer id belongs to."""
        return {send.producer: task for task, send in self.senders.items()}

    def queue_of(self, receiver: Task) -> str:
        """The queue of a receiver task."""
        return self.receivers[receiver].queue


def _keys(batch: protocol.Batch) -> list[Key]:
    return [(batch.producer, sn) for sn in protocol.expand(batch.sns)]


def read(records: history.Records) -> Operations:
    """All operations of a history."""
    ops = Operations()
    _read_tasks(records, ops)
    received: set[Key] = set()
    tried: set[Key] = set()
    for record in records:
        kind = protocol.BY_TYPE.get(record.type)
        if kind is None or not issubclass(kind, protocol.Batch):
            continue
        batch = protocol.from_dict(record.event)
        assert isinstance(batch, protocol.Batch)
        keys = _keys(batch)
        if isinstance(batch, protocol.Received):
            task = (record.source, batch.task)
            flag = batch.redelivered
            ops.deliveries += [Delivery(key, task, flag, record.t, record.at) for key in keys]
            received.update(keys)
        elif isinstance(batch, protocol.Acked):
            tried.update(keys)
        else:
            _read_outcome(ops, batch, keys, record.at)
    ops.settled = received & tried
    return ops


def _read_outcome(ops: Operations, batch: protocol.Batch, keys: list[Key], at: int) -> None:
    if isinstance(batch, protocol.Invoke):
        ops.attempts.update(keys)
    elif isinstance(batch, protocol.Ok):
        for key in keys:
            ops.acknowledged.setdefault(key, at)
    elif isinstance(batch, protocol.Fail):
        ops.failed.update(keys)
    else:
        ops.unknown.update(keys)


def _read_tasks(records: history.Records, ops: Operations) -> None:
    for record, send in history.requests(records, protocol.Send):
        ops.senders[record.source, send.id] = send
    for record, receive in history.requests(records, protocol.Receive):
        ops.receivers[record.source, receive.id] = receive
    for record, drain in history.requests(records, protocol.Drain):
        ops.receivers[record.source, drain.id] = drain
    for record, ended in history.messages(records, protocol.Ended):
        ops.ended[record.source, ended.task] = (record.at, ended)

"""Brokers with one rule broken: the proof that the simulator sees.

A mutant is a way to make a node: with a gate or a record writer that breaks one rule, or with
something done to its inside after every step. Each has the names of the checks that may find it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from tanist.core.message import NEVER, Message
from tanist.core.records import (
    Bound,
    Dequeued,
    Entry,
    ExchangeDeclared,
    QueueDeclared,
    Record,
    Unbound,
)
from tanist.ha.codec import RecordWriter
from tanist.node.config import NodeConfig
from tanist.node.gate import Gate
from tanist.node.inputs import Input
from tanist.node.node import Node
from tanist.node.outputs import Output
from tanist.sessions.held import Held
from tests.sim.nodes import MakeNode

EVERY = 7
"""A writer that forgets something does it every so often."""


class OpenGate(Gate):
    """Confirms at once, whatever the backups have."""

    def hold(self, index: int, held: Held) -> None:
        super().hold(index, held)
        self.open(index)


class HastyGate(Gate):
    """Confirms without saying so: what is held goes out at once, the opened index stays."""

    def hold(self, index: int, held: Held) -> None:
        held.open_gate(index)


class BrokenWriter(RecordWriter):
    """Writes ``change(record)`` in place of every ``EVERY``-th record of a kind."""

    def __init__(self, kind: type[Record], change: Callable[[Record], Record]) -> None:
        super().__init__()
        self._kind = kind
        self._change = change
        self._seen = 0

    def encode(self, records: Sequence[Record], head: bytes = b"") -> bytes:
        told: list[Record] = []
        for record in records:
            if isinstance(record, self._kind):
                self._seen += 1
                if self._seen % EVERY == 0:
                    told.append(self._change(record))
                    continue
            told.append(record)
        return super().encode(told, head)


class ReversingWriter(RecordWriter):
    """Writes the records of a batch in the wrong order."""

    def encode(self, records: Sequence[Record], head: bytes = b"") -> bytes:
        return super().encode(list(reversed(records)), head)


def _nothing_instead(record: Record) -> Record:
    """A record that changes nothing."""
    return Unbound("amq.direct", record.queue, "") if isinstance(record, Bound) else record


def _no_dequeue(record: Record) -> Record:
    assert isinstance(record, Dequeued)
    return Dequeued(record.queue, [])


def _copy(entry: Entry, body: bytes, expires_at: float) -> Entry:
    """The same entry with another body or another end of life."""
    message = entry.message
    other = Message(
        message.header,
        body,
        message.exchange,
        message.routing_key,
        message.durable,
        message.priority,
        expires_at,
        message.redelivered,
        message.bodiless,
    )
    return Entry(other, entry.queue, entry.position)


def _other_body(record: Record) -> Record:
    assert isinstance(record, Entry)
    return _copy(record, record.message.body[:-1] + b"!", record.message.expires_at)


def _immortal(record: Record) -> Record:
    assert isinstance(record, Entry)
    return _copy(record, record.message.body, NEVER)


def _no_alternate(record: Record) -> Record:
    assert isinstance(record, QueueDeclared)
    return QueueDeclared(
        record.name,
        record.number,
        record.durable,
        record.exclusive,
        record.auto_delete,
        "",
        record.arguments,
    )


def _no_arguments(record: Record) -> Record:
    assert isinstance(record, ExchangeDeclared)
    return ExchangeDeclared(
        record.name,
        record.type,
        record.durable,
        record.alternate_exchange,
        {"qpid.replicate": "all"},
        record.auto_delete,
    )


class Spoiled:
    """A node, and what is done to its inside after every step."""

    def __init__(self, node: Node, spoil: Callable[[Node], None]) -> None:
        self._node = node
        self._spoil = spoil

    def __getattr__(self, name: str) -> object:
        return getattr(self._node, name)

    def step(self, happened: Input) -> list[Output]:
        """One step, then the damage."""
        outputs = self._node.step(happened)
        self._spoil(self._node)
        return outputs


def _forget_marks(node: Node) -> None:
    for queue in node.broker.queues.values():
        queue.redelivered_below = 0


def _expire_on_a_backup(node: Node) -> None:
    broker = node.broker
    if not broker.serving:
        for queue in broker.queues_by_number.values():
            late = [e.position for e in queue.entries() if e.message.expires_at <= broker.now]
            queue.remove(late)


@dataclass(frozen=True)
class Mutant:
    """A broken broker, by which checks it may be caught, and which workloads can tell ("": any)."""

    make: MakeNode
    caught_by: tuple[str, ...]
    works: str = ""


def _gate(make: Callable[[], Gate]) -> MakeNode:
    return lambda config: Node(config, gate=make())


def _writer(kind: type[Record], change: Callable[[Record], Record]) -> MakeNode:
    def make(config: NodeConfig) -> Node:
        return Node(config, writer=BrokenWriter(kind, change))

    return make


def _spoiled(spoil: Callable[[Node], None]) -> MakeNode:
    return lambda config: cast(Node, Spoiled(Node(config), spoil))


MUTANTS: dict[str, Mutant] = {
    "confirm early": Mutant(_gate(OpenGate), ("confirmed early",)),
    "confirm in secret": Mutant(_gate(HastyGate), ("lost", "configuration", "transaction")),
    "drop a dequeue": Mutant(_writer(Dequeued, _no_dequeue), ("replicas differ", "duplicated")),
    "change a body": Mutant(_writer(Entry, _other_body), ("replicas differ", "unexpected")),
    "forget the time to live": Mutant(
        _writer(Entry, _immortal), ("expired", "replicas differ"), "time to live"
    ),
    "expire on a backup": Mutant(
        _spoiled(_expire_on_a_backup), ("replicas differ",), "time to live"
    ),
    "forget the redelivered mark": Mutant(_spoiled(_forget_marks), ("redelivered mark", "order")),
    "forget a binding": Mutant(
        _writer(Bound, _nothing_instead), ("replicas differ", "configuration", "lost")
    ),
    "forget an alternate": Mutant(
        _writer(QueueDeclared, _no_alternate),
        ("replicas differ", "configuration", "lost"),
        "configuration",
    ),
    "forget arguments": Mutant(
        _writer(ExchangeDeclared, _no_arguments),
        ("replicas differ", "configuration"),
        "configuration",
    ),
    "apply out of order": Mutant(
        lambda config: Node(config, writer=ReversingWriter()),
        ("confirmed early", "replicas differ", "order", "not converged", "lost"),
    ),
}
"""By the rule that is broken."""

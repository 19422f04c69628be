"""Brokers with one rule broken: the proof that the simulator sees.

A mutant is a way to make a node: with a gate or a record writer that breaks one rule, or with its
inside damaged, or outputs withheld (``surgery``). Each has the names of the checks that may find
it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tanist.core.message import AMQP_0_10, AMQP_1_0, NEVER, Message
from tanist.core.records import (
    Bound,
    Dequeued,
    Entry,
    ExchangeDeclared,
    QueueDeclared,
    Record,
    Unbound,
)
from tanist.ha import log as ha_log
from tanist.ha.codec import RecordWriter
from tanist.node.config import NodeConfig
from tanist.node.gate import Gate
from tanist.node.node import Node
from tanist.sessions.amqp10.producer import Producer
from tanist.sessions.held import Held
from tanist.wire.amqp10.framing import EMPTY_FRAME
from tests.sim.nodes import MakeNode
from tests.sim.surgery import (
    expire_on_a_backup,
    forget_counts,
    forget_marks,
    hoard,
    ignore_epochs,
    lose_the_tail,
    patched,
    ready_too_early,
    reuse_ids,
    select_anything,
    shrink_unasked,
    split_transactions,
    spoiled,
    thinned,
)

COMPILED = not ha_log.__file__.endswith(".py")
"""The pure layers are compiled: their methods cannot be replaced."""

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


class Hasty10Gate(Gate):
    """Settles at once what producers of AMQP 1.0 sent; all else is held as it must be."""

    def hold(self, index: int, held: Held) -> None:
        if isinstance(held, Producer):
            held.open_gate(index)
        else:
            super().hold(index, held)


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
        form=message.form,
    )
    return Entry(other, entry.queue, entry.position)


def _other_body(record: Record) -> Record:
    assert isinstance(record, Entry)
    return _copy(record, record.message.body[:-1] + b"!", record.message.expires_at)


def _immortal(record: Record) -> Record:
    assert isinstance(record, Entry)
    return _copy(record, record.message.body, NEVER)


def _untimed(record: Record) -> Record:
    assert isinstance(record, Entry)
    return _copy(record, record.message.body, record.message.expires_at)


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


@dataclass(frozen=True)
class Mutant:
    """A broken broker, by which checks it may be caught, and which workloads can tell ("": any)."""

    make: MakeNode
    caught_by: tuple[str, ...]
    works: str = ""
    interpreted: bool = False
    """It replaces methods, which compiled classes do not allow."""
    quiet: bool = False
    """It is to be noticed in a part of a quiet hour; else in the plan of a seed."""


def _gate(make: Callable[[], Gate]) -> MakeNode:
    return lambda config: Node(config, gate=make())


def _writer(kind: type[Record], change: Callable[[Record], Record]) -> MakeNode:
    def make(config: NodeConfig) -> Node:
        return Node(config, writer=BrokenWriter(kind, change))

    return make


MUTANTS: dict[str, Mutant] = {
    "confirm early": Mutant(_gate(OpenGate), ("confirmed early",)),
    "confirm in secret": Mutant(_gate(HastyGate), ("lost", "configuration", "transaction")),
    "drop a dequeue": Mutant(_writer(Dequeued, _no_dequeue), ("replicas differ", "duplicated")),
    "change a body": Mutant(_writer(Entry, _other_body), ("replicas differ", "unexpected")),
    "forget the time to live": Mutant(
        _writer(Entry, _immortal), ("expired", "replicas differ"), "time to live"
    ),
    "forget the time of delivery": Mutant(_writer(Entry, _untimed), ("early",), "delayed delivery"),
    "expire on a backup": Mutant(spoiled(expire_on_a_backup), ("replicas differ",), "time to live"),
    "forget the redelivered mark": Mutant(spoiled(forget_marks), ("redelivered mark", "order")),
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
        ("cannot follow", "replicas differ", "order"),
    ),
    "promote one that is not ready": Mutant(
        spoiled(ready_too_early), ("promoted behind", "lost", "confirmed early")
    ),
    "lose the tail at catch-up": Mutant(spoiled(lose_the_tail), ("replicas differ", "lost")),
    "shrink the set unasked": Mutant(
        spoiled(shrink_unasked), ("confirmed when deposed", "promoted behind", "lost")
    ),
    "reuse a replication id": Mutant(
        spoiled(reuse_ids), ("cannot follow", "lost", "replicas differ")
    ),
    "ignore epochs": Mutant(spoiled(ignore_epochs), ("two primaries", "not converged")),
    "split a transaction": Mutant(
        patched(split_transactions((AMQP_0_10, AMQP_1_0))),
        ("transaction",),
        "transactions",
        interpreted=True,
    ),
    "settle early": Mutant(_gate(Hasty10Gate), ("lost", "transaction")),
    "forget the delivery-count at promotion": Mutant(
        spoiled(forget_counts), ("redelivered mark",), interpreted=True
    ),
    "split a 1.0 transaction": Mutant(
        patched(split_transactions((AMQP_1_0,))),
        ("transaction",),
        "transactions",
        interpreted=True,
    ),
    "select anything": Mutant(spoiled(select_anything), ("unexpected",), "selectors"),
    "send no heartbeats": Mutant(thinned(0), ("connection lost", "backup dropped"), quiet=True),
    "send heartbeats too late": Mutant(
        thinned(5), ("connection lost", "backup dropped"), quiet=True
    ),
    "send no heartbeats of 1.0": Mutant(
        thinned(0, beats=(EMPTY_FRAME,)), ("connection lost",), quiet=True
    ),
    "send no heartbeats as a backup": Mutant(
        thinned(0, dialled=True), ("backup dropped",), quiet=True
    ),
    "keep something of each step": Mutant(spoiled(hoard), ("grown",), quiet=True),
}
"""By the rule that is broken."""

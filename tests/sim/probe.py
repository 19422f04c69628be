"""Everything the simulator knows of a node's inside, and nothing else in this folder does.

The product may change its shape; then this file changes with it. Each function takes a ``Node``
and looks, never touches; ``shorten_log`` alone does, before the node has begun.
"""

from __future__ import annotations

import gc
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import NamedTuple
from uuid import UUID
from zlib import crc32

from tanist.core.message import NEVER
from tanist.core.queue import Queue
from tanist.ha.roles import Status
from tanist.node.node import Node

JOINING = Status.JOINING
CATCHUP = Status.CATCHUP
READY = Status.READY
RECOVERING = Status.RECOVERING
ACTIVE = Status.ACTIVE


CODE = (type, ModuleType, BuiltinFunctionType)
"""What all nodes share, and what leads everywhere."""


class Standing(NamedTuple):
    """Where a node stands in the log: whose epoch, and up to which record it has everything.

    Two nodes of one ``epoch`` and ``owner`` hold the same records up to the lower ``last_index``.
    ``history``: the epochs before and this one, each as (epoch, owner, the index after which it
    began); ``fork_index`` is where this one began.
    """

    epoch: int
    owner: UUID
    last_index: int
    fork_index: int
    history: tuple[tuple[int, UUID, int], ...] = ()

    def common(self, other: Standing) -> int:
        """The last record that this node has of the log of ``other``."""
        end = self.last_index
        for epoch, owner, begin in reversed(other.history):
            if (epoch, owner) == (self.epoch, self.owner):
                return end
            end = min(end, begin)
        return 0


class Discards(NamedTuple):
    """Messages that a node took off a queue without giving them to anybody, by reason."""

    expired: int
    purged: int
    ring: int


class Content(NamedTuple):
    """A message on a queue: its id there, a checksum of header and body, what else must survive."""

    position: int
    form: int
    checksum: int
    routing_key: str
    durable: bool
    expires: bool


def status(node: Node) -> Status:
    """HA status."""
    return node.cluster.role.status


def is_primary(node: Node) -> bool:
    """Recovering or active."""
    return node.cluster.role.is_primary


def standing(node: Node) -> Standing:
    """Where it stands. A snapshot that is not complete is nothing."""
    cluster = node.cluster
    log = cluster.log
    index = log.index if cluster.backup.whole else 0
    history = tuple((epoch.number, epoch.owner, epoch.begin) for epoch in log.history)
    return Standing(log.epoch, log.owner, index, log.fork_index, history)


def reached(node: Node) -> tuple[int, UUID, int]:
    """Epoch, owner and last index alone: cheap enough for every step."""
    cluster = node.cluster
    log = cluster.log
    return log.epoch, log.owner, log.index if cluster.backup.whole else 0


def opened_index(node: Node) -> int:
    """Every record up to this one is confirmed: its gate is open for it."""
    return node.gate.opened_index


def held(node: Node) -> int:
    """Confirmations that wait at the gate."""
    return node.gate.waiting


def in_sync(node: Node) -> set[UUID]:
    """System ids of the backups that a primary counts as in sync: who may be promoted after it."""
    primary = node.cluster.primary
    if primary is None:
        return set()
    return set(primary.in_sync())


def objects(node: Node) -> int:
    """How many objects a node holds: whatever can be reached from it but code and constants."""
    seen: dict[int, object] = {}
    found: list[object] = [node]
    while found:
        one = found.pop()
        if id(one) in seen or isinstance(one, CODE):
            continue
        seen[id(one)] = one
        closure = isinstance(one, FunctionType)
        found += (one.__closure__ or ()) if closure else gc.get_referents(one)
    return len(seen)


def shorten_log(node: Node, limit_bytes: int) -> None:
    """Let a node keep so much of its log only, so that it soon keeps no more than before."""
    node.cluster.log.retain_bytes = limit_bytes


def depth(node: Node, queue: str) -> int | None:
    """Messages on a queue, None if it does not exist."""
    found = node.broker.queues.get(queue)
    return None if found is None else found.count


def discards(node: Node) -> dict[str, Discards]:
    """What this node discarded since it started, by queue."""
    return {
        queue.name: Discards(queue.discards_ttl, queue.discards_purge, queue.discards_ring)
        for queue in node.broker.queues.values()
    }


def configuration(node: Node) -> list[str]:
    """The replicated configuration, one line each, in an order of its own."""
    broker = node.broker
    lines = []
    for queue in broker.queues_by_number.values():
        lines.append(
            f"queue {queue.name} number={queue.number} durable={queue.durable} "
            f"auto-delete={queue.auto_delete} alternate={queue.alternate_exchange!r} "
            f"level={queue.level.name} {_arguments(queue.arguments)}"
        )
    for exchange in broker.exchanges.values():
        if exchange.replicated:
            lines.append(
                f"exchange {exchange.name} type={exchange.type} durable={exchange.durable} "
                f"auto-delete={exchange.auto_delete} alternate={exchange.alternate_exchange!r} "
                f"{_arguments(exchange.arguments)}"
            )
        for (name, key), binding in exchange.bindings.items():
            if binding.replicated:
                lines.append(
                    f"binding {exchange.name} {name} {key!r} {_arguments(binding.arguments)}"
                )
    return sorted(lines)


def messages(node: Node) -> dict[str, list[Content]]:
    """What is on each queue whose messages are replicated, in order.

    Times to live are not compared: clocks differ.
    """
    queues = node.broker.queues_by_number.values()
    return {queue.name: _contents(queue) for queue in queues if queue.journaled}


def _contents(queue: Queue) -> list[Content]:
    contents = []
    for entry in queue.entries():
        message = entry.message
        contents.append(
            Content(
                entry.position,
                message.form,
                crc32(message.body, crc32(message.header)),
                message.routing_key,
                message.durable,
                message.expires_at != NEVER,
            )
        )
    return contents


def _arguments(arguments: dict[str, object]) -> str:
    """Arguments as text, identity included."""
    return " ".join(f"{name}={value}" for name, value in sorted(arguments.items()))

"""What ``qpid-ha digest`` asks brokers, and how it compares what they say.

A digest tells what is on a queue; equal replicas have equal ones (``core/digest.py``). Asking a
broker may take several calls, one connection each, so that its timeout is that of a call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from tanist.cli.ha_report import QUEUES_NAMED_MAX
from tanist.cli.qmf_client import QmfError, plain
from tanist.cli.tables import table
from tanist.management.ha_broker import DIGEST
from tanist.wire.amqp010.values import Value

TITLE: Final = "Queues that are replicated with their messages: messages and digest"
UNFINISHED: Final = ("joining", "catchup")
"""Statuses of brokers that need not have everything yet."""

ABSENT: Final = "-"
PLACE: Final = ("epoch", "index", "applied")

Call = Callable[[dict[str, Value]], dict[str, Value]]
"""Calls the method at a broker with these arguments; returns the out arguments."""


@dataclass(frozen=True)
class QueueDigest:
    """What a broker has on a queue: how many messages, and 16 hexadecimal digits for all of it."""

    messages: int
    digest: str


@dataclass(frozen=True)
class Replicas:
    """What one broker said, or why it said nothing.

    ``place``: epoch, index and applied when it began. ``quiet``: nothing changed until it ended.
    """

    address: str
    status: str = "error"
    place: dict[str, int] = field(default_factory=dict)
    quiet: bool = True
    queues: dict[str, QueueDigest] = field(default_factory=dict)
    error: str = ""

    def to_json(self) -> dict[str, object]:
        """As it stands in JSON."""
        row: dict[str, object] = {"address": self.address, "status": self.status}
        if self.error:
            return row | {"error": self.error}
        queues = {
            name: {"messages": found.messages, "digest": found.digest}
            for name, found in sorted(self.queues.items())
        }
        return row | self.place | {"quiet": self.quiet, "queues": queues}


@dataclass(frozen=True)
class Difference:
    """A queue that is not the same everywhere. ``differs``: ``missing`` on a broker, the ``count``
    of messages, or their ``content``, order or positions."""

    queue: str
    differs: str


def ask(address: str, queue: str, call: Call) -> Replicas:
    """What the broker at ``address`` has on its replicated queues, or on ``queue`` if not empty.

    Raises: QmfError, also if the answer is none.
    """
    arguments: dict[str, Value] = {"queue": queue} if queue else {}
    found: dict[str, QueueDigest] = {}
    out = call(arguments)
    status, place, quiet = _status(address, out), _place(out), True
    while True:
        found.update(_queues(address, out))
        quiet = quiet and out.get("quiet") is True and _place(out) == place
        after = out.get("next")
        if not isinstance(after, int) or after <= 0:
            return Replicas(address, status, place, quiet, found)
        out = call({**arguments, "after": after})


def _status(address: str, out: dict[str, Value]) -> str:
    status = plain(out.get("status"))
    if not isinstance(status, str):
        raise QmfError(f"{address}: the answer to {DIGEST} has no status")
    return status


def _place(out: dict[str, Value]) -> dict[str, int]:
    found = {name: out.get(name) for name in PLACE}
    return {name: value for name, value in found.items() if isinstance(value, int)}


def _queues(address: str, out: dict[str, Value]) -> dict[str, QueueDigest]:
    queues = out.get("queues")
    found: dict[str, QueueDigest] = {}
    for name, values in queues.items() if isinstance(queues, dict) else ():
        messages = values.get("messages") if isinstance(values, dict) else None
        digest = plain(values.get("digest")) if isinstance(values, dict) else None
        if not isinstance(messages, int) or not isinstance(digest, str):
            raise QmfError(f"{address}: the answer to {DIGEST} is no digest of queue {name}")
        found[name] = QueueDigest(messages, digest)
    return found


def lines(replicas: Replicas) -> list[str]:
    """A line for each queue of one broker: name, messages, digest."""
    return [
        f"{name} {found.messages} {found.digest}" for name, found in sorted(replicas.queues.items())
    ]


def differences(brokers: Iterable[Replicas]) -> list[Difference]:
    """The queues that are not the same on all brokers that answered, by name."""
    answered = [broker for broker in brokers if not broker.error]
    found: list[Difference] = []
    for name in _names(answered):
        digests = [broker.queues.get(name) for broker in answered]
        if None in digests:
            found.append(Difference(name, "missing"))
        elif len({digest.messages for digest in digests if digest}) > 1:
            found.append(Difference(name, "count"))
        elif len({digest.digest for digest in digests if digest}) > 1:
            found.append(Difference(name, "content"))
    return found


def _names(brokers: Iterable[Replicas]) -> list[str]:
    return sorted({name for broker in brokers for name in broker.queues})


def equal(brokers: Sequence[Replicas]) -> bool:
    """Whether all answered, and all queues are the same everywhere."""
    return not any(broker.error for broker in brokers) and not differences(brokers)


def report(brokers: Sequence[Replicas]) -> list[str]:
    """Where each broker stands, or why it did not answer; the table; the verdict."""
    answered = [broker for broker in brokers if not broker.error]
    rows = [
        [name, *(_cell(broker.queues.get(name)) for broker in answered)]
        for name in _names(answered)
    ]
    heads = ["queue", *(broker.address for broker in answered)]
    return [*map(_where, brokers), *table(TITLE, heads, rows), verdict(brokers)]


def _where(broker: Replicas) -> str:
    if broker.error:
        return f"{broker.address} {broker.error}"
    place = ", ".join(f"{name} {value:,}" for name, value in broker.place.items())
    return f"{broker.address} {broker.status} ({place})"


def _cell(found: QueueDigest | None) -> str:
    return f"{found.messages} {found.digest}" if found else ABSENT


def verdict(brokers: Sequence[Replicas]) -> str:
    """One line: equal, not equal and in what, or not known because a broker gave no digest."""
    silent = [broker.address for broker in brokers if broker.error]
    answered = [broker for broker in brokers if not broker.error]
    total = _counted(len(_names(answered)), "queue")
    asked = _counted(len(answered), "broker")
    missed = f"; no digest from {', '.join(silent)}" if silent else ""
    found = differences(answered)
    if found:
        named = [f"{each.queue} ({each.differs})" for each in found[:QUEUES_NAMED_MAX]]
        if len(found) > len(named):
            named.append(f"and {len(found) - len(named):,} more")
        return f"not equal: {len(found):,} of {total} on {asked}: {', '.join(named)}{missed}"
    if silent:
        return f"not known: {total} equal on {asked}{missed}"
    return f"equal: {total} on {asked}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def cautions(brokers: Iterable[Replicas]) -> list[str]:
    """Why a difference may mean nothing."""
    found: list[str] = []
    for broker in brokers:
        if broker.error:
            continue
        if broker.status in UNFINISHED:
            found.append(f"{broker.address} is {broker.status}: it need not have everything yet")
        elif not broker.quiet:
            found.append(
                f"{broker.address} was in use while it was asked: ask again when nobody sends or"
                " consumes"
            )
    return found

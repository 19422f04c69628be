"""What ``qpid-ha`` says of several brokers: progress, what is stuck, who has the newest state.

Pure functions over what ``habroker`` objects said (docs/qpid-ha.md lists the properties). A broker
of the original says less: what it does not say is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from tanist.wire.amqp010.values import Value

PRIMARY: Final = ("active", "recovering")
WHOLE: Final = (*PRIMARY, "ready")
DETAILS: Final = (
    "epoch",
    "index",
    "applied",
    "messages",
    "inSync",
    "statusSince",
    "stuckSince",
    "reason",
    "catchUp",
    "backups",
    "problems",
)
"""Properties beyond the original's, as they stand in JSON."""

NANOSECONDS: Final = 1_000_000_000
QUEUES_NAMED_MAX: Final = 20
"""Queues that a preview names one by one; beyond that a number says enough."""


@dataclass(frozen=True)
class Member:
    """One broker: what it said, or why it said nothing."""

    address: str
    values: dict[str, Value] = field(default_factory=dict)
    error: str = ""
    depths: dict[str, int] = field(default_factory=dict)
    """Messages on each replicated queue, if they were asked for."""

    @property
    def status(self) -> str:
        """The status word; ``error`` if it did not answer."""
        return "error" if self.error else str(self.values.get("status"))

    def number(self, name: str) -> int:
        """A numeric property, 0 if it has none."""
        value = self.values.get(name)
        return value if isinstance(value, int) else 0

    @property
    def place(self) -> str:
        """Where it stands, in words."""
        words = [self.status]
        if "epoch" in self.values:
            words.append(f"epoch {self.number('epoch')}")
            words.append(f"index {self.number('index'):,}{self._not_applied()}")
            words.append(f"{self.number('messages'):,} messages")
        return ", ".join(words)

    def _not_applied(self) -> str:
        """A backup has what it was sent, but shows only what it knows to be confirmed."""
        index, applied = self.number("index"), self.number("applied")
        return f" of which {index - applied:,} not applied yet" if applied < index else ""


def line(member: Member, now_ns: int, place: bool = False) -> str:
    """One line of ``status --all``: address and status, and what is not as it should be.

    ``place``: also where it stands.
    """
    if member.error:
        return f"{member.address} {member.error}"
    notes = [member.place.partition(", ")[2]] if place else []
    notes += [_progress(member), _stuck(member, now_ns)]
    more = "; ".join(note for note in notes if note)
    return f"{member.address} {member.status}" + (f" ({more})" if more else "")


def _progress(member: Member) -> str:
    catch_up = member.values.get("catchUp")
    if not isinstance(catch_up, dict) or not catch_up:
        return ""
    done, total, eta_s = (catch_up.get(name) for name in ("done", "total", "etaSeconds"))
    if not isinstance(done, int) or not isinstance(total, int):
        return ""
    percent = 100 * done // total if total else 100
    words = f"{percent} %, {done:,} of {total:,} {catch_up.get('unit')}"
    if isinstance(eta_s, int) and eta_s >= 0:
        words += f", about {eta_s:,} s to go"
    return words


def _stuck(member: Member, now_ns: int) -> str:
    since = member.number("stuckSince")
    if not since:
        return ""
    passed_s = max(0, now_ns - since) // NANOSECONDS
    return f"stuck for {passed_s:,} s: {member.values.get('reason')}"


def problems(members: Iterable[Member]) -> list[str]:
    """What brokers complain of, each complaint once."""
    found: list[str] = []
    for member in members:
        said = member.values.get("problems")
        for problem in said if isinstance(said, list) else []:
            text = f"{member.address}: {problem}"
            if text not in found:
                found.append(text)
    return found


def has_primary(members: Iterable[Member]) -> bool:
    """Whether one of them serves."""
    return any(member.status in PRIMARY for member in members)


def newest(members: Iterable[Member]) -> Member | None:
    """Who has the newest state: the one to promote when there is no primary; None if nobody does.

    A broker that has everything goes before one that was catching up.
    """
    able = [member for member in members if not member.error and "epoch" in member.values]
    best = max(able, key=_rank, default=None)
    return None if best is None or _rank(best) == _rank(Member("")) else best


def _rank(member: Member) -> tuple[bool, int, int, int]:
    whole = member.status in WHOLE
    return whole, member.number("epoch"), member.number("index"), member.number("messages")


def losses(chosen: Member, others: Iterable[Member]) -> list[str]:
    """What would be lost if ``chosen`` were promoted, in words; empty if nothing is known to be."""
    found: list[str] = []
    if chosen.status == "catchup":
        progress = _progress(chosen) or "it does not say how much"
        found.append(f"{chosen.address} was catching up ({progress}); the rest is lost")
    for other in others:
        if other.error:
            found.append(f"{other.address} does not answer: what only it has is lost")
            continue
        more = _more(chosen, other)
        if more:
            found.append(f"{other.address} ({other.place}) has {more}")
    return found


def _more(chosen: Member, other: Member) -> str:
    """What ``other`` has and ``chosen`` lacks."""
    words: list[str] = []
    epochs = other.number("epoch") - chosen.number("epoch")
    records = other.number("index") - chosen.number("index")
    if epochs > 0:
        words.append(f"a newer history (epoch {other.number('epoch')})")
    elif epochs == 0 and records > 0:
        words.append(f"{records:,} newer records")
    queues = [
        f"{count - chosen.depths.get(name, 0):,} more on {name}"
        for name, count in sorted(other.depths.items())
        if count > chosen.depths.get(name, 0)
    ]
    if len(queues) > QUEUES_NAMED_MAX:
        rest = len(queues) - QUEUES_NAMED_MAX
        queues = [*queues[:QUEUES_NAMED_MAX], f"more on {rest:,} further queues"]
    if queues:
        words.append("messages: " + ", ".join(queues))
    return "; ".join(words)

"""Cells of the matrix: one client, one fault, one proof, and what came of it.

A cell is *valid*, *invalid*, *unknown* (the run shows nothing about it), *unsupported* (the client
cannot take part, for a reason) or *known* (it fails as ``known`` lists it). Unsupported and known
ones are no reason against a run, but they are shown with their reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Final

from tanist_interop import history
from tanist_interop.checkers.finding import Valid
from tanist_interop.checkers.operations import Operations

VALID: Final = "valid"
INVALID: Final = "invalid"
UNKNOWN: Final = "unknown"
UNSUPPORTED: Final = "unsupported"
KNOWN: Final = "known"

WORST: Final = (INVALID, UNKNOWN)
"""What decides over a run, the worst first."""


@dataclass(frozen=True)
class Cast:
    """One client of a run: the programs it is made of, and the ids of its producers."""

    client: str
    sender: str
    receiver: str
    producers: tuple[str, ...]
    unsupported: str = ""

    @property
    def sources(self) -> tuple[str, str]:
        """Its programs."""
        return self.sender, self.receiver


@dataclass
class Cell:
    """The outcome of one proof. ``findings`` say what is wrong, or what was not to be seen."""

    client: str
    fault: str
    proof: str
    verdict: str = VALID
    reason: str = ""
    findings: list[str] = field(default_factory=list)
    figures: dict[str, object] = field(default_factory=dict)

    def wrong(self, text: str) -> None:
        """It is invalid."""
        self.verdict = INVALID
        self.findings.append(text)

    def unclear(self, text: str) -> None:
        """It is unknown, unless something is wrong."""
        if self.verdict != INVALID:
            self.verdict = UNKNOWN
        self.findings.append(text)

    def unable(self, reason: str) -> None:
        """The client cannot give this proof."""
        self.verdict, self.reason = UNSUPPORTED, reason

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Run:
    """What a proof is judged by: the operations, the scenario, and what happened when."""

    ops: Operations
    fault: str
    losses: str
    moves: bool
    """Clients had to move to another broker."""
    heartbeat_s: float
    begin: int
    """When the fault came, in ns of the drill's clock; 0 if it never did."""


Proof = Callable[[Run, Cast, Cell], None]


def casts(records: history.Records) -> Iterator[Cast]:
    """Every client of the run that can run here, in order."""
    absent = {note.event["client"] for note in history.notes(records, "not_run")}
    for note in history.notes(records, "cast"):
        event = note.event
        if event["client"] in absent:
            continue
        producers = event["producers"]
        assert isinstance(producers, list)
        yield Cast(
            str(event["client"]), str(event["sender"]), str(event["receiver"]),
            tuple(map(str, producers)), str(event["unsupported"]),
        )  # fmt: skip


def fault_begin(records: history.Records, moves: bool) -> int:
    """When the fault of the run came, 0 if it never did. What was done to prepare it is none."""
    marked = history.mark_time(records, "freeze") or 0
    for note in history.notes(records, "fault"):
        begins = note.event["phase"] == "begin" and note.t >= marked > 0
        if begins and bool(note.event["failover"]) == moves:
            return note.t
    return 0


def worst(cells: list[Cell]) -> Valid:
    """The verdict over all of them; without any it is unknown."""
    verdicts = {cell.verdict for cell in cells}
    if INVALID in verdicts:
        return Valid.FALSE
    return Valid.UNKNOWN if UNKNOWN in verdicts or not cells else Valid.TRUE

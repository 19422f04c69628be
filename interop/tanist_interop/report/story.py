"""What the plots of a run show, read from its history in one pass.

A history may hold millions of messages; a story is small whatever it held. Rates and gaps are kept
per step of time, and the step doubles when there are too many. A latency is kept as a cell of a
grid, one of a width and a height that a plot can hardly show apart: a cell says that at least one
message fell into it, so that no outlier is lost. The cells widen when there are too many, and the
plot says how wide they are.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, cast

from tanist_interop import history

FIRST_STEP_NS: Final = 250_000_000
STEPS_MAX: Final = 1200
"""More points than a plot has pixels show nothing more."""

FIRST_CELL_NS: Final = 1_000_000
CELLS_MAX: Final = 100_000
"""Of all outcomes; as a picture they take some hundred kB."""

CELLS_A_DECADE: Final = 40
"""Of latency."""

CELL_HEIGHT: Final = 10 ** (1 / CELLS_A_DECADE) - 1
"""As a share of the latency: 5.9 %."""

OUTCOMES: Final = ("ok", "info", "fail")

NOBODY: Final = "-"
"""The node of a fault that is none of a broker."""

KILLS: Final = ("kill", "restart", "stop", "terminate")
HANGS: Final = ("suspend", "pause", "hang")
"""Parts of the names of faults after which a broker is away, or hangs."""

NAMES: Final = {"catchup": "catching up", "standalone": "joining"}
"""What a broker calls a state, where people say something else."""

Fold = Callable[[int, int], int]


@dataclass
class Fault:
    """A bar of the plots: from when to when, 0 for no end. Times in ns since the first record."""

    name: str
    node: str
    begin: int
    end: int = 0

    @property
    def words(self) -> str:
        """What it is, for people."""
        return self.name if self.node == NOBODY else f"{self.name} {self.node}"


class Cells:
    """Latencies of messages as the cells of a grid: (column, row, outcome) -> how many."""

    def __init__(self, limit: int = CELLS_MAX) -> None:
        self.limit = limit
        self.width_ns = FIRST_CELL_NS
        self.messages: Counter[str] = Counter()
        self.found: Counter[tuple[int, int, str]] = Counter()

    def add(self, t: int, latency_ns: int, outcome: str, number: int) -> None:
        """So many messages that were announced at ``t`` had this outcome so much later."""
        row = math.floor(math.log10(max(latency_ns, 1000)) * CELLS_A_DECADE)
        self.found[t // self.width_ns, row, outcome] += number
        self.messages[outcome] += number
        while len(self.found) > self.limit:
            self._widen()

    def points(self, outcome: str) -> tuple[list[float], list[float]]:
        """The middles of the cells: seconds, milliseconds."""
        cells = [(column, row) for column, row, which in self.found if which == outcome]
        seconds = [(column + 0.5) * self.width_ns / 1e9 for column, _ in cells]
        return seconds, [10 ** ((row + 0.5) / CELLS_A_DECADE) / 1e6 for _, row in cells]

    def _widen(self) -> None:
        """Halve the number of columns; when these are few, halve nothing more."""
        self.width_ns *= 2
        found: Counter[tuple[int, int, str]] = Counter()
        for (column, row, outcome), number in self.found.items():
            found[column // 2, row, outcome] += number
        if len(found) == len(self.found):
            self.limit *= 2
        self.found = found


@dataclass
class Story:
    """What the plots show. Times in ns since the first record."""

    start: int = 0
    end: int = 0
    step_ns: int = FIRST_STEP_NS
    acknowledged: dict[str, Counter[int]] = field(default_factory=dict)
    """Per client program that sends: so many in each step."""
    received: dict[str, Counter[int]] = field(default_factory=dict)
    """Per client program: copies that it was given in each step."""
    unseen: dict[int, int] = field(default_factory=dict)
    """In each step in which it changed: the most messages that were acknowledged and that nobody
    had been given yet."""
    unseen_after: dict[int, int] = field(default_factory=dict)
    """How many there were at the end of that step."""
    latencies: Cells = field(default_factory=Cells)
    faults: list[Fault] = field(default_factory=list)
    marks: list[tuple[int, str]] = field(default_factory=list)
    """Promotions, returns and the like, in words."""
    lanes: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    """Per broker: from when on it was what, ascending."""

    def step(self, t: int) -> int:
        """The step that a moment is in; makes steps longer when there are too many."""
        while t // self.step_ns >= STEPS_MAX:
            self.step_ns *= 2
            for counters in (self.acknowledged, self.received):
                for name, counter in counters.items():
                    counters[name] = Counter(_folded(counter, int.__add__))
            self.unseen = _folded(self.unseen, max)
            self.unseen_after = _folded(self.unseen_after, lambda _, last: last)
        return t // self.step_ns

    def rates(self, counter: Counter[int]) -> tuple[list[float], list[float]]:
        """Seconds and messages per second, a point in the middle of each step."""
        last = self.end // self.step_ns
        per_second = 1e9 / self.step_ns
        steps = range(last + 1)
        return (
            [(step + 0.5) * self.step_ns / 1e9 for step in steps],
            [counter[step] * per_second for step in steps],
        )

    def gaps(self) -> tuple[list[float], list[int]]:
        """Seconds and the most unseen messages, a point per step."""
        seconds, most, now = [], [], 0
        for step in range(self.end // self.step_ns + 1):
            seconds.append((step + 0.5) * self.step_ns / 1e9)
            most.append(max(now, self.unseen.get(step, 0)))
            now = self.unseen_after.get(step, now)
        return seconds, most


def _folded(steps: dict[int, int], fold: Fold) -> dict[int, int]:
    out: dict[int, int] = {}
    for step, value in sorted(steps.items()):
        out[step // 2] = fold(out[step // 2], value) if step // 2 in out else value
    return out


@dataclass
class Flow:
    """What is under way of one producer."""

    announced: dict[int, int] = field(default_factory=dict)
    """When, of messages without an outcome or with ``info``."""
    unseen: set[int] = field(default_factory=set)
    early: set[int] = field(default_factory=set)
    """Received, and not acknowledged to the sender yet."""


class Reader:
    """Goes through the records of one history."""

    def __init__(self) -> None:
        self.story = Story()
        self.programs: dict[str, str] = {}
        self.flows: dict[str, Flow] = {}
        self.unseen = 0
        self.turns: dict[str, list[tuple[int, int, str]]] = {}
        """Per broker: when, in which order at one moment, what it became."""
        self.told: set[str] = set()
        """Brokers that told themselves what they became."""

    def read(self, records: Iterable[history.Record]) -> Story:
        """All of them. Raises whatever reading them raises."""
        readers = {
            "ok": self._outcome, "info": self._outcome, "fail": self._outcome,
            "invoke": self._invoke, "received": self._received, "client": self._client,
            "fault": self._fault, "mark": self._mark, "status": self._status,
        }  # fmt: skip
        for record in records:
            self.story.start = self.story.start or record.t
            reader = readers.get(record.type)
            if reader is not None:
                t = max(0, record.t - self.story.start)
                reader(t, record)
                if record.type != "status":  # read from logs after the end
                    self.story.end = max(self.story.end, t)
        self._lay_lanes()
        return self.story

    def _client(self, _: int, record: history.Record) -> None:
        greeting = cast("dict[str, object]", record.event["init_ok"])
        self.programs[record.source] = str(greeting["client"])

    def _invoke(self, t: int, record: history.Record) -> None:
        announced = self._flow(record).announced
        for first, last in _ranges(record):
            for number in range(first, last + 1):
                announced[number] = t

    def _outcome(self, t: int, record: history.Record) -> None:
        flow, outcome = self._flow(record), record.type
        times: Counter[int] = Counter()
        total = 0
        for first, last in _ranges(record):
            total += last - first + 1
            for number in range(first, last + 1):
                began = flow.announced.pop(number, None)
                if began is not None:
                    times[began] += 1
                    if outcome == "info":  # it may be acknowledged when it is sent again
                        flow.announced[number] = began
        for began, number in times.items():
            self.story.latencies.add(began, t - began, outcome, number)
        if outcome == "ok":
            name = self.programs.get(record.source, record.source)
            step = self.story.step(t)
            self.story.acknowledged.setdefault(name, Counter())[step] += total
            self._see(t, record, flow.early, flow.unseen, 1)

    def _received(self, t: int, record: history.Record) -> None:
        name = self.programs.get(record.source, record.source)
        number = sum(last - first + 1 for first, last in _ranges(record))
        step = self.story.step(t)
        self.story.received.setdefault(name, Counter())[step] += number
        flow = self._flow(record)
        self._see(t, record, flow.unseen, flow.early, -1)

    def _see(
        self, t: int, record: history.Record, waiting: set[int], other: set[int], by: int
    ) -> None:
        """Messages were acknowledged or received: those that were ``waiting`` for it are done, what
        is left waits for the ``other`` thing. ``by`` is 1 where waiting there is being unseen."""
        for first, last in _ranges(record):
            for number in range(first, last + 1):
                if number in waiting:
                    waiting.remove(number)
                    self.unseen -= by < 0
                elif number not in other:
                    other.add(number)
                    self.unseen += by > 0
        step = self.story.step(t)
        self.story.unseen[step] = max(self.story.unseen.get(step, 0), self.unseen)
        self.story.unseen_after[step] = self.unseen

    def _fault(self, t: int, record: history.Record) -> None:
        event, faults = record.event, self.story.faults
        name, node = str(event["name"]), str(event.get("node", NOBODY))
        if event["phase"] == "begin":
            faults.append(Fault(name, node, t))
            state = _state_under(name)
            if state and node != NOBODY:
                self._turn(t, node, state)
            return
        for fault in reversed(faults):
            if (fault.name, fault.node) == (name, node) and not fault.end:
                fault.end = t
                break
        if _state_under(name) == "hangs":
            self._turn(t, node, "")

    def _mark(self, t: int, record: history.Record) -> None:
        event, marks = record.event, self.story.marks
        name, node = str(event["name"]), str(event.get("node", ""))
        if name == "formed":
            self._turn(t, "n1", "active", told=False)
        elif name == "promoted":
            marks.append((t, f"promoted {node}"))
            self._turn(t, node, "active", told=False)
        elif name == "rejoined":
            marks.append((t, f"{node} is back"))
            self._turn(t, node, "ready", told=False)
        elif name == "urls_changed":
            marks.append((t, "URLs changed"))

    def _status(self, t: int, record: history.Record) -> None:
        node, status = str(record.event["node"]), str(record.event["status"])
        self.told.add(node)
        self._turn(t, node, NAMES.get(status, status))

    def _turn(self, t: int, node: str, state: str, told: bool = True) -> None:
        """A broker became something; "" = what it was before it hung. ``told``: this counts also
        for a broker that tells by itself."""
        self.turns.setdefault(node, []).append((t, told, state))

    def _lay_lanes(self) -> None:
        """What each broker was, in the order of time: logs were read at the end."""
        for node, turns in sorted(self.turns.items()):
            before = "joining" if node in self.told else "ready"
            lane = [(0, before)]
            for t, told, state in sorted(turns, key=lambda turn: turn[0]):
                if node in self.told and not told:
                    continue
                lane.append((t, state or before))
                before = before if state in ("", "hangs") else state
            self.story.lanes[node] = lane

    def _flow(self, record: history.Record) -> Flow:
        return self.flows.setdefault(str(record.event["producer"]), Flow())


def _ranges(record: history.Record) -> list[list[int]]:
    return cast("list[list[int]]", record.event["sns"])


def _state_under(fault: str) -> str:
    """What a broker is while this fault lasts, "" if it goes on."""
    if any(part in fault for part in HANGS):
        return "hangs"
    return "away" if any(part in fault for part in KILLS) else ""


def read(records: Iterable[history.Record]) -> Story:
    """The story of a history. Raises whatever reading the records raises."""
    return Reader().read(records)

"""A picture of one run: acknowledgements per second over time, and below it a lane per broker that
shows when it served, stood by, was away; each fault is a mark on the lane of the broker it hit.

A run of seconds is drawn in tenths of seconds, with words at the marks; a soak of half an hour in
seconds, with colours that a legend explains. The history is gone through once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from typing import Final

from tanist_interop import history, protocol

PLOT_HEIGHT: Final = 200
LANE_HEIGHT: Final = 18
MARGIN: Final = 44
FINEST_NS: Final = 100_000_000
WIDTHS: Final = (900, 1800)
"""Of the picture: of a run of a minute or less, and of a longer one."""

LONG_NS: Final = 60_000_000_000

POINTS_MAX: Final = 600
"""Of one curve: a point is a tenth of a second, or more of them, so that there are no more."""

WORDS_MAX: Final = 12
"""More marks than this have no words."""

CURVES: Final = ("#1668a8", "#2a8a3e", "#8a4fb3", "#b36b00", "#0a8f8f", "#7a5230")
LANES: Final = {"serves": "#1668a8", "stands by": "#bcd7ea", "away": "#f3c9c9"}
FAULTS: Final = {"kill": "#c00000", "suspend": "#d98c00", "restart": "#5a2ea6"}
OTHER_FAULT: Final = "#c33"


@dataclass
class Story:
    """What the picture shows. Times in ns since the first record."""

    start: int = 0
    end: int = 0
    acks: dict[str, Counter[int]] = field(default_factory=dict)
    """Per sender program: acknowledgements in each tenth of a second."""
    lanes: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    """Per broker: from when on it was what."""
    faults: list[tuple[int, str, str]] = field(default_factory=list)
    """When, which one, which broker."""
    words: list[tuple[int, str]] = field(default_factory=list)
    """Marks in words: faults, promotions, returns."""


def read(records: Iterable[history.Record]) -> Story:
    """What the picture shows of a history."""
    story = Story()
    for record in records:
        story.start = story.start or record.t
        t = record.t - story.start
        if record.type == protocol.Ok.TYPE:
            ok = protocol.from_dict(record.event)
            assert isinstance(ok, protocol.Ok)
            counter = story.acks.setdefault(record.source, Counter())
            counter[t // FINEST_NS] += protocol.count(ok.sns)
            story.end = max(story.end, t)
        elif record.type == "fault":
            _read_fault(story, t, record.event)
        elif record.type == "mark":
            _read_mark(story, t, record.event)
    return story


def _read_fault(story: Story, t: int, event: dict[str, object]) -> None:
    name, node = str(event["name"]), str(event["node"])
    if event["phase"] == "begin":
        story.faults.append((t, name, node))
        story.words.append((t, f"{name} {node}"))
        _turn(story, t, node, "away")
    else:
        story.words.append((t, f"back {node}"))


def _read_mark(story: Story, t: int, event: dict[str, object]) -> None:
    name, node = event["name"], str(event.get("node", ""))
    if name == "formed":
        story.lanes.setdefault("n1", [])
        _turn(story, t, "n1", "serves")
    elif name in ("promoted", "rejoined"):
        story.words.append((t, f"{name} {node}"))
        _turn(story, t, node, "serves" if name == "promoted" else "stands by")
    elif name == "urls_changed":
        story.words.append((t, "URLs changed"))


def _turn(story: Story, t: int, node: str, state: str) -> None:
    lane = story.lanes.setdefault(node, [(0, "stands by")])
    lane.append((t, state))


class Picture:
    """The SVG in the making; positions in pixels, times in ns since the first record."""

    def __init__(self, story: Story) -> None:
        self.story = story
        first = min((min(counter) for counter in story.acks.values()), default=0) * FINEST_NS
        self.first = first
        self.span = max(FINEST_NS, story.end - first)
        self.bucket = FINEST_NS * -(-self.span // (POINTS_MAX * FINEST_NS))
        self.width = WIDTHS[self.span > LONG_NS]
        self.floor = MARGIN + PLOT_HEIGHT
        self.out: list[str] = []

    def x(self, t: float) -> float:
        """Where a moment is, kept inside the plot."""
        share = min(1.0, max(0.0, (t - self.first) / self.span))
        return MARGIN + share * (self.width - 2 * MARGIN)

    def y(self, share: float) -> float:
        """Where a share of the highest rate is."""
        return self.floor - share * PLOT_HEIGHT

    def text(self, x: float, y: float, words: str, colour: str = "#333") -> None:
        """Some words."""
        place = f'x="{x:.1f}" y="{y:.1f}" fill="{colour}"'
        self.out.append(f"<text {place}>{escape(words)}</text>")

    def box(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """A filled rectangle."""
        size = f'width="{width:.1f}" height="{height:.1f}"'
        self.out.append(f'<rect x="{x:.1f}" y="{y:.1f}" {size} fill="{colour}"/>')

    def curves(self) -> None:
        """One per sender program, and the axes."""
        right = self.width - MARGIN
        rates = {name: self._rates(c) for name, c in sorted(self.story.acks.items())}
        peak = max((max(points) for points in rates.values()), default=0.0) or 1.0
        self.text(4, MARGIN - 26, f"{peak:,.0f} acknowledged/s")
        axes = f"M{MARGIN} {MARGIN}V{self.floor}H{right}"
        self.out.append(f'<path d="{axes}" stroke="#888" fill="none"/>')
        for number, (name, points) in enumerate(rates.items()):
            colour = CURVES[number % len(CURVES)]
            line = " ".join(
                f"{self.x(self.first + i * self.bucket):.1f},{self.y(rate / peak):.1f}"
                for i, rate in enumerate(points)
            )
            self.out.append(f'<polyline points="{line}" fill="none" stroke="{colour}"/>')
            self.text(MARGIN + 200 * number, MARGIN - 10, name, colour)
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            t = self.first + share * self.span
            self.text(self.x(t) - 10, self.floor + 14, f"{share * self.span / 1e9:.0f} s")

    def _rates(self, counter: Counter[int]) -> list[float]:
        sums: Counter[int] = Counter()
        for tenth, n in counter.items():
            sums[(tenth * FINEST_NS - self.first) // self.bucket] += n
        return [sums[i] * 1e9 / self.bucket for i in range(max(sums) + 1)]

    def lanes(self) -> float:
        """One per broker, with its faults; returns where they end."""
        y = self.floor + 24.0
        for node, turns in sorted(self.story.lanes.items()):
            self.text(4, y + LANE_HEIGHT - 5, node)
            ends = [t for t, _ in turns[1:]] + [self.first + self.span]
            for (t, state), until in zip(turns, ends, strict=True):
                left, right = self.x(t), self.x(until)
                if right > left:
                    self.box(left, y, right - left, LANE_HEIGHT - 3, LANES[state])
            for t, name, hit in self.story.faults:
                if hit == node:
                    colour = FAULTS.get(name, OTHER_FAULT)
                    self.box(self.x(t) - 1, y - 2, 2, LANE_HEIGHT + 1, colour)
            y += LANE_HEIGHT + 4
        return y

    def words(self) -> None:
        """At each mark, if there are few."""
        if len(self.story.words) > WORDS_MAX:
            return
        for row, (t, label) in enumerate(self.story.words):
            x = self.x(t)
            line = f"M{x:.1f} {MARGIN}V{self.floor}"
            self.out.append(f'<path d="{line}" stroke="#c33" stroke-dasharray="3"/>')
            self.text(x + 3, MARGIN + 10 + 12 * (row % 4), label, "#c33")

    def legend(self, y: float) -> None:
        """What the colours of the lanes and the marks mean, and how many marks there are."""
        kinds = Counter(name for _, name, _ in self.story.faults)
        entries = list(LANES.items())
        entries += [
            (f"{name} ({n})", FAULTS.get(name, OTHER_FAULT)) for name, n in sorted(kinds.items())
        ]
        for number, (words, colour) in enumerate(entries):
            x = MARGIN + 110 * number
            self.box(x, y + 3, 10, 10, colour)
            self.text(x + 14, y + 12, words)


def draw(records: Iterable[history.Record]) -> str:
    """The SVG of a history."""
    picture = Picture(read(records))
    picture.words()
    picture.curves()
    bottom = picture.lanes()
    picture.legend(bottom)
    width, height = picture.width, bottom + 24
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height:.0f}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height:.0f}" fill="white"/>',
    ]
    return "\n".join([*head, *picture.out, "</svg>", ""])

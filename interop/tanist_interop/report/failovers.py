"""The failover time taken apart, per client program, with a number for each part.

A failover goes through these moments: the fault; the promotion is *asked* for (how long that takes
is the decision of whoever promotes); the new primary *accepts* it and recovers its backups; it
*serves*; each client gets its *first* new confirmation. Beside it each client *detects* the loss by
itself. Where a broker does not tell when it accepts and serves, the promoting command's return is
all there is. Beside what it took stands what the client's own settings allow (``floors``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from tanist_interop.report.columns import Results, align, programs
from tanist_interop.report.floors import Span

Bar = tuple[str, float, float]
"""A phase and its begin and end, in seconds from the fault."""

PHASES: Final = (
    ("deciding", "ask_ms"),
    ("promoting", "accept_ms"),
    ("recovering", "active_ms"),
)
"""Each phase and the moment that ends it; the client's own is the last."""

LAST: Final = "first confirmation"

PARTS: Final = ("detected", "deciding", "promoting", "recovering", LAST, "in all")

ALLOWED: Final = "by its settings"

HEADS: Final = ("half of them", "95 of 100", "the longest", "new primary serves")


@dataclass(frozen=True)
class Split:
    """The times of one client program in one failover, in ms; None for what is not known."""

    client: str
    detected: float | None
    moments: dict[str, float | None]
    """When each phase ended, from the fault."""
    first: float | None
    allowed: Span | None = None
    """By its settings: the first confirmation not before, and a try by then."""

    def parts(self) -> dict[str, float | None]:
        """How long each part took (``detected`` and ``in all`` from the fault). A confirmation
        shows that the new primary serves, whenever the promoting command comes back."""
        out: dict[str, float | None] = {"detected": self.detected}
        before = 0.0
        for phase, _ in PHASES:
            ended = self.moments[phase]
            if ended is not None and self.first is not None:
                ended = min(ended, self.first)
            out[phase] = None if ended is None else max(0.0, ended - before)
            before = before if ended is None else max(before, ended)
        out[LAST] = None if self.first is None else max(0.0, self.first - before)
        out["in all"] = self.first
        return out

    def bars(self) -> list[Bar]:
        """The parts one after the other, for a plot."""
        out: list[Bar] = []
        if self.detected is not None:
            out.append(("detected", 0.0, self.detected / 1000))
        begin = 0.0
        for name, length in self.parts().items():
            if name not in ("detected", "in all") and length is not None:
                out.append((name, begin, begin + length / 1000))
                begin += length / 1000
        return out


def splits(failover: Results, named: dict[str, str]) -> list[Split]:
    """Of one failover, a split per client program: its slowest sender, the process of it that was
    the last to notice."""
    accept = failover["accept_ms"]
    moments = {phase: failover[key] for phase, key in PHASES}
    if accept is None:  # the broker told nothing: the command's return ends the promotion
        moments["promoting"] = failover["promote_ms"]
    detected = _slowest(failover["detect_ms"], named)
    first = _slowest(failover["first_ack_ms"], named)
    clients = sorted({*detected, *first})
    allowed = failover.get("by_settings_ms", {})
    return [
        Split(name, detected.get(name), moments, first.get(name), _span(allowed.get(name)))
        for name in clients
    ]


def _span(found: list[float] | None) -> Span | None:
    return None if found is None else (found[0], found[1])


def _slowest(times: dict[str, float], named: dict[str, str]) -> dict[str, float]:
    out: dict[str, float] = {}
    for name, ms in times.items():
        source = name.split(" to ")[0]
        program = named.get(source, source)
        out[program] = max(ms, out.get(program, ms))
    return out


def of_runs(runs: list[Results]) -> dict[str, list[Split]]:
    """Every split of these runs by client program."""
    out: dict[str, list[Split]] = {}
    for run in runs:
        named = programs(run)
        for failover in run["failovers"]:
            for split in splits(failover, named):
                out.setdefault(split.client, []).append(split)
    return {name: out[name] for name in sorted(out)}


def spread(values: list[float]) -> tuple[float, float, float] | None:
    """Half of them are at most this, 95 of 100, all of them (the nearest rank: always one of the
    values); None for no values."""
    ordered = sorted(values)
    if not ordered:
        return None
    half, most = (math.ceil(share * len(ordered)) - 1 for share in (0.5, 0.95))
    return ordered[half], ordered[most], ordered[-1]


def rows(found: dict[str, list[Split]]) -> list[dict[str, str]]:
    """A row per client program: how many failovers, and of each part the median (of several also
    95 of 100 and the longest)."""
    out = []
    for client, every in found.items():
        row = {"client": client, "failovers": str(len(every))}
        for part in PARTS:
            times = [split.parts()[part] for split in every]
            row[part] = _told(spread([ms for ms in times if ms is not None]), len(every) > 1)
        row[ALLOWED] = _allowed(every)
        out.append(row)
    return out


def _allowed(every: list[Split]) -> str:
    """Of several failovers the median of either end."""
    ends = zip(*(split.allowed for split in every if split.allowed is not None), strict=True)
    found = [spread(list(times)) for times in ends]
    return " to ".join(duration(times[0]) for times in found if times) or "-"


def lines(found: dict[str, list[Split]], because: dict[str, str]) -> list[str]:
    """From the fault to the first new confirmation, program by program, beside what its settings
    allow; and which settings these are (``because``). Empty if nobody went on."""
    table = [["first new confirmation after", "failovers", *HEADS, ALLOWED]]
    for client, every in found.items():
        times = spread([split.first for split in every if split.first is not None])
        if times is not None:
            told = [duration(ms) for ms in times]
            table.append([client, str(len(every)), *told, _serves(every), _allowed(every)])
    if len(table) == 1:
        return []
    told = [f"{client} waits: {because[client]}" for client in found if because.get(client)]
    return [*align(table), *told]


def _serves(every: list[Split]) -> str:
    """When the new primary served, half of the times."""
    served = [split.moments["recovering"] for split in every]
    times = spread([ms for ms in served if ms is not None])
    return duration(times[0]) if times else "-"


def because(runs: list[Results]) -> dict[str, str]:
    """By client program: the settings that make it wait, as these runs noted them."""
    noted = [run["context"].get("retries", {}) for run in runs]
    return {client: str(retry["because"]) for each in noted for client, retry in each.items()}


def _told(times: tuple[float, float, float] | None, several: bool) -> str:
    if times is None:
        return "-"
    if not several:
        return duration(times[0])
    return " / ".join(duration(ms) for ms in times)


def duration(ms: float) -> str:
    """Milliseconds for people, with three digits that count."""
    number, unit = (f"{ms:.0f}", "ms") if ms < 1000 else (f"{ms / 1000:.2f}", "s")
    return f"{number}\N{NO-BREAK SPACE}{unit}"


def median_bars(found: dict[str, list[Split]]) -> dict[str, list[Bar]]:
    """Per client program the bars of its failover whose first confirmation took the median time."""
    out = {}
    for client, every in found.items():
        done = sorted((s for s in every if s.first is not None), key=lambda s: s.first or 0.0)
        if done:
            out[client] = done[(len(done) - 1) // 2].bars()
    return out

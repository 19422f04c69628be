"""Runs side by side, whatever brokers they were against: how the brokers stand, verdicts, figures
per client program, and the failover time taken apart.
"""

from __future__ import annotations

from statistics import median
from typing import Final

from tanist_interop.report import standing
from tanist_interop.report.columns import Results, align, programs
from tanist_interop.report.results import COUNTED, moment

WORDS: Final = standing.WORDS

ORDINALS: Final = ("first", "second", "third", "fourth")

STEPS: Final = (
    ("accept_ms", "promotion accepted"),
    ("active_ms", "new primary serves"),
    ("promote_ms", "promote command back"),
)
"""Key of a failover and its name, in the order in which they come."""


def lines(*runs: Results) -> list[str]:
    """The comparison as text, of two runs or more."""
    out = align(_heads(runs), right=False)
    out += ["", *align(standing.rows(list(runs)), right=False)]
    out += ["", *align(_verdicts(runs), right=False)]
    out += ["", *align(_clients(runs))]
    times = _times(runs)
    if len(times) > 1:
        out += ["", *align(times)]
    return out


def _names(runs: tuple[Results, ...]) -> list[str]:
    """What the runs are called, in their order."""
    return [*ORDINALS, *(f"run {number}" for number in range(5, len(runs) + 1))][: len(runs)]


def _heads(runs: tuple[Results, ...]) -> list[list[str]]:
    rows = [["", *_names(runs)]]
    rows.append(["verdict", *(WORDS[run["valid"]] for run in runs)])
    for name in ("name", "fault", "target"):
        words = [str(run["scenario"].get(name, "")) or "-" for run in runs]
        rows.append(["scenario" if name == "name" else name, *words])
    rows.append(["seed", *(str(run["seed"]) for run in runs)])
    rows.append(["began", *(moment(run) or "-" for run in runs)])
    names = [run["versions"] for run in runs]
    for key in sorted({key for version in names for key in version} - {"clients"}):
        rows.append([key, *(str(version.get(key, "-")) for version in names)])
    return rows


def _verdicts(runs: tuple[Results, ...]) -> list[list[str]]:
    rows = [["checker", *_names(runs)]]
    for name in dict.fromkeys(name for run in runs for name in run["verdicts"]):
        found = [run["verdicts"].get(name) for run in runs]
        rows.append([name, *(WORDS[word] if word else "-" for word in found)])
    return rows


def _clients(runs: tuple[Results, ...]) -> list[list[str]]:
    """A row per program and run."""
    rows = [["sent by", "run", *COUNTED]]
    for name in sorted({name for run in runs for name in run["clients"]}):
        for word, run in zip(_names(runs), runs, strict=True):
            sums = run["clients"].get(name)
            cells = ["-" if sums is None else _number(sums[key]) for key in COUNTED]
            rows.append([name, word, *cells])
    return rows


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def split(run: Results) -> dict[str, float]:
    """Median milliseconds from the fault to each step of its failovers; what never happened is left
    out. Those of a client program have its name behind them."""
    named = programs(run)
    found: dict[str, list[float]] = {}
    for failover in run["failovers"]:
        for key, words in STEPS:
            if failover[key] is not None:
                found.setdefault(words, []).append(failover[key])
        for key, words in (("detect_ms", "detected"), ("first_ack_ms", "first confirmation")):
            worst: dict[str, float] = {}
            for name, ms in failover[key].items():
                source = name.split(" to ")[0]
                program = named.get(source, source)
                worst[program] = max(ms, worst.get(program, ms))
            for program, ms in worst.items():
                found.setdefault(f"{words}, {program}", []).append(ms)
    return {words: float(median(values)) for words, values in found.items()}


def _times(runs: tuple[Results, ...]) -> list[list[str]]:
    """The steps of the failovers; of two runs also the difference."""
    found = [split(run) for run in runs]
    two = len(runs) == 2
    rows = [["from the fault to (median)", *_names(runs), *(["difference"] if two else [])]]
    order = [words for _, words in STEPS]
    keys = {key for times in found for key in times}
    for key in sorted(keys, key=lambda k: (order.index(k) if k in order else -1, k)):
        times = [run.get(key) for run in found]
        row = [key, *("-" if ms is None else f"{ms / 1000:.2f} s" for ms in times)]
        if two:
            left, right = times
            none = left is None or right is None
            row.append("-" if none else f"{((right or 0) - (left or 0)) / 1000:+.2f} s")
        rows.append(row)
    return rows

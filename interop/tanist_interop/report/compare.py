"""Two runs side by side, whatever brokers they were against: verdicts, figures per client program,
and the failover time taken apart.
"""

from __future__ import annotations

from statistics import median
from typing import Final

from tanist_interop.report.columns import Results, align, programs
from tanist_interop.report.results import COUNTED, moment

WORDS: Final = {"true": "valid", "false": "INVALID", "unknown": "UNKNOWN"}

STEPS: Final = (
    ("accept_ms", "promotion accepted"),
    ("active_ms", "new primary serves"),
    ("promote_ms", "promote command back"),
)
"""Key of a failover and its name, in the order in which they come."""


def lines(first: Results, second: Results) -> list[str]:
    """The comparison as text."""
    out = align(_heads(first, second), right=False)
    out += ["", *align(_verdicts(first, second), right=False)]
    out += ["", *align(_clients(first, second))]
    times = _times(first, second)
    if len(times) > 1:
        out += ["", *align(times)]
    return out


def _heads(first: Results, second: Results) -> list[list[str]]:
    rows = [["", "first", "second"]]
    rows.append(["verdict", *(WORDS[run["valid"]] for run in (first, second))])
    for name in ("name", "fault", "target"):
        words = [str(run["scenario"].get(name, "")) or "-" for run in (first, second)]
        rows.append(["scenario" if name == "name" else name, *words])
    rows.append(["seed", str(first["seed"]), str(second["seed"])])
    rows.append(["began", *(moment(run) or "-" for run in (first, second))])
    names = [run["versions"] for run in (first, second)]
    for key in sorted({*names[0], *names[1]} - {"clients"}):
        rows.append([key, *(str(version.get(key, "-")) for version in names)])
    return rows


def _verdicts(first: Results, second: Results) -> list[list[str]]:
    rows = [["checker", "first", "second"]]
    for name in dict.fromkeys([*first["verdicts"], *second["verdicts"]]):
        found = [run["verdicts"].get(name) for run in (first, second)]
        rows.append([name, *(WORDS[word] if word else "-" for word in found)])
    return rows


def _clients(first: Results, second: Results) -> list[list[str]]:
    """A row per program and run."""
    rows = [["sent by", "run", *COUNTED]]
    for name in sorted({*first["clients"], *second["clients"]}):
        for word, run in (("first", first), ("second", second)):
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


def _times(first: Results, second: Results) -> list[list[str]]:
    runs = [split(first), split(second)]
    rows = [["from the fault to (median)", "first", "second", "difference"]]
    order = [words for _, words in STEPS]
    keys = {*runs[0], *runs[1]}
    for key in sorted(keys, key=lambda k: (order.index(k) if k in order else -1, k)):
        pair = [run.get(key) for run in runs]
        cells = ["-" if ms is None else f"{ms / 1000:.2f} s" for ms in pair]
        left, right = pair
        if left is None or right is None:
            rows.append([key, *cells, "-"])
        else:
            rows.append([key, *cells, f"{(right - left) / 1000:+.2f} s"])
    return rows

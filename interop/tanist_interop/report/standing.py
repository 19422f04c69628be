"""How brokers stand: a row per broker, its version and what was done to it, over all runs of that.

A product is what the drill was told it is: what ``qpidd --version`` prints, or what a profile says.
"""

from __future__ import annotations

from typing import Final

from tanist_interop.report import failovers
from tanist_interop.report.columns import Results
from tanist_interop.report.results import broker

HEADS: Final = (
    "scenario", "broker", "version", "runs", "verdict", "acknowledged", "lost", "unexpected",
    "duplicated", "first confirmation", "resend, requeue, heartbeat, duplicates",
)  # fmt: skip
"""The last one: how many of the clients that took part gave each proof."""

NUMBERS_FROM: Final = 5
"""The first column of numbers."""

WORST: Final = ("false", "unknown", "true")
WORDS: Final = {"true": "valid", "false": "INVALID", "unknown": "UNKNOWN"}

SUMS: Final = ("acknowledged", "lost", "unexpected", "duplicated")


def rows(runs: list[Results]) -> list[list[str]]:
    """Heading, and the rows ordered by scenario, those of one in the order of their first runs."""
    groups: dict[tuple[str, str, str], list[Results]] = {}
    for run in runs:
        product, version = broker(run)
        groups.setdefault((str(run["scenario"].get("name", "?")), product, version), []).append(run)
    order = list(dict.fromkeys(name for name, _, _ in groups))
    out = [list(HEADS)]
    for key in sorted(groups, key=lambda each: order.index(each[0])):
        out.append([*key, *_figures(groups[key])])
    return out


def _figures(runs: list[Results]) -> list[str]:
    verdicts = [run["valid"] for run in runs]
    told = [f"{verdicts.count(v)} {WORDS[v]}" for v in WORST if v in verdicts]
    return [
        str(len(runs)),
        ", ".join(told) if len(runs) > 1 else WORDS[verdicts[0]],
        *(_sum(runs, key) for key in SUMS),
        _first(runs),
        _proofs(runs),
    ]


def _proofs(runs: list[Results]) -> str:
    """Of the clients that could, how many gave each proof in every run."""
    cells = [c for run in runs for c in run["figures"].get("proofs", {}).get("cells", [])]
    out = []
    for proof in dict.fromkeys(cell["proof"] for cell in cells):
        asked = [c for c in cells if c["proof"] == proof and c["verdict"] != "unsupported"]
        proved = [cell for cell in asked if cell["verdict"] == "valid"]
        out.append(f"{len(proved)}/{len(asked)}")
    return " ".join(out) or "-"


def _sum(runs: list[Results], key: str) -> str:
    """Over all runs; ``lost`` is not known as long as one of them was not drained."""
    values = [sums[key] for run in runs for sums in run["clients"].values()]
    if not values:
        return "-"
    known = [value for value in values if value is not None]
    return f"{sum(known):,}" if len(known) == len(values) else "?"


def _first(runs: list[Results]) -> str:
    """From the fault to the first new confirmation of a client: the median over clients and runs,
    and the longest."""
    found = failovers.of_runs(runs)
    times = [split.first for every in found.values() for split in every if split.first is not None]
    spread = failovers.spread(times)
    if spread is None:
        return "-"
    half, _, most = spread
    return f"{failovers.duration(half)}, at most {failovers.duration(most)}"

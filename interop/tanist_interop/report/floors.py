"""What a client's own settings make of a failover: no new confirmation can come before.

A client that lost its connection tries its addresses, waits, tries again. How long it waits is its
own setting (``retry`` in its ``client.json``), and a failover in which brokers lose no time at all
still takes that long. The floor of a failover is the later of two moments: the new primary serves;
and the client has noticed the loss and waited once. From when it serves, a client that tries as its
settings say has tried it within ``most_ms``; what it takes longer is not its settings' doing.
"""

from __future__ import annotations

from typing import Final

from tanist_interop.report.columns import Results

SILENT: Final = ("suspend", "hang-primary", "hang-primary-unfenced", "partition",
                 "partition-one-way")  # fmt: skip
"""Faults that nobody tells a client of: when it notices is no setting of how it tries again."""

Span = tuple[float, float]
"""In ms from the fault: not before the first, tried at the new primary by the second."""


def spans(failover: Results, retries: Results, named: dict[str, str]) -> dict[str, Span]:
    """Per client program whose settings are known: when its first new confirmation can come.
    ``retries`` is what the run noted of them, ``named`` whose process is which."""
    serves = failover["active_ms"] or failover["promote_ms"]
    if not serves:
        return {}
    out = {}
    for client, retry in retries.items():
        noticed = _noticed(failover, client, named)
        if noticed is not None:
            earliest = max(serves, noticed + retry["least_ms"])
            out[client] = (round(earliest, 1), round(max(serves, noticed) + retry["most_ms"], 1))
    return out


def _noticed(failover: Results, client: str, named: dict[str, str]) -> float | None:
    """When the first process of a client can have noticed; None if it never did."""
    if failover["fault"] not in SILENT:
        return 0.0
    times = [ms for name, ms in failover["detect_ms"].items() if named.get(name, name) == client]
    return min(times, default=None)

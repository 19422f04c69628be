"""What a run does: who sends to whom, which fault comes when, what is checked afterwards.

A scenario is frozen data; chance (the moment of the fault) is drawn from the run's seed by the
small functions below, so the same seed gives the same plan.
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, replace
from typing import Final

BASE_CHECKS: Final = ("course", "total-queue", "order", "redelivery", "duplicates", "brokers")
"""What every run is judged by."""


@dataclass(frozen=True)
class Flow:
    """One queue with its sender and its receiver."""

    queue: str
    producer: str
    sender: str
    receiver: str


@dataclass(frozen=True)
class Scenario:
    """A kind of run. Times in seconds, sizes in bytes."""

    name: str
    summary: str
    fault: str = ""
    """``kill`` or ``suspend``, empty for none."""
    target: str = "primary"
    """``primary`` or ``backup``: who is hit."""
    promote: bool = False
    """Promote a backup after the fault (and the clients move)."""
    heal: bool = False
    """Bring the hit broker back before the end; it must become a ready backup."""
    backup_first: bool = False
    """Clients are given the backups' addresses before the primary's."""
    acknowledged_min: int = 10_000
    """The senders go on until so many are acknowledged in all."""
    each_min: int = 500
    """So many of each sender before the fault, and again after it."""
    fault_after: tuple[int, int] = (3_000, 6_000)
    """The fault comes when so many are acknowledged in all: drawn from this range."""
    rate_per_s: float = 2_000.0
    """Of each sender, 0 = as fast as it can. A fast one would otherwise pile up work for a drain
    while the run waits for a slow one."""
    window: int = 100
    prefetch: int = 100
    ack_every: int = 10
    body_bytes: int = 100
    durable: bool = False
    link_heartbeat_s: int = 1
    client_heartbeat_s: int = 1
    empty_s: float = 0.5
    """A drain that gets nothing for so long has emptied the queue."""
    nodes: int = 3
    checks: tuple[str, ...] = BASE_CHECKS


def as_json(scenario: Scenario) -> dict[str, object]:
    """Every field as a JSON value, as it stands in a history."""
    values = asdict(scenario)
    return {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}


def flows(clients: list[str]) -> list[Flow]:
    """Each client sends to the next one (the last to the first; one alone to itself), so that each
    sends and each receives. One queue per flow: order and duplicates are per queue."""
    out = []
    for number, sender in enumerate(clients, 1):
        receiver = clients[number % len(clients)]
        out.append(Flow(f"drill.{number}", f"{sender}.{number}", sender, receiver))
    return out


def fault_moment(scenario: Scenario, seed: int) -> int:
    """After how many acknowledgements in all the fault comes."""
    low, high = scenario.fault_after
    return random.Random(seed).randint(low, high)


def scaled(scenario: Scenario, acknowledged_min: int) -> Scenario:
    """The same scenario with fewer or more messages; everything else in proportion."""

    factor = acknowledged_min / scenario.acknowledged_min
    low, high = scenario.fault_after
    return replace(
        scenario,
        acknowledged_min=acknowledged_min,
        each_min=max(1, int(scenario.each_min * factor)),
        fault_after=(max(1, int(low * factor)), max(1, int(high * factor))),
    )

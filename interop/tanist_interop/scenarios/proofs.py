"""The matrix: a scenario per fault, in each of which every client is to give four proofs.

*resend*: what was not confirmed when the fault came arrives; *requeue*: what was received and not
acknowledged comes back, in order, at the head, marked; *heartbeat*: a broker that hangs is noticed,
and no other; *duplicates*: few enough, each for a reason, told apart by producer and number.

Confirmations are frozen right before each fault: nothing that the primary says reaches the backups
any more, so that at the fault every sender has messages which only the primary has. They are few
enough (``window``) that a frozen sender waits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tanist_interop.scenarios.scenario import BASE_CHECKS, Scenario

UNBOUNDED: Final[dict[str, str]] = {
    "cpp-proton": "the library waits without an end for a broker that takes a connection and says "
    "nothing, when it comes to that address",
    "jms-0-10": "the library waits 60 s for a broker that takes a connection and says nothing",
    "cpp-qpid": "the library waits without an end for a broker that takes a connection and says "
    "nothing",
}
"""Clients that only get on when a hung broker is fenced."""

PROOFS: Final = ("resend", "requeue", "heartbeat", "duplicates")

PREFIX: Final = "proofs-"

BACKUP_TIMEOUT: Final = "--ha-backup-timeout=4"
"""A new primary waits so long for who was in sync and does not come: what is killed stays away."""

BASE: Final = Scenario(
    name="",
    summary="",
    course="proofs",
    heal=True,
    links="nodes",
    acknowledged_min=600,
    each_min=40,
    fault_after=(1, 1),
    total_rate_per_s=360.0,
    window=20,
    prefetch=20,
    link_heartbeat_s=2,
    client_heartbeat_s=2,
    reopen=True,
    broker_options=(BACKUP_TIMEOUT,),
    checks=(*BASE_CHECKS, "rejoin", "proofs"),
)

FAILOVER: Final = replace(
    BASE, promote=True, losses="reset", checks=(*BASE_CHECKS, "failover", "rejoin", "proofs")
)

CALM: Final = replace(BASE, fault_s=3.5, checks=(*BASE_CHECKS, "proofs"))
"""No broker is hit."""


def _named(base: Scenario, fault: str, summary: str, **changes: object) -> Scenario:
    values: dict[str, object] = {"name": PREFIX + fault, "fault": fault, "summary": summary}
    return replace(base, **values | changes)  # type: ignore[arg-type]


MATRIX: Final[tuple[Scenario, ...]] = (
    _named(CALM, "none", "nothing happens", heal=False),
    _named(FAILOVER, "kill-primary", "SIGKILL the primary"),
    _named(BASE, "kill-backup", "SIGKILL a backup"),
    _named(FAILOVER, "kill-two", "SIGKILL the primary and a backup at once"),
    _named(BASE, "kill-backups", "SIGKILL both backups"),
    _named(
        FAILOVER, "hang-primary", "SIGSTOP the primary, fenced after the promotion",
        losses="silence",
    ),
    _named(
        FAILOVER, "hang-primary-unfenced", "SIGSTOP the primary, which goes on after the promotion",
        losses="silence", bounded=True,
        checks=(*BASE_CHECKS, "failover", "rejoin", "evidence", "proofs"),
    ),
    _named(BASE, "hang-backup", "SIGSTOP a backup until it is dropped"),
    _named(FAILOVER, "stop-primary", "SIGTERM the primary"),
    _named(BASE, "stop-backup", "SIGTERM a backup"),
    _named(FAILOVER, "restart-primary", "SIGKILL the primary, start it again at once"),
    _named(
        FAILOVER, "kill-recovering", "SIGKILL the primary, then the promoted one",
        checks=(*BASE_CHECKS, "rejoin", "proofs"),
    ),
    _named(
        FAILOVER, "kill-catching-up", "SIGKILL the primary while a backup catches up",
        checks=(*BASE_CHECKS, "failover", "rejoin", "evidence", "proofs"),
    ),
    _named(
        FAILOVER, "kill-in-transaction", "SIGKILL the primary while transactions are open",
        hold_in="transaction",
    ),
    _named(
        FAILOVER, "kill-in-large-message", "SIGKILL the primary while 10 MB messages are sent",
        large_bytes=10_000_000, empty_s=5.0,
    ),
    _named(
        BASE, "promote-wrong", "promote a broker that has nothing",
        checks=(*BASE_CHECKS, "evidence", "rejoin", "proofs"),
    ),
    _named(
        FAILOVER, "partition", "cut the primary off", links="clients", losses="silence",
    ),
    _named(
        FAILOVER, "partition-one-way", "what the primary says gets nowhere", links="clients",
        losses="silence",
    ),
    _named(BASE, "partition-partial", "cut one backup off from the primary"),
    _named(CALM, "slow-links", "40 ms between brokers"),
    _named(CALM, "slow-clients", "40 ms between clients and brokers", links="clients"),
    _named(BASE, "lossy-links", "links between brokers stall and break", fault_s=5.0),
    _named(
        CALM, "lossy-clients", "links of clients stall and break", links="clients", losses="any",
    ),
    _named(CALM, "kill-client", "SIGKILL whoever receives", heal=False, fault_s=0.0),
    _named(
        CALM, "pause-client", "SIGSTOP whoever receives until dropped", losses="any", fault_s=6.0,
    ),
    _named(CALM, "clock-jump", "the brokers' clocks jump an hour ahead, and back", clock=True),
)  # fmt: skip
"""Every fault, in the order of the catalogue of faults."""

IN_CI: Final = (
    "kill-primary", "kill-backup", "kill-two", "hang-primary", "hang-backup", "stop-primary",
    "restart-primary", "kill-recovering", "kill-in-transaction", "promote-wrong", "partition",
    "kill-client",
)  # fmt: skip
"""Faults of every run in CI."""

BY_NAME: Final[dict[str, Scenario]] = {scenario.name: scenario for scenario in MATRIX}


def chosen(part: str) -> list[Scenario]:
    """The scenarios of a part: ``full``, ``ci``, or faults by their names with commas. Raises:
    KeyError."""
    if part == "full":
        return list(MATRIX)
    faults = IN_CI if part == "ci" else part.split(",")
    by_fault = {scenario.fault: scenario for scenario in MATRIX}
    return [by_fault[fault] for fault in faults]

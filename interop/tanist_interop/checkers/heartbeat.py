"""Heartbeat: a client notices that its broker is gone or hangs, in time, and never without cause.

A broker that falls silent is noticed within two intervals and some slack, by a few libraries later
for reasons of their own (``LIMITS``). A connection that is reset is noticed as soon. Beside that,
and beside what follows while a backup is being promoted, no client tells of a lost connection from
when all of them stream: a dozen programs that start on two cores may starve each other before that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tanist_interop import history, protocol
from tanist_interop.checkers.cells import Cast, Cell, Run
from tanist_interop.checkers.duplicates import capabilities

PROOF: Final = "heartbeat"

INTERVALS: Final = 2.0
SLACK_S: Final = 1.0
"""Half a second for the grain of a library's timers, as much for a machine on which a dozen
programs share two cores."""

SILENT: Final = "the library does not tell when it loses a connection"

LIMITS: Final[dict[str, tuple[float, float, str]]] = {
    "python-qpid": (3.0, 0.0, "looks once an interval only"),
    "js-rhea": (2.0, 1.0, "gives the broker a second to answer its close first"),
}
"""Per client how many intervals and seconds it may take, and why."""

IDLE_TIMEOUT: Final = "idle_timeout"

MUST_NOTICE: Final = ("reset", "silence")
"""Kinds of losses that no client may miss."""

GRACE_NS: Final = 3_000_000_000
"""So long after a failover a client may still find an address at which nobody serves."""


def interval_s(scenario: Mapping[str, object]) -> float:
    """The heartbeat of a scenario's clients: what the option ``idle_timeout`` (in ms) of their
    library says, which takes the place of the one that they are asked for; in seconds."""
    options = scenario.get("options", [])
    assert isinstance(options, list)
    for option in options:
        name, _, value = str(option).partition("=")
        if name == IDLE_TIMEOUT:
            return float(value) / 1000
    return float(str(scenario.get("client_heartbeat_s", 1)))


def limit_s(client: str, heartbeat_s: float) -> float:
    """In what time a client must notice."""
    intervals, more_s, _ = LIMITS.get(client, (INTERVALS, 0.0, ""))
    return intervals * heartbeat_s + more_s + SLACK_S


def telling(records: history.Records) -> set[str]:
    """The programs whose libraries tell when they lose a connection."""
    return {
        note.source
        for note in history.notes(records, "client")
        if "connection_events" in capabilities(note.event["init_ok"])
    }


def losses(records: history.Records, source: str) -> dict[int, bool]:
    """When a program told that it lost its connection, and whether it gave it up itself, because
    its library had: ``reopened`` says so, for the same reason."""
    own = {
        (record.source, event.reason)
        for record, event in history.messages(records, protocol.Reopened)
    }
    return {
        record.t: (source, event.reason) in own
        for record, event in history.messages(records, protocol.Disconnected)
        if record.source == source
    }


def window(run: Run) -> tuple[int, int]:
    """From when to when there is a cause."""
    if not run.losses:
        return 0, 0
    records = run.ops.records
    settled = history.mark_time(records, "healed" if run.losses == "any" else "settled")
    return run.begin, (settled or run.ops.span[1]) + GRACE_NS


def dead(run: Run) -> dict[str, int]:
    """When the drill killed a program: what it says of its connections after that is nothing."""
    marks = history.notes(run.ops.records, "mark")
    return {str(n.event["program"]): n.t for n in marks if n.event["name"] == "kill"}


def prove(run: Run, cast: Cast, cell: Cell) -> None:
    """Judge one client: both its programs."""
    if not telling(run.ops.records).issuperset(cast.sources):
        cell.unable(SILENT)
        return
    begin, end = window(run)
    quiet = history.mark_time(run.ops.records, "streaming") or 0
    noticed: dict[str, float] = {}
    for source in cast.sources:
        times = losses(run.ops.records, source)
        after = [t for t in times if begin and t >= begin]
        notice = after[:1] if run.losses in MUST_NOTICE else []
        lost = [t for t, given_up in times.items() if not given_up and t not in notice]
        causeless = [t for t in lost if t >= quiet and not begin <= t <= end]
        if causeless:
            first = (causeless[0] - run.ops.span[0]) / 1e9
            cell.wrong(f"{source} lost a connection without cause {len(causeless)} times, first "
                       f"after {first:.1f} s of the run")  # fmt: skip
        if after:
            noticed[source] = round((after[0] - begin) / 1e9, 2)
    cell.figures = {"noticed_s": noticed}
    if run.losses in MUST_NOTICE:
        _judge_notice(run, cast, cell, noticed)


def _judge_notice(run: Run, cast: Cast, cell: Cell, noticed: dict[str, float]) -> None:
    limit = limit_s(cast.client, run.heartbeat_s)
    cell.figures["limit_s"] = limit
    for source in cast.sources:
        if source in dead(run):
            continue
        if source not in noticed:
            cell.wrong(f"{source} never told that its broker was gone")
        elif noticed[source] > limit:
            cell.wrong(f"{source} noticed after {noticed[source]} s, more than {limit:g} s")

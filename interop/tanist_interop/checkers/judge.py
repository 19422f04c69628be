"""The verdict on a history: every checker that its scenario asks for, combined.

What to check is read from the history's own first record, so nothing but the file is needed to
judge it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from tanist_interop import history, protocol
from tanist_interop.checkers import (
    brokers,
    course,
    duplicates,
    evidence,
    failover,
    fidelity,
    matrix,
    order,
    outcomes,
    proofs,
    punctual,
    quiet,
    redelivery,
    rejoin,
    replicas,
    selectors,
    stall,
    subscriptions,
    total_queue,
    transactions,
)
from tanist_interop.checkers.finding import Finding, Valid, combine
from tanist_interop.checkers.operations import Operations, read


@dataclass(frozen=True)
class Subject:
    """What a checker may look at."""

    ops: Operations
    scenario: dict[str, object]

    def number(self, name: str) -> float:
        """A numeric field of the scenario, 0 if it has none."""
        value = self.scenario.get(name, 0)
        return value if isinstance(value, (int, float)) else 0

    def words(self, name: str) -> list[str]:
        """A field of the scenario that is a list of words, empty if it has none."""
        value = self.scenario.get(name)
        return [str(word) for word in value] if isinstance(value, list) else []


CHECKERS: Final[dict[str, Callable[[Subject], Finding]]] = {
    total_queue.NAME: lambda s: total_queue.check(s.ops),
    order.NAME: lambda s: order.check(s.ops),
    redelivery.NAME: lambda s: redelivery.check(s.ops),
    duplicates.NAME: lambda s: duplicates.check(s.ops),
    failover.NAME: lambda s: failover.check(
        s.ops,
        max(1, int(s.number("failovers_min"))),
        s.scenario.get("failover") == "exchange" or s.scenario.get("links") == "virtual",
    ),
    matrix.NAME: lambda s: matrix.check(s.ops, int(s.number("flow_min"))),
    outcomes.NAME: lambda s: outcomes.check(s.ops),
    punctual.NAME: lambda s: punctual.check(s.ops),
    selectors.NAME: lambda s: selectors.check(s.ops),
    subscriptions.NAME: lambda s: subscriptions.check(s.ops),
    transactions.NAME: lambda s: transactions.check(s.ops),
    fidelity.NAME: lambda s: fidelity.check(s.ops, s.words("values")),
    proofs.NAME: lambda s: proofs.check(s.ops, s.scenario),
    evidence.NAME: lambda s: evidence.check(s.ops.records),
    quiet.NAME: lambda s: quiet.check(
        s.ops, s.number("client_heartbeat_s"), int(s.number("nodes"))
    ),
    stall.NAME: lambda s: stall.check(s.ops, s.number("link_heartbeat_s")),
    rejoin.NAME: lambda s: rejoin.check(s.ops.records),
    replicas.NAME: lambda s: replicas.check(s.ops.records),
    brokers.NAME: lambda s: brokers.check(s.ops),
    course.NAME: lambda s: course.check(s.ops, int(s.number("acknowledged_min"))),
}
"""Every checker by the name that scenarios use."""


@dataclass(frozen=True)
class Verdict:
    """The result of a run."""

    valid: Valid
    scenario: dict[str, object]
    seed: int
    findings: tuple[Finding, ...]
    flows: list[dict[str, object]] = field(default_factory=list)
    """Per producer: sender, receiver, and the total-queue figures."""
    context: dict[str, object] = field(default_factory=dict)
    """The rest of the first record, the clients that ran and those that did not."""
    span: tuple[int, int] = (0, 0)
    """When the drill noted the first and the last record, in ns of its clock."""

    def as_json(self) -> dict[str, object]:
        """The verdict as JSON values: what the reports are made of."""
        return {
            "valid": self.valid.value,
            "scenario": self.scenario,
            "seed": self.seed,
            "figures": {f.checker: f.figures for f in self.findings},
            "verdicts": {f.checker: f.valid.value for f in self.findings},
            "findings": [
                {"checker": f.checker, "valid": f.valid.value, "problems": list(f.problems)}
                for f in self.findings
            ],
            "problems": [
                f"{f.checker}: {problem}" for f in self.findings for problem in f.problems
            ],
            "flows": self.flows,
            "context": self.context,
        }


def judge(records: Iterable[history.Record]) -> Verdict:
    """Judge a history, going through it once. Without its first record it is unknown. Raises
    whatever reading the records raises."""
    ops = read(records)
    run = next(history.notes(ops.records, "run"), None)
    if run is None:
        missing = Finding(course.NAME, Valid.UNKNOWN, {}, ("the history has no run record",))
        return Verdict(Valid.UNKNOWN, {}, 0, (missing,))
    scenario = run.event["scenario"]
    assert isinstance(scenario, dict)
    seed = run.event["seed"]
    assert isinstance(seed, int)
    subject = Subject(ops, scenario)
    findings = tuple(CHECKERS[name](subject) for name in scenario["checks"])
    valid = combine(f.valid for f in findings)
    context = _context(ops.records, run)
    return Verdict(valid, scenario, seed, findings, _flows(ops), context, ops.span)


def _flows(ops: Operations) -> list[dict[str, object]]:
    out: list[dict[str, object]] = []
    topics = subscriptions.totals(ops)
    for (sender, _), send in sorted(ops.senders.items()):
        receivers = [
            source
            for (source, _), receive in sorted(ops.receivers.items())
            if receive.queue == send.queue and isinstance(receive, protocol.Receive)
        ]
        figures = total_queue.totals(ops, send.producer).figures()
        figures |= topics.get(send.producer, {})
        out.append({"sender": sender, "receivers": receivers, **figures})
    return out


def _context(records: history.Records, run: history.Record) -> dict[str, object]:
    programs = {note.source: note.event["init_ok"] for note in history.notes(records, "client")}
    missing = [dict(note.event) for note in history.notes(records, "not_run")]
    rest = {key: value for key, value in run.event.items() if key not in ("type", "scenario")}
    return {**rest, "programs": programs, "not_run": missing}

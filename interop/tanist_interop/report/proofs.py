"""The matrix: what each client program was asked to prove under each fault, and what came of it.

A run whose checkers judge client by client says so in the figures of the checker ``proofs``. Of any
other run the cells are made of its findings: a checker that is not content counts against the
clients that its problems name, and against all as soon as one problem names nobody (or problems
were left out). A run that was not carried through proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from tanist_interop.report.columns import Results, align, programs

PROOFS: Final[dict[str, tuple[str, ...]]] = {
    "resend": ("total-queue", "failover", "matrix"),
    "requeue": ("outcomes", "redelivery", "order"),
    "heartbeat": ("stall", "quiet"),
    "duplicates": ("duplicates",),
    "values": ("fidelity",),
    "brokers": ("brokers", "rejoin", "replicas"),
}
"""Each proof and the checkers that it is made of where nobody judges client by client."""

WORDS: Final = {
    "valid": "proved",
    "invalid": "VIOLATED",
    "unknown": "not shown",
    "known": "fails, as is known",
    "unsupported": "the client cannot",
}
SIGNS: Final = {"valid": "✓", "invalid": "✗", "unknown": "?", "known": "k", "unsupported": "u"}
MARKS: Final = {"valid": "+", "invalid": "X", "unknown": "?", "known": "k", "unsupported": "u"}

VERDICTS: Final = {"true": "valid", "false": "invalid", "unknown": "unknown"}
"""What a finding's verdict makes of a cell."""

WORST: Final = ("invalid", "unknown", "known", "valid", "unsupported")
"""A cell of several runs is the first of these that one of them says."""

PROBLEMS_LEFT_OUT: Final = 10
"""Checkers show so many problems at most."""


@dataclass
class Cell:
    """One client, one fault, one proof."""

    client: str
    fault: str
    proof: str
    verdict: str
    """A key of ``WORDS``."""
    why: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    """The folders of the runs that say so."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is about."""
        return self.client, self.fault, self.proof


def fault_of(scenario: Results) -> str:
    """What happens in a scenario, for people."""
    if scenario.get("soak_s"):
        return "soak"
    fault, target = str(scenario.get("fault", "")), str(scenario.get("target", ""))
    if not fault:
        return "none" if scenario.get("course", "stream") == "stream" else str(scenario["name"])
    named = any(word in fault for word in ("primary", "backup", "client", "link", "node", "none"))
    return fault if named or scenario.get("course") == "proofs" else f"{fault} {target}"


def cells(results: Results, folder: str = "") -> list[Cell]:
    """The cells of one run."""
    fault, out = fault_of(results["scenario"]), []
    judged = results["figures"].get("proofs", {}).get("cells")
    if judged is not None:
        return told(judged, folder)
    found = {finding["checker"]: finding for finding in results["findings"]}
    named = programs(results)
    for proof, checkers in PROOFS.items():
        asked = [found[name] for name in checkers if name in found]
        if not asked:
            continue
        for client in sorted(set(named.values())):
            mine = {source for source, program in named.items() if program == client} | {client}
            cell = Cell(client, fault, proof, "valid", [], [folder] if folder else [])
            for finding in [*asked, *([found["course"]] if "course" in found else [])]:
                _blame(cell, finding, mine, set(named) | set(named.values()))
            out.append(cell)
    return out


def told(judged: Iterable[Results], folder: str = "") -> list[Cell]:
    """The cells that somebody judged one by one, as JSON values."""
    return [
        Cell(
            cell["client"], cell["fault"], cell["proof"], cell["verdict"],
            [text for text in (*cell["findings"], cell["reason"]) if text],
            [folder] if folder else [],
        )
        for cell in judged
    ]  # fmt: skip


def _blame(cell: Cell, finding: Results, mine: set[str], everybody: set[str]) -> None:
    """Let a cell be what a finding says of its client."""
    if finding["valid"] == "true":
        return
    said = {problem: _mentioned(problem, everybody) for problem in finding["problems"]}
    general = [problem for problem, names in said.items() if not names]
    about = [problem for problem, names in said.items() if names & mine]
    if not about and not general and 0 < len(said) < PROBLEMS_LEFT_OUT:
        return
    cell.verdict = _worse(cell.verdict, VERDICTS[finding["valid"]])
    cell.why += [f"{finding['checker']}: {problem}" for problem in about + general]


def _mentioned(problem: str, names: set[str]) -> set[str]:
    """Which processes and programs a problem names. Producers are ``program.number``."""
    return {n for n in names if re.search(rf"(?<![\w.-]){re.escape(n)}(?![\w-])", problem)}


def _worse(one: str, other: str) -> str:
    return min(one, other, key=WORST.index)


def combined(found: Iterable[Cell]) -> list[Cell]:
    """One cell per client, fault and proof: of several runs the worst."""
    out: dict[tuple[str, str, str], Cell] = {}
    for cell in found:
        there = out.setdefault(cell.key, Cell(cell.client, cell.fault, cell.proof, "unsupported"))
        worst = _worse(there.verdict, cell.verdict)
        first = worst != there.verdict  # the run that says the worst is the one to look at
        there.runs = cell.runs + there.runs if first else there.runs + cell.runs
        there.verdict = worst
        there.why += cell.why
    return list(out.values())


@dataclass
class Matrix:
    """Cells as a table: a row per fault, and in it for each client a cell per proof."""

    faults: list[str]
    clients: list[str]
    proofs: list[str]
    there: dict[tuple[str, str, str], Cell]

    def cell(self, client: str, fault: str, proof: str) -> Cell | None:
        """One cell, None where nothing was asked."""
        return self.there.get((client, fault, proof))

    def count(self) -> dict[str, int]:
        """How many cells are what."""
        found = [cell.verdict for cell in self.there.values()]
        return {verdict: found.count(verdict) for verdict in WORDS if verdict in found}


def matrix(found: Iterable[Cell]) -> Matrix:
    """The table of these cells."""
    cells = combined(found)
    known = list(PROOFS)
    proofs = {cell.proof for cell in cells}
    order = sorted(proofs, key=lambda p: (known.index(p) if p in known else len(known), p))
    return Matrix(
        list(dict.fromkeys(cell.fault for cell in cells)),
        sorted({cell.client for cell in cells}),
        order,
        {cell.key: cell for cell in cells},
    )


def lines(table: Matrix) -> list[str]:
    """The matrix as plain text, a character per proof."""
    if not table.there:
        return []
    rows = [["proofs", *table.clients]]
    for fault in table.faults:
        rows.append([fault, *(marks(table, client, fault) for client in table.clients)])
    counts = ", ".join(f"{number} {WORDS[verdict]}" for verdict, number in table.count().items())
    return [
        *align(rows, right=False),
        f"in this order: {', '.join(table.proofs)}; + proved, X violated, ? not shown, "
        "k fails as is known, u the client cannot, . not asked",
        f"{len(table.there)} proofs: {counts}",
    ]


def marks(table: Matrix, client: str, fault: str) -> str:
    """What came of the proofs of one client under one fault, a character each."""
    found = [table.cell(client, fault, proof) for proof in table.proofs]
    return "".join(MARKS[cell.verdict] if cell else "." for cell in found)

"""Old runs: found again, judged again, reported again, listed, compared.

A run is its folder (``history.jsonl`` in it is what is judged). What only reads results takes a
folder without a history too, or a ``results.json`` alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from tanist_interop import history
from tanist_interop.checkers.judge import judge
from tanist_interop.report import compare as comparing
from tanist_interop.report import page, results, standing, table
from tanist_interop.report.columns import Results, align
from tanist_interop.runner import campaign

HISTORY: Final = "history.jsonl"

Say = Callable[[str], None]


class NoRun(ValueError):
    """There is no such run; the text says what was looked for."""


def find(named: Path, out: Path) -> Path:
    """The run of this name: a path as it is, or a name in the folder of the runs. Raises: NoRun."""
    for path in (named, out / named):
        if path.exists():
            return path
    raise NoRun(f"there is no run {named}, and none of that name in {out}")


def history_of(run: Path) -> Path:
    """The history of a run folder; of a history file itself. Raises: NoRun."""
    path = run / HISTORY if run.is_dir() else run
    if not path.exists():
        raise NoRun(f"{run} is no run folder: it has no {HISTORY}")
    return path


def check(run: Path, say: Say) -> int:
    """Judge a run again and print the table; returns its exit code. Raises: NoRun, DamagedHistory,
    OSError."""
    verdict = judge(history.stream(history_of(run)))
    began, ended = verdict.span
    say(table.render(verdict.as_json(), (ended - began) / 1e9))
    return campaign.EXIT_CODES[verdict.valid]


def report(run: Path, say: Say) -> int:
    """Judge a run again and write its reports anew; of a folder of runs write the index anew, with
    all of them, and print how the brokers stand. Raises: NoRun, DamagedHistory, OSError."""
    if not run.is_dir():
        raise NoRun(f"{run} is no run folder")
    if not (run / HISTORY).exists() and folders(run):
        found = [(folder.name, known(folder)) for folder in folders(run)]
        page.write_index(run, found)
        say("\n".join(align(standing.rows([each for _, each in found]), right=False)))
        say(str(run / page.INDEX))
        return 0
    verdict = judge(history.stream(history_of(run)))
    began, ended = verdict.span
    campaign.write_reports(run, verdict, (ended - began) / 1e9)
    say(f"{verdict.valid.value}: {run / page.FILE}")
    return 0


def folders(out: Path) -> list[Path]:
    """Every run folder in a folder, oldest first."""
    found = [path for path in out.iterdir() if (path / HISTORY).exists()]
    return sorted(found, key=lambda path: (path / HISTORY).stat().st_mtime)


def show(out: Path, say: Say) -> int:
    """List the runs of a folder, a line each. Raises: OSError."""
    rows = [["run", "date", "scenario", "seed", "verdict", "seconds", "clients"]]
    for folder in folders(out):
        try:
            run = results.load(folder / results.FILE)
        except (OSError, results.BadResults):
            rows.append([folder.name, *["-"] * 3, "no results", "-", "-"])
            continue
        rows.append([
            folder.name,
            results.moment(run) or "-",
            str(run["scenario"].get("name", "?")),
            str(run["seed"]),
            comparing.WORDS[run["valid"]],
            f"{run['seconds']:.1f}",
            ",".join(run["versions"]["clients"]),
        ])  # fmt: skip
    say("\n".join(align(rows, right=False)) if len(rows) > 1 else f"there are no runs in {out}")
    return 0


def compare(runs: list[Path], say: Say) -> int:
    """Print runs side by side. Raises: NoRun (one alone is none, too), DamagedHistory, OSError."""
    if len(runs) < 2:
        raise NoRun("compare takes two runs or more")
    say("\n".join(comparing.lines(*map(known, runs))))
    return 0


def known(run: Path) -> Results:
    """The results of a run: its ``results.json``, or of a history judged now. Raises: NoRun,
    DamagedHistory, OSError."""
    path = run / results.FILE if run.is_dir() else run
    if path.suffix == ".json" and path.exists():
        try:
            return results.load(path)
        except results.BadResults as error:
            if not run.is_dir():
                raise NoRun(str(error)) from error
    verdict = judge(history.stream(history_of(run)))
    began, ended = verdict.span
    return results.document(verdict.as_json(), (ended - began) / 1e9)

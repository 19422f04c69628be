"""What somebody at a terminal sees of a campaign.

A ``Screen`` writes lines, one after the other: into files, pipes, and terminals that ask for no
colours (``NO_COLOR``) or can do nothing. On any other terminal a ``Live`` one keeps a line at the
bottom that moves: which run, what it is doing, for how long; the matrix at the end has colours.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Final, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from tanist_interop.report import proofs

REASONS_MAX: Final = 20
"""Lines about what is not proved; the pages have them all."""

COLOURS: Final = {
    "valid": "green",
    "invalid": "bold red",
    "unknown": "yellow",
    "known": "yellow",
    "unsupported": "bright_black",
}


class Screen:
    """Writes lines. Also called like the function that it is made of."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def __call__(self, text: str) -> None:
        """Something that stays."""
        self._write(text)

    def __enter__(self) -> Screen:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing more is shown."""

    def now(self, text: str) -> None:
        """What is going on at this moment."""
        self(text)

    def begin(self, number: int, total: int, name: str) -> None:
        """The run of this number begins, of so many."""

    def matrix(self, table: proofs.Matrix) -> None:
        """What was proved, and what was not."""
        if table.there:
            self("\n".join(["", *proofs.lines(table), *reasons(table)]))


class Live(Screen):
    """On a terminal of colours. Enter it before the first line, leave it after the last."""

    def __init__(self, console: Console) -> None:
        super().__init__(self._print)
        self.console = console
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def now(self, text: str) -> None:
        """In the line that moves."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, now=text.strip())

    def begin(self, number: int, total: int, name: str) -> None:
        """The line begins with the first run; of several it has a bar."""
        if self._progress is None:
            bar: list[ProgressColumn] = [BarColumn(20), MofNCompleteColumn()] if total > 1 else []
            self._progress = Progress(
                SpinnerColumn(), TextColumn("{task.description}", markup=False), *bar,
                TimeElapsedColumn(), TextColumn("{task.fields[now]}", markup=False),
                console=self.console, transient=True,
            )  # fmt: skip
            self._task = self._progress.add_task(name, total=total, now="")
            self._progress.start()
        assert self._task is not None
        self._progress.update(self._task, description=name, completed=number - 1, now="")

    def matrix(self, table: proofs.Matrix) -> None:
        """A table with a sign for each proof."""
        self._stop()
        if not table.there:
            return
        self(f"Proofs: {', '.join(table.proofs)}")
        shown = Table()
        shown.add_column("fault")
        for client in table.clients:
            shown.add_column(client, no_wrap=True)
        for fault in table.faults:
            shown.add_row(fault, *(_signs(table, client, fault) for client in table.clients))
        self.console.print(shown)
        for verdict, number in table.count().items():
            words = f"{proofs.SIGNS[verdict]} {number} {proofs.WORDS[verdict]}"
            self.console.print(Text(words, COLOURS[verdict]))
        for reason in reasons(table):
            self(reason)

    def _print(self, text: str) -> None:
        """As it is; long lines are the terminal's matter."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def _signs(table: proofs.Matrix, client: str, fault: str) -> Text:
    out = Text()
    for number, proof in enumerate(table.proofs):
        cell = table.cell(client, fault, proof)
        out.append(" " if number else "")
        if cell is None:
            out.append("·")
        else:
            out.append(proofs.SIGNS[cell.verdict], COLOURS[cell.verdict])
    return out


def reasons(table: proofs.Matrix) -> list[str]:
    """Why cells are not proved, or something is to be said of one that is, the worst first: a line
    for all proofs and faults of a client that share a reason."""
    found: dict[tuple[int, str, str, str], list[str]] = {}
    for cell in table.there.values():
        if cell.verdict != "valid" or cell.why:
            why = "; ".join(dict.fromkeys(cell.why)) or "nobody says why"
            key = (proofs.WORST.index(cell.verdict), cell.verdict, cell.client, why)
            found.setdefault(key, []).append(f"{cell.fault} {cell.proof}")
    out = [
        f"{proofs.WORDS[verdict]}: {client}: {why} ({', '.join(where)})"
        for (_, verdict, client, why), where in sorted(found.items())
    ]
    more = len(out) - REASONS_MAX
    return [*out[:REASONS_MAX], f"and {more} more"] if more > 0 else out


def of(say: Callable[[str], None]) -> Screen:
    """A screen of whatever writes lines; a screen stays what it is."""
    return say if isinstance(say, Screen) else Screen(say)


def screen(stream: TextIO | None = None) -> Screen:
    """The screen for a stream, standard output by default."""
    out = sys.stdout if stream is None else stream
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM", "dumb") == "dumb"
    if plain or not out.isatty():
        return Screen(lambda text: print(text, file=out, flush=True))
    return Live(Console(file=out))

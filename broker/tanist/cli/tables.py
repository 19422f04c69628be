"""Tables as the original's tools print them: a title, heads, a line, rows.

Columns are as wide as their widest cell and two blanks apart; the last one is not padded. Scripts
split these lines at blanks, so they are what they always were.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

PREFIX: Final = "  "
GAP: Final = 2
LINE_MAX: Final = 255
"""Characters of the line under the heads; what is wider gets a shorter line."""


def cell(value: object) -> str:
    """A value as a table shows it: nothing for None."""
    return "" if value is None else str(value)


def table(title: str, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """The lines of a table; without rows there is only the title."""
    if not rows:
        return [title]
    cells = [[cell(value) for value in row] for row in rows]
    widths = [
        max(len(head), *(len(row[column]) for row in cells)) + GAP
        for column, head in enumerate(heads)
    ]
    line = (PREFIX + "".join("=" * width for width in widths))[:LINE_MAX]
    return [title, _line(heads, widths), line, *(_line(row, widths) for row in cells)]


def _line(words: Sequence[str], widths: list[int]) -> str:
    padded = [word.ljust(width) for word, width in zip(words[:-1], widths, strict=False)]
    return PREFIX + "".join(padded) + words[-1]

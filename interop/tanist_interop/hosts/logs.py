"""What must not be in a broker's log: tracebacks and critical lines."""

from __future__ import annotations

from pathlib import Path
from typing import Final

TROUBLE: Final = ("Traceback (most recent call last)", "] critical")
"""Marks of a line that must not be there."""

MAX_TROUBLE_LINES: Final = 50
"""Lines taken from one log: enough for a human, whatever a broken broker writes."""


def bad_lines(log: Path, marks: tuple[str, ...] = TROUBLE) -> list[str]:
    """Lines of a broker's log that must not be there: with one of ``marks``. Raises: OSError."""
    out: list[str] = []
    in_traceback = False
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            text = line.rstrip()
            if in_traceback and text and not text.startswith((" ", "\t")):
                out[-1] += " ... " + text
                in_traceback = False
            elif any(mark in text for mark in marks):
                out.append(text)
                in_traceback = TROUBLE[0] in text
            if len(out) >= MAX_TROUBLE_LINES:
                break
    return out

"""What is wrong with a selector, for the person who wrote it."""

from __future__ import annotations

from typing import Final

from tanist.types import BrokerError, Condition

EXCERPT_CHARS: Final = 24
"""How much of the text is shown on each side of a mistake: enough to find it in a long selector,
and the answer still fits into an error field of 255 octets."""


def invalid(text: str, at: int, problem: str) -> BrokerError:
    """The error for ``problem`` at index ``at`` of the selector ``text``; the caller raises it.

    Characters are counted from 1 for the reader. What is quoted from the text is cut and escaped.
    """
    start = max(0, at - EXCERPT_CHARS)
    near = text[start : at + EXCERPT_CHARS]
    where = f" near {near!r}" if near else ""
    return BrokerError(
        Condition.INVALID_ARGUMENT,
        f"Invalid selector: {problem} at character {at + 1}{where}",
    )


def shown(word: str) -> str:
    """``word`` of a selector as an error quotes it: cut and escaped."""
    cut = word if len(word) <= EXCERPT_CHARS else word[:EXCERPT_CHARS] + "..."
    return repr(cut)

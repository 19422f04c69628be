"""What a checker says: a verdict of three values, figures for the table, problems for a human."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

MAX_EXAMPLES: Final = 10
"""Numbers shown per problem; the history has them all."""


class Valid(Enum):
    """A verdict. UNKNOWN: the history does not allow one."""

    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"


def combine(values: Iterable[Valid]) -> Valid:
    """False if any is false, else unknown if any is unknown, else true."""
    seen = set(values)
    if Valid.FALSE in seen:
        return Valid.FALSE
    return Valid.UNKNOWN if Valid.UNKNOWN in seen else Valid.TRUE


@dataclass(frozen=True)
class Finding:
    """The result of one checker. ``figures`` are JSON values."""

    checker: str
    valid: Valid
    figures: dict[str, object] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def examples(keys: Iterable[tuple[str, int]]) -> str:
    """The first few of some messages, as ``producer:sn``."""
    ordered = sorted(keys)
    shown = ", ".join(f"{producer}:{sn}" for producer, sn in ordered[:MAX_EXAMPLES])
    more = len(ordered) - MAX_EXAMPLES
    return f"{shown} and {more} more" if more > 0 else shown

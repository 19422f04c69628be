"""Words of the command line, the environment and the configuration file, turned into values.

One function per kind of option value, following what users of the original broker may write:
booleans as yes/no, true/false, on/off, 1/0 in any letter case (supervisors really pass Python's
``True``), and durations as a decimal number with an optional unit. Every function raises
``ValueError`` with a text that says what was expected; ``config`` adds which option and source.

Spec: qpidd-compat 1.1.
"""

from __future__ import annotations

import math
from typing import Final

YES: Final = frozenset({"yes", "true", "on", "1"})
NO: Final = frozenset({"no", "false", "off", "0"})

UNITS_S: Final = (("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9), ("s", 1.0))
"""Duration suffixes; ``s`` last because the others end with it too."""

DURATION_MAX_S: Final = 1e9
"""About 31 years: anything longer is a typing error and would overflow timers."""


def parse_flag(text: str) -> bool:
    """The boolean that ``text`` means. Raises: ValueError for any other word."""
    word = text.strip().lower()
    if word in YES:
        return True
    if word in NO:
        return False
    raise ValueError(f"'{text}' is not a boolean: use yes or no")


def is_flag(text: str) -> bool:
    """Whether ``text`` is one of the boolean words."""
    return text.strip().lower() in YES | NO


def parse_number(text: str) -> int:
    """The non-negative whole number ``text``. Raises: ValueError."""
    word = text.strip()
    if not (word.isascii() and word.isdigit()) or len(word) > 18:
        raise ValueError(f"'{text}' is not a number: use a whole number from 0")
    return int(word)


def parse_seconds(text: str) -> float:
    """Seconds from ``text`` such as ``2``, ``0.5s``, ``100ms``. Raises: ValueError."""
    word, scale = text.strip(), 1.0
    for suffix, factor in UNITS_S:
        if word.endswith(suffix):
            word, scale = word[: -len(suffix)].strip(), factor
            break
    try:
        value = float(word) * scale
    except ValueError:
        value = math.nan
    if not 0 <= value <= DURATION_MAX_S:
        raise ValueError(f"'{text}' is not a duration: use a number with suffix s, ms, us or ns")
    return value

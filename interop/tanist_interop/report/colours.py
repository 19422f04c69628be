"""The colours of a report: each has a name and two values, for light and for dark pages.

A plot is drawn with a stand-in for each colour, and ``variable`` says by which CSS variable the
stand-in is replaced; the page sets the variables by what the reader's system prefers. Dots that are
a picture inside a plot cannot change: ``DOTS`` is seen on both grounds.
"""

from __future__ import annotations

from typing import Final

PAIRS: Final[dict[str, tuple[str, str]]] = {
    "ground": ("#ffffff", "#14181d"),
    "panel": ("#f3f5f7", "#1d232a"),
    "ink": ("#1c2126", "#e4e8ec"),
    "faint": ("#5b6670", "#9aa6b2"),
    "rule": ("#d5dade", "#38424c"),
    "link": ("#0b5cad", "#78b7f5"),
    "good": ("#1a7f37", "#57c46f"),
    "bad": ("#c4232b", "#ff7b72"),
    "unsure": ("#8a5a00", "#e0ab3a"),
    "fault": ("#c4232b", "#ff7b72"),
    "line-0": ("#1668a8", "#5aa9e6"),
    "line-1": ("#b85500", "#ff9d4d"),
    "line-2": ("#2a8a3e", "#63c97a"),
    "line-3": ("#8a4fb3", "#c596e8"),
    "line-4": ("#8a6d00", "#e0c04d"),
    "line-5": ("#087f7f", "#4fd0d0"),
    "line-6": ("#c2306b", "#f27bab"),
    "line-7": ("#7a5230", "#c9a07a"),
    "state-active": ("#1668a8", "#3d8fd1"),
    "state-recovering": ("#d9a400", "#c29412"),
    "state-ready": ("#7fb0d3", "#35607f"),
    "state-catching-up": ("#a98fd0", "#7d64a6"),
    "state-joining": ("#b9b3c4", "#6d6878"),
    "state-away": ("#e79a9a", "#7f3a3a"),
    "state-hangs": ("#d97c00", "#d97c00"),
}
"""By name: on a light page, on a dark one."""

LINES: Final = 8
"""So many lines of a plot have a colour of their own."""

DOTS: Final = "#3c82c4"

STATES: Final = ("active", "recovering", "ready", "catching up", "joining", "hangs", "away")


def stand_in(name: str) -> str:
    """What a plot is drawn with in the place of this colour: unlike any other colour."""
    return f"#fe{list(PAIRS).index(name):02x}ab"


STAND_INS: Final = {stand_in(name): name for name in PAIRS}


def variable(name: str) -> str:
    """The colour as a page says it."""
    return f"var(--{name})"


def line(number: int) -> str:
    """The name of the colour of a line; they begin again after the last."""
    return f"line-{number % LINES}"


def state(name: str) -> str:
    """The name of the colour of what a broker is; one that is not known is ``joining``."""
    return f"state-{name.replace(' ', '-')}" if name in STATES else "state-joining"


def rules(dark: bool) -> str:
    """The variables of a light or a dark page, as CSS declarations."""
    return " ".join(f"--{name}: {pair[dark]};" for name, pair in PAIRS.items())

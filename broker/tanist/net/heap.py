"""How large the heap is, as the C library tells: measured at the edge, now and then, for the node.

``qpid-stat -m`` shows these figures. The node does no I/O and is told: ``HeapWatch`` feeds it a
``HeapMeasured`` every ``INTERVAL_S`` seconds. Only glibc tells (``mallinfo2``, before 2.33
``mallinfo``); elsewhere the figures are zeros. Python keeps small objects in arenas of its own,
which glibc counts as mapped or not at all, so the sum is not the size of the process.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IReactorTime

from tanist.node.inputs import HeapMeasured, Input

INTERVAL_S: Final = 10.0
"""Time between two measurements; one costs some microseconds."""

MALLINFO: Final = (
    "arena",
    "ordblks",
    "smblks",
    "hblks",
    "hblkhd",
    "usmblks",
    "fsmblks",
    "uordblks",
    "fordblks",
    "keepcost",
)
"""The fields of glibc's struct, in its order."""

SHOWN: Final = ("arena", "ordblks", "hblks", "hblkhd", "uordblks", "fordblks", "keepcost")
"""Those that management shows, in the order of ``HeapMeasured``."""


class _Wide(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in MALLINFO]


class _Narrow(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint) for name in MALLINFO]


def malloc_figures(library: object) -> list[int]:
    """The figures ``SHOWN``, zeros if ``library`` (a C library by ctypes) does not tell."""
    for name, kind in (("mallinfo2", _Wide), ("mallinfo", _Narrow)):
        function = getattr(library, name, None)
        if function is not None:
            function.restype = kind
            figures = function()
            return [int(getattr(figures, field)) for field in SHOWN]
    return [0] * len(SHOWN)


def c_library() -> ctypes.CDLL:
    """The C library of this process."""
    return ctypes.CDLL(None)


class HeapWatch:
    """Tells the node how large the heap is, at once and every ``INTERVAL_S`` seconds."""

    def __init__(
        self,
        reactor: IReactorTime,
        clock: Callable[[], float],
        measure: Callable[[], list[int]],
        feed: Callable[[Input], None],
    ) -> None:
        self._reactor = reactor
        self._clock = clock
        self._measure = measure
        self._feed = feed

    def start(self) -> None:
        """Measure from now on, for as long as the reactor runs."""
        self._reactor.callLater(INTERVAL_S, self.start)
        self._feed(HeapMeasured(self._clock(), self._measure()))

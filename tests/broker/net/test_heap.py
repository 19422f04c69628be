"""The size of the heap: asked of the C library, told to the node."""

from __future__ import annotations

from types import SimpleNamespace

from twisted.internet.task import Clock

from tanist.management.broker_objects import MALLOC_FIGURES
from tanist.net.heap import INTERVAL_S, MALLINFO, SHOWN, HeapWatch, c_library, malloc_figures
from tanist.node.inputs import HeapMeasured


def told(*numbers: int) -> SimpleNamespace:
    """What glibc returns."""
    return SimpleNamespace(**dict(zip(MALLINFO, numbers, strict=True)))


def library(**told_by: SimpleNamespace) -> SimpleNamespace:
    """A C library with some functions, and what they tell."""
    return SimpleNamespace(
        **{name: lambda answer=answer: answer for name, answer in told_by.items()}
    )


def test_the_figures_are_those_that_management_shows() -> None:
    assert tuple(f"malloc_{name}" for name in SHOWN) == MALLOC_FIGURES


def test_the_newer_function_is_asked_first() -> None:
    wide, narrow = told(*range(10)), told(*range(10, 20))
    assert malloc_figures(library(mallinfo2=wide, mallinfo=narrow)) == [0, 1, 3, 4, 7, 8, 9]
    assert malloc_figures(library(mallinfo=narrow)) == [10, 11, 13, 14, 17, 18, 19]


def test_a_library_that_does_not_tell() -> None:
    assert malloc_figures(library()) == [0] * len(SHOWN)


def test_this_process_has_a_heap_or_a_library_without_figures() -> None:
    figures = malloc_figures(c_library())
    assert len(figures) == len(SHOWN)
    assert any(figures) == any(hasattr(c_library(), name) for name in ("mallinfo2", "mallinfo"))


def test_the_node_is_told_at_once_and_again() -> None:
    reactor = Clock()
    fed = []
    measured = iter([[1], [2], [3]])
    HeapWatch(reactor, reactor.seconds, lambda: next(measured), fed.append).start()
    reactor.advance(INTERVAL_S)
    reactor.advance(INTERVAL_S - 0.1)
    assert [type(event) for event in fed] == [HeapMeasured, HeapMeasured]
    assert [(event.now, event.figures) for event in fed] == [(0.0, [1]), (INTERVAL_S, [2])]

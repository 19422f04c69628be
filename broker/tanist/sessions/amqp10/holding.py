"""What a session or a link of AMQP 1.0 confirms only when records are safe.

Deliveries that arrived are kept as runs of ids ``(first, last)``, of which a stream of messages
makes one per step; ids are unwrapped (``wire.amqp10.events``). Everything else is an ``Answer``: an
attach, a detach, an outcome other than "accepted". What is collected is *unsealed*; ``seal`` ties
it to a record, and to a pledge if there is one; ``open`` hands out what that record confirms, in
order: what waits for a pledge keeps back what comes later. See ``sessions.held``.
"""

from __future__ import annotations

from collections import deque

from mypy_extensions import mypyc_attr

from tanist.core.follower import Pledge

Runs = list[tuple[int, int]]
"""Ids of deliveries as ranges ``(first, last)``, both included."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Answer:
    """Something to be said once a record is safe."""

    __slots__ = ()

    def give(self) -> None:
        """Say it; nothing if whoever asked is gone."""
        raise NotImplementedError


class _Sealed:
    """What waits for record ``index`` and ``pledge``."""

    __slots__ = ("answers", "index", "pledge", "runs")

    def __init__(
        self, index: int, pledge: Pledge | None, runs: Runs, answers: list[Answer]
    ) -> None:
        self.index = index
        self.pledge = pledge
        self.runs = runs
        self.answers = answers


class Holding:
    """``count``: deliveries that wait. ``pledge``: what is not sealed yet waits for it.

    ``opened``: the highest record that is safe.
    """

    __slots__ = ("_answers", "_first", "_last", "_line", "_runs", "count", "opened", "pledge")

    def __init__(self) -> None:
        self._line: deque[_Sealed] = deque()
        self._runs: Runs = []
        self._answers: list[Answer] = []
        self._first = -1
        self._last = -1
        self.count = 0
        self.opened = -1
        self.pledge: Pledge | None = None

    def add(self, number: int) -> bool:
        """Hold delivery ``number``. Returns True for the first thing since the last seal."""
        self.count += 1
        if self._first < 0:
            self._first = self._last = number
            return not self._answers
        if number != self._last + 1:
            self._runs.append((self._first, self._last))
            self._first = number
        self._last = number
        return False

    def answer(self, answer: Answer) -> bool:
        """Hold ``answer``. Returns True for the first thing since the last seal."""
        self._answers.append(answer)
        return len(self._answers) == 1 and self._first < 0

    def seal(self, index: int) -> None:
        """Everything unsealed waits for record ``index``."""
        pledge, self.pledge = self.pledge, None
        runs, answers = self._runs, self._answers
        if self._first >= 0:
            runs.append((self._first, self._last))
            self._first = self._last = -1
            self._runs = []
        elif not answers:
            return
        if answers:
            self._answers = []
        self._line.append(_Sealed(index, pledge, runs, answers))

    def open(self, index: int, runs: Runs, answers: list[Answer]) -> None:
        """Append to ``runs`` and ``answers`` what record ``index`` confirms, and forget it."""
        self.opened = max(self.opened, index)
        line = self._line
        while line and line[0].index <= index:
            pledge = line[0].pledge
            if pledge is not None and pledge.owed:
                return
            sealed = line.popleft()
            answers += sealed.answers
            for first, last in sealed.runs:
                self.count -= last - first + 1
                if runs and runs[-1][1] == first - 1:
                    runs[-1] = (runs[-1][0], last)
                else:
                    runs.append((first, last))

    def clear(self) -> None:
        """Forget everything: whoever asked is gone."""
        self._line.clear()
        self._runs = []
        self._answers = []
        self._first = self._last = -1
        self.count = 0

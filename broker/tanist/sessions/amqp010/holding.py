"""The command ids of one session whose completion waits for records to be safe.

Ids are kept as runs ``(first, last)``: a stream of publishes is one run per step. Collected ids
are *unsealed*; ``seal`` ties them to a record index, and to a pledge if there is one; ``open``
hands out what that index confirms, in order: what waits for a pledge keeps back what comes later.
"""

from __future__ import annotations

from collections import deque

from tanist.core.follower import Pledge
from tanist.sessions.amqp010.ranges import SERIAL_MAX, Runs


class _Sealed:
    """Runs that wait for record ``index`` and ``pledge``."""

    __slots__ = ("accepts", "index", "pledge", "runs")

    def __init__(self, index: int, pledge: Pledge | None, runs: Runs, accepts: Runs) -> None:
        self.index = index
        self.pledge = pledge
        self.runs = runs
        self.accepts = accepts


class Holding:
    """Held command ids, oldest first. ``busy`` says whether there are any.

    ``pledge``: what is not sealed yet waits for it. ``opened``: the highest index that is safe.
    """

    __slots__ = ("_first", "_last", "_line", "accepts", "busy", "opened", "pledge", "runs")

    def __init__(self) -> None:
        self._line: deque[_Sealed] = deque()
        self.busy = False
        self.opened = -1
        self.pledge: Pledge | None = None
        self.runs: Runs = []
        self.accepts: Runs = []
        self._first = -1
        self._last = -1

    @property
    def unsealed(self) -> bool:
        """Something was added since the last seal."""
        return self._first >= 0

    def add(self, command_id: int) -> bool:
        """Hold ``command_id``. Returns True for the first one since the last seal."""
        if self._first < 0:
            self._first = self._last = command_id
            self.busy = True
            return True
        if command_id == (self._last + 1) & SERIAL_MAX:
            self._last = command_id
            return False
        self.runs.append((self._first, self._last))
        self._first = self._last = command_id
        return False

    def add_accept(self, command_id: int) -> None:
        """``command_id``, held by ``add``, is a transfer that wants message.accept as well."""
        accepts = self.accepts
        if accepts and command_id == (accepts[-1][1] + 1) & SERIAL_MAX:
            accepts[-1] = (accepts[-1][0], command_id)
        else:
            accepts.append((command_id, command_id))

    def seal(self, index: int) -> None:
        """Everything unsealed waits for record ``index``."""
        pledge, self.pledge = self.pledge, None
        if self._first < 0:
            return
        self.runs.append((self._first, self._last))
        self._first = self._last = -1
        self._line.append(_Sealed(index, pledge, self.runs, self.accepts))
        self.runs = []
        self.accepts = []

    def open(self, index: int, runs: Runs, accepts: Runs) -> None:
        """Append to ``runs`` and ``accepts`` what record ``index`` confirms, and forget it."""
        self.opened = max(self.opened, index)
        line = self._line
        while line and line[0].index <= index:
            pledge = line[0].pledge
            if pledge is not None and pledge.owed:
                break
            sealed = line.popleft()
            _extend(runs, sealed.runs)
            _extend(accepts, sealed.accepts)
        self.busy = self._first >= 0 or len(line) > 0

    def clear(self) -> None:
        """Forget everything: the session is over."""
        self._line.clear()
        self.runs = []
        self.accepts = []
        self._first = self._last = -1
        self.busy = False


def _extend(runs: Runs, more: Runs) -> None:
    for first, last in more:
        if runs and first == (runs[-1][1] + 1) & SERIAL_MAX:
            runs[-1] = (runs[-1][0], last)
        else:
            runs.append((first, last))

"""What can happen to a node: the inputs of ``Node.step``.

Every input carries ``now``, monotonic seconds from the edge's clock; it never goes back. The edge
makes one input of each thing that happened and hands it to ``step`` at once, in order.
"""

from __future__ import annotations


class Input:
    """Something that happened at ``now`` (monotonic seconds)."""

    __slots__ = ("now",)

    def __init__(self, now: float) -> None:
        self.now = now


class Started(Input):
    """The process runs. Must be the first input; ``wall_s`` is the Unix time at ``now``."""

    __slots__ = ("wall_s",)

    def __init__(self, now: float, wall_s: float) -> None:
        super().__init__(now)
        self.wall_s = wall_s


class Listening(Input):
    """The broker accepts connections on ``port``."""

    __slots__ = ("port",)

    def __init__(self, now: float, port: int) -> None:
        super().__init__(now)
        self.port = port


class Connected(Input):
    """A peer connected. ``conn`` is new, positive, chosen by the edge.

    ``peer`` and ``local`` are ``host:port`` texts, for management and the log.
    """

    __slots__ = ("conn", "local", "peer")

    def __init__(self, now: float, conn: int, peer: str, local: str) -> None:
        super().__init__(now)
        self.conn = conn
        self.peer = peer
        self.local = local


class LinkUp(Input):
    """The connection asked for with output ``Connect`` is established."""

    __slots__ = ("conn", "local")

    def __init__(self, now: float, conn: int, local: str) -> None:
        super().__init__(now)
        self.conn = conn
        self.local = local


class Received(Input):
    """Bytes arrived on ``conn`` (never empty)."""

    __slots__ = ("conn", "data")

    def __init__(self, now: float, conn: int, data: bytes) -> None:
        super().__init__(now)
        self.conn = conn
        self.data = data


class Writable(Input):
    """The write buffer of ``conn`` became full (``writable`` false) or drained (true)."""

    __slots__ = ("conn", "writable")

    def __init__(self, now: float, conn: int, writable: bool) -> None:
        super().__init__(now)
        self.conn = conn
        self.writable = writable


class Disconnected(Input):
    """``conn`` is gone, or the ``Connect`` for it failed; ``reason`` is for the log.

    Comes exactly once for each ``Connected`` and each ``Connect``, also after ``Close``.
    """

    __slots__ = ("conn", "reason")

    def __init__(self, now: float, conn: int, reason: str) -> None:
        super().__init__(now)
        self.conn = conn
        self.reason = reason


class Answered(Input):
    """The ``ha-insync-command`` asked for with output ``Consult`` ended; comes once for each.

    ``code``: its exit status, -1 if it could not be run or took too long. ``text``: what it wrote,
    the first line of standard output or, if there is none, of standard error.
    """

    __slots__ = ("code", "request", "text")

    def __init__(self, now: float, request: int, code: int, text: str) -> None:
        super().__init__(now)
        self.request = request
        self.code = code
        self.text = text


class HeapMeasured(Input):
    """How large the heap of the process is: the figures of ``management.MALLOC_FIGURES``, bytes.

    Comes now and then, for whoever asks management.
    """

    __slots__ = ("figures",)

    def __init__(self, now: float, figures: list[int]) -> None:
        super().__init__(now)
        self.figures = figures


class Tick(Input):
    """The timer armed by output ``Arm`` fired (or the edge felt like it: harmless)."""

    __slots__ = ()

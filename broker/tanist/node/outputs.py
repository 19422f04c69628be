"""What a node wants done: the outputs of ``Node.step``, as data.

The edge performs them **in the order of the list**. A node that was stopped (``Stop``) must not be
stepped again.
"""

from __future__ import annotations


class Output:
    """Something the edge must do."""

    __slots__ = ()


class Send(Output):
    """Write ``data`` to ``conn``; at most one per connection and step."""

    __slots__ = ("conn", "data")

    def __init__(self, conn: int, data: bytes) -> None:
        self.conn = conn
        self.data = data


class Close(Output):
    """Drop ``conn``: after what was sent is written, or at once when ``abort``.

    The edge answers with input ``Disconnected``.
    """

    __slots__ = ("abort", "conn")

    def __init__(self, conn: int, abort: bool = False) -> None:
        self.conn = conn
        self.abort = abort


class Connect(Output):
    """Open a TCP connection to ``host:port`` as ``conn`` (negative, chosen by the node).

    The edge gives up after ``timeout_s`` seconds. It answers ``LinkUp`` or ``Disconnected``.
    """

    __slots__ = ("conn", "host", "port", "timeout_s")

    def __init__(self, conn: int, host: str, port: int, timeout_s: float) -> None:
        self.conn = conn
        self.host = host
        self.port = port
        self.timeout_s = timeout_s


class Consult(Output):
    """Run ``ha-insync-command`` with ``arguments`` and ``document`` (JSON) on its standard input.

    The edge gives up after ``timeout_s`` seconds. It answers with input ``Answered``, which names
    ``request``.
    """

    __slots__ = ("arguments", "document", "request", "timeout_s")

    def __init__(self, request: int, arguments: list[str], document: str, timeout_s: float) -> None:
        self.request = request
        self.arguments = arguments
        self.document = document
        self.timeout_s = timeout_s


class Arm(Output):
    """Call ``step(Tick)`` at time ``at`` (monotonic seconds); replaces the timer armed before."""

    __slots__ = ("at",)

    def __init__(self, at: float) -> None:
        self.at = at


class Log(Output):
    """A line for the log. ``level``: trace debug info notice warning error critical."""

    __slots__ = ("category", "level", "text")

    def __init__(self, level: str, category: str, text: str) -> None:
        self.level = level
        self.category = category
        self.text = text


class Stop(Output):
    """The broker must end now. ``reason`` is the one clear line; ``code`` the exit status."""

    __slots__ = ("code", "reason")

    def __init__(self, reason: str, code: int = 1) -> None:
        self.reason = reason
        self.code = code

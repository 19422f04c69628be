"""Outputs of the step under way, in order; every part of a node writes into the same one."""

from __future__ import annotations

from tanist.node.outputs import Log, Output, Stop


class Outbox:
    """Collects the outputs of one step. ``stopped`` once the node asked to be stopped."""

    def __init__(self) -> None:
        self._last_conn = 0
        self._outputs: list[Output] = []
        self.stopped = False

    def next_conn(self) -> int:
        """A number for a connection that the node opens: negative, never used before."""
        self._last_conn -= 1
        return self._last_conn

    def put(self, output: Output) -> None:
        """Add an output."""
        self._outputs.append(output)

    def log(self, level: str, category: str, text: str) -> None:
        """Add a log line."""
        self._outputs.append(Log(level, category, text))

    def stop(self, reason: str, code: int = 1) -> None:
        """Ask for the end of the process, once, with one clear line."""
        if not self.stopped:
            self.stopped = True
            self._outputs.append(Stop(reason, code))

    def take(self) -> list[Output]:
        """The outputs so far; the outbox is empty then."""
        outputs = self._outputs
        self._outputs = []
        return outputs

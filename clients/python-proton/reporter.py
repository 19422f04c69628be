"""What the program says: replies and events of docs/client-protocol.md, one JSON line each.

Events about messages are collected and written at most 20 ms or 500 messages later, as ranges of
sequence numbers; everything else is written at once, after all that was collected before it.
All of it happens in the thread of Proton's container, which also tells when the 20 ms are over.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, TextIO

BATCH_S = 0.02
BATCH_MESSAGES = 500

RANK = {"received": 0, "settled": 1, "acked": 1, "ok": 2, "fail": 3, "info": 4}
"""A flush writes in this order: what is received before what is acknowledged."""


class Batch:
    """Numbers of one kind, task and producer, as ranges."""

    def __init__(self, extra: dict[str, Any]) -> None:
        self.t = time.monotonic_ns()
        self.extra = extra
        self.ranges: list[list[int]] = []

    def add(self, sn: int) -> None:
        """One more number, in the order of happening."""
        if self.ranges and self.ranges[-1][1] + 1 == sn:
            self.ranges[-1][1] = sn
        else:
            self.ranges.append([sn, sn])


class Reporter:
    """Writes lines to ``out``. ``later(seconds, call)`` calls ``call`` after so many seconds."""

    def __init__(self, out: TextIO, later: Callable[[float, Callable[[], None]], None]) -> None:
        self._out = out
        self._later = later
        self._collected: dict[tuple[str, int, str], Batch] = {}
        self._messages = 0

    def reply(self, kind: str, to: dict[str, Any], **fields: Any) -> None:
        """Answer a request."""
        self._now({**fields, "type": kind, "in_reply_to": to["id"]})

    def event(self, kind: str, **fields: Any) -> None:
        """Tell what happened now."""
        self._now({**fields, "type": kind, "t": time.monotonic_ns()})

    def invoke(self, task: int, producer: str, first: int, last: int) -> None:
        """Announce messages."""
        self.event("invoke", task=task, producer=producer, sns=[[first, last]])

    def message(self, kind: str, task: int, producer: str, sn: int, **extra: Any) -> None:
        """Collect the outcome or reception of one message."""
        key = (kind, task, producer)
        batch = self._collected.get(key)
        if batch is not None and batch.extra != extra:
            self.flush()
            batch = None
        if batch is None:
            if not self._collected:
                self._later(BATCH_S, self.flush)
            batch = self._collected[key] = Batch(extra)
        batch.add(sn)
        self._messages += 1
        if self._messages >= BATCH_MESSAGES:
            self.flush()

    def flush(self) -> None:
        """Write what was collected."""
        batches = sorted(self._collected.items(), key=lambda item: (RANK[item[0][0]], item[1].t))
        self._collected = {}
        self._messages = 0
        lines = [
            {**batch.extra, "type": kind, "t": batch.t, "task": task, "producer": producer,
             "sns": batch.ranges}
            for (kind, task, producer), batch in batches
        ]  # fmt: skip
        self._write(lines)

    def _now(self, line: dict[str, Any]) -> None:
        self.flush()
        self._write([line])

    def _write(self, lines: list[dict[str, Any]]) -> None:
        if not lines:
            return
        try:
            self._out.write("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
            self._out.flush()
        except (OSError, ValueError):
            pass  # the drill has gone; stdin ends as well and ends the program

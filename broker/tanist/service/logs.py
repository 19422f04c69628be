"""The broker's log: one line per event, in the shape that checkers of the original look for.

    2026-01-31 12:00:00 [HA] notice text

The level stands right after the bracketed category (tests search for ``] error`` and
``] critical``). Whether a level of a category is wanted is decided once and remembered, so that a
line nobody wants costs one dictionary lookup. A warning or error that repeats is let through a
few times per window and then counted, because a misbehaving peer must not fill a disk.

Neither ``logging`` nor ``twisted.logger`` is underneath: both build a record object and walk a
tree for every line, and neither gives rules per level *range* and category, nor the limit on
repetition; what is left for them is ``stream.write``. Twisted's own events are caught by
``observe`` and become lines like all others.

A destination that fails (full disk, closed pipe) loses lines, never the broker.

Spec: qpidd-compat 1.6; reliability B ("one rate-limited log line, no traceback").
"""

from __future__ import annotations

import sys
import syslog
import time
from collections.abc import Callable
from typing import Final, Protocol, TextIO

from tanist.service.config import LogOptions
from tanist.service.logrules import wanted
from tanist.service.sources import UsageError

LINE_CHARS_MAX: Final = 4096
"""Texts may quote what a peer sent; a line stays readable."""

REPEATS_MAX: Final = 5
"""Lines alike (but for their numbers) let through per window."""

REPEAT_WINDOW_S: Final = 10.0

REPEAT_KINDS_MAX: Final = 256
"""Kinds of lines counted per window; more kinds than this are not limited in that window."""

LIMITED: Final = frozenset(("info", "warning", "error"))
"""Levels at which a peer can make the broker write."""

_DIGITS: Final = {ord(digit): None for digit in "0123456789"}
_CONTROLS: Final = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}

_SYSLOG: Final = {
    "trace": syslog.LOG_DEBUG,
    "debug": syslog.LOG_DEBUG,
    "info": syslog.LOG_INFO,
    "notice": syslog.LOG_NOTICE,
    "warning": syslog.LOG_WARNING,
    "error": syslog.LOG_ERR,
    "critical": syslog.LOG_CRIT,
}


class Destination(Protocol):
    """Where lines go."""

    def write(self, level: str, line: str) -> None:
        """Take one line, without newline. May raise OSError or ValueError: the line is lost."""
        ...


class StreamDestination:
    """A text stream, flushed after each line so that a killed broker's log is complete."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, level: str, line: str) -> None:
        """Write and flush."""
        self._stream.write(line + "\n")
        self._stream.flush()


class SyslogDestination:
    """The system log. Raises: UsageError for an unknown facility."""

    def __init__(self, name: str, facility: str) -> None:
        code = getattr(syslog, "LOG_" + facility.upper(), None)
        if not isinstance(code, int):
            raise UsageError(f"Option syslog-facility: '{facility}' is not a facility")
        syslog.openlog(name, syslog.LOG_PID, code)

    def write(self, level: str, line: str) -> None:
        """Send with the priority that fits ``level``."""
        syslog.syslog(_SYSLOG[level], line)


class Log:
    """The log. ``line(level, category, text)`` is all that others need of it."""

    def __init__(
        self,
        options: LogOptions,
        destinations: list[Destination],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._options = options
        self._destinations = destinations
        self._wall = wall
        self._wanted: dict[tuple[str, str], bool] = {}
        self._repeats: dict[tuple[str, str, str], int] = {}
        self._window_end = 0.0

    def enabled(self, level: str, category: str) -> bool:
        """Whether lines of this level and category are wanted; cheap."""
        key = (level, category)
        verdict = self._wanted.get(key)
        if verdict is None:
            verdict = wanted(level, category, self._options.enable, self._options.disable)
            self._wanted[key] = verdict
        return verdict

    def line(self, level: str, category: str, text: str) -> None:
        """Log ``text`` if wanted. ``level`` is one of ``logrules.LEVELS``."""
        if not self.enabled(level, category):
            return
        now = self._wall()
        if now >= self._window_end or now < self._window_end - 2 * REPEAT_WINDOW_S:
            self._start_window(now)
        if not self._repeated(level, category, text):
            self._write(now, level, category, text)

    def close(self) -> None:
        """Report what was held back. The log can still be used."""
        self._start_window(self._wall())

    def _repeated(self, level: str, category: str, text: str) -> bool:
        if level not in LIMITED:
            return False
        kind = (level, category, text[:LINE_CHARS_MAX].translate(_DIGITS))
        count = self._repeats.get(kind, 0) + 1
        if count > 1 or len(self._repeats) < REPEAT_KINDS_MAX:
            self._repeats[kind] = count
        return count > REPEATS_MAX

    def _start_window(self, now: float) -> None:
        repeats, self._repeats = self._repeats, {}
        self._window_end = now + REPEAT_WINDOW_S
        for (level, category, text), count in repeats.items():
            if count > REPEATS_MAX:
                held = count - REPEATS_MAX
                self._write(now, level, category, f"{held} more lines like: {text}")

    def _write(self, now: float, level: str, category: str, text: str) -> None:
        line = self._format(now, level, category, text)
        for destination in self._destinations:
            try:
                destination.write(level, line)
            except (OSError, ValueError):
                continue  # a full disk or a closed pipe must not stop the broker

    def _format(self, now: float, level: str, category: str, text: str) -> str:
        options = self._options
        parts: list[str] = []
        if options.prefix:
            parts.append(options.prefix + ":")
        if options.time:
            stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
            parts.append(f"{stamp}.{int(now % 1 * 1e6):06d}" if options.microseconds else stamp)
        if options.category:
            parts.append(f"[{category}]")
        if options.level:
            parts.append(level)
        if len(text) > LINE_CHARS_MAX:
            text = text[:LINE_CHARS_MAX] + "..."
        parts.append(text.translate(_CONTROLS))
        return " ".join(parts)


def open_log(options: LogOptions) -> Log:
    """The log with the destinations that ``options`` ask for.

    Raises: UsageError if the file cannot be opened.
    """
    destinations: list[Destination] = []
    if options.to_stderr:
        destinations.append(StreamDestination(sys.stderr))
    if options.to_stdout:
        destinations.append(StreamDestination(sys.stdout))
    if options.to_file is not None:
        try:
            stream = options.to_file.open("a", encoding="utf-8", errors="replace")
        except OSError as error:
            text = f"Cannot open log file {options.to_file}: {error.strerror}"
            raise UsageError(text) from error
        destinations.append(StreamDestination(stream))
    if options.to_syslog:
        destinations.append(SyslogDestination(options.syslog_name, options.syslog_facility))
    return Log(options, destinations)

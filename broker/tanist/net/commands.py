"""Output ``Consult`` carried out: the command that decides over the in-sync set, run as a process.

Each run has a thread of its own, because the reactor reaps no children (it has no signal handlers;
``service`` has them); the thread waits for the process, the reactor for nothing. A command that
takes too long is killed with everything that it started.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from typing import Final

Answer = tuple[int, str]
"""Exit status (-1: none) and the first line of what it wrote."""

InThread = Callable[[Callable[[], Answer], Callable[[Answer], None]], None]
"""Runs the first function in a thread, then the second one with its result in the reactor."""

NO_STATUS: Final = -1

TEXT_MAX: Final = 500
"""Characters of a line that is logged and shown."""


class Commands:
    """Runs ``words`` with further arguments, any number at once."""

    def __init__(self, words: tuple[str, ...], in_thread: InThread) -> None:
        self._words = words
        self._in_thread = in_thread
        self._running: set[subprocess.Popen[bytes]] = set()

    def run(
        self,
        arguments: list[str],
        document: str,
        timeout_s: float,
        answered: Callable[[int, str], None],
    ) -> None:
        """Run it with ``document`` on standard input; ``answered(code, text)`` follows, once."""
        words = [*self._words, *arguments]
        self._in_thread(
            lambda: self._run(words, document.encode(), timeout_s),
            lambda answer: answered(*answer),
        )

    def kill_all(self) -> None:
        """The broker ends: whatever is running must not keep it."""
        for process in list(self._running):
            _kill(process)

    def _run(self, words: list[str], document: bytes, timeout_s: float) -> Answer:
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            return NO_STATUS, f"cannot run {words[0]}: {error.strerror}"
        self._running.add(process)
        try:
            out, err = process.communicate(document, timeout_s)
        except subprocess.TimeoutExpired:
            _kill(process)
            process.communicate()
            return NO_STATUS, f"{words[0]} did not answer within {timeout_s:g} s"
        finally:
            self._running.discard(process)
        text = _first_line(out) or _first_line(err)
        if process.returncode < 0:
            return NO_STATUS, text or f"{words[0]} was killed by signal {-process.returncode}"
        return process.returncode, text


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _first_line(octets: bytes) -> str:
    for line in octets.decode("utf-8", "replace").splitlines():
        if line.strip():
            return line.strip()[:TEXT_MAX]
    return ""

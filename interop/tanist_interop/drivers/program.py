"""A client program as a child process: requests to its stdin, everything it says into an inbox.

A thread per program reads stdout, stamps each line with the drill's clock and decodes it; stderr
goes to a file in the run folder. The last item of a program is ``Gone`` (exit 127: it cannot run
here), so the runner needs no second channel.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from tanist_interop import protocol
from tanist_interop.drivers.registry import ClientSpec

CANNOT_RUN: Final = 127
"""Exit code of a program whose runtime or library is missing."""

CLOSE_S: Final = 5.0
"""A program that has not ended so long after ``close`` is killed."""


@dataclass(frozen=True)
class Said:
    """A line of a program: ``at`` is the drill's clock in ns; ``problem`` if it was malformed."""

    source: str
    at: int
    message: protocol.Message | None
    problem: str = ""


@dataclass(frozen=True)
class Gone:
    """The last item of a program: its exit code, and its last words on stderr."""

    source: str
    at: int
    code: int
    last_words: str = ""


Item = Said | Gone
Inbox = queue.SimpleQueue[Item]
"""Many threads fill one, together with thousands of items a second: they would mostly wait for the
lock of a ``Queue``, and a signal that came while it is held would leave it locked."""


class Program:
    """One running client program. ``start`` first; ``end`` always, it never raises."""

    def __init__(self, name: str, spec: ClientSpec, log: Path, inbox: Inbox) -> None:
        self.name = name
        self.spec = spec
        self.log = log
        self.inbox = inbox
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None

    def start(self) -> None:
        """Start it; a command that cannot be started is ``Gone`` with code 127."""
        command = list(self.spec.command)
        local = self.spec.folder / command[0]
        if local.exists():
            command[0] = str(local)
        with self.log.open("wb") as stderr:
            try:
                process = subprocess.Popen(
                    command,
                    cwd=self.spec.folder,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    start_new_session=True,
                )
            except OSError as error:
                self.inbox.put(Gone(self.name, time.monotonic_ns(), CANNOT_RUN, str(error)))
                return
        assert process.stdout is not None
        self._process = process
        arguments = (process, process.stdout)
        self._reader = threading.Thread(target=self._read, args=arguments, daemon=True)
        self._reader.start()

    def write(self, line: str) -> None:
        """Send one line; a program that is gone is noticed by its last item, not here."""
        if self._process is None or self._process.stdin is None:
            return
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            pass

    def kill(self) -> None:
        """SIGKILL, with its children: it may be a script."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)

    def suspend(self) -> None:
        """SIGSTOP, with its children."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT, with its children."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGCONT)

    def end(self) -> None:
        """Close its stdin, wait a little, kill it if need be; all its items are in the inbox."""
        process = self._process
        if process is None:
            return
        try:
            if process.stdin is not None:
                process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # with its children: it may be a script
            process.wait()
        if self._reader is not None:
            self._reader.join(CLOSE_S)
        self._process = None

    def _read(self, process: subprocess.Popen[bytes], stdout: IO[bytes]) -> None:
        with stdout:
            while line := stdout.readline(protocol.MAX_LINE_BYTES + 1):
                at = time.monotonic_ns()
                try:
                    message = protocol.decode(line)
                    self.inbox.put(Said(self.name, at, message))
                except protocol.MalformedLine as error:
                    self.inbox.put(Said(self.name, at, None, str(error)))
        code = process.wait()
        self.inbox.put(Gone(self.name, time.monotonic_ns(), code, self._last_words()))

    def _last_words(self) -> str:
        lines = self.log.read_text("utf-8", "replace").strip().splitlines()
        return lines[-1][:300] if lines else ""

"""The broker in the background: fork, wait for readiness, pid file, check, quit, kill.

``run_daemon`` forks before any reactor exists. The child does the work and reports through a pipe:
one line ``port N`` when it serves, or ``error TEXT``; the parent waits for it at most ``wait_s``,
prints the port if it was chosen, and ends, so that a script that started the daemon may connect
at once (rgmanager promotes right after the start; qpidd-compat 8).

The pid file is locked by the daemon for its life: a file without a lock is left over, whatever
process has its number now.

Spec: qpidd-compat 1.4.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tanist.service.config import DaemonOptions
from tanist.service.sources import UsageError

REPORT_BYTES_MAX: Final = 4096
"""A report is one line, written at once (pipes keep writes up to this size whole)."""

POLL_S: Final = 0.02
"""Between looks whether a daemon has ended."""

Report = Callable[[int], None]
"""Called once by the broker when it serves, with its port."""


class NotRunning(UsageError):
    """There is no daemon to act on."""


def pid_path(options: DaemonOptions, port: int) -> Path:
    """Where the pid of the daemon on ``port`` is kept."""
    return options.pidfile or options.pid_dir / f"qpidd.{port}.pid"


class PidFile:
    """A pid file written and locked by this process until it ends.

    Raises: UsageError if another daemon holds it or it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise UsageError(f"Cannot write pid file {path}: {error.strerror}") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._fd)
            raise UsageError(f"Cannot lock {path}: another daemon runs") from error
        os.ftruncate(self._fd, 0)
        os.write(self._fd, f"{os.getpid()}\n".encode())

    def close(self) -> None:
        """Give the lock back."""
        os.close(self._fd)


def running_pid(path: Path) -> int:
    """The process id in ``path``. Raises: NotRunning unless its daemon runs."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise NotRunning(f"Broker is not running: {path}: {error.strerror}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.read(fd, 32).decode("ascii", "replace").strip()
        if text.isdigit():
            return int(text)
    finally:
        os.close(fd)
    raise NotRunning(f"Broker is not running: {path} is left over")


def control(options: DaemonOptions, port: int) -> str:
    """Do what ``--check``, ``--quit`` or ``--kill`` asks; returns what to print.

    Raises: NotRunning; UsageError if the daemon does not end in time or is not ours.
    """
    path = pid_path(options, port)
    pid = running_pid(path)
    if options.quit or options.kill:
        try:
            os.kill(pid, signal.SIGKILL if options.kill else signal.SIGINT)
        except OSError as error:
            raise UsageError(f"Cannot stop process {pid}: {error.strerror}") from error
        _wait_end(path, pid, options.wait_s)
    return str(pid) if options.check else ""


def _wait_end(path: Path, pid: int, wait_s: float) -> None:
    end = time.monotonic() + wait_s
    while time.monotonic() < end:
        try:
            running_pid(path)
        except NotRunning:
            return
        time.sleep(POLL_S)
    raise UsageError(f"Gave up waiting for process {pid} to end")


def run_daemon(
    options: DaemonOptions, port: int, broker: Callable[[Report], int]
) -> tuple[int, str]:
    """Fork and run ``broker`` in the child, which never returns from here.

    ``broker`` serves until it is stopped and returns its exit code; it calls the report it is
    given when it serves, or raises UsageError. In the parent: returns (port, "") when the child
    serves, or (0, reason) when it does not.
    """
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    if os.fork():
        os.close(writer)
        return _wait_ready(reader, options.wait_s)
    os.close(reader)
    os._exit(_child(options, port, broker, writer))


def _child(options: DaemonOptions, port: int, broker: Callable[[Report], int], writer: int) -> int:
    held: list[PidFile] = []

    def ready(actual_port: int) -> None:
        if not held:
            held.append(PidFile(pid_path(options, actual_port)))
        os.write(writer, f"port {actual_port}\n".encode())
        os.close(writer)

    try:
        _detach(options)
        if port or options.pidfile:
            held.append(PidFile(pid_path(options, port)))
        return broker(ready)
    except BaseException as error:
        text = f"error {error}".replace("\n", " ").encode()[: REPORT_BYTES_MAX - 1]
        try:
            os.write(writer, text + b"\n")
        except OSError:
            return 1  # already reported ready
        return 1


def _detach(options: DaemonOptions) -> None:
    """A session of its own, the directory of the pid file, no terminal."""
    os.setsid()
    for fd in options.close_fds:
        try:
            os.close(fd)
        except OSError:
            continue  # not open: nothing to close
    directory = (options.pidfile or options.pid_dir / "x").parent
    directory.mkdir(mode=0o750, parents=True, exist_ok=True)
    os.chdir(directory)
    os.umask(0o027)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    if null > 2:
        os.close(null)


def _wait_ready(reader: int, wait_s: float) -> tuple[int, str]:
    try:
        readable, _, _ = select.select([reader], [], [], wait_s)
        if not readable:
            return 0, f"daemon was not ready within {wait_s:g} s"
        word, _, rest = os.read(reader, REPORT_BYTES_MAX).decode("utf-8", "replace").partition(" ")
    finally:
        os.close(reader)
    if word == "port":
        return int(rest), ""
    return 0, rest.strip() or "daemon ended before it was ready"

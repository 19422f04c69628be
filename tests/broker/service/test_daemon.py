"""Pid files and their locks, and a daemon that really forks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tanist.service.config import broker_options
from tanist.service.daemon import NotRunning, PidFile, control, pid_path, running_pid
from tanist.service.sources import UsageError, from_arguments

PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from tanist.service.config import broker_options
from tanist.service.daemon import run_daemon
from tanist.service.sources import UsageError, from_arguments

def broker(ready):
    if what == "fail":
        raise UsageError("nothing\\nto serve")
    if what == "die":
        os._exit(3)
    if what == "slow":
        time.sleep(30)
    Path("child").write_text(f"{os.getsid(0)} {os.getcwd()} {os.umask(0):o}")
    stopped = []
    signal.signal(signal.SIGINT, lambda *_: stopped.append(1))
    ready(port or 4242)
    while not stopped and time.monotonic() < end:
        time.sleep(0.01)
    return 0

what, end = sys.argv[1], time.monotonic() + 30
options = broker_options(from_arguments(sys.argv[2:]), Path("/tmp"))
port = options.network.port
print(*run_daemon(options.daemon, port, broker))
"""


def daemon_options(*words):
    return broker_options(from_arguments(words), Path("/tmp")).daemon


def start(what, *words):
    """Run the program until its parent process ends; returns what that printed."""
    command = [sys.executable, "-c", PROGRAM, what, *words]
    result = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=30, text=True)
    return result.stdout.strip()


def test_pid_path(tmp_path):
    assert pid_path(daemon_options(f"--pid-dir={tmp_path}"), 5672) == tmp_path / "qpidd.5672.pid"
    assert pid_path(daemon_options(f"--pidfile={tmp_path / 'p'}"), 5672) == tmp_path / "p"


def test_a_pid_file_says_who_runs_as_long_as_it_is_locked(tmp_path):
    path = tmp_path / "dir" / "qpidd.1.pid"
    with pytest.raises(NotRunning, match="No such file"):
        running_pid(path)
    pid_file = PidFile(path)
    assert running_pid(path) == os.getpid()
    with pytest.raises(UsageError, match="another daemon runs"):
        PidFile(path)
    pid_file.close()
    assert path.read_text() == f"{os.getpid()}\n"
    with pytest.raises(NotRunning, match="left over"):
        running_pid(path)


def test_a_pid_file_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="Cannot write pid file"):
        PidFile(tmp_path / "file" / "x")


def test_check_and_quit_a_daemon(tmp_path):
    where = f"--pid-dir={tmp_path}"
    assert start("serve", where, "--port=0") == "4242"
    pid = int(control(daemon_options(where, "--check"), 4242))
    session, directory, mask = (tmp_path / "child").read_text().split()
    assert int(session) == pid
    assert directory == str(tmp_path)
    assert mask == "27"
    assert control(daemon_options(where, "--quit", "--wait=20"), 4242) == ""
    with pytest.raises(NotRunning):
        control(daemon_options(where, "--check"), 4242)


def test_kill_by_pidfile_and_a_second_daemon_is_refused(tmp_path):
    where = f"--pidfile={tmp_path / 'p'}"
    assert start("serve", where, "--port=7") == "7"
    assert (
        start("serve", where, "--port=7") == f"0 Cannot lock {tmp_path / 'p'}: another daemon runs"
    )
    assert int(control(daemon_options(where, "--check", "--kill", "--wait=20"), 7)) > 1
    with pytest.raises(NotRunning, match="left over"):
        running_pid(tmp_path / "p")


def test_a_daemon_that_cannot_start(tmp_path):
    where = f"--pid-dir={tmp_path}"
    assert start("fail", where) == "0 nothing to serve"
    assert start("die", where) == "0 daemon ended before it was ready"


def test_a_daemon_that_is_not_ready_in_time(tmp_path):
    where = f"--pid-dir={tmp_path}"
    assert start("slow", where, "--wait=200ms") == "0 daemon was not ready within 0.2 s"
    control(daemon_options(where, "--kill", "--wait=20"), 5672)


def test_giving_up_on_a_process_that_does_not_end(tmp_path, monkeypatch):
    pid_file = PidFile(tmp_path / "p")
    signals = []
    monkeypatch.setattr("tanist.service.daemon.os.kill", lambda *a: signals.append(a))
    options = daemon_options(f"--pidfile={tmp_path / 'p'}", "--quit", "--wait=50ms")
    before = time.monotonic()
    with pytest.raises(UsageError, match="Gave up waiting"):
        control(options, 1)
    assert time.monotonic() - before >= 0.05
    assert signals == [(os.getpid(), signal.SIGINT)]
    pid_file.close()


def test_a_daemon_of_somebody_else(tmp_path, monkeypatch):
    def refuse(pid, number):
        raise PermissionError(1, "Operation not permitted")

    pid_file = PidFile(tmp_path / "p")
    monkeypatch.setattr("tanist.service.daemon.os.kill", refuse)
    with pytest.raises(UsageError, match="Operation not permitted"):
        control(daemon_options(f"--pidfile={tmp_path / 'p'}", "--quit"), 1)
    pid_file.close()

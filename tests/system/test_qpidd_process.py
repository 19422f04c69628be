"""``qpidd`` as supervisors, scripts and rigs meet it: real processes, sockets and signals."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

HEADER = b"AMQP\1\1\0\x0a"
QPIDD = [sys.executable, "-m", "tanist.cli.qpidd"]
LOCAL = ["--interface=127.0.0.1", "--log-enable=info+"]
TIMEOUT_S = 30


def environment(tmp_path, **more):
    kept = {name: text for name, text in os.environ.items() if not name.startswith("QPID_")}
    return {**kept, "HOME": str(tmp_path), **more}


def greet(port):
    """The first bytes a server says to a 0-10 client: its header and connection.start."""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as peer:
        peer.sendall(HEADER)
        got = b""
        while len(got) < len(HEADER) + 12 + 2:
            data = peer.recv(4096)
            if not data:
                break
            got += data
        return got


def assert_greeting(port):
    got = greet(port)
    assert got[:8] == HEADER
    assert got[9] == 0, "the first frame is a control"
    assert got[20:22] == b"\1\1", "connection.start"


@pytest.fixture
def qpidd(tmp_path):
    """Starts brokers, gives the processes; all are killed at the end."""
    running = []

    def start(*words, variables=None, **popen):
        process = subprocess.Popen(
            [*QPIDD, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(tmp_path, **(variables or {})),
            text=True,
            **popen,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate(timeout=TIMEOUT_S)


def run(tmp_path, *words):
    """Run the program to its end."""
    return subprocess.run(
        [*QPIDD, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        env=environment(tmp_path),
        text=True,
        timeout=TIMEOUT_S,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_port_0_prints_the_port_alone_and_a_signal_ends_it(qpidd, number):
    broker = qpidd("--port", "0", "--no-data-dir", *LOCAL)
    line = broker.stdout.readline()
    assert re.fullmatch(r"[1-9][0-9]*\n", line)
    assert_greeting(int(line))
    broker.send_signal(signal.SIGHUP)
    assert_greeting(int(line))
    broker.send_signal(number)
    out, err = broker.communicate(timeout=TIMEOUT_S)
    assert (broker.returncode, out) == (0, "")
    assert f"[Network] notice Listening on TCP/TCP6 port {int(line)}" in err
    assert "] error" not in err
    assert "] critical" not in err
    assert "Traceback" not in err


def test_an_inherited_socket_with_a_port_of_its_own(qpidd):
    with socket.create_server(("127.0.0.1", 0)) as mine:
        fd, port = mine.fileno(), mine.getsockname()[1]
        words = ["--listen-disable=tcp", f"--socket-fd={fd}", f"--port={port}", "--no-data-dir"]
        broker = qpidd(*words, "--load-module=ha.so", "--no-module-dir", pass_fds=[fd])
        assert_greeting(port)
    broker.terminate()
    out, err = broker.communicate(timeout=TIMEOUT_S)
    assert (broker.returncode, out) == (0, "")
    assert f"Listening on imported socket: 127.0.0.1:{port}" in err
    assert "Option load-module=ha.so (command line) ignored" in err


def test_options_from_the_file_and_the_environment(qpidd, tmp_path):
    (tmp_path / "qpidd.conf").write_text("auth=no\nport=1\nlog-to-stderr=no\n")
    log = tmp_path / "b.log"
    broker = qpidd(
        *LOCAL,
        variables={
            "QPID_CONFIG": str(tmp_path / "qpidd.conf"),
            "QPID_PORT": "0",
            "QPID_LOG_TO_FILE": str(log),
            "QPID_NO_SUCH_OPTION": "1",
        },
    )
    assert_greeting(int(broker.stdout.readline()))
    broker.terminate()
    assert broker.communicate(timeout=TIMEOUT_S) == ("", "")
    assert "Option port=0 (environment)" in log.read_text()
    assert (tmp_path / ".qpidd" / "systemId").exists()


def test_rubbish_is_dropped_without_a_traceback(qpidd):
    broker = qpidd("--port=0", "--no-data-dir", "--max-negotiate-time=300", *LOCAL)
    port = int(broker.stdout.readline())
    for rubbish in (b"GET / HTTP/1.0\r\n\r\n", HEADER + b"\xff" * 100, b"A"):
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as peer:
            peer.sendall(rubbish)
            before = time.monotonic()
            try:
                while peer.recv(4096):
                    pass
            except ConnectionResetError:
                pass
            assert time.monotonic() - before < 5, rubbish
    assert_greeting(port)
    broker.terminate()
    _, err = broker.communicate(timeout=TIMEOUT_S)
    assert broker.returncode == 0
    assert "Traceback" not in err
    assert "] critical" not in err


def test_a_daemon_is_ready_when_its_parent_returns(tmp_path):
    where = [f"--pid-dir={tmp_path}", f"--data-dir={tmp_path / 'd'}"]
    log = [f"--log-to-file={tmp_path / 'log'}", "--log-to-stderr=no"]
    started = run(tmp_path, "--daemon", "--port=0", *where, *log, *LOCAL)
    assert (started.returncode, started.stderr) == (0, "")
    port = int(started.stdout)
    at = [f"--port={port}", *where]
    try:
        assert_greeting(port)
        check = run(tmp_path, "--check", *at)
        assert check.returncode == 0
        assert (tmp_path / f"qpidd.{port}.pid").read_text() == check.stdout
        again = run(tmp_path, "--daemon", "--port=0", *where, *LOCAL)
        assert again.returncode == 1
        assert "] critical Unexpected error: Cannot lock" in again.stderr
    finally:
        stopped = run(tmp_path, "--quit", "--wait=20", *at)
    assert stopped.returncode == 0, stopped.stderr
    assert run(tmp_path, "--check", *at).returncode == 1
    assert "exit code 0" in (tmp_path / "log").read_text()


def test_a_port_in_use_is_one_critical_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as mine:
        port = mine.getsockname()[1]
        result = run(tmp_path, f"--port={port}", "--no-data-dir", "--interface=127.0.0.1")
    assert (result.returncode, result.stdout) == (1, "")
    assert f"] critical Unexpected error: Cannot listen on port {port}" in result.stderr
    assert result.stderr.count("] critical") == 1

"""One run of the service with a small node, in a process of its own, and its parts alone."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import pytest
from twisted.logger import LogLevel
from twisted.python.failure import Failure

from tanist.service.config import broker_options, log_options
from tanist.service.logs import Log, StreamDestination
from tanist.service.service import Service, listening_sockets, twisted_observer
from tanist.service.sources import UsageError, from_arguments

PROGRAM = """
import sys
from pathlib import Path
from tanist.node.inputs import Received, Started, Tick
from tanist.node.outputs import Arm, Log, Send, Stop
from tanist.service.config import broker_options, log_options
from tanist.service.logs import open_log
from tanist.service.service import Service
from tanist.service.sources import from_arguments

class Echo:
    def step(self, event):
        if isinstance(event, Started):
            return [Arm(event.now + 0.05)]
        if isinstance(event, Tick):
            return [Log("notice", "Test", "ticked")]
        if isinstance(event, Received):
            if b"stop" in event.data:
                return [Send(event.conn, b"bye"), Stop("told to stop", 7)]
            if b"bug" in event.data:
                raise KeyError("bug")
            return [Send(event.conn, event.data)]
        return []

settings = from_arguments(sys.argv[1:])
options = broker_options(settings, Path("/nowhere"))
service = Service(options, settings, open_log(log_options(settings)), lambda o, s, p: Echo())
sys.exit(service.run(lambda port: print(port, flush=True)))
"""


class Running:
    """The program above in a process; a context manager that ends it."""

    def __init__(self, log: Path, *words, **popen) -> None:
        self.log = log
        command = [sys.executable, "-c", PROGRAM, f"--log-to-file={log}", "--log-to-stderr=no"]
        self.process = subprocess.Popen(
            [*command, *words], stdout=subprocess.PIPE, text=True, **popen
        )

    def __enter__(self) -> Self:
        self.port = int(self.process.stdout.readline())
        return self

    def __exit__(self, *problem) -> None:
        self.process.kill()
        self.process.wait(timeout=20)
        self.process.stdout.close()

    def talk(self, data):
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as peer:
            peer.sendall(data)
            return peer.recv(100)

    def wait_for(self, text):
        end = time.monotonic() + 10
        while text not in self.log.read_text():
            assert time.monotonic() < end, f"{text} did not come"
            time.sleep(0.01)

    def end(self):
        return self.process.wait(timeout=20)


QUIET = ("--no-data-dir", "--interface=127.0.0.1", "--port=0")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_a_signal_and_ends_with_0(tmp_path, number):
    with Running(tmp_path / "log", *QUIET) as broker:
        assert broker.talk(b"AMQP\1\1\0\x0ahello") == b"AMQP\1\1\0\x0ahello"
        broker.process.send_signal(signal.SIGHUP)
        assert broker.talk(b"again") == b"again"
        broker.wait_for("[Test] notice ticked")
        broker.process.send_signal(number)
        assert broker.end() == 0
    text = (tmp_path / "log").read_text()
    assert f"[Network] notice Listening on TCP/TCP6 port {broker.port}\n" in text
    assert "] error" not in text
    assert "] critical" not in text


def test_the_node_can_stop_the_broker(tmp_path):
    with Running(tmp_path / "log", *QUIET) as broker:
        assert broker.talk(b"please stop") == b"bye"
        assert broker.end() == 7
    assert "[Broker] critical told to stop" in (tmp_path / "log").read_text()


def test_a_bug_is_one_critical_line_and_exit_1(tmp_path):
    with Running(tmp_path / "log", *QUIET) as broker:
        assert broker.talk(b"bug") == b""
        assert broker.end() == 1
    text = (tmp_path / "log").read_text()
    assert text.count("] critical Unexpected error: KeyError: 'bug'") == 1


def test_a_silent_connection_is_dropped(tmp_path):
    with Running(tmp_path / "log", *QUIET, "--max-negotiate-time=200") as broker:
        before = time.monotonic()
        with socket.create_connection(("127.0.0.1", broker.port), timeout=10) as peer:
            with pytest.raises(ConnectionResetError):
                peer.recv(1)
                raise ConnectionResetError  # an orderly end is as good
            assert 0.15 < time.monotonic() - before < 5


def test_an_inherited_socket_is_served(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as mine:
        fd, port = mine.fileno(), mine.getsockname()[1]
        words = ["--no-data-dir", "--listen-disable=tcp", f"--socket-fd={fd}", "--port=77"]
        with Running(tmp_path / "log", *words, pass_fds=[fd]) as broker:
            assert broker.port == 77
            broker.port = port
            assert broker.talk(b"AMQP\1\1\0\x0a") == b"AMQP\1\1\0\x0a"
    text = (tmp_path / "log").read_text()
    assert f"[Network] notice Listening on imported socket: 127.0.0.1:{port}\n" in text


def test_the_identity_is_kept_in_the_data_directory(tmp_path):
    words = [f"--data-dir={tmp_path / 'd'}", *QUIET[1:]]
    with Running(tmp_path / "log", *words):
        first = (tmp_path / "d" / "systemId").read_text()
        second = subprocess.run(
            [sys.executable, "-c", PROGRAM, *words],
            check=False,
            capture_output=True,
            timeout=20,
            text=True,
        )
        assert "another broker uses this data-dir" in second.stderr
        assert second.stdout == ""
    with Running(tmp_path / "log", *words):
        assert (tmp_path / "d" / "systemId").read_text() == first


class Page:
    """A log in memory."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        options = log_options(from_arguments(["--log-time=no", "--log-enable=debug+"]))
        self.log = Log(options, [StreamDestination(self.stream)])

    @property
    def text(self):
        return self.stream.getvalue()


def test_bad_descriptors_are_logged_and_skipped():
    page = Page()
    words = ["--port=0", "--interface=127.0.0.1", "--socket-fd=9999"]
    options = broker_options(from_arguments(words), Path("/tmp")).network
    for each in listening_sockets(options, page.log):
        each.close()
    assert "[Network] error Cannot import socket 9999" in page.text


def test_nothing_to_listen_on():
    words = ["--listen-disable=tcp", "--socket-fd=9999"]
    options = broker_options(from_arguments(words), Path("/tmp")).network
    with pytest.raises(UsageError, match="no transports listening"):
        listening_sockets(options, Page().log)


def test_a_start_that_fails_frees_the_data_directory(tmp_path):
    words = [f"--data-dir={tmp_path}", "--listen-disable=tcp"]
    settings = from_arguments(words)
    options = broker_options(settings, Path("/tmp"))
    for _ in range(2):
        service = Service(options, settings, Page().log, lambda *_: None)
        with pytest.raises(UsageError, match="no transports listening"):
            service.run(lambda port: None)
    assert os.listdir(tmp_path)


def test_events_of_twisted_become_lines():
    page = Page()
    observe = twisted_observer(page.log)
    try:
        raise ValueError("odd")
    except ValueError:
        observe({"log_failure": Failure(), "log_level": LogLevel.critical, "log_format": "x"})
    observe({"log_level": LogLevel.error, "log_format": "went {how}", "how": "wrong"})
    observe({"log_level": LogLevel.info, "log_format": "starting"})
    assert "[System] error Unhandled ValueError: odd\n" in page.text
    assert "[System] debug Traceback" in page.text
    assert "[System] error went wrong\n" in page.text
    assert "[System] debug starting\n" in page.text

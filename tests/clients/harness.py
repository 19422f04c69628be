"""What the tests of the client programs share: the program, brokers to talk to, and what was said."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tanist_interop import protocol
from tanist_interop.drivers.program import CANNOT_RUN, Gone, Program, Said
from tanist_interop.drivers.registry import discover

ROOT = Path(__file__).resolve().parents[2]
PEER = Path(__file__).with_name("peer.py")
WAIT_S = 8.0


def built_python() -> Path:
    """The Python with Proton that clients/setup made."""
    cache = Path(os.environ.get("TANIST_CACHE") or Path.home() / ".cache/tanist")
    command = [str(ROOT / "clients/key"), "python-proton"]
    key = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return cache / "python-proton" / key / "bin/python"


def missing(reason: str) -> None:
    """A test that cannot run here; in CI, where clients/setup ran before, it fails."""
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def eventually(look, expected: object) -> None:
    """Wait until ``look()`` is what is expected; what the brokers did may be heard of a little later."""
    deadline = time.monotonic() + WAIT_S
    while look() != expected and time.monotonic() < deadline:
        time.sleep(0.01)
    assert look() == expected


class PeerProcess:
    """peer.py as a process; ``heard`` is everything that it said."""

    def __init__(self, *options: str) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.heard: list[dict] = []
        self._process = subprocess.Popen(
            [str(built_python()), "-B", str(PEER), str(self.port), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.wait(lambda line: "listening" in line)

    def _read(self) -> None:
        for line in self._process.stdout:
            self.heard.append(json.loads(line))

    def wait(self, wanted, count: int = 1) -> list[dict]:
        """Wait for so many lines that ``wanted`` is true of."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            found = [line for line in list(self.heard) if wanted(line)]
            if len(found) >= count:
                return found
            time.sleep(0.01)
        raise AssertionError(f"the peer said only {self.heard[-20:]}")

    def got(self) -> list[int]:
        """The sequence numbers of what it received, in order."""
        return [line["got"][1] for line in list(self.heard) if "got" in line]

    def tell(self, **command: object) -> None:
        """Give it a command."""
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def suspend(self) -> None:
        """Stop it; its sockets stay open."""
        self._process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        """End it without a word. Again: nothing."""
        if self._process.poll() is not None:
            return
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._process.stdin.close()
        self._process.stdout.close()


class Backup:
    """A broker that lets nobody in: it authenticates, reads the client's Open and drops the connection.
    Clients may do without SASL.

    ``connections`` counts what came; ``init`` is the last sasl-init frame, as bytes.
    """

    # sasl-mechanisms: an array of two symbols, in a list of one field; sasl-outcome: code ok.
    MECHANISMS = b"\x00\x53\x40\xc0\x15\x01\xe0\x12\x02\xa3\x09ANONYMOUS\x05PLAIN"
    OUTCOME = b"\x00\x53\x44\xc0\x03\x01\x50\x00"

    def __init__(self) -> None:
        self.connections = 0
        self.init = b""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:{}".format(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                self.connections += 1
                try:
                    self._refuse(connection)
                except (OSError, EOFError):
                    pass  # the client went first

    def _refuse(self, connection: socket.socket) -> None:
        read = connection.makefile("rb").read
        if self._header(read) == b"AMQP\x03\x01\x00\x00":
            connection.sendall(b"AMQP\x03\x01\x00\x00" + self._sasl(self.MECHANISMS))
            self.init = self._frame(read)
            connection.sendall(self._sasl(self.OUTCOME))
            self._header(read)
        self._frame(read)

    @staticmethod
    def _header(read) -> bytes:
        header: bytes = read(8)
        if len(header) < 8:
            raise EOFError
        assert header in (b"AMQP\x03\x01\x00\x00", b"AMQP\x00\x01\x00\x00")
        return header

    @staticmethod
    def _sasl(body: bytes) -> bytes:
        return (8 + len(body)).to_bytes(4, "big") + b"\x02\x01\x00\x00" + body

    @staticmethod
    def _frame(read) -> bytes:
        size = read(4)
        if len(size) < 4:
            raise EOFError
        return size + read(int.from_bytes(size, "big") - 4)

    def close(self) -> None:
        """Listen no more."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(WAIT_S)


class Driven:
    """A client program, the requests to it and everything it said, in order."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        log = folder / f"{name}-{time.monotonic_ns()}.log"
        log.touch()
        self.log = log
        self.inbox: queue.Queue = queue.Queue()
        self.program = Program(name, discover(ROOT / "clients")[name], log, self.inbox)
        self.said: list[protocol.Message] = []
        self.code: int | None = None
        self._last_id = 0
        self.program.start()

    def ask(self, kind: type, *values: object, **more: object) -> int:
        """Send a request; returns its number, which names a task."""
        self._last_id += 1
        self.program.write(protocol.encode(kind(self._last_id, *values, **more)))
        return self._last_id

    def call(self, kind: type, *values: object, **more: object) -> protocol.Reply:
        """Send a request and wait for its answer."""
        return self.answer(self.ask(kind, *values, **more))

    def do(self, kind: type, *values: object, **more: object) -> int:
        """Send a request, which must be done; returns its number."""
        number = self.ask(kind, *values, **more)
        answer = self.answer(number)
        assert isinstance(answer, protocol.Done), answer
        return number

    def answer(self, number: int) -> protocol.Reply:
        """Wait for the answer to a request."""

        def wanted(message: protocol.Message) -> bool:
            return isinstance(message, protocol.Reply) and message.in_reply_to == number

        found = self.wait(wanted)
        assert isinstance(found, protocol.Reply)
        return found

    def connect(self, *addresses: str, **more: object) -> None:
        """Greet it and open its connection."""
        self.init()
        self.do(protocol.Connect, list(addresses), more.pop("heartbeat_s", 0), **more)

    def init(self) -> protocol.InitOk:
        """Greet it; where it cannot run the test ends here."""
        number = self.ask(protocol.Init, "test", protocol.VERSION)
        while True:
            item = self.inbox.get(timeout=WAIT_S)
            if isinstance(item, Gone) and item.code == CANNOT_RUN:
                missing(item.last_words)
            self._take(item)
            if self.said:
                break
        answer = self.said[-1]
        assert isinstance(answer, protocol.InitOk)
        assert answer.in_reply_to == number
        return answer

    def _take(self, item: Said | Gone) -> None:
        if isinstance(item, Gone):
            self.code = item.code
            return
        assert item.message is not None, item.problem
        self.said.append(item.message)

    def wait(self, wanted, wait_s: float = WAIT_S) -> protocol.Message:
        """The first message, of all it ever said, that ``wanted`` is true of."""
        seen = 0
        deadline = time.monotonic() + wait_s
        while True:
            for message in self.said[seen:]:
                if wanted(message):
                    return message
            seen = len(self.said)
            try:
                self._take(self.inbox.get(timeout=max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                words = self.log.read_text()[-2000:]
                raise AssertionError(f"{self.name} said only {self.said[-20:]}; {words}") from None
            if self.code is not None:
                words = self.log.read_text()[-2000:]
                raise AssertionError(f"{self.name} ended with {self.code}: {words}")

    def ended(self, task: int) -> protocol.Ended:
        """Wait for the end of a task."""

        def wanted(message: protocol.Message) -> bool:
            return isinstance(message, protocol.Ended) and message.task == task

        found = self.wait(wanted)
        assert isinstance(found, protocol.Ended)
        return found

    def event(self, kind: type, after: int = 0) -> protocol.Message:
        """Wait for an event of a kind, among what it said from index ``after`` on."""
        first = self.said[:after]
        return self.wait(
            lambda message: isinstance(message, kind) and not any(message is old for old in first)
        )

    def numbers(self, kind: type, task: int) -> list[int]:
        """All sequence numbers in events of a kind of a task, in order."""
        return [
            sn
            for message in self.said
            if isinstance(message, kind) and message.task == task
            for first, last in message.sns
            for sn in range(first, last + 1)
        ]

    def wait_ok(self, task: int, count: int) -> None:
        """Wait until so many messages of a task are acknowledged."""
        self.wait(lambda _: len(self.numbers(protocol.Ok, task)) >= count)

    def close(self) -> int:
        """Ask it to close; the exit code."""
        self.do(protocol.Close)
        return self.gone()

    def gone(self) -> int:
        """Wait for its end."""
        while self.code is None:
            self._take(self.inbox.get(timeout=WAIT_S))
        return self.code

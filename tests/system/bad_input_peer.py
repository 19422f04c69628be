"""What the tests of bad input have in common: a broker to attack, clients good and bad, a watch.

``BrokerUnderAttack`` is a real qpidd process whose memory and log can be looked at. ``Peer`` is a
blocking client that keeps the rules until it is told otherwise: ``raw`` sends any octets. ``Watch``
is the innocent bystander: from its own thread it publishes and receives all the time, and knows
the longest that it ever waited, and how long of that its broker was at work.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from tanist.wire.amqp010.codec import encode_command, encode_control, encode_header, make
from tanist.wire.amqp010.connection import Connection, ConnectionSettings
from tanist.wire.amqp010.events import (
    Attached,
    Closed,
    Completed,
    Detached,
    Exception_,
    Failed,
    Opened,
    Transfer,
)
from tanist.wire.amqp010.transfer import encode_transfer

HEADER = b"AMQP\1\1\0\x0a"
TIMEOUT_S = 10.0
UNLIMITED = 0xFFFFFFFF
ENDS = (Closed, Failed, Detached, Exception_)


def frame(payload, type_=0, channel=0, flags=0x0F, track=None, size=None, reserved=0):
    """One frame; whatever is not said is as it should be."""
    track = (0 if type_ == 0 else 1) if track is None else track
    size = len(payload) + 12 if size is None else size
    word = bytes((flags, type_)) + size.to_bytes(2, "big") + bytes((reserved, track))
    return word + channel.to_bytes(2, "big") + bytes(4) + payload


def control(name, channel=0, /, **fields):
    """A good frame with a control."""
    return frame(encode_control(make(name, **fields)), 0, channel)


def command(name, channel=0, /, **fields):
    """A good frame with a command."""
    return frame(encode_command(make(name, **fields)), 1, channel)


def message(header, body, destination="", channel=0, accept_mode=1):
    """The three good frames of a message; ``header`` is a list of structs, or octets."""
    octets = header if isinstance(header, bytes) else encode_header(header)
    return (
        frame(encode_transfer(destination, accept_mode, 0), 1, channel, 0x0B)
        + frame(octets, 2, channel, 0x03)
        + frame(body, 3, channel, 0x07)
    )


def key(routing_key, **more):
    """Delivery-properties for a header."""
    return make("message.delivery-properties", routing_key=routing_key, **more)


class Peer:
    """A blocking client. The connection is open and a session attached, unless said otherwise."""

    def __init__(self, port, *, opened=True, attached=True, **settings) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection = Connection(ConnectionSettings(role="client", **settings), 0.0)
        self.events = []
        self.session = None
        if opened:
            self.wait(Opened)
            if attached:
                self.session = self.attach(f"bad-{os.getpid()}-{id(self)}-{time.monotonic_ns()}")

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()

    def attach(self, name):
        """Attach a session and wait until it is there."""
        session = self.connection.attach(name)
        self.wait(Attached)
        return session

    def push(self):
        """Write what the machine has to say."""
        data = self.connection.data_to_send()
        if data:
            self.socket.sendall(data)

    def read(self, within=TIMEOUT_S):
        """Read once; False: the broker closed the connection."""
        self.push()
        self.socket.settimeout(within)
        try:
            data = self.socket.recv(1 << 20)
        except ConnectionResetError:
            return False
        if not data:
            return False
        self.events.extend(self.connection.receive_data(data, 0.0))
        return True

    def wait(self, *kinds, within=TIMEOUT_S):
        """The next event of one of ``kinds``; others are thrown away."""
        end = time.monotonic() + within
        while True:
            while self.events:
                event = self.events.pop(0)
                if isinstance(event, kinds):
                    return event
            if not self.read(max(0.01, end - time.monotonic())):
                raise ConnectionError("closed by the broker")

    def send(self, name, /, **fields):
        """Send a command; returns its id."""
        return self.session.send(make(name, **fields))

    def call(self, name, /, within=TIMEOUT_S, **fields):
        """Send a command and wait for its completion. Raises: ConnectionError if it failed."""
        number = self.session.send(make(name, **fields), sync=True)
        while True:
            event = self.wait(Completed, *ENDS, within=within)
            if not isinstance(event, Completed):
                raise ConnectionError(text_of(event))
            if any(low <= number <= high for low, high in event.ranges):
                return

    def sync(self, within=TIMEOUT_S):
        """Wait until everything sent is done."""
        self.call("execution.sync", within=within)

    def publish(self, routing_key, body=b"", destination="", structs=None, header=None):
        """Send a message."""
        if header is None:
            header = encode_header(structs or [key(routing_key)])
        self.session.send_transfer(encode_transfer(destination, 1, 0), header, body)

    def subscribe(self, queue, destination="d", credit=UNLIMITED, **more):
        """Subscribe and give credit."""
        modes = {"accept_mode": 1, "acquire_mode": 0, **more}
        self.send("message.subscribe", queue=queue, destination=destination, **modes)
        self.send("message.flow", destination=destination, unit=0, value=credit)
        self.send("message.flow", destination=destination, unit=1, value=UNLIMITED)

    def raw(self, data):
        """Send any octets; it is no error if the broker has closed already."""
        self.push()
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(data)

    def ended(self, within=1.0):
        """Read until the broker has closed TCP; how it said so (close code, or 0 for silence).

        Raises: TimeoutError if it has not within the time.
        """
        code = 0
        end = time.monotonic() + within
        while True:
            try:
                if not self.read(max(0.01, end - time.monotonic())):
                    return code
            except BrokenPipeError:
                return code
            for event in self.events:
                if isinstance(event, Closed):
                    code = event.code
            self.events.clear()

    def failed(self, within=1.0):
        """The error code with which the broker ends our session (or the connection)."""
        event = self.wait(Exception_, Closed, within=within)
        return event.code if isinstance(event, Closed) else event.struct.number("error_code")


def text_of(event):
    """What an event says went wrong."""
    if isinstance(event, Exception_):
        return event.struct.text("description")
    return getattr(event, "text", "detached")


class Watch:
    """A client that publishes and receives, again and again, in its own thread.

    ``longest_s`` is the longest that it waited, ``work_s`` the most that its broker worked while it
    waited: that is the broker's doing, the rest may be the machine's.
    """

    def __init__(self, broker) -> None:
        self._broker = broker
        self._peer = peer = broker.peer()
        peer.send("queue.declare", queue="watch", exclusive=True, auto_delete=True)
        peer.subscribe("watch")
        peer.sync()
        self.rounds = 0
        self.trouble = None
        self.forget()
        self._going = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def forget(self):
        """Begin anew to look for the longest."""
        self.longest_s = self.work_s = 0.0

    def _run(self):
        try:
            while self._going:
                began, worked = time.monotonic(), self._broker.cpu_s()
                self._peer.publish("watch", b"tick")
                transfer = self._peer.wait(Transfer)
                transfer.session.complete(transfer.id, transfer.id)
                self.longest_s = max(self.longest_s, time.monotonic() - began)
                self.work_s = max(self.work_s, self._broker.cpu_s() - worked)
                self.rounds += 1
                time.sleep(0.02)
        except (OSError, AssertionError) as error:
            self.trouble = error

    def stop(self):
        """No more rounds."""
        self._going = False
        self._thread.join(TIMEOUT_S)
        self._peer.socket.close()


class BrokerUnderAttack:
    """A qpidd process; its log goes to a file."""

    def __init__(self, folder, name, *words, settings=None) -> None:
        self.log_path = Path(folder) / f"{name}.log"
        self.settings = settings or {}
        self._log = self.log_path.open("wb")
        environment = {n: v for n, v in os.environ.items() if not n.startswith("QPID_")}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tanist.cli.qpidd", "--port=0", "--no-data-dir"),
                *("--interface=127.0.0.1", "--log-enable=info+", f"--config={os.devnull}"),
                *words,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**environment, "HOME": str(folder)},
        )
        self._port = 0

    @property
    def port(self):
        """Where it listens; waits for its start."""
        if not self._port:
            self._port = int(self.process.stdout.readline())
        return self._port

    def peer(self, **more):
        """A new client of this broker."""
        return Peer(self.port, **{**self.settings, **more})

    def memory(self, field="VmRSS"):
        """Bytes of memory, now (VmRSS) or at most since ``forget_peak`` (VmHWM)."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no {field}: the broker is gone")

    def forget_peak(self):
        """Begin a new VmHWM."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def cpu_s(self):
        """Processor time it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def log(self):
        """All it has logged."""
        return self.log_path.read_text()

    def end(self):
        """Stop it."""
        self.process.kill()
        self.process.wait(TIMEOUT_S)
        self.process.stdout.close()
        self._log.close()

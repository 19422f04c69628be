"""The load client: as little work per message as a client can have.

Every message is the same octets, so what it sends is a slice of one prepared buffer, and what it
reads are only the confirmations: a session.completed per batch. It keeps ``window`` messages
unconfirmed and measures how long ``count`` of them take.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from struct import Struct
from uuid import uuid4

from tanist.wire.amqp010.codec import decode_control, encode_header, make
from tanist.wire.amqp010.connection import Connection, ConnectionSettings
from tanist.wire.amqp010.events import Attached, Completed, Event, Opened
from tanist.wire.amqp010.framing import (
    FRAME_HEADER_SIZE,
    TYPE_CONTROL,
    encode_transfer_frames,
)
from tanist.wire.amqp010.session import Session
from tanist.wire.amqp010.transfer import encode_transfer

LOOPBACK = "127.0.0.1"
READ_OCTETS = 256 * 1024
QUEUE = "bench"
COUNT = Struct(">Q")
TIMEOUT_S = 60.0


def connect(port: int) -> socket.socket:
    """A connected socket."""
    sock = socket.create_connection((LOOPBACK, port), TIMEOUT_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def pump(
    sock: socket.socket,
    message: bytes,
    count: int,
    window: int,
    confirmed_by: Callable[[bytes], int],
) -> tuple[float, list[float]]:
    """Send ``count`` messages, ``window`` in flight; seconds taken, and one round trip each if
    ``window`` is 1. ``confirmed_by`` takes what was read and returns all confirmed so far."""
    buffer = memoryview(message * window)
    size = len(message)
    trips: list[float] = []
    sent = confirmed = 0
    began = moment = time.perf_counter()
    while confirmed < count:
        room = min(window - (sent - confirmed), count - sent)
        if room:
            sock.sendall(buffer[: room * size])
            sent += room
        data = sock.recv(READ_OCTETS)
        if not data:
            raise ConnectionError("the broker closed the connection")
        confirmed = confirmed_by(data)
        if window == 1 and confirmed == sent:
            now = time.perf_counter()
            trips.append(now - moment)
            moment = now
    return time.perf_counter() - began, trips


def message_frames(body_octets: int) -> bytes:
    """The frames of one publish to ``QUEUE`` on channel 0."""
    header = encode_header(
        [
            make("message.delivery-properties", routing_key=QUEUE),
            make("message.message-properties", content_length=body_octets),
        ]
    )
    return encode_transfer_frames(0, encode_transfer("", 0, 0), header, b"x" * body_octets)


class RelayLoad:
    """Drives the relay."""

    def __init__(self, port: int) -> None:
        self.sock = connect(port)
        self._rest = b""
        self._confirmed = 0
        self._base = 0

    def measure(self, message: bytes, count: int, window: int) -> tuple[float, list[float]]:
        """See ``pump``."""
        self._base = self._confirmed
        return pump(self.sock, message, count, window, self._read)

    def _read(self, data: bytes) -> int:
        data = self._rest + data
        whole = len(data) - len(data) % COUNT.size
        self._rest = data[whole:]
        if whole:
            (self._confirmed,) = COUNT.unpack_from(data, whole - COUNT.size)
        return self._confirmed - self._base


class BrokerLoad:
    """Drives a broker over AMQP 0-10."""

    def __init__(self, port: int) -> None:
        self.sock = connect(port)
        self._connection = Connection(ConnectionSettings(role="client"), time.monotonic())
        self._session = self._open()
        self._rest = b""
        self._completed = self._first_id = self._session.next_outgoing

    def _open(self) -> Session:
        session: Session | None = None
        while session is None:
            self.sock.sendall(self._connection.data_to_send())
            for event in self._events(self.sock.recv(READ_OCTETS)):
                if isinstance(event, Opened):
                    self._connection.attach(str(uuid4()))
                elif isinstance(event, Attached):
                    session = event.session
        session.send(make("queue.declare", queue=QUEUE))
        last = session.send(make("execution.sync"), sync=True)
        self.sock.sendall(self._connection.data_to_send())
        while not any(
            isinstance(event, Completed) and event.ranges[-1][1] == last
            for event in self._events(self.sock.recv(READ_OCTETS))
        ):
            pass
        return session

    def _events(self, data: bytes) -> list[Event]:
        if not data:
            raise ConnectionError("the broker closed the connection")
        return self._connection.receive_data(data, time.monotonic())

    def measure(self, message: bytes, count: int, window: int) -> tuple[float, list[float]]:
        """See ``pump``."""
        result = pump(self.sock, message, count, window, self._read)
        self._first_id += count
        return result

    def _read(self, data: bytes) -> int:
        """Find the session.completed controls among the frames; all else is passed over."""
        data = self._rest + data
        at = 0
        while at + FRAME_HEADER_SIZE <= len(data):
            size = int.from_bytes(data[at + 2 : at + 4], "big")
            if at + size > len(data):
                break
            if data[at + 1] == TYPE_CONTROL:
                control = decode_control(data[at + FRAME_HEADER_SIZE : at + size])
                if control.name == "session.completed":
                    self._completed = control.ranges("commands")[-1][1] + 1
            at += size
        self._rest = data[at:]
        return self._completed - self._first_id

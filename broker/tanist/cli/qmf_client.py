"""A small blocking QMF2 client: one request, one answer, a deadline for all of it.

The tools are short-lived programs that talk to one broker; a plain socket around the sans-I/O
connection machine is all they need. Every wait is bounded by ``timeout_s``: a broker that is
stopped still accepts TCP connections, and a tool that hangs makes a resource manager act. A long
answer may take longer in all, as long as it goes on.

Use: ``with QmfClient(address, options) as client: client.query("habroker")``.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Final
from uuid import UUID, uuid4

from tanist.ha.messages import ADMIN_PROPERTY
from tanist.ha.url import Url
from tanist.wire.amqp010.codec import decode_list, decode_map, encode_header, encode_map, make
from tanist.wire.amqp010.connection import Connection, ConnectionSettings
from tanist.wire.amqp010.events import (
    Attached,
    Closed,
    Completed,
    Detached,
    Event,
    Exception_,
    Failed,
    Opened,
    Result,
    Transfer,
)
from tanist.wire.amqp010.session import Session
from tanist.wire.amqp010.transfer import application_headers, encode_transfer, message_properties
from tanist.wire.amqp010.values import Value, uint32

READ_BYTES: Final = 65536
DIRECT_EXCHANGE: Final = "qmf.default.direct"
REPLY_EXCHANGE: Final = "amq.direct"
SUBSCRIPTION: Final = "answers"
QUEUE_NAME_MAX: Final = 255
"""Octets of a queue's name: a str8."""


class QmfError(Exception):
    """The broker could not be reached, or refused; the text says which broker and why.

    ``kind`` is what the original's tools call such an error.
    """

    def __init__(self, text: str, kind: str = "ConnectionError") -> None:
        super().__init__(text)
        self.kind = kind


CANNOT_CONNECT: Final = "ConnectError"
TIMED_OUT: Final = "Timeout"
FAILED_THERE: Final = "Exception"
"""Kinds of ``QmfError``; the last one: the agent answered with an exception."""


@dataclass(frozen=True)
class ClientOptions:
    """How to connect. ``ha_admin``: as a management tool, which backups let in."""

    timeout_s: float = 10.0
    mechanism: str = ""
    username: str = ""
    password: str = ""
    heartbeat_s: int = 0
    ha_admin: bool = True


def object_values(element: dict[str, Value]) -> dict[str, Value]:
    """The properties of an object in a query's answer."""
    values = element.get("_values")
    return dict(values) if isinstance(values, dict) else {}


def plain(value: Value) -> object:
    """``value`` as JSON knows it: the original's texts are octets, ids become text."""
    if isinstance(value, dict):
        return plain_map(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value


def plain_map(values: dict[str, Value]) -> dict[str, object]:
    """``plain`` for each value of a map."""
    return {name: plain(item) for name, item in values.items()}


class QmfClient:
    """One management connection to one broker."""

    def __init__(self, url: Url, options: ClientOptions) -> None:
        """Raises: QmfError if ``url`` has no address."""
        if not url.addresses:
            raise QmfError("no broker address given; use --broker host[:port]", CANNOT_CONNECT)
        self._address = url.addresses[0]
        self._options = options
        self._deadline = time.monotonic() + options.timeout_s
        self._socket: socket.socket | None = None
        self._correlation = 0
        self._queue = f"qmf.{uuid4()}"
        self._events: list[Event] = []
        self._session: Session | None = None
        self._connection = Connection(
            ConnectionSettings(
                role="client",
                username=url.user or options.username,
                password=url.password or options.password,
                mechanism=options.mechanism,
                heartbeat_s=options.heartbeat_s,
                client_properties=_client_properties(options.ha_admin),
            ),
            time.monotonic(),
        )

    @property
    def broker(self) -> str:
        """``host:port``, for messages."""
        return f"{self._address.host}:{self._address.port}"

    def __enter__(self) -> QmfClient:
        """Connect and attach a session. Raises: QmfError."""
        try:
            self._socket = socket.create_connection(
                (self._address.host, self._address.port), self._remaining()
            )
        except (OSError, UnicodeError) as error:
            raise QmfError(f"cannot connect to {self.broker}: {error}", CANNOT_CONNECT) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._wait_for(Opened)
            self._session = self._connection.attach(self._queue)
            self._wait_for(Attached)
        except BaseException:
            self._socket.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection, politely if it still works."""
        assert self._socket is not None
        try:
            if error is None:
                self._connection.close(200, "OK")
                self._wait_for(Closed)
        except (QmfError, OSError):
            pass  # the answer is already here; how the connection ends changes nothing
        finally:
            self._socket.close()

    def query(self, class_name: str) -> list[dict[str, Value]]:
        """All objects of a class: their ``_values``, ``_object_id`` ... maps.

        Raises: QmfError for no answer in time, a lost connection or an exception of the agent.
        """
        return self._query({"_what": "OBJECT", "_schema_id": {"_class_name": class_name}})

    def find(self, object_name: str) -> dict[str, Value] | None:
        """The object called ``object_name``, None if there is none. Raises: QmfError."""
        found = self._query({"_what": "OBJECT", "_object_id": {"_object_name": object_name}})
        return found[0] if found else None

    def _query(self, body: dict[str, Value]) -> list[dict[str, Value]]:
        found: list[dict[str, Value]] = []
        self._request("_query_request", body)
        while True:
            answer = self._answer()
            found.extend(e for e in decode_list(answer.body) if isinstance(e, dict))
            if "partial" not in application_headers(answer.header):
                return found
            self._deadline = time.monotonic() + self._options.timeout_s

    def call(self, object_name: str, method: str, arguments: dict[str, Value]) -> dict[str, Value]:
        """Call a method; returns its out arguments. Raises: QmfError, also if it failed there."""
        self._request(
            "_method_request",
            {
                "_object_id": {"_object_name": object_name},
                "_method_name": method,
                "_arguments": arguments,
            },
        )
        out = decode_map(self._answer().body).get("_arguments")
        return dict(out) if isinstance(out, dict) else {}

    def has_queue(self, name: str) -> bool:
        """Whether the broker has a queue of that name. Raises: QmfError."""
        assert self._session is not None, "use QmfClient in a with statement"
        if not 0 < len(name.encode()) <= QUEUE_NAME_MAX:
            return False
        asked = self._session.send(make("queue.query", queue=name), sync=True)
        while True:
            event = self._wait_for(Result)
            assert isinstance(event, Result)
            if event.command_id == asked:
                return event.value is not None and event.value.text("queue") == name

    # -- inside -----------------------------------------------------------------------------

    def _remaining(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise QmfError(
                f"no answer from {self.broker} within {self._options.timeout_s:g} seconds; "
                "it may be stopped or overloaded",
                TIMED_OUT,
            )
        return left

    def _read(self) -> None:
        assert self._socket is not None
        data = self._connection.data_to_send()
        try:
            self._socket.settimeout(self._remaining())
            if data:
                self._socket.sendall(data)
            received = self._socket.recv(READ_BYTES)
        except TimeoutError:
            self._remaining()
            return
        except OSError as error:
            raise QmfError(f"connection to {self.broker} lost: {error}{self._hint()}") from error
        if not received:
            raise QmfError(f"connection to {self.broker} was closed by the broker{self._hint()}")
        self._events.extend(self._connection.receive_data(received, time.monotonic()))

    def _hint(self) -> str:
        """Backups drop ordinary clients without a word: say what helps."""
        if self._options.ha_admin or self._connection.opened:
            return ""
        return "; if it is a backup, use --ha-admin"

    def _next(self) -> Event:
        while not self._events:
            self._read()
        event = self._events.pop(0)
        if isinstance(event, (Failed, Detached)):
            raise QmfError(f"{self.broker}: {getattr(event, 'text', 'session ended')}")
        if isinstance(event, Exception_):
            raise QmfError(f"{self.broker}: {event.struct.text('description')}")
        return event

    def _wait_for(self, kind: type[Event]) -> Event:
        while True:
            event = self._next()
            if isinstance(event, kind):
                return event
            if isinstance(event, Closed):
                raise QmfError(f"{self.broker} closed the connection: {event.text}")

    def _open_queue(self, session: Session) -> None:
        session.send(
            make(
                "queue.declare",
                queue=self._queue,
                exclusive=True,
                auto_delete=True,
                arguments={"qpid.replicate": "none"},
            )
        )
        session.send(
            make(
                "exchange.bind",
                queue=self._queue,
                exchange=REPLY_EXCHANGE,
                binding_key=self._queue,
            )
        )
        session.send(
            make(
                "message.subscribe",
                queue=self._queue,
                destination=SUBSCRIPTION,
                accept_mode=1,
                acquire_mode=0,
            )
        )
        for unit in (0, 1):
            session.send(
                make("message.flow", destination=SUBSCRIPTION, unit=unit, value=0xFFFFFFFF)
            )
        last = session.send(make("execution.sync"), sync=True)
        while True:
            completed = self._wait_for(Completed)
            assert isinstance(completed, Completed)
            if any(first <= last <= end for first, end in completed.ranges):
                return

    def _request(self, opcode: str, body: dict[str, Value]) -> None:
        assert self._session is not None, "use QmfClient in a with statement"
        if not self._correlation:
            self._open_queue(self._session)
        self._correlation += 1
        content = encode_map(body)
        header = encode_header(
            [
                make("message.delivery-properties", routing_key="broker"),
                make(
                    "message.message-properties",
                    content_length=len(content),
                    content_type="amqp/map",
                    correlation_id=str(self._correlation).encode(),
                    app_id=b"qmf2",
                    reply_to=make(
                        "message.reply-to", exchange=REPLY_EXCHANGE, routing_key=self._queue
                    ),
                    application_headers={
                        "method": "request",
                        "qmf.opcode": opcode,
                        "qpid.subject": "broker",
                    },
                ),
            ]
        )
        self._session.send_transfer(encode_transfer(DIRECT_EXCHANGE, 1, 0), header, content)

    def _answer(self) -> Transfer:
        while True:
            event = self._wait_for(Transfer)
            assert isinstance(event, Transfer)
            event.session.complete(event.id, event.id)
            properties = message_properties(event.header)
            if properties is None:
                continue
            correlation = properties.octets("correlation_id")
            if correlation != str(self._correlation).encode():
                continue
            if application_headers(event.header).get("qmf.opcode") == "_exception":
                values = decode_map(event.body).get("_values")
                text = values.get("error_text") if isinstance(values, dict) else ""
                raise QmfError(str(plain(text)), FAILED_THERE)
            return event


def _client_properties(ha_admin: bool) -> dict[str, Value]:
    properties: dict[str, Value] = {
        "product": "qpid-tanist tools",
        "qpid.client_process": os.path.basename(sys.argv[0] or "tool"),
        "qpid.client_pid": uint32(os.getpid()),
    }
    if ha_admin:
        properties[ADMIN_PROPERTY] = uint32(1)
    return properties

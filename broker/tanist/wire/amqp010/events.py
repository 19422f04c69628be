"""What ``Connection.receive_data`` and ``tick`` report, in the order the bytes arrived.

One event per thing the owner must know: the steps of opening a connection, sessions coming and
going, and the commands and transfers inside them. Events are plain ``slots`` objects, built once
and never changed afterwards; the owner tells them apart with ``isinstance``, ``Transfer`` first,
because nearly all of them are transfers.

Command ids are serial numbers of 32 bits as they travel on the wire (specification 0-10, part
"session"); a session's later events may belong to ids that wrapped to zero.

A session may end in the middle of a list of events (``Detached``), also because the owner itself
refused or ended it while walking the list: the rest of that session's events are then to be
ignored (``session.alive`` is False).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mypy_extensions import mypyc_attr

if TYPE_CHECKING:
    from tanist.wire.amqp010.session import Session
    from tanist.wire.amqp010.values import Struct, Value


@mypyc_attr(acyclic=True)
class Event:
    """Base of all events of a 0-10 connection."""

    __slots__ = ()


@mypyc_attr(acyclic=True)
class Transfer(Event):
    """``message.transfer`` with its header and body segments exactly as they arrived.

    ``id`` is the command id; the owner must call ``session.complete(id, id)`` once the message is
    settled as far as the sender is concerned, whatever happens, unless it ends the session.
    ``sync`` is the sync bit. ``accept_mode`` 0 explicit, 1 none, -1 not said (see
    ``transfer.ACCEPT_UNSAID``); ``acquire_mode`` 0 pre-acquired,
    1 not-acquired. ``header`` is the header segment (empty when the peer sent none), ``body`` the
    body segment; ``bodiless`` says that there was none (``body`` is empty then, too).
    """

    __slots__ = (
        "accept_mode",
        "acquire_mode",
        "bodiless",
        "body",
        "destination",
        "header",
        "id",
        "session",
        "sync",
    )

    def __init__(
        self,
        session: Session,
        id: int,
        sync: bool,
        destination: str,
        accept_mode: int,
        acquire_mode: int,
        header: bytes,
        body: bytes,
        bodiless: bool = False,
    ) -> None:
        self.session = session
        self.id = id
        self.sync = sync
        self.destination = destination
        self.accept_mode = accept_mode
        self.acquire_mode = acquire_mode
        self.header = header
        self.body = body
        self.bodiless = bodiless


class Command(Event):
    """Any other command: ``struct.name`` is for example ``queue.declare``.

    The owner executes it and calls ``session.complete(id, id)``, or ``session.exception``.
    """

    __slots__ = ("id", "session", "struct", "sync")

    def __init__(self, session: Session, id: int, sync: bool, struct: Struct) -> None:
        self.session = session
        self.id = id
        self.sync = sync
        self.struct = struct


class Completed(Event):
    """The peer completed commands of ours: ``ranges`` of (first, last) wire ids, both included.

    Only ids that we sent and that were not reported before, in ascending serial order; never
    empty, never more ranges than were sent commands.
    """

    __slots__ = ("ranges", "session")

    def __init__(self, session: Session, ranges: list[tuple[int, int]]) -> None:
        self.session = session
        self.ranges = ranges


class SaslStart(Event):
    """Server: the client chose ``mechanism`` (connection.start-ok).

    ``response`` is the initial response, None when the client sent none. The owner answers with
    ``sasl_challenge``, ``sasl_accept`` or ``close(320, ...)``, now or later.
    """

    __slots__ = ("client_properties", "mechanism", "response")

    def __init__(
        self, mechanism: str, response: bytes | None, client_properties: dict[str, Value]
    ) -> None:
        self.mechanism = mechanism
        self.response = response
        self.client_properties = client_properties


class SaslResponse(Event):
    """Server: the answer to ``sasl_challenge``; the owner goes on as after ``SaslStart``."""

    __slots__ = ("response",)

    def __init__(self, response: bytes) -> None:
        self.response = response


class Opening(Event):
    """Server: connection.open arrived. The owner calls ``open_ok`` or drops TCP without a word.

    A backup refuses by dropping: a polite close is fatal for several clients.
    """

    __slots__ = ("virtual_host",)

    def __init__(self, virtual_host: str) -> None:
        self.virtual_host = virtual_host


class Opened(Event):
    """Client: connection.open-ok arrived; ``attach`` may now be called."""

    __slots__ = ("known_hosts", "server_properties")

    def __init__(self, known_hosts: list[str], server_properties: dict[str, Value]) -> None:
        self.known_hosts = known_hosts
        self.server_properties = server_properties


class Attached(Event):
    """Server: the peer attached ``session``. Client: the server confirmed ``attach``.

    On a server the owner may call ``session.refuse(code)`` while it handles this event; if it
    does nothing, session.attached and session.command-point go out with the next
    ``data_to_send``. ``force`` is the peer's wish to take the name from another connection
    (always False on a client).
    """

    __slots__ = ("force", "session")

    def __init__(self, session: Session, force: bool) -> None:
        self.session = session
        self.force = force


class Detached(Event):
    """``session`` is over and its channel free: the peer detached, or confirmed our detach.

    ``code`` is a session.detach-code: 0 normal, 1 session-busy, 2 transport-busy, 3 not-attached,
    4 unknown-ids. Not reported for a session that the owner itself ended with ``refuse`` or
    ``exception``. Nor when the connection ends: ``Closed``/``Failed`` end all sessions.
    """

    __slots__ = ("code", "session")

    def __init__(self, session: Session, code: int) -> None:
        self.session = session
        self.code = code


class Exception_(Event):
    """The peer sent execution.exception; ``struct`` has error_code, command_id, description.

    ``Detached`` follows when the peer's session.detached arrives.
    """

    __slots__ = ("session", "struct")

    def __init__(self, session: Session, struct: Struct) -> None:
        self.session = session
        self.struct = struct


class Result(Event):
    """The peer sent execution.result for our command ``command_id``; ``value`` is its struct."""

    __slots__ = ("command_id", "session", "value")

    def __init__(self, session: Session, command_id: int, value: Struct | None) -> None:
        self.session = session
        self.command_id = command_id
        self.value = value


class Closed(Event):
    """The connection ended in order: the peer closed (close-ok is queued) or confirmed our close.

    The owner writes ``data_to_send`` and drops TCP. ``code`` 200 is normal.
    """

    __slots__ = ("code", "text")

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        self.text = text


class Failed(Event):
    """The connection is broken: the peer broke the protocol, or fell silent.

    ``data_to_send`` may hold a protocol header or a connection.close; the owner writes it and
    drops TCP. ``code`` is the close code (501 framing-error, 320 connection-forced).
    """

    __slots__ = ("code", "text")

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        self.text = text

"""What ``Connection.receive_data`` and ``tick`` report, in the order the bytes arrived.

One event per thing the owner must know: the steps of opening a connection, sessions and links
coming and going, and the deliveries and dispositions on them. Events are plain ``slots`` objects,
built once and never changed afterwards; the owner tells them apart with ``isinstance``,
``Delivery`` and ``Disposed`` first, because nearly all events are these.

Delivery ids are serial numbers of 32 bits on the wire (AMQP 1.0, 2.8.10). Here, in events and in
calls, they are *unwrapped*: plain growing integers whose low 32 bits travel, so that order and
ranges are ordinary arithmetic and an id is never used twice in a session.

A session or a link may end in the middle of a list of events, also because the owner itself ended
it while walking the list: the rest of its events are then to be ignored (``session.alive``,
``link.alive`` are False).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mypy_extensions import mypyc_attr

if TYPE_CHECKING:
    from tanist.wire.amqp10.composites import DeliveryState, Error
    from tanist.wire.amqp10.link import Link
    from tanist.wire.amqp10.performatives import Attach, Begin, Flow, Open
    from tanist.wire.amqp10.receiver import Receiver
    from tanist.wire.amqp10.session import Session


@mypyc_attr(acyclic=True)
class Event:
    """Base of all events of a 1.0 connection."""

    __slots__ = ()


@mypyc_attr(acyclic=True)
class Delivery(Event):
    """A complete delivery arrived on ``link``, whatever number of transfers it came in.

    ``payload`` are the octets of the message exactly as they arrived (its sections; format
    ``message_format``, 0 is AMQP's own). ``id`` names it within the session. If it is not
    ``settled`` the owner must sooner or later call ``session.settle(id, id, outcome)``, unless the
    link or the session ends before. ``state`` is what the sender said of it: None, or a
    TransactionalState. ``link.credit`` has been used up by one; the owner refills it.
    """

    __slots__ = ("id", "link", "message_format", "payload", "settled", "state", "tag")

    def __init__(
        self,
        link: Receiver,
        id: int,
        tag: bytes,
        settled: bool,
        state: DeliveryState | None,
        payload: bytes,
        message_format: int,
    ) -> None:
        self.link = link
        self.id = id
        self.tag = tag
        self.settled = settled
        self.state = state
        self.payload = payload
        self.message_format = message_format


@mypyc_attr(acyclic=True)
class Disposed(Event):
    """The peer sent a disposition for the deliveries ``first`` to ``last``, both included.

    ``role`` is the role of the *peer*: True, it is the receiver and speaks of deliveries that we
    sent; False, it is the sender of deliveries that arrived here. ``state`` is an outcome, a
    TransactionalState, a Received, or None. When the peer did not settle although the delivery is
    terminal (receiver settles second), the owner answers with ``session.settle_sent``.

    What a peer says of one delivery after the other is one event, if it comes in one read and says
    the same of all. The range is clipped to ids that have been used in this session, but may cover
    millions of which all are long settled, and deliveries that were dropped unsent with a link that
    is over: walk what is unsettled, not the range.
    """

    __slots__ = ("first", "last", "role", "session", "settled", "state")

    def __init__(
        self,
        session: Session,
        role: bool,
        first: int,
        last: int,
        settled: bool,
        state: DeliveryState | None,
    ) -> None:
        self.session = session
        self.role = role
        self.first = first
        self.last = last
        self.settled = settled
        self.state = state


class SaslStart(Event):
    """Server: the client chose ``mechanism`` (sasl-init).

    ``response`` is the initial response, None when the client sent none; ``hostname`` is the host
    the client believes it talks to, empty if not said. The owner answers with ``sasl_challenge``,
    ``sasl_accept`` or ``sasl_fail``, now or later. Not reported for a bare connection, which has
    no SASL layer (``connection.bare``).
    """

    __slots__ = ("hostname", "mechanism", "response")

    def __init__(self, mechanism: str, response: bytes | None, hostname: str) -> None:
        self.mechanism = mechanism
        self.response = response
        self.hostname = hostname


class SaslResponse(Event):
    """Server: the answer to ``sasl_challenge``; the owner goes on as after ``SaslStart``."""

    __slots__ = ("response",)

    def __init__(self, response: bytes) -> None:
        self.response = response


class SaslChallenged(Event):
    """Client: the server wants more; the owner calls ``sasl_respond``."""

    __slots__ = ("challenge",)

    def __init__(self, challenge: bytes) -> None:
        self.challenge = challenge


class Opening(Event):
    """Server: the client's Open arrived. The owner calls ``open_ok``, ``close``, or drops TCP.

    A backup refuses by dropping, before anything of ours was sent after the header: an Open of
    ours, or a polite close, is fatal for several clients. ``open`` has container_id, hostname,
    idle_time_out (milliseconds), desired_capabilities, properties.
    """

    __slots__ = ("open",)

    def __init__(self, open: Open) -> None:
        self.open = open


class Opened(Event):
    """Client: the server's Open arrived; ``begin`` may now be called."""

    __slots__ = ("open",)

    def __init__(self, open: Open) -> None:
        self.open = open


class Begun(Event):
    """The peer began ``session`` (our Begin is queued), or confirmed our ``begin``.

    The owner that does not want the peer's session calls ``session.end(condition, text)``.
    """

    __slots__ = ("begin", "session")

    def __init__(self, session: Session, begin: Begin) -> None:
        self.session = session
        self.begin = begin


class Ended(Event):
    """``session`` is over, and its links with it: the peer ended it, or confirmed our ``end``.

    Our End, if it is owed, is queued. ``error`` is the peer's reason. Not reported when the
    connection ends: ``Closed`` and ``Failed`` end all sessions. A session that broke the protocol
    is reported as well, at once, with ``ours`` True and the error that was sent to the peer.
    """

    __slots__ = ("error", "ours", "session")

    def __init__(self, session: Session, error: Error | None, ours: bool = False) -> None:
        self.session = session
        self.error = error
        self.ours = ours


class Attaching(Event):
    """The peer attaches a new ``link``; the owner must call ``attach_ok`` or ``refuse``.

    Now or later; until then nothing but flow can happen on it (a sender's credit may already be
    there when it is answered). ``link`` is a ``Sender`` when *we* are to send. ``attach`` has the
    peer's source, target, settle modes, capabilities, properties.
    """

    __slots__ = ("attach", "link")

    def __init__(self, link: Link, attach: Attach) -> None:
        self.link = link
        self.attach = attach


class Attached(Event):
    """The peer confirmed our ``session.sender`` or ``session.receiver``.

    If the terminus of the peer's side is None in ``attach`` it refused: ``Detached`` follows, and
    nothing is to be sent meanwhile.
    """

    __slots__ = ("attach", "link")

    def __init__(self, link: Link, attach: Attach) -> None:
        self.link = link
        self.attach = attach


class Detached(Event):
    """The peer detached ``link`` (``closed``: it destroys the link), with ``error`` or None.

    If ``link.alive`` the peer began it, and the owner must answer with ``link.detach(closed)``, now
    or later: what a close must undo may have to be confirmed by others first. Otherwise the peer
    confirmed our own detach, and the link is gone. A link that broke the protocol is reported at
    once, with ``ours`` True and the error that was sent to the peer; it is not ``alive``.
    """

    __slots__ = ("closed", "error", "link", "ours")

    def __init__(self, link: Link, closed: bool, error: Error | None, ours: bool = False) -> None:
        self.link = link
        self.closed = closed
        self.error = error
        self.ours = ours


class Flowed(Event):
    """The credit of ``link`` is not what it was.

    A ``Sender``: the peer granted or revoked credit, or wants a drain: look at ``credit`` and
    ``drain``, send what there is, and when ``drain`` call ``drained()``. A ``Receiver``: the
    sender used credit up without a delivery (drained, or aborted a delivery), or told how much it
    has (``available``). ``flow`` is the peer's frame, None for an aborted delivery.
    """

    __slots__ = ("flow", "link")

    def __init__(self, link: Link, flow: Flow | None) -> None:
        self.link = link
        self.flow = flow


class Writable(Event):
    """Transfers of ``session`` had waited for the peer's window, and now none does any more."""

    __slots__ = ("session",)

    def __init__(self, session: Session) -> None:
        self.session = session


class Closed(Event):
    """The connection ended in order: the peer closed (our Close is queued) or confirmed ours.

    The owner writes ``data_to_send`` and drops TCP. ``error`` is the peer's reason, or None.
    """

    __slots__ = ("error",)

    def __init__(self, error: Error | None) -> None:
        self.error = error


class Failed(Event):
    """The connection is broken: the peer broke the protocol, fell silent, or failed SASL.

    ``data_to_send`` may hold a protocol header, a sasl-outcome or a Close; the owner writes it and
    drops TCP. ``condition`` is the error condition that was sent (or would have been), ``text``
    says what and where. ``silent``: nothing wrong was received, nothing was received at all.
    """

    __slots__ = ("condition", "silent", "text")

    def __init__(self, condition: str, text: str, silent: bool = False) -> None:
        self.condition = condition
        self.text = text
        self.silent = silent

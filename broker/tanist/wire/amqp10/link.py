"""One link: what a ``sender.Sender`` and a ``receiver.Receiver`` have in common.

A link is made by the peer (``Attaching``: the owner answers with ``attach_ok`` or ``refuse``) or
by the owner (``session.sender``, ``session.receiver``; ``Attached`` follows). It ends by a detach
of both sides, in either order, or with its session. ``alive`` is True as long as the owner may use
it. Which frame is legal when is the table in ``link_state``.

Source: AMQP 1.0, 2.6 "Links", 2.7.3 "attach", 2.7.7 "detach".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tanist.types import LocalProtocolError
from tanist.wire.amqp10 import link_state
from tanist.wire.amqp10.composites import Coordinator, Error, Source, Target
from tanist.wire.amqp10.events import Detached, Event
from tanist.wire.amqp10.performatives import Attach, Detach, Flow
from tanist.wire.amqp10.values import Described, Fields

if TYPE_CHECKING:
    from tanist.wire.amqp10.session import Session

TAG_MAX: Final = 32
"""Octets of a delivery tag (2.8.7)."""


class Link:
    """What senders and receivers have in common.

    ``name``: unique among the links of the same direction between two containers. ``role``: ours,
    as in attach: False sends, True receives. ``handle``: ours. ``remote``: the peer's attach, as
    long as we have to answer it. ``max_message_size``: octets that the peer takes, 0 for any.
    ``snd_settle_mode`` (0 unsettled, 1 settled, 2 mixed) and ``rcv_settle_mode``
    (0 first, 1 second): as the attach that answered said. ``alive``: the owner may use it.
    ``context``: a free slot for the owner.
    """

    __slots__ = (
        "_closed",
        "_in_error",
        "_introduced",
        "_told",
        "alive",
        "context",
        "flow_due",
        "flow_owed",
        "handle",
        "max_message_size",
        "name",
        "rcv_settle_mode",
        "remote",
        "remote_handle",
        "role",
        "session",
        "snd_settle_mode",
        "state",
    )

    def __init__(self, session: Session, name: str, role: bool, handle: int, state: int) -> None:
        self.session = session
        self.name = name
        self.role = role
        self.handle = handle
        self.state = state
        self.alive = True
        self.context: object | None = None
        self.remote: Attach | None = None
        self.remote_handle = -1
        self.max_message_size = 0
        self.snd_settle_mode = 2
        self.rcv_settle_mode = 0
        self.flow_due = False  # the session has it among the links to tell of
        self.flow_owed = False  # it would be, if our attach had been sent
        self._introduced = False  # our own attach has been sent
        self._closed = False  # the peer's detach said closed
        self._in_error = False  # our own detach carried an error
        self._told = False  # the owner knows that the link is over

    # -- the owner's wishes -------------------------------------------------------------------

    def attach_ok(
        self,
        source: Source | Described | None,
        target: Target | Coordinator | Described | None,
        snd_settle_mode: int | None = None,
        rcv_settle_mode: int | None = None,
        max_message_size: int | None = None,
        offered_capabilities: tuple[str, ...] = (),
        desired_capabilities: tuple[str, ...] = (),
        properties: Fields | None = None,
    ) -> None:
        """Answer ``Attaching``: the link is attached between ``source`` and ``target``.

        Settle modes default to what the peer asked for. ``max_message_size`` (octets, None for
        any): larger messages of the peer detach the link. A receiver then grants ``flow``.

        Raises: LocalProtocolError if it has been answered already.
        """
        if self._move(link_state.DO_ATTACH):
            remote = self.remote
            assert remote is not None, "a link that the peer began has its attach"
            attach = Attach(self.name, self.handle, self.role)
            attach.snd_settle_mode = remote.snd_settle_mode
            if snd_settle_mode is not None:
                attach.snd_settle_mode = snd_settle_mode
            attach.rcv_settle_mode = remote.rcv_settle_mode
            if rcv_settle_mode is not None:
                attach.rcv_settle_mode = rcv_settle_mode
            self.snd_settle_mode = attach.snd_settle_mode
            self.rcv_settle_mode = attach.rcv_settle_mode
            attach.source, attach.target = source, target
            attach.max_message_size = max_message_size
            attach.offered_capabilities = offered_capabilities
            attach.desired_capabilities = desired_capabilities
            attach.properties = properties
            self.introduce(attach)

    def refuse(self, condition: str, text: str, info: Fields | None = None) -> None:
        """Answer ``Attaching``: no. The peer hears an attach without a terminus and a detach.

        Raises: LocalProtocolError if it has been answered already.
        """
        if self._introduced and self.alive:
            raise LocalProtocolError(f"link {self.name!r} is attached already")
        self.detach(True, condition, text, info)

    def detach(
        self,
        closed: bool | None = None,
        condition: str = "",
        text: str = "",
        info: Fields | None = None,
    ) -> None:
        """Detach, or answer the peer's ``Detached``. The owner must not use the link any more.

        ``closed`` False keeps the terminus alive (to the peer: it may attach to it again); None:
        as the peer did, True if it is we who begin. Deliveries that still waited for the peer's
        window are dropped, they were not sent. ``Detached`` follows when the peer confirms our own
        detach.
        """
        before = self.state
        if not self._move(link_state.DO_DETACH):
            return
        if closed is None:
            closed = before != link_state.DETACH_RCVD or self._closed
        session = self.session
        self.die()
        session.flush()
        if not self._introduced:
            self._introduce_refusal()
        self._in_error = bool(condition)
        error = Error(condition, text, info) if condition else None
        session.send(Detach(self.handle, closed or self._closed, error))
        if self.state == link_state.GONE:
            session.forget(self)

    def _move(self, wish: int) -> bool:
        """Do what the owner wants; False if the link is over.

        Raises: LocalProtocolError if the state does not allow it.
        """
        target = link_state.LEGAL.get((self.state, wish), -1)
        if target < 0 or (wish == link_state.DO_ATTACH and self._introduced and self.alive):
            raise LocalProtocolError(f"input {wish} is not legal in link state {self.state}")
        if not self.alive:
            return False
        self.state = target
        return True

    # -- for the session ----------------------------------------------------------------------

    def introduce(self, attach: Attach) -> None:
        """Send our attach. The peer's may be large, and has served its purpose."""
        self._introduced = True
        self.remote = None
        if not self.role:
            attach.initial_delivery_count = 0
        self.session.send(attach)
        if self.flow_owed:
            self.session.flow_due(self)

    def _introduce_refusal(self) -> None:
        """An attach without a terminus of ours: there will be no link."""
        attach = Attach(self.name, self.handle, self.role)
        remote = self.remote
        if remote is not None:
            attach.snd_settle_mode = remote.snd_settle_mode
            attach.rcv_settle_mode = remote.rcv_settle_mode
            if self.role:
                attach.source = remote.source
            else:
                attach.target = remote.target
        self.introduce(attach)

    def on_attach(self, attach: Attach) -> None:
        """The peer's attach: the first frame of this link, or the answer to ours."""
        self.remote_handle = attach.handle
        self.max_message_size = attach.max_message_size or 0
        if self._introduced:
            self.snd_settle_mode = attach.snd_settle_mode
            self.rcv_settle_mode = attach.rcv_settle_mode
        else:
            self.remote = attach

    def on_flow(self, flow: Flow, events: list[Event]) -> None:
        """The peer told the state of this link."""

    def on_detach(self, detach: Detach, events: list[Event]) -> None:
        """The peer detached, or confirmed that we did. Its handle is free already."""
        self.state = link_state.LEGAL[self.state, link_state.GOT_DETACH]
        self._closed = detach.closed
        if self.state == link_state.GONE:
            self.session.forget(self)
        if not self._told:
            self.stop()
            events.append(Detached(self, detach.closed, detach.error))

    def fail(self, condition: str, text: str, events: list[Event]) -> None:
        """The peer broke a rule of this link: detach it."""
        self.detach(True, condition, text)
        self._told = True
        events.append(Detached(self, True, Error(condition, text), ours=True))

    def introduced(self) -> bool:
        """Whether the peer has our attach."""
        return self._introduced

    def in_error(self) -> bool:
        """Whether we detached because of an error."""
        return self._in_error

    def stop(self) -> None:
        """Nothing is sent or received on it any more; what was incomplete is dropped."""

    def die(self) -> None:
        """The link is over as far as the owner is concerned."""
        self.alive = False
        self.stop()

    def compose_flow(self) -> Flow:
        """The state of this link, to be sent; the session adds its own."""
        raise NotImplementedError

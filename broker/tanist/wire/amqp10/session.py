"""One session: transfer windows, delivery ids, dispositions, and its links by handle.

Windows count transfers (frames), not deliveries. What the peer's window has no room for waits in
the session, in order; ours is opened again by batches, when half of it is used up. Dispositions and
flows wait until the end of a step (``announce``), so that those of a whole step are few.

A peer that breaks a rule of the session ends the session, one that breaks a rule of a link ends the
link; what is a rule of the connection is raised as ``Violation``. Which frame is legal when are the
tables in ``session_state`` and ``link_state``.

Source: AMQP 1.0, 2.5 "Sessions", 2.6.12 "Transferring a message", 2.7.2 to 2.7.8.
"""

from __future__ import annotations

from typing import Final

from tanist.types import LocalProtocolError
from tanist.wire.amqp10 import link_state, session_state
from tanist.wire.amqp10.composites import (
    Accepted,
    Coordinator,
    DeliveryState,
    Error,
    Source,
    Target,
)
from tanist.wire.amqp10.conditions import (
    FRAMING_ERROR,
    INVALID_FIELD,
    NOT_ALLOWED,
    RESOURCE_LIMIT_EXCEEDED,
    WINDOW_VIOLATION,
    Violation,
)
from tanist.wire.amqp10.events import Attached, Attaching, Disposed, Ended, Event, Writable
from tanist.wire.amqp10.handles import Handles
from tanist.wire.amqp10.link import Link
from tanist.wire.amqp10.outgoing import Outgoing, Waiting
from tanist.wire.amqp10.output import Output
from tanist.wire.amqp10.performatives import (
    Attach,
    Begin,
    Detach,
    Disposition,
    End,
    Flow,
    Transfer,
)
from tanist.wire.amqp10.receiver import Receiver
from tanist.wire.amqp10.sender import Sender
from tanist.wire.amqp10.settings import ConnectionSettings
from tanist.wire.amqp10.settlement import Settlement
from tanist.wire.amqp10.values import Composite, Described, Fields
from tanist.wire.bell import Bell
from tanist.wire.serial import HALF, WIRE_MASK, unwrap

OUTGOING_WINDOW: Final = 0x7FFFFFFF
"""What we say we may send: what waits on our side has other limits, in the queues."""


class Shared:
    """What the sessions of a connection share.

    ``touched``: sessions with something to announce. ``incomplete``: octets of all deliveries of
    the peer whose last frame has not come. ``links``: how many there are.
    """

    __slots__ = ("incomplete", "links", "output", "settings", "touched")

    def __init__(self, settings: ConnectionSettings, bell: Bell | None = None) -> None:
        self.settings = settings
        self.output = Output(bell)
        self.touched: list[Session] = []
        self.incomplete = 0
        self.links = 0


class Session:
    """One session of a connection, made by the peer (``Begun``) or by ``connection.begin``.

    ``channel``: the number of our side. ``remote``: the peer's begin, None until it came.
    ``remote_channel``: -1 until then. ``alive``: the owner may use it. ``links``: our handle ->
    link, also dead ones whose handle is not free yet. ``context``: a free slot for the owner.
    """

    __slots__ = (
        "_attaching",
        "_blocked",
        "_errant",
        "_flow_due",
        "_flows",
        "_handles",
        "_in_window",
        "_settlement",
        "_shared",
        "_touched",
        "alive",
        "by_handle",
        "channel",
        "context",
        "in_low",
        "in_next",
        "in_stop",
        "links",
        "next_delivery",
        "outgoing",
        "remote",
        "remote_channel",
        "state",
        "told",
    )

    def __init__(self, channel: int, state: int, shared: Shared) -> None:
        settings = shared.settings
        self.channel = channel
        self.state = state
        self.remote: Begin | None = None
        self.remote_channel = -1
        self.alive = True
        self.told = False  # the owner knows that the session is over
        self.context: object | None = None
        self.links: dict[int, Link] = {}
        self._shared = shared
        self._touched = False
        self._blocked = False  # the owner is to be told when nothing waits any more
        self.by_handle: dict[int, Link] = {}
        self._attaching: dict[tuple[str, bool], Link] = {}
        self._errant: set[int] = set()
        self._handles = Handles(settings.handle_max)
        self._flows: list[Link] = []
        self._flow_due = False
        self._settlement = Settlement()
        self.outgoing = Outgoing(channel, shared.output)
        # Incoming transfers, unwrapped: the next one, where to open the window again, its end.
        self._in_window = settings.incoming_window
        self.in_next = 0
        self.in_low = 0
        self.in_stop = 0
        self.next_delivery = -1

    # -- the owner's wishes -------------------------------------------------------------------

    @property
    def writable(self) -> bool:
        """Whether no transfer waits for the peer's window.

        If one does, ``send`` only makes the session's queue longer: better wait for ``Writable``.
        """
        return not self.outgoing.waiting

    def settle(self, first: int, last: int, outcome: DeliveryState | None) -> None:
        """Settle the deliveries ``first`` to ``last`` that arrived here, with ``outcome``.

        Ids as in ``Delivery``. What is settled alike within a step goes out as few frames, with
        ``data_to_send``. Nothing happens on a dead session.
        """
        if not self.alive:
            return
        if isinstance(outcome, Accepted):
            self._settlement.accept(first, last)
        else:
            self._settlement.add(True, True, outcome, first, last)
        if not self._touched:
            self.touch()

    def dispose(self, first: int, last: int, state: DeliveryState | None) -> None:
        """Tell the state of deliveries that arrived here without settling them.

        For a sender that settles first (receiver settle mode second): ``Disposed`` follows.
        """
        if self.alive:
            self._settlement.add(True, False, state, first, last)
            self.touch()

    def settle_sent(self, first: int, last: int, state: DeliveryState | None = None) -> None:
        """Settle deliveries that we sent: the answer to a ``Disposed`` that is not settled."""
        if self.alive:
            found = self.outgoing.numbering.travelling(first, last)
            if found is not None:
                self._settlement.add(False, True, state, found[0], found[1])
                self.touch()

    def end(self, condition: str = "", text: str = "", info: Fields | None = None) -> None:
        """End the session and all its links; ``Ended`` follows when the peer confirms."""
        if not self.alive:
            return
        self.flush()
        self.send(End(Error(condition, text, info) if condition else None))
        self.state = session_state.END_SENT
        self.die()

    def sender(
        self,
        name: str,
        source: Source | Described | None,
        target: Target | Coordinator | Described | None,
        snd_settle_mode: int = 2,
        rcv_settle_mode: int = 0,
        properties: Fields | None = None,
    ) -> Sender:
        """Attach a link on which we send; ``Attached`` follows, ``Flowed`` brings credit.

        Raises: LocalProtocolError on a dead session, if all handles are in use, or if such a link
        is being attached already.
        """
        link = Sender(self, name, self._take_handle(name, False), link_state.ATTACH_SENT)
        attach = Attach(name, link.handle, False, snd_settle_mode, rcv_settle_mode, source, target)
        attach.properties = properties
        self._introduce(link, attach)
        return link

    def receiver(
        self,
        name: str,
        source: Source | Described | None,
        target: Target | Coordinator | Described | None,
        snd_settle_mode: int = 2,
        rcv_settle_mode: int = 0,
        max_message_size: int | None = None,
        properties: Fields | None = None,
    ) -> Receiver:
        """Attach a link on which we receive; ``flow`` may be called at once.

        Raises: LocalProtocolError as ``sender`` does.
        """
        link = Receiver(self, name, self._take_handle(name, True), link_state.ATTACH_SENT)
        attach = Attach(name, link.handle, True, snd_settle_mode, rcv_settle_mode, source, target)
        attach.max_message_size = max_message_size
        attach.properties = properties
        self._introduce(link, attach)
        return link

    def _take_handle(self, name: str, role: bool) -> int:
        if not self.alive:
            raise LocalProtocolError("the session is over")
        if (name, role) in self._attaching:
            raise LocalProtocolError(f"link {name!r} is being attached already")
        handle = self._handles.take()
        if handle < 0:
            raise LocalProtocolError("all handles of the session are in use")
        self._shared.links += 1
        return handle

    def _introduce(self, link: Link, attach: Attach) -> None:
        self.links[link.handle] = link
        self._attaching[link.name, link.role] = link
        link.snd_settle_mode = attach.snd_settle_mode
        link.rcv_settle_mode = attach.rcv_settle_mode
        link.introduce(attach)

    # -- for links ----------------------------------------------------------------------------

    def send(self, performative: Composite) -> None:
        """Put a frame."""
        self._shared.output.performative(self.channel, performative)

    def delay(self, item: Waiting) -> None:
        """Send a delivery as far as the peer's window has room; the rest of it waits."""
        outgoing = self.outgoing
        item.link.waiting += 1
        outgoing.put(item)
        self._pump()
        if outgoing.waiting:
            self._blocked = True

    def _pump(self) -> None:
        for link in self.outgoing.pump():
            if link.owes_flow():
                self.flow_due(link)

    def drop_waiting(self, link: Sender) -> None:
        """The link is over: what waits of it will not be sent."""
        self.outgoing.drop(link)
        link.waiting = 0

    def flow_due(self, link: Link) -> None:
        """The peer must be told the state of ``link`` at the end of the step."""
        if not link.introduced():
            link.flow_owed = True
            return
        if not link.flow_due:
            link.flow_due = True
            self._flows.append(link)
        self.touch()

    def forget(self, link: Link) -> None:
        """Both sides detached: the handle of ours is free."""
        del self.links[link.handle]
        self._shared.links -= 1
        self._handles.give(link.handle)

    def hold(self, octets: int) -> bool:
        """Account for octets of incomplete deliveries; False (and nothing) if they are too many."""
        shared = self._shared
        if shared.incomplete + octets > shared.settings.content_max:
            return False
        shared.incomplete += octets
        return True

    # -- for the connection -------------------------------------------------------------------

    def begin_frame(self) -> Begin:
        """Our Begin."""
        settings = self._shared.settings
        remote = None if self.remote is None else self.remote_channel
        return Begin(
            remote, 0, settings.incoming_window, OUTGOING_WINDOW, handle_max=settings.handle_max
        )

    def on_begin(self, begin: Begin, channel: int) -> None:
        """The peer's Begin: it is mapped to ``channel`` of the peer."""
        self.remote = begin
        self.remote_channel = channel
        self.outgoing.window = begin.incoming_window
        self._handles.limit = min(self._handles.limit, begin.handle_max)
        self.in_next = begin.next_outgoing_id
        self._open_window()

    def touch(self) -> None:
        """There is something to announce at the end of the step."""
        if not self._touched:
            self._touched = True
            self._shared.touched.append(self)
            output = self._shared.output
            if output.quiet:
                output.ring()

    def announce(self) -> None:
        """The end of a step: say what was put off."""
        self._touched = False
        if self.alive:
            self.flush()

    def flush(self) -> None:
        """Put dispositions and flows, now."""
        self._settlement.write(self._shared.output, self.channel)
        if self._flows:
            flows, self._flows = self._flows, []
            for link in flows:
                link.flow_due = False
                if link.alive and link.state != link_state.DETACH_RCVD:
                    self._write_flow(link)
        if self._flow_due or (self.in_next >= self.in_low and self.remote is not None):
            self._send_flow(Flow(None, 0, 0, 0))

    def _write_flow(self, link: Link) -> None:
        if isinstance(link, Sender) and not link.may_flow():
            return
        self._send_flow(link.compose_flow())

    def _send_flow(self, flow: Flow) -> None:
        self._flow_due = False
        if self.remote is not None:
            self._open_window()
            flow.next_incoming_id = self.in_next & WIRE_MASK
        flow.incoming_window = self._in_window
        flow.next_outgoing_id = self.outgoing.next_transfer & WIRE_MASK
        flow.outgoing_window = OUTGOING_WINDOW
        self.send(flow)

    def _open_window(self) -> None:
        self.in_stop = self.in_next + self._in_window
        self.in_low = self.in_next + (self._in_window + 1) // 2

    def die(self) -> None:
        """Nothing is sent any more, and what arrives is ignored."""
        self.alive = False
        for link in self.links.values():
            if link.alive:
                link.die()
        self._flows.clear()
        self._settlement.clear()
        self.outgoing.clear()
        self.by_handle.clear()
        self._attaching.clear()
        self._errant.clear()

    def release(self) -> None:
        """Both sides have ended; the owner may still look at what links there were."""
        self._shared.links -= len(self.links)

    def fail(self, condition: str, text: str, events: list[Event]) -> None:
        """The peer broke a rule of the session: end it."""
        if self.alive:
            self.end(condition, text)
            self.told = True
            events.append(Ended(self, Error(condition, text), ours=True))

    # -- what arrives -------------------------------------------------------------------------

    def on_frame(self, performative: Composite, payload: bytes, events: list[Event]) -> None:
        """A frame of this session. Raises: Violation."""
        if isinstance(performative, Transfer):
            self.on_transfer(performative, payload, events)
        elif not self.alive:
            return
        elif isinstance(performative, Disposition):
            self.on_disposition(performative, events)
        elif isinstance(performative, Flow):
            self._on_flow(performative, events)
        elif isinstance(performative, Attach):
            self._on_attach(performative, events)
        elif isinstance(performative, Detach):
            self._on_detach(performative, events)

    def on_transfer(self, transfer: Transfer, payload: bytes, events: list[Event]) -> None:
        """A transfer."""
        if not self.alive:
            return
        number = self.in_next
        self.in_next = number + 1
        if number + 1 >= self.in_low:
            if number >= self.in_stop:
                text = f"a transfer beyond the window of {self._in_window}"
                self.fail(WINDOW_VIOLATION, text, events)
                return
            self.touch()
        delivery = -1
        wire = transfer.delivery_id
        following = self.next_delivery
        if wire is not None:
            if wire == following & WIRE_MASK or following < 0:
                delivery = wire if following < 0 else following
                self.next_delivery = delivery + 1
            else:
                delivery = unwrap(wire, following)
        link = self.by_handle.get(transfer.handle)
        if link is None:
            self._fail_handle(link_state.GOT_TRANSFER, transfer.handle, events)
        elif not isinstance(link, Receiver):
            self.fail(NOT_ALLOWED, f"a transfer to the sender {link.name!r}", events)
        elif link.alive:
            if following >= 0 and -1 != delivery != following and not link.continues(delivery):
                text = f"delivery-id {wire}, but {following & WIRE_MASK} follows"
                self.fail(INVALID_FIELD, text, events)
                return
            link.on_transfer(transfer, delivery, payload, events)

    def count_in(self, count: int) -> None:
        """``count`` deliveries of one transfer each have come, with the ids that were due."""
        self.next_delivery += count
        self.in_next += count
        if self.in_next >= self.in_low:
            self.touch()

    def on_disposition(self, disposition: Disposition, events: list[Event]) -> None:
        """The peer says what it did with deliveries; no link need be there any more."""
        role, first = disposition.role, disposition.first
        last = first if disposition.last is None else disposition.last
        span = (last - first) & WIRE_MASK
        if span >= HALF:
            self.fail(INVALID_FIELD, f"disposition from {first} down to {last}", events)
            return
        if role:
            numbering = self.outgoing.numbering
            start = unwrap(first, numbering.travelled)
            found = numbering.known(start, start + span)
            if found is None:
                return
            low, high = found
        else:
            start = unwrap(first, max(self.next_delivery, 0))
            low, high = max(start, 0), min(start + span, self.next_delivery - 1)
            if low > high:
                return
        settled, outcome = disposition.settled, disposition.state
        before = events[-1] if events else None
        if (
            isinstance(before, Disposed)
            and before.last == low - 1
            and before.session is self
            and before.role == role
            and before.settled == settled
            and before.state is outcome
        ):
            events[-1] = Disposed(self, role, before.first, high, settled, outcome)
        else:
            events.append(Disposed(self, role, low, high, settled, outcome))

    def _on_flow(self, flow: Flow, events: list[Event]) -> None:
        outgoing = self.outgoing
        under_way = outgoing.next_transfer - (flow.next_incoming_id or 0)
        under_way &= WIRE_MASK
        if under_way > min(outgoing.next_transfer, HALF):
            text = f"next-incoming-id {flow.next_incoming_id} has not been sent"
            self.fail(INVALID_FIELD, text, events)
            return
        shift = unwrap(flow.next_outgoing_id, self.in_next) - self.in_next
        if shift:
            self.in_next += shift
            self.in_stop += shift
            self.in_low += shift
        outgoing.window = max(0, flow.incoming_window - under_way)
        if outgoing.waiting:
            self._pump()
        if self._blocked and not outgoing.waiting:
            self._blocked = False
            events.append(Writable(self))
        handle = flow.handle
        if handle is None:
            if flow.echo:
                self._flow_due = True
                self.touch()
            return
        link = self.by_handle.get(handle)
        if link is None:
            self._fail_handle(link_state.GOT_FLOW, handle, events)
        elif link.alive:
            link.on_flow(flow, events)

    def _on_attach(self, attach: Attach, events: list[Event]) -> None:
        handle = attach.handle
        if handle > self._shared.settings.handle_max:
            raise Violation(FRAMING_ERROR, f"attach with handle {handle} above the agreed")
        if handle in self.by_handle:
            self._fail_handle(link_state.GOT_ATTACH, handle, events)
            return
        self._errant.discard(handle)
        link = self._attaching.pop((attach.name, not attach.role), None)
        if link is not None:
            link.state = link_state.LEGAL[link.state, link_state.GOT_ATTACH]
            link.on_attach(attach)
            self.by_handle[handle] = link
            if link.alive:
                events.append(Attached(link, attach))
            return
        shared = self._shared
        ours = self._handles.take() if shared.links < shared.settings.links_max else -1
        if ours < 0:
            self.fail(RESOURCE_LIMIT_EXCEEDED, "no handle is left for another link", events)
            return
        shared.links += 1
        if attach.role:
            link = Sender(self, attach.name, ours, link_state.ATTACH_RCVD)
        else:
            link = Receiver(self, attach.name, ours, link_state.ATTACH_RCVD)
        link.on_attach(attach)
        self.links[ours] = self.by_handle[handle] = link
        events.append(Attaching(link, attach))

    def _on_detach(self, detach: Detach, events: list[Event]) -> None:
        link = self.by_handle.pop(detach.handle, None)
        if link is None:
            self._fail_handle(link_state.GOT_DETACH, detach.handle, events)
            return
        if link.in_error():
            self._errant.add(detach.handle)
        link.on_detach(detach, events)

    def _fail_handle(self, an_input: int, handle: int, events: list[Event]) -> None:
        condition = link_state.illegal(an_input, handle in self._errant)
        self.fail(condition, f"handle {handle}: {condition.rpartition(':')[2]}", events)

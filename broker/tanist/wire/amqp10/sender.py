"""A link on which we send.

Credit is exact. Both sides count deliveries (``delivery_count``, unwrapped here); the receiver says
up to which count the sender may go, and a sender that is drained moves its count there. What waits
for the peer's window is counted already, but the peer must not hear of it before it is sent.

Source: AMQP 1.0, 2.6.7 "Flow control", 2.6.10 "Synchronous get", 2.6.12 "Transferring a message".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.types import LocalProtocolError
from tanist.wire.amqp10 import link_state
from tanist.wire.amqp10.composites import DeliveryState
from tanist.wire.amqp10.events import Event, Flowed
from tanist.wire.amqp10.link import TAG_MAX, Link
from tanist.wire.amqp10.outgoing import Waiting
from tanist.wire.amqp10.performatives import Flow
from tanist.wire.serial import HALF, WIRE_MASK

if TYPE_CHECKING:
    from tanist.wire.amqp10.plain import Form
    from tanist.wire.amqp10.session import Session


class Sender(Link):
    """We send.

    ``credit``: deliveries that may be sent now. ``drain``: the peer wants what there is, and the
    rest of the credit back (``drained``). ``available``: set by the owner, deliveries that could be
    sent with enough credit; told to the peer with the next flow. ``waiting``: deliveries that wait
    for the peer's window, the one that has begun included.
    """

    __slots__ = (
        "_drained",
        "_outgoing",
        "available",
        "credit",
        "delivery_count",
        "drain",
        "form",
        "waiting",
    )

    def __init__(self, session: Session, name: str, handle: int, state: int) -> None:
        super().__init__(session, name, False, handle, state)
        self.credit = 0
        self.drain = False
        self.available = 0
        self.delivery_count = 0
        self.waiting = 0
        self.form: Form | None = None  # of the transfers that are sent (``outgoing``)
        self._drained = False
        self._outgoing = session.outgoing

    def send(
        self,
        tag: bytes,
        payload: bytes,
        settled: bool = False,
        prefix: bytes = b"",
        state: DeliveryState | None = None,
        message_format: int = 0,
    ) -> int:
        """Send a delivery; returns its id in the session. ``credit`` goes down by one.

        The message is ``prefix + payload`` (a fresh header section before stored octets, without
        joining them). ``tag``: at most 32 octets, unique among the link's unsettled deliveries. If
        the peer's window is shut, the delivery waits in the session (``session.writable``).

        Raises: LocalProtocolError without credit (a dead link has none) and for a wrong tag.
        """
        if self.credit <= 0 or self.state != link_state.ATTACHED:
            raise LocalProtocolError(f"link {self.name!r} has no credit")
        if not tag or len(tag) > TAG_MAX:
            raise LocalProtocolError(f"a delivery tag of {len(tag)} octets")
        self.credit -= 1
        self.delivery_count += 1
        outgoing = self._outgoing
        number = outgoing.next_delivery
        outgoing.next_delivery = number + 1
        if (
            state is not None
            or message_format
            or not outgoing.transfer(self, number, tag, settled, prefix, payload)
        ):
            message = prefix + payload
            item = Waiting(self, number, tag, message, settled, state, message_format)
            self.session.delay(item)
        return number

    def drained(self) -> None:
        """All that could be sent was: give the remaining credit back. Nothing if not ``drain``."""
        if not self.drain:
            return
        self.drain = False
        self.delivery_count += self.credit
        self.credit = 0
        self._drained = True
        self.session.flow_due(self)

    def may_flow(self) -> bool:
        """Whether a flow may tell the truth now.

        After ``drained`` not as long as something waits: the peer takes the flow that says so for
        the end of what it gets.
        """
        return not (self._drained and self.waiting)

    def owes_flow(self) -> bool:
        """Whether the flow that was put off until nothing waits may be sent now."""
        return self._drained and not self.waiting

    def compose_flow(self) -> Flow:
        """What the peer may count on: what waits has not been sent yet."""
        drained, self._drained = self._drained, False
        return Flow(
            None,
            0,
            0,
            0,
            handle=self.handle,
            delivery_count=(self.delivery_count - self.waiting) & WIRE_MASK,
            link_credit=self.credit + self.waiting,
            available=self.available,
            drain=drained or self.drain,
        )

    def on_flow(self, flow: Flow, events: list[Event]) -> None:
        """The receiver grants or revokes credit, or drains."""
        if flow.link_credit is not None:
            seen = flow.delivery_count or 0
            ahead = (self.delivery_count - seen) & WIRE_MASK
            if ahead >= HALF:
                ahead = 0
            self.credit = max(0, flow.link_credit - ahead)
        self.drain = flow.drain
        if flow.echo:
            self.session.flow_due(self)
        events.append(Flowed(self, flow))

    def stop(self) -> None:
        """No credit any more; what waits is dropped."""
        self.credit = 0
        self.drain = False
        if self.waiting:
            self.session.drop_waiting(self)

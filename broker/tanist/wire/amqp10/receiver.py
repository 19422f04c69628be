"""A link on which we receive, and the delivery that is coming in.

Credit is exact. Both sides count deliveries (``delivery_count``, unwrapped here); we say up to
which count the sender may go, and a sender that goes beyond has its link detached. A delivery is
counted with its last frame; its frames are kept until then, and one delivery at a time comes on a
link.

Source: AMQP 1.0, 2.6.7 "Flow control", 2.6.12 "Transferring a message", 2.7.5 "transfer".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.wire.amqp10 import link_state
from tanist.wire.amqp10.composites import DeliveryState
from tanist.wire.amqp10.conditions import (
    INVALID_FIELD,
    MESSAGE_SIZE_EXCEEDED,
    RESOURCE_LIMIT_EXCEEDED,
    TRANSFER_LIMIT_EXCEEDED,
)
from tanist.wire.amqp10.events import Delivery, Event, Flowed
from tanist.wire.amqp10.link import TAG_MAX, Link
from tanist.wire.amqp10.performatives import Attach, Flow, Transfer
from tanist.wire.serial import HALF, WIRE_MASK

if TYPE_CHECKING:
    from tanist.wire.amqp10.plain import Form
    from tanist.wire.amqp10.session import Session


class Partial:
    """An incoming delivery of which the last frame has not arrived."""

    __slots__ = ("id", "message_format", "payload", "settled", "state", "tag")

    def __init__(self, id: int, tag: bytes, message_format: int) -> None:
        self.id = id
        self.tag = tag
        self.message_format = message_format
        self.settled = False
        self.state: DeliveryState | None = None
        self.payload = bytearray()


class Receiver(Link):
    """We receive.

    ``credit``: deliveries that the peer may still send. ``available``: what it said it has, None if
    it never said.
    """

    __slots__ = (
        "_drain",
        "_echo",
        "available",
        "bound",
        "credit",
        "delivery_count",
        "form",
        "partial",
        "size_max",
    )

    def __init__(self, session: Session, name: str, handle: int, state: int) -> None:
        super().__init__(session, name, True, handle, state)
        self.credit = 0
        self.available: int | None = None
        self.delivery_count = 0
        self.bound = 0  # the peer was allowed to count up to here
        self._drain = False
        self._echo = False
        self.size_max = 0
        self.partial: Partial | None = None
        self.form: Form | None = None  # of the plain transfers that come (``express``)

    def flow(self, credit: int, drain: bool = False, echo: bool = False) -> None:
        """Set the credit to ``credit`` deliveries from now on; the flow goes out with this step.

        ``drain``: the peer sends what it has and gives up the rest (``Flowed`` follows, or
        deliveries). ``echo``: the peer answers with its own state. Deliveries under way may still
        use credit that was granted before. Nothing on a link that is over.
        """
        if not self.alive or self.state == link_state.DETACH_RCVD:
            return
        self.credit = credit
        self.bound = max(self.bound, self.delivery_count + credit)
        self._drain = drain
        self._echo = self._echo or echo
        self.session.flow_due(self)

    def introduce(self, attach: Attach) -> None:
        """Send our attach, and remember the limit that it states."""
        self.size_max = attach.max_message_size or 0
        super().introduce(attach)

    def on_attach(self, attach: Attach) -> None:
        """The sender says where it begins to count."""
        super().on_attach(attach)
        first = attach.initial_delivery_count or 0
        self.bound += first - self.delivery_count
        self.delivery_count = first

    def compose_flow(self) -> Flow:
        """The credit granted."""
        echo, self._echo = self._echo, False
        return Flow(
            None,
            0,
            0,
            0,
            handle=self.handle,
            delivery_count=None if self.remote_handle < 0 else self.delivery_count & WIRE_MASK,
            link_credit=self.credit,
            drain=self._drain,
            echo=echo,
        )

    def on_flow(self, flow: Flow, events: list[Event]) -> None:
        """The sender drained, or tells how much it has."""
        if flow.available is not None:
            self.available = flow.available
        if flow.delivery_count is not None:
            ahead = (flow.delivery_count - self.delivery_count) & WIRE_MASK
            if ahead < HALF:
                self.delivery_count += ahead
                self.credit = max(0, self.credit - ahead)
        if flow.echo:
            self.session.flow_due(self)
        events.append(Flowed(self, flow))

    def room(self) -> int:
        """Deliveries that the peer may still send; more than ``credit`` while some are under way.

        Negative when it was told less than it has sent.
        """
        return self.bound - self.delivery_count

    def count_in(self, count: int) -> None:
        """``count`` deliveries have come, and used up so much of the credit."""
        self.delivery_count += count
        self.credit = max(0, self.credit - count)

    def continues(self, number: int) -> bool:
        """Whether the delivery ``number`` is the incomplete one."""
        return self.partial is not None and self.partial.id == number

    def on_transfer(
        self, transfer: Transfer, number: int, payload: bytes, events: list[Event]
    ) -> None:
        """One frame of a delivery.

        ``number``: its id, -1 if the frame continues one and does not say. The session has judged
        its order.
        """
        partial = self.partial
        if partial is not None:
            self._on_more(partial, transfer, number, payload, events)
            return
        if self.delivery_count >= self.bound:
            text = f"a transfer beyond the credit of link {self.name!r}"
            self.fail(TRANSFER_LIMIT_EXCEEDED, text, events)
            return
        tag = transfer.delivery_tag
        if tag is None or len(tag) > TAG_MAX or number < 0:
            text = f"link {self.name!r}: a delivery begins without an id or without a good tag"
            self.session.fail(INVALID_FIELD, text, events)
            return
        if transfer.more or transfer.aborted:
            partial = Partial(number, tag, transfer.message_format or 0)
            self._on_more(partial, transfer, number, payload, events)
            return
        if self.size_max and len(payload) > self.size_max:
            self._fail_size(events)
            return
        self.delivery_count += 1
        if self.credit > 0:
            self.credit -= 1
        events.append(
            Delivery(
                self,
                number,
                tag,
                transfer.settled is True,
                transfer.state,
                payload,
                transfer.message_format or 0,
            )
        )

    def _on_more(
        self,
        partial: Partial,
        transfer: Transfer,
        number: int,
        payload: bytes,
        events: list[Event],
    ) -> None:
        tag = transfer.delivery_tag
        if number not in (-1, partial.id) or tag not in (None, partial.tag):
            text = f"link {self.name!r}: another delivery begins before {partial.id} has ended"
            self.session.fail(INVALID_FIELD, text, events)
            return
        self.partial = partial
        if transfer.settled:
            partial.settled = True
        if transfer.state is not None:
            partial.state = transfer.state
        if not transfer.aborted:
            if self.size_max and len(partial.payload) + len(payload) > self.size_max:
                self._fail_size(events)
                return
            if not self.session.hold(len(payload)):
                text = "the incomplete deliveries of this connection are too large"
                self.fail(RESOURCE_LIMIT_EXCEEDED, text, events)
                return
            partial.payload += payload
            if transfer.more:
                return
        self._drop_partial()
        self.delivery_count += 1
        if self.credit > 0:
            self.credit -= 1
        if transfer.aborted:
            events.append(Flowed(self, None))
            return
        events.append(
            Delivery(
                self,
                partial.id,
                partial.tag,
                partial.settled,
                partial.state,
                bytes(partial.payload),
                partial.message_format,
            )
        )

    def _fail_size(self, events: list[Event]) -> None:
        text = f"a message larger than the {self.size_max} octets of link {self.name!r}"
        self.fail(MESSAGE_SIZE_EXCEEDED, text, events)

    def _drop_partial(self) -> None:
        partial, self.partial = self.partial, None
        if partial is not None:
            self.session.hold(-len(partial.payload))

    def stop(self) -> None:
        """No credit any more; an incomplete delivery is dropped."""
        self.credit = 0
        self._drop_partial()

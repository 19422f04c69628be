"""The outgoing half of a session: its transfers, in order, as far as the peer's window goes.

A delivery that fits into one frame and into the window is put at once. Everything else waits as a
``Waiting``, and ``pump`` cuts it into frames as the window opens.

Source: AMQP 1.0, 2.5.6 "Session flow control", 2.6.14 "Transferring a message", 2.7.5 "transfer".
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from tanist.wire.amqp10.codec import encode_performative
from tanist.wire.amqp10.composites import DeliveryState
from tanist.wire.amqp10.framing import DOFF, FRAME_HEADER, FRAME_HEADER_SIZE, TYPE_AMQP
from tanist.wire.amqp10.numbering import Numbering
from tanist.wire.amqp10.output import Output
from tanist.wire.amqp10.performatives import Transfer
from tanist.wire.amqp10.plain import read_form
from tanist.wire.amqp10.twins import encode_continuation, encode_transfer
from tanist.wire.serial import WIRE_MASK

if TYPE_CHECKING:
    from tanist.wire.amqp10.sender import Sender

HEAD_MAX: Final = 56
"""Octets of the longest transfer of the usual form: a handle and an id of 5, a tag of 34."""

ROOM_FOR_HEAD: Final = FRAME_HEADER_SIZE + HEAD_MAX

WIDE_IDS_FROM: Final = 256
"""From here on all delivery-ids take four octets, and transfers of a link have one form."""


class Waiting:
    """A delivery of which some frames wait. ``at``: octets of ``message`` that are sent."""

    __slots__ = (
        "at",
        "begun",
        "id",
        "link",
        "message",
        "message_format",
        "settled",
        "state",
        "tag",
    )

    def __init__(
        self,
        link: Sender,
        id: int,
        tag: bytes,
        message: bytes,
        settled: bool,
        state: DeliveryState | None,
        message_format: int,
    ) -> None:
        self.link = link
        self.id = id
        self.tag = tag
        self.message = message
        self.settled = settled
        self.state = state
        self.message_format = message_format
        self.at = 0
        self.begun = False


class Outgoing:
    """``window``: transfers that the peer still takes. ``next_transfer``: transfers sent so far;
    ours begin at 0, as some peers take for granted. ``next_delivery``: the next id for the owner.
    ``numbering``: what that is on the wire.
    """

    __slots__ = (
        "_channel",
        "_output",
        "next_delivery",
        "next_transfer",
        "numbering",
        "waiting",
        "window",
    )

    def __init__(self, channel: int, output: Output) -> None:
        self._channel = channel
        self._output = output
        self.window = 0
        self.next_transfer = 0
        self.next_delivery = 0
        self.numbering = Numbering()
        self.waiting: deque[Waiting] = deque()

    def transfer(
        self, link: Sender, number: int, tag: bytes, settled: bool, prefix: bytes, payload: bytes
    ) -> bool:
        """Put a delivery as one frame; False, and nothing, if it has to wait."""
        output = self._output
        size = len(prefix) + len(payload)
        if self.waiting or self.window <= 0 or size > output.frame_max - ROOM_FOR_HEAD:
            return False
        self.window -= 1
        self.next_transfer += 1
        numbering = self.numbering
        travels = numbering.travelled
        if number - travels == numbering.shift:
            numbering.travelled = travels + 1
        else:
            numbering.begin(number)
        wire = travels & WIRE_MASK
        form = link.form
        if (
            form is None
            or wire < WIDE_IDS_FROM
            or len(tag) != form.tag_size
            or settled != form.settled
        ):
            head = self._make_head(link, wire, tag, settled, size)
        else:
            size += form.size
            head = form.layout.pack(size, form.front, wire, form.mark, tag, form.tail)
        output.frames += 1
        if output.quiet:
            output.ring()
        output.chunks += (head, prefix, payload)
        return True

    def _make_head(self, link: Sender, wire: int, tag: bytes, settled: bool, size: int) -> bytes:
        """The frame header and the performative before ``size`` octets; remember their form."""
        head = encode_transfer(link.handle, wire, tag, settled)
        size += FRAME_HEADER_SIZE + len(head)
        head = FRAME_HEADER.pack(size, DOFF, TYPE_AMQP, self._channel) + head
        if wire >= WIDE_IDS_FROM:
            link.form = read_form(head, 0)
        return head

    def put(self, item: Waiting) -> None:
        """Let a delivery wait behind the others."""
        self.waiting.append(item)

    def pump(self) -> list[Sender]:
        """Put what the window has room for; returns the links of the deliveries completed."""
        done: list[Sender] = []
        waiting = self.waiting
        while waiting and self.window > 0:
            item = waiting[0]
            self._put_frame(item)
            if item.at >= len(item.message):
                waiting.popleft()
                item.link.waiting -= 1
                done.append(item.link)
        return done

    def _put_frame(self, item: Waiting) -> None:
        """One frame of a delivery that waits."""
        output = self._output
        left = len(item.message) - item.at
        room = output.frame_max - FRAME_HEADER_SIZE
        if item.begun:
            head = encode_continuation(item.link.handle, False)
            if left > room - len(head):
                head = encode_continuation(item.link.handle, True)
        else:
            item.begun = True
            transfer = Transfer(
                item.link.handle,
                self.numbering.begin(item.id) & WIRE_MASK,
                item.tag,
                item.message_format,
                item.settled,
                state=item.state,
            )
            head = encode_performative(transfer)
            if left > room - len(head):
                transfer.more = True
                head = encode_performative(transfer)
        end = item.at + max(room - len(head), 1)
        output.frame(self._channel, head + item.message[item.at : end])
        item.at = end
        self.window -= 1
        self.next_transfer += 1

    def drop(self, link: Sender) -> None:
        """A link is over: forget what waits of it."""
        self.waiting = deque([item for item in self.waiting if item.link is not link])

    def clear(self) -> None:
        """The session is over."""
        self.waiting.clear()

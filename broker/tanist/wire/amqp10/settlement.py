"""Dispositions to be sent: what is settled alike within a step becomes as few frames as possible.

A receiver that accepts a thousand deliveries one by one sends one disposition with a range. Ids are
unwrapped here; their low 32 bits travel. Ranges of different states may leave in another order than
they came in, which makes no difference: they speak of different deliveries.

Source: AMQP 1.0, 2.7.6 "disposition".
"""

from __future__ import annotations

from tanist.wire.amqp10.codec import encode_performative
from tanist.wire.amqp10.composites import DeliveryState
from tanist.wire.amqp10.output import Output
from tanist.wire.amqp10.performatives import Disposition
from tanist.wire.amqp10.twins import encode_disposition
from tanist.wire.serial import WIRE_MASK, Ranges

RECEIVER = True
"""The role that a receiver says in its dispositions."""


class Verdict:
    """One thing to say, and of which deliveries."""

    __slots__ = ("ranges", "role", "settled", "state")

    def __init__(self, role: bool, settled: bool, state: DeliveryState | None) -> None:
        self.role = role
        self.settled = settled
        self.state = state
        self.ranges = Ranges()


class Settlement:
    """What waits to be said on one session."""

    __slots__ = ("_accepted", "_others")

    def __init__(self) -> None:
        self._accepted = Ranges()
        self._others: dict[bytes, Verdict] = {}

    def accept(self, first: int, last: int) -> None:
        """Deliveries that arrived here are accepted and settled: nearly all there ever is."""
        lasts = self._accepted.lasts
        if lasts and lasts[-1] == first - 1:
            lasts[-1] = last
        else:
            self._accepted.add(first, last)

    def add(
        self, role: bool, settled: bool, state: DeliveryState | None, first: int, last: int
    ) -> None:
        """Anything else. States that are encoded alike are alike."""
        key = encode_performative(Disposition(role, 0, None, settled, state))
        verdict = self._others.get(key)
        if verdict is None:
            verdict = self._others[key] = Verdict(role, settled, state)
        verdict.ranges.add(first, last)

    def write(self, output: Output, channel: int) -> None:
        """Put everything that waits."""
        accepted = self._accepted
        if accepted.lasts:
            for first, last in accepted.pairs():
                wire_last = None if first == last else last & WIRE_MASK
                body = encode_disposition(RECEIVER, first & WIRE_MASK, wire_last, True)
                output.frame(channel, body)
            accepted.firsts.clear()
            accepted.lasts.clear()
        if self._others:
            for verdict in self._others.values():
                for first, last in verdict.ranges.pairs():
                    wire_last = None if first == last else last & WIRE_MASK
                    disposition = Disposition(
                        verdict.role,
                        first & WIRE_MASK,
                        wire_last,
                        verdict.settled,
                        verdict.state,
                    )
                    output.performative(channel, disposition)
            self._others.clear()

    def clear(self) -> None:
        """Nothing waits any more."""
        self._accepted = Ranges()
        self._others.clear()

"""Redelivered marks: what may have been delivered before says so.

A sender has a reason to send a message again if its connection was lost, or the primary hit, after
it announced the message and before it learnt of the acknowledgement. Without such an interruption
every further copy of an acknowledged message is the broker's own and must be marked redelivered
(spec/clients.md 0.2). With one it may be a copy that a library sent again unmarked, which no broker
can tell from a new message; those are only counted.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from tanist_interop import history, protocol
from tanist_interop.checkers.finding import Finding, Valid, examples
from tanist_interop.checkers.operations import Operations
from tanist_interop.checkers.ranges import Key, Messages

NAME = "redelivery"


def interruptions(ops: Operations) -> dict[str, list[int]]:
    """Per producer: when its sender may have begun to send again, ascending."""
    common = [note.t for note in history.failovers(ops.records)]
    own: dict[str, list[int]] = {}
    for kind in (protocol.Disconnected, protocol.Reopened):
        for record, _ in history.messages(ops.records, kind):
            own.setdefault(record.source, []).append(record.t)
    return {
        send.producer: sorted([*common, *own.get(source, [])])
        for (source, _), send in ops.senders.items()
    }


class Excuses:
    """Which copies may be copies of the sender's."""

    def __init__(self, ops: Operations) -> None:
        self._ops = ops
        self._interruptions = interruptions(ops)

    def excused(self, key: Key) -> bool:
        """Whether the sender of this message may have sent it again."""
        acknowledged = self._ops.acknowledged.time_of(key)
        attempted = self._ops.attempts.time_of(key)
        if acknowledged is None or attempted is None:
            return True
        moments = self._interruptions.get(key[0], [])
        following = bisect_left(moments, attempted)
        return following < len(moments) and moments[following] <= acknowledged


def unmarked(ops: Operations) -> Iterator[tuple[Key, bool, bool]]:
    """Every copy after the first that was not marked, whether its sender had a reason, and whether
    it says that it is not the first acquirer's: AMQP 1.0's hint that no library makes a mark of."""
    excuses, seen = Excuses(ops), Messages()
    for delivery in ops.deliveries:
        producer, first, last = delivery.producer, delivery.first, delivery.last
        if not delivery.redelivered:
            for low, high in seen.of(producer).common(first, last):
                for sn in range(low, high + 1):
                    hint = delivery.first_acquirer is False
                    yield (producer, sn), excuses.excused((producer, sn)), hint
        seen.add(producer, first, last)


def check(ops: Operations) -> Finding:
    """Copies after the first of messages that nobody had a reason to send again are marked."""
    bare = list(unmarked(ops))
    figures: dict[str, object] = {
        "marked": sum(len(delivery) for delivery in ops.deliveries if delivery.redelivered),
        "unmarked": len(wrong := [key for key, excused, _ in bare if not excused]),
        "hinted": (hinted := sum(hint for _, excused, hint in bare if not excused)),
        "unmarked_resent": len(bare) - len(wrong),
    }
    if wrong:
        hints = f" ({hinted} say only that they are not the first acquirer's)" if hinted else ""
        text = f"{len(wrong)} delivered again without the mark{hints}: {examples(wrong)}"
        return Finding(NAME, Valid.FALSE, figures, (text,))
    return Finding(NAME, Valid.TRUE, figures)

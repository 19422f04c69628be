"""Answers of management that take many messages, or many steps.

Of a long list one message is made per step, and only while its reader keeps up; of long work one
piece is done per step. Nobody else waits for either. A list whose reader takes nothing for a while,
or is gone, is given up; work goes on without whoever asked for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from tanist.core.broker import Broker
from tanist.core.message import Message
from tanist.management.answers import Answer
from tanist.management.codec import Reply
from tanist.node.outbox import Outbox
from tanist.types import BrokerError

CATEGORY: Final = "Management"

UNFINISHED_MAX: Final = 64
"""Long answers under way: each step looks at all of them, and each holds references to objects."""

TAKES_PER_STEP: Final = 4
"""Messages of long answers made in one step: a few milliseconds each."""

AHEAD_MAX: Final = 8
"""Messages of a long answer that may wait for their reader: 800 objects, about a megabyte."""

IDLE_MAX_S: Final = 60.0
"""How long a long answer waits for a reader who takes nothing."""


class LongAnswer:
    """An answer under way. ``last``: its newest message; ``moved_at``: when that was made."""

    __slots__ = ("answer", "last", "moved_at")

    def __init__(self, answer: Answer, last: Reply | None, now: float) -> None:
        self.answer = answer
        self.last = last
        self.moved_at = now


class LongAnswers:
    """The answers under way. ``reply`` lets a message out, false: it cannot be delivered."""

    def __init__(
        self, broker: Broker, outbox: Outbox, reply: Callable[[Answer, Reply], bool]
    ) -> None:
        self._broker = broker
        self._outbox = outbox
        self._reply = reply
        self._line: deque[LongAnswer] = deque()
        self.busy = False
        """There are some."""

    @property
    def full(self) -> bool:
        """No more may be begun."""
        return len(self._line) >= UNFINISHED_MAX

    def add(self, answer: Answer, last: Reply | None, now: float) -> None:
        """Go on with ``answer``, whose first message was ``last`` if there was one."""
        self._line.append(LongAnswer(answer, last, now))
        self.busy = True

    def go_on(self, now: float) -> bool:
        """Make the next messages, one answer after the other. Returns whether to step again now."""
        line = self._line
        takes = TAKES_PER_STEP
        again = False
        for _ in range(len(line)):
            if not takes:
                break
            under_way = line.popleft()
            lag = self._lag(under_way.last)
            if lag < 0:
                continue  # nobody is there to read the rest
            if lag > AHEAD_MAX:
                if now - under_way.moved_at < IDLE_MAX_S:
                    line.append(under_way)
                continue
            takes -= 1
            if self._take(under_way):
                under_way.moved_at = now
                line.append(under_way)
                again = True
        self.busy = len(line) > 0
        return again or (not takes and self.busy)

    def _lag(self, last: Reply | None) -> int:
        """How many messages the reader of an answer has not taken, -1: there is no reader."""
        if last is None:
            return 0
        return self._broker.readers_lag(message_of(last), last.exchange)

    def _take(self, under_way: LongAnswer) -> bool:
        """Make the next message of an answer. Returns whether more will come."""
        answer = under_way.answer
        try:
            reply = answer.take()
            if reply is not None:
                under_way.last = reply
                if not self._reply(answer, reply):
                    return False
        except BrokerError as error:
            self._outbox.log("info", CATEGORY, f"request not answered in full: {error.text}")
            return False
        return not answer.over


def message_of(reply: Reply) -> Message:
    """``reply`` as a message to publish."""
    return Message(reply.header, reply.body, reply.exchange, reply.routing_key)

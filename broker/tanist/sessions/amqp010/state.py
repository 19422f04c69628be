"""One attached 0-10 session: what it consumes, what it owes, what it waits for.

``SessionState`` sits in ``Session.context`` of the wire session. It holds

* ``unacked``: command id of our transfer -> ``Delivery``, until the client accepts, releases or
  rejects it. Deliveries to browsers are here too, because ``message.acquire`` may name them;
* ``copying``: the same for replicating subscriptions, until the copy has accepted it (``feed``);
* ``windowed``: command id -> ``Delivery`` of window-mode consumers, until the client *completes*
  the transfer, which is what gives window credit back (accepting does not);
* ``holding``: ids of the client's commands whose completion waits for the gate;
* ``flushes``, ``behind_flush``: how many flushes are unfinished, and what waits for them;
* ``transaction``: publishes and accepts between ``tx.select`` and ``tx.commit``.

Specification 9.2, 9.3 and the class "message" of AMQP 0-10.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from mypy_extensions import mypyc_attr

from tanist.core.broker import Broker
from tanist.core.follower import Pledge
from tanist.core.message import Message
from tanist.core.notices import Actor
from tanist.core.records import Entry
from tanist.core.subscription import Subscription
from tanist.sessions.amqp010.holding import Holding
from tanist.sessions.amqp010.link import Link010
from tanist.sessions.amqp010.ranges import SERIAL_MAX, Runs
from tanist.sessions.held import Held
from tanist.sessions.work import Broken, SentSettled, StepWork
from tanist.types import BrokerError, Condition
from tanist.wire.amqp010.codec import make
from tanist.wire.amqp010.session import Session
from tanist.wire.amqp010.values import Struct

BROWSED_MAX: Final = 16384
"""Deliveries to accept-none browsers that stay open to ``message.acquire``; nothing else ends them,
so the oldest are forgotten."""

BEHIND_FLUSH_MAX: Final = 4096
"""Runs of commands that wait for a flush: a client that waits for its messages sends few."""

STEP_ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
"""Bytes of answers to one connection in one step: questions are short, answers may quote 60 KB."""

ACCEPT_RANGES_MAX: Final = 8000
"""Ranges in one message.accept of ours: a sequence-set holds 8191."""


@mypyc_attr(acyclic=True)
class Delivery:
    """A message under way to the client: ``entry`` was sent by ``subscription``."""

    __slots__ = ("entry", "subscription")

    def __init__(self, entry: Entry, subscription: Subscription) -> None:
        self.entry = entry
        self.subscription = subscription


class Transaction:
    """What a session did since ``tx.select`` or the last commit, to be done at the next one.

    ``publishes`` are routed to their ``exchange`` then; ``accepts`` are ids of ``unacked`` and
    stay there until then, because the client may still release them. ``bytes`` counts publishes.
    """

    __slots__ = ("accepts", "bytes", "publishes")

    def __init__(self) -> None:
        self.publishes: list[Message] = []
        self.accepts: dict[int, Delivery] = {}
        self.bytes = 0


class SessionBroken(Broken):
    """A session that must end with an exception, because of ``command_id`` (0: of none).

    ``index``: not before this record is safe; -1 as long as that is not known.
    """

    __slots__ = ("class_code", "command_code", "command_id", "condition", "index", "state", "text")

    def __init__(
        self,
        state: SessionState,
        condition: Condition,
        text: str,
        command_id: int = 0,
        class_code: int = 0,
        command_code: int = 0,
    ) -> None:
        self.state = state
        self.condition = condition
        self.text = text
        self.command_id = command_id
        self.class_code = class_code
        self.command_code = command_code
        self.index = -1

    def end(self, broker: Broker) -> None:
        """Tell the client, then end its session."""
        state = self.state
        if state.alive and state.session.alive:
            state.session.exception(
                self.condition.code, self.text, self.command_id, self.class_code, self.command_code
            )
            state.end(broker)


class SessionState(Held):
    """The session called ``name`` on ``link``.

    It is the owner (``actor.owner``) of exclusive queues. ``published`` and ``delivered`` count
    messages, for management; ``created_at``: monotonic seconds.
    """

    __slots__ = (
        "actor",
        "alive",
        "behind_flush",
        "browsed",
        "copying",
        "created_at",
        "delivered",
        "failure",
        "flushes",
        "holding",
        "link",
        "name",
        "names",
        "published",
        "sent_settled",
        "session",
        "subscriptions",
        "transaction",
        "unacked",
        "windowed",
        "work",
    )

    def __init__(
        self,
        link: Link010,
        session: Session,
        work: StepWork,
        names: dict[tuple[str, str], SessionState],
        created_at: float = 0.0,
    ) -> None:
        """``names``: (user, name) -> session, of all that are attached."""
        self.link = link
        self.created_at = created_at
        self.session = session
        self.name = session.name
        self.names = names
        self.actor = Actor(link.user, link.peer, self, link.number)
        self.alive = True
        self.subscriptions: dict[str, Subscription] = {}
        self.unacked: dict[int, Delivery] = {}
        self.copying: dict[int, Delivery] = {}
        self.windowed: dict[int, Delivery] = {}
        self.browsed: deque[int] = deque()
        self.sent_settled = SentSettled()
        self.holding = Holding()
        self.flushes = 0
        self.behind_flush: Runs = []
        self.work = work
        self.transaction: Transaction | None = None
        self.failure: SessionBroken | None = None
        """It will end so when its last command may be answered; it executes nothing any more."""
        self.published = 0
        self.delivered = 0

    def hold(self, command_id: int) -> None:
        """Complete ``command_id`` only when the gate opens for what this step recorded."""
        if self.holding.add(command_id):
            self.work.touched.append(self)

    def fail_after_records(self, failure: SessionBroken) -> None:
        """End with ``failure`` when the gate opens for what is recorded so far."""
        self.failure = failure
        if not self.holding.unsealed:
            self.work.touched.append(self)

    def finish_after_earlier(self, command_id: int) -> None:
        """Complete ``command_id`` when everything before it is complete.

        Raises: BrokerError (RESOURCE_LIMIT_EXCEEDED): too much waits for a flush.
        """
        if self.flushes:
            behind = self.behind_flush
            if behind and command_id == (behind[-1][1] + 1) & SERIAL_MAX:
                behind[-1] = (behind[-1][0], command_id)
            elif len(behind) < BEHIND_FLUSH_MAX:
                behind.append((command_id, command_id))
            else:
                raise BrokerError(
                    Condition.RESOURCE_LIMIT_EXCEEDED,
                    f"session {self.name} reads nothing but asks on and on for completion",
                )
        elif self.holding.busy:
            self.hold(command_id)
        else:
            self.session.complete(command_id, command_id)

    def flushed(self, ids: list[int]) -> None:
        """The flushes ``ids`` are over: complete them, and what waited for the last of them."""
        for command_id in ids:
            self.session.complete(command_id, command_id)
        self.flushes -= len(ids)
        if not self.flushes and self.behind_flush:
            behind = self.behind_flush
            self.behind_flush = []
            for first, last in behind:
                for step in range(((last - first) & SERIAL_MAX) + 1):
                    self.finish_after_earlier((first + step) & SERIAL_MAX)

    def result(self, command_id: int, value: Struct) -> None:
        """Answer command ``command_id``; its completion goes out after this.

        Raises: BrokerError (RESOURCE_LIMIT_EXCEEDED) when one step's answers grow too long.
        """
        if self.session.answer_bytes > STEP_ANSWER_BYTES_MAX:
            raise BrokerError(
                Condition.RESOURCE_LIMIT_EXCEEDED, "too many long answers at once: ask for fewer"
            )
        self.session.send(make("execution.result", command_id=command_id, value=value))

    def pledge(self, pledge: Pledge) -> None:
        """What the step held waits for copies, too."""
        self.holding.pledge = pledge

    def kept(self) -> None:
        """A pledge was kept."""
        self.open_gate(self.holding.opened)

    def seal(self, index: int) -> None:
        """What the step held waits for record ``index``."""
        self.holding.seal(index)
        if self.failure is not None and self.failure.index < 0:
            self.failure.index = index

    def open_gate(self, index: int) -> None:
        """Records up to ``index`` are safe: accept, then complete, what waited for them."""
        if not self.alive:
            return
        runs: Runs = []
        accepts: Runs = []
        self.holding.open(index, runs, accepts)
        if self.failure is not None and 0 <= self.failure.index <= index:
            self.work.broken.append(self.failure)
        for start in range(0, len(accepts), ACCEPT_RANGES_MAX):
            part = accepts[start : start + ACCEPT_RANGES_MAX]
            self.session.send_accept(part)
        for first, last in runs:
            self.session.complete(first, last)

    def end(self, broker: Broker) -> None:
        """The session is over: undo everything that is only its own. Idempotent."""
        if not self.alive:
            return
        self.alive = False
        link = self.link
        link.published += self.published
        link.delivered += self.delivered
        self.holding.clear()
        self.transaction = None
        key = (link.user, self.name)
        if self.names.get(key) is self:
            del self.names[key]
        if self in link.states:
            link.states.remove(self)
        self.sent_settled.settle(broker)
        for subscription in list(self.subscriptions.values()):
            broker.cancel(subscription)
        self.subscriptions.clear()
        entries: list[Entry] = [
            delivery.entry
            for delivery in self.unacked.values()
            if delivery.entry.holder is delivery.subscription
        ]
        self.unacked.clear()
        self.copying.clear()
        self.windowed.clear()
        self.browsed.clear()
        if entries:
            broker.release(entries, redelivered=True)
        broker.release_owner(self)

"""One session of AMQP 1.0: its links, what it was sent and has not settled, its transactions.

``SessionState`` sits in ``Session.context`` of the wire session. ``unsettled`` maps the ids of our
deliveries (unwrapped, ``wire.amqp10.events``) to what was sent, over all its links, because
dispositions name ids of the session. ``holding`` is what the session itself answers when records
are safe; each link on which messages arrive has a holding of its own (``producer``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mypy_extensions import mypyc_attr

from tanist.core.broker import Broker
from tanist.core.follower import Pledge
from tanist.core.records import Entry
from tanist.core.subscription import Subscription
from tanist.sessions.amqp10.holding import Answer, Holding, Runs
from tanist.sessions.amqp10.link import Link10
from tanist.sessions.held import Held
from tanist.sessions.work import SentSettled, StepWork
from tanist.wire.amqp10.session import Session

if TYPE_CHECKING:
    from tanist.sessions.amqp10.consumer import Consumer
    from tanist.sessions.amqp10.producer import Producer
    from tanist.sessions.amqp10.transactions import Transaction


@mypyc_attr(acyclic=True)
class Sent:
    """A message under way to the client on the link of ``consumer``."""

    __slots__ = ("consumer", "entry")

    def __init__(self, entry: Entry, consumer: Consumer) -> None:
        self.entry = entry
        self.consumer = consumer


class SessionState(Held):
    """The session on channel ``session.channel`` of ``link``.

    ``consumers``, ``producers``: links on which we send, and receive. ``transactions``: by id,
    those that are open; ``declared``: how many there were. ``published`` and ``delivered`` count
    messages, for management; ``created_at``: monotonic seconds.
    """

    __slots__ = (
        "alive",
        "consumers",
        "created_at",
        "declared",
        "delivered",
        "holding",
        "link",
        "producers",
        "published",
        "sent_settled",
        "session",
        "transactions",
        "unsettled",
        "work",
    )

    def __init__(
        self, link: Link10, session: Session, work: StepWork, created_at: float = 0.0
    ) -> None:
        self.link = link
        self.session = session
        self.work = work
        self.created_at = created_at
        self.alive = True
        self.consumers: dict[int, Consumer] = {}
        self.producers: dict[int, Producer] = {}
        self.unsettled: dict[int, Sent] = {}
        self.sent_settled = SentSettled()
        self.transactions: dict[bytes, Transaction] = {}
        self.declared = 0
        self.holding = Holding()
        self.published = 0
        self.delivered = 0

    @property
    def name(self) -> str:
        """What management calls it: sessions of AMQP 1.0 have no names."""
        return f"{self.link.container_id}.{self.session.channel}"

    @property
    def subscriptions(self) -> list[Subscription]:
        """Of all its links on which we send (a new list)."""
        return [consumer.subscription for consumer in self.consumers.values()]

    def wake(self, broker: Broker) -> None:
        """Wake all its subscriptions."""
        for consumer in self.consumers.values():
            broker.wake(consumer.subscription)

    def take(self, first: int, last: int) -> list[tuple[int, Sent]]:
        """Forget the unsettled deliveries ``first`` to ``last``, and return those there were.

        A consumer that had too many of them gets more.

        It costs what is unsettled, never the width of the range.
        """
        unsettled = self.unsettled
        taken: list[tuple[int, Sent]] = []
        if last - first < len(unsettled):
            for number in range(first, last + 1):
                sent = unsettled.pop(number, None)
                if sent is not None:
                    taken.append((number, sent))
        else:
            for number in [number for number in unsettled if first <= number <= last]:
                taken.append((number, unsettled.pop(number)))
        for _, sent in taken:
            consumer = sent.consumer
            consumer.count -= 1
            if consumer.full:
                consumer.full = False
                consumer.broker.wake(consumer.subscription)
        return taken

    def answer(self, answer: Answer) -> None:
        """Give ``answer`` when the gate opens for what is recorded so far."""
        if self.holding.answer(answer):
            self.work.touched.append(self)

    def pledge(self, pledge: Pledge) -> None:
        """What the step held waits for copies, too."""
        self.holding.pledge = pledge

    def kept(self) -> None:
        """A pledge was kept."""
        self.open_gate(self.holding.opened)

    def seal(self, index: int) -> None:
        """What the step held waits for record ``index``."""
        self.holding.seal(index)

    def open_gate(self, index: int) -> None:
        """Records up to ``index`` are safe: give the answers that waited for them."""
        runs: Runs = []
        answers: list[Answer] = []
        self.holding.open(index, runs, answers)
        if self.alive:
            for answer in answers:
                answer.give()

    def end(self, broker: Broker) -> None:
        """The session is over: undo everything that is only its own. Idempotent."""
        if not self.alive:
            return
        self.alive = False
        link = self.link
        link.published += self.published
        link.delivered += self.delivered
        if self in link.states:
            link.states.remove(self)
        for producer in list(self.producers.values()):
            producer.end()
        for transaction in list(self.transactions.values()):
            transaction.roll_back(broker)
        self.transactions.clear()
        for consumer in list(self.consumers.values()):
            consumer.end(False)
        self.unsettled.clear()
        self.holding.clear()

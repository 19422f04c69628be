"""What the tests of interests share: an interest that counts what it is asked, and its consumer."""

from __future__ import annotations

from collections.abc import Callable

from tanist.core.broker import Broker
from tanist.core.interest import Interest
from tanist.core.records import Entry
from tanist.core.subscription import Subscription
from tanist.types import CREDIT_UNLIMITED
from tests.broker.core.core_model import RecordingSink, actor


class Picky(Interest):
    """Wants what ``rule`` says, less the ``undeliverable`` positions; counts questions."""

    def __init__(self, rule: Callable[[Entry], bool]) -> None:
        self.rule = rule
        self.undeliverable: set[int] = set()
        self.asked: dict[int, int] = {}

    def wants(self, entry: Entry) -> bool:
        assert entry.holder is None
        assert not entry.gone
        self.asked[entry.position] = self.asked.get(entry.position, 0) + 1
        return self.likes(entry)

    def likes(self, entry: Entry) -> bool:
        """As ``wants``, without counting."""
        return entry.position not in self.undeliverable and self.rule(entry)


def starts_with(letter: bytes) -> Picky:
    """Wants messages whose body begins with ``letter``."""
    return Picky(lambda entry: entry.message.body.startswith(letter))


def choose(
    broker: Broker,
    interest: Interest,
    queue: str = "q",
    credit: int = CREDIT_UNLIMITED,
    size: int = CREDIT_UNLIMITED,
    acquire: bool = True,
    sink: RecordingSink | None = None,
) -> tuple[Subscription, RecordingSink]:
    """Subscribe with an interest."""
    sink = sink or RecordingSink()
    subscription = broker.subscribe(
        queue, "d", sink, acquire, False, {}, actor(object()), interest=interest
    )
    if credit:
        broker.flow(subscription, 0, credit)
    broker.flow(subscription, 1, size)
    return subscription, sink


def dispatch_all(broker: Broker) -> int:
    """Dispatch until it says that it is done; how many times that were."""
    times = 1
    while broker.dispatch():
        times += 1
        assert times < 10_000
    return times

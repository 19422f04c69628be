"""What clients did and saw, as a list of events in the order of happening.

The checks (``checks``, ``transactions_check``, ``configuration_check``) are pure functions of a
``History``; a test writes a small one by hand. A message is known by its producer and its number,
whatever the copies. Times are true seconds of the run.

``Sent.targets`` says where a message must arrive: in at least one queue of each target, and a
target is one queue name or several with ``OR`` between them (it may be moved on to the others).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

OR = " or "
"""Stands between the queues of a target; no queue has it in its name."""

Message = tuple[str, int]
"""Producer, number."""


class Sent(NamedTuple):
    """A producer sent a message, ``again`` if not for the first time. ``ttl_s`` 0: for ever.

    ``delay_s``: not to be delivered before. ``marked``: what is sent again says so; else brokers
    cannot know.
    """

    at: float
    producer: str
    number: int
    targets: tuple[str, ...]
    again: bool = False
    ttl_s: float = 0.0
    transaction: str = ""
    marked: bool = True
    delay_s: float = 0.0


class Confirmed(NamedTuple):
    """The broker confirmed a message to its producer."""

    at: float
    producer: str
    number: int


class Received(NamedTuple):
    """A consumer, or a browser, was given a message. ``connection``: its how manieth."""

    at: float
    consumer: str
    connection: int
    queue: str
    producer: str
    number: int
    redelivered: bool
    browsed: bool = False


class Released(NamedTuple):
    """A consumer gave a message back as if it had never been delivered."""

    at: float
    queue: str
    producer: str
    number: int


class Rejected(NamedTuple):
    """A consumer rejected a message: it goes to the alternate exchange."""

    at: float
    queue: str
    producer: str
    number: int


class Subscribed(NamedTuple):
    """A consumer's subscription exists (again)."""

    at: float
    consumer: str
    queue: str


class Severed(NamedTuple):
    """A consumer lost its connection; up to ``credit`` messages on their way to it are lost."""

    at: float
    consumer: str
    queue: str
    credit: int


class Taken(NamedTuple):
    """A message was accepted within a transaction."""

    at: float
    transaction: str
    queue: str
    producer: str
    number: int


class Ended(NamedTuple):
    """How a transaction ended for its client: ``committed``, ``aborted``, or ``unknown``."""

    at: float
    transaction: str
    outcome: str


class Purge(NamedTuple):
    """A queue was purged: ``since`` the command was first sent until its confirmation ``at``."""

    at: float
    since: float
    queue: str


class Wished(NamedTuple):
    """A client asked that ``thing`` be ``state`` ("" = not there), for the first time or again."""

    at: float
    client: str
    thing: str
    state: str


class Granted(NamedTuple):
    """The broker confirmed what ``client`` wished for ``thing``."""

    at: float
    client: str
    thing: str
    state: str


class Looked(NamedTuple):
    """A client asked (``since``) what ``thing`` is and was told ``state``."""

    at: float
    since: float
    client: str
    thing: str
    state: str


class Refused(NamedTuple):
    """A broker ended a client's session for a reason that the client had not reckoned with."""

    at: float
    client: str
    code: int | str
    text: str


Event = (
    Sent
    | Confirmed
    | Received
    | Released
    | Rejected
    | Subscribed
    | Severed
    | Taken
    | Ended
    | Purge
    | Wished
    | Granted
    | Looked
    | Refused
)


@dataclass(frozen=True)
class Promise:
    """What is promised of the messages on one queue, as far as it is less than everything.

    ``until_failover``: they are not replicated. ``until_leaving``: the queue goes with its
    consumer. ``at_most_once``: its consumers settle by delivery. ``short_ttl``: messages with a
    time to live may expire. ``purged``: somebody purges it. ``ring``: it keeps so many, 0 all.
    ``rejects_to``: where rejected messages, and no others, turn up.
    """

    until_failover: bool = False
    until_leaving: bool = False
    at_most_once: bool = False
    short_ttl: bool = False
    purged: bool = False
    ring: int = 0
    rejects_to: str = ""


WHOLE = Promise()


@dataclass
class Dropped:
    """Messages that brokers say they took off a queue for good, all runs of all brokers."""

    expired: int = 0
    purged: int = 0
    ring: int = 0


@dataclass
class History:
    """The events of a run, and the circumstances under which they must be judged."""

    events: list[Event] = field(default_factory=list)
    promises: dict[str, Promise] = field(default_factory=dict)
    """By queue; a queue that is not here keeps everything."""
    failovers: list[float] = field(default_factory=list)
    dropped: dict[str, Dropped] = field(default_factory=dict)
    faults: int = 0
    """How many faults struck. Without any nothing comes twice."""
    wall_spread_s: float = 0.0
    """By how much wall clocks of brokers differ at most."""
    drift: float = 0.0
    """By how many seconds in one their other clocks run apart: a broker tells the time of day from
    them, counting from its start."""

    def promise(self, queue: str) -> Promise:
        """What is promised of a queue."""
        return self.promises.get(queue, WHOLE)

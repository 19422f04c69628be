"""What a workload can be: one line of ``KINDS`` is one feature of the broker.

A kind is data where data is enough. ``topology`` names a table of ``routing``; ``arguments`` are
those of queue "a", the first of the topology; ``promise`` says what is less than "every confirmed
message comes out"; ``actor`` names a class of clients that do something else to the queues.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tanist.wire.amqp010.values import Value
from tests.sim.history import WHOLE, Promise

REJECT_EVERY = 4
RING = 10
LARGE_BYTES = 20_000


@dataclass(frozen=True)
class Kind:
    """One feature. See the module."""

    topology: str = "queue"
    arguments: Mapping[str, Value] = field(default_factory=dict)
    promise: Promise = WHOLE
    consumers: bool = True
    """Consumers may be there while producers are at work; else only the drain."""
    takes: tuple[str, ...] = ("a",)
    """Queues that consumers read before the drain."""
    redeclares: bool = False
    """Clients declare what they need in each session: it may rightly be gone."""
    temporary: bool = False
    """The queue belongs to its consumer's session and goes with it."""
    exclusive: bool = False
    """The only consumer claims the queue."""
    auto_delete: bool = False
    """The queue goes with its last consumer; what is on it goes to the alternate exchange."""
    ttl: bool = False
    """Every third message has a short time to live, every third a long one."""
    delayed: bool = False
    """Every third message is to come a little later, every third much later."""
    reject_every: int = 0
    padding: int = 0
    deep: bool = False
    """So many messages that a backup that joins gets them in several pieces."""
    actor: str = ""
    """"mover", "purger", "deleter", "script" or "asker"."""
    selects: bool = False
    """Each consumer wants the messages of one color only."""
    protocol: str = ""
    """The protocol of all its clients, the setup's left out; "": any."""
    subscription: str = ""
    """Queue "a" is that of a subscription: "volatile", "durable" or "shared"."""
    on_demand: bool = False
    """Queue "a" is made by whoever attaches to it first."""


NONE: Mapping[str, Value] = {"qpid.replicate": "none"}
CONFIGURATION: Mapping[str, Value] = {"qpid.replicate": "configuration"}

KINDS: dict[str, Kind] = {
    "queue": Kind(),
    "large messages": Kind(padding=LARGE_BYTES),
    "deep queue": Kind(consumers=False, deep=True),
    "accept none": Kind(promise=Promise(at_most_once=True)),
    "direct": Kind("direct", takes=("a", "b")),
    "topic": Kind("topic", takes=("a", "c")),
    "fanout": Kind("fanout", takes=("b",)),
    "headers": Kind("headers", takes=("a", "b")),
    "amq.direct": Kind("amq.direct", takes=("a",)),
    "amq.topic": Kind("amq.topic", takes=("b",)),
    "amq.fanout": Kind("amq.fanout", takes=("a",)),
    "amq.match": Kind("amq.match", takes=("b",)),
    "unroutable": Kind("unroutable", takes=("dead",)),
    "level configuration": Kind(arguments=CONFIGURATION, promise=Promise(until_failover=True)),
    "level none": Kind(arguments=NONE, promise=Promise(until_failover=True), redeclares=True),
    "time to live": Kind(promise=Promise(short_ttl=True), ttl=True),
    "ring": Kind(
        arguments={"qpid.policy_type": "ring", "qpid.max_count": RING},
        promise=Promise(ring=RING),
        consumers=False,
    ),
    "reject": Kind(
        "alternate",
        promise=Promise(rejects_to="dead"),
        reject_every=REJECT_EVERY,
    ),
    "purge": Kind(promise=Promise(purged=True), consumers=False, actor="purger"),
    "deleted queue": Kind("rescued", actor="deleter"),
    "auto-delete": Kind("rescued", auto_delete=True, redeclares=True),
    "auto-delete timeout": Kind(
        "rescued", {"qpid.auto_delete_timeout": 2}, auto_delete=True, redeclares=True
    ),
    "exclusive": Kind(exclusive=True),
    "temporary": Kind(
        "subscriber", promise=Promise(until_leaving=True), temporary=True, redeclares=True
    ),
    "transactions": Kind("transactions", takes=(), actor="mover"),
    "configuration": Kind("nothing", takes=(), actor="script"),
    "selectors": Kind("colors", selects=True),
    "volatile subscription": Kind(
        "news",
        promise=Promise(until_leaving=True),
        temporary=True,
        protocol="1.0",
        subscription="volatile",
    ),
    "durable subscription": Kind("news", protocol="1.0", subscription="durable"),
    "shared subscription": Kind("news", protocol="1.0", subscription="shared"),
    "on demand": Kind(protocol="1.0", on_demand=True),
    "dynamic nodes": Kind("nothing", takes=(), actor="asker", protocol="1.0"),
    "delayed delivery": Kind(protocol="1.0", delayed=True),
}

LATER = (
    "selectors",
    "volatile subscription",
    "durable subscription",
    "shared subscription",
    "on demand",
    "dynamic nodes",
    "delayed delivery",
)
"""Kinds that came with AMQP 1.0: they are drawn by themselves, so that the rest of a plan stays."""

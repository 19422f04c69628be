"""What a run does: who sends to whom, which fault comes when, what is checked afterwards.

A scenario is frozen data; chance (the moment of the fault) is drawn from the run's seed by the
small functions below, so the same seed gives the same plan.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import asdict, dataclass, replace
from typing import Final

BASE_CHECKS: Final = (
    "course",
    "total-queue",
    "order",
    "redelivery",
    "duplicates",
    "brokers",
    "replicas",
)
"""What every run is judged by."""


STREAMS: Final = ("stream", "transactions", "selectors", "subscriptions", "proofs")
"""Courses whose senders go on until there were enough messages."""


@dataclass(frozen=True)
class Flow:
    """One queue with its sender and its receiver."""

    queue: str
    producer: str
    sender: str
    receiver: str


@dataclass(frozen=True)
class Scenario:
    """A kind of run. Times in seconds, sizes in bytes."""

    name: str
    summary: str
    course: str = "stream"
    """What is done: ``stream`` messages under a fault, ``trials`` of what is held, ``delays`` of
    what is to come later, ``transactions``, ``selectors``, ``subscriptions``, an ``exchange``
    of values, a ``quiet`` time, or ``proofs`` of what each client saw of a fault."""
    values: tuple[str, ...] = ()
    """What an exchange sends from each program to each: the place in the message, a space, the name
    of the value."""
    fault: str = ""
    """``kill``, ``suspend`` or ``restart``, empty for none; in ``proofs`` a name of the catalogue
    of faults."""
    target: str = "primary"
    """``primary`` or ``backup``: who is hit."""
    promote: bool = False
    """Promote a backup after the fault (and the clients move)."""
    heal: bool = False
    """Bring the hit broker back before the end; it must become a ready backup."""
    backup_first: bool = False
    """Clients are given the backups' addresses before the primary's."""
    soak_s: float = 0.0
    """In place of one fault, faults at random for so long (see ``strikes``)."""
    quiet_s: float = 0.0
    """A quiet time lasts so long."""
    failovers_min: int = 0
    """A soak with fewer failovers shows nothing."""
    flows_each: int = 1
    """Queues that each client sends to; each has another receiver, as far as there are others."""
    crowd: int = 0
    """So many queues, each with a sender and a receiver that have connections of their own: only
    for a program that opens one for each task."""
    matrix: bool = False
    """Instead, each client sends to every client, itself too, each through a queue of its own."""
    flow_min: int = 0
    """So many of each flow are acknowledged, and received by its own receiver."""
    failover: str = "addresses"
    """Where clients learn the addresses to reconnect to: ``addresses`` (they are given all) or
    ``exchange`` (those that can are given the primary's only, and ask ``amq.failover``)."""
    change_urls: bool = False
    """Brokers tell clients the first one's address only; between the start and the fault
    ``qpid-ha set`` makes them tell all."""
    links: str = ""
    """What passes through proxies: nothing, what brokers tell each other (``nodes``), or also what
    clients tell brokers (``clients``); or clients know one ``virtual`` address, which moves."""
    losses: str = ""
    """When a client may tell of a lost connection: never, at the fault (``reset``: as soon as the
    system tells it; ``silence``: after two heartbeats), or whenever it likes (``any``)."""
    hold_in: str = ""
    """What is held during the fault is held without an acknowledgement, or acknowledged in an open
    ``transaction``."""
    fault_s: float = 0.0
    """It lasts so long at least."""
    large_bytes: int = 0
    """Each client also sends a message of such a size, right before the fault."""
    only: str = ""
    """The one client that this is about."""
    options: tuple[str, ...] = ()
    """``NAME=VALUE``: options of that client's library, beside the drill's own."""
    bounded: bool = False
    """Only for clients that give up on a broker which takes a connection and says nothing."""
    clock: bool = False
    """The brokers' clocks can be put ahead."""
    broker_options: tuple[str, ...] = ()
    """Of every broker, beside those of the command line."""
    reopen: bool = False
    """Clients open a connection anew when their library gave one up for good."""
    acknowledged_min: int = 10_000
    """The senders go on until so many are acknowledged in all. A soak ends by the clock, and shows
    nothing if fewer were."""
    each_min: int = 500
    """So many of each sender before the fault, and again after it."""
    fault_after: tuple[int, int] = (3_000, 6_000)
    """The fault comes when so many are acknowledged in all: drawn from this range."""
    rate_per_s: float = 2_000.0
    """Of each sender, 0 = as fast as it can. A fast one would otherwise pile up work for a drain
    while the run waits for a slow one."""
    total_rate_per_s: float = 0.0
    """Of all senders together, in equal shares; 0 = ``rate_per_s`` counts."""
    window: int = 100
    prefetch: int = 100
    ack_every: int = 10
    body_bytes: int = 100
    durable: bool = False
    each_count: int = 0
    """Each sender sends so many and ends; 0: until it is told to stop."""
    delay_ms: int = 0
    """Messages are not to come before."""
    transaction: int = 0
    """Messages of one transaction of a sender, 0 = none; receivers that can use some, too."""
    rollback_every: int = 0
    """Every so many-th transaction of a sender is rolled back."""
    kinds: int = 0
    """Messages have so many kinds for selectors, 0 = none."""
    link_heartbeat_s: int = 1
    client_heartbeat_s: int = 1
    empty_s: float = 0.5
    """A drain that gets nothing for so long has emptied the queue."""
    nodes: int = 3
    checks: tuple[str, ...] = BASE_CHECKS


def as_json(scenario: Scenario) -> dict[str, object]:
    """Every field as a JSON value, as it stands in a history."""
    values = asdict(scenario)
    return {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}


def flows(clients: list[str], each: int = 1) -> list[Flow]:
    """Each client sends to the next one (the last to the first; one alone to itself), so that each
    sends and each receives; with ``each`` = 2 also to the one after that, and so on. One queue per
    flow: order and duplicates are per queue."""
    out: list[Flow] = []
    for step in range(1, each + 1):
        for number, sender in enumerate(clients):
            receiver = clients[(number + step) % len(clients)]
            queue = len(out) + 1
            out.append(Flow(f"drill.{queue}", f"{sender}.{queue}", sender, receiver))
    return out


def matrix(clients: list[str]) -> list[Flow]:
    """Each client sends to every client: one flow, with a queue of its own, for each pair."""
    pairs = [(sender, receiver) for sender in clients for receiver in clients]
    return [
        Flow(f"drill.{number}", f"{sender}.{number}", sender, receiver)
        for number, (sender, receiver) in enumerate(pairs, 1)
    ]


def alone(clients: list[str]) -> list[Flow]:
    """Each client sends to itself, so that whatever goes wrong on its queue is its own."""
    return [Flow(f"drill.{name}", f"{name}.stream", name, name) for name in clients]


def from_some(senders: list[str], receivers: list[str]) -> list[Flow]:
    """Each receiver has a flow of its own, from these senders in turn; each of these has one, too,
    so the more of the two decide how many there are."""
    count = max(len(senders), len(receivers))
    pairs = zip(range(1, count + 1), itertools.cycle(senders), itertools.cycle(receivers))
    return [Flow(f"drill.{n}", f"{sender}.{n}", sender, receiver) for n, sender, receiver in pairs]


def crowd(client: str, count: int) -> list[Flow]:
    """One program sends to itself through so many queues."""
    numbers = range(1, count + 1)
    return [Flow(f"drill.{n}", f"{client}.{n}", client, client) for n in numbers]


def planned(scenario: Scenario, clients: list[str]) -> list[Flow]:
    """The flows of a scenario between these clients."""
    if scenario.course == "proofs":
        return alone(clients)
    if scenario.crowd:
        return crowd(clients[0], scenario.crowd)
    return matrix(clients) if scenario.matrix else flows(clients, scenario.flows_each)


def rate_of_each(scenario: Scenario, senders: int) -> float:
    """Messages per second of one of so many senders."""
    return scenario.total_rate_per_s / senders if scenario.total_rate_per_s else scenario.rate_per_s


def fault_moment(scenario: Scenario, seed: int) -> int:
    """After how many acknowledgements in all the fault comes."""
    low, high = scenario.fault_after
    return random.Random(seed).randint(low, high)


def scaled(scenario: Scenario, acknowledged_min: int) -> Scenario:
    """The same scenario with fewer or more messages; everything else in proportion, but at least
    one of what it has. One whose course has a fixed number of messages stays as it is."""
    if scenario.course not in STREAMS:
        return scenario
    factor = acknowledged_min / scenario.acknowledged_min
    low, high = scenario.fault_after
    return replace(
        scenario,
        acknowledged_min=acknowledged_min,
        each_min=max(1, int(scenario.each_min * factor)),
        flow_min=max(1, int(scenario.flow_min * factor)) if scenario.flow_min else 0,
        fault_after=(max(1, int(low * factor)), max(1, int(high * factor))),
    )


def prolonged(scenario: Scenario, seconds: float) -> Scenario:
    """The same quiet time for so long; each sender sends now and then until it is over."""
    return replace(scenario, quiet_s=seconds)


def soaked(scenario: Scenario, seconds: float) -> Scenario:
    """The same soak for so long; what it must have moved, in proportion."""
    factor = seconds / scenario.soak_s
    return replace(
        scenario,
        soak_s=seconds,
        acknowledged_min=int(scenario.acknowledged_min * factor),
        failovers_min=int(scenario.failovers_min * factor),
    )

"""From a seed to a plan.

Each seed enables its own subset of faults and features ("swarm"): a run with everything at once
hides what a run with two things shows. All numbers come from one stream, so that a plan depends on
its seed alone.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from tests.sim.faults import CLIENT_HOSTS
from tests.sim.faults import KINDS as FAULT_KINDS
from tests.sim.kinds import KINDS as WORK_KINDS
from tests.sim.kinds import LATER, Kind
from tests.sim.plan import BrokerPlan, ClientPlan, ClockPlan, Fault, NetworkPlan, Plan, WorkPlan

FIRST_FAULT_S = 1.0
FAULTS_MAX = 12
SOON_S = 0.3
"""A fault often follows the one before within about this time: trouble seldom comes alone."""
DELAY_MAX_S = 0.1
"""Four round trips must fit into the time that a handshake may take."""
WORKS_MAX = 4
OFTEN = {"kill": 3, "power": 2, "pause": 2, "isolate": 2, "split": 2}
"""Faults that are drawn more often than others: those that make somebody else the primary."""

QUIET_SEEDS = 0.05
"""So many seeds have no fault at all: nothing may come twice then."""


SHARES = (0.0, 0.5, 0.5, 0.5, 1.0)
"""How many of the clients that may speak 1.0 do so, by seed."""

LATER_SHARE = 0.4
"""So many seeds have one of the ``kinds.LATER``."""

STRICT = 0.4
"""So many seeds have an outside record of the in-sync set, and nobody who fences."""


def draw(seed: int) -> Plan:
    """The plan of ``seed``."""
    plan = _draw(seed)
    random = Random(f"protocols {seed}")
    share = random.choice(SHARES)
    works = list(plan.works)
    if random.random() < LATER_SHARE:
        works.append(_work(random, random.choice(LATER), f"w{len(works)}", plan.faults_end_s))
    return replace(plan, works=[speak_protocols(random, work, share) for work in works])


def _draw(seed: int) -> Plan:
    """The plan as long as everybody speaks 0-10."""
    random = Random(f"plan {seed}")
    nodes = random.choice((3, 3, 3, 4, 5))
    end_s = random.choice((6.0, 12.0, 20.0))
    network = _network(random)
    return Plan(
        seed=seed,
        nodes=nodes,
        detect_s=random.choice((0.25, 0.5, 2.0)),
        faults_end_s=end_s,
        network=network,
        brokers=BrokerPlan(
            heartbeat_s=1.0,
            maintenance_s=random.choice((0.1, 0.5, 2.0)),
            backup_timeout_s=random.choice((2.0, 5.0, 10.0)),
            purge_interval_s=random.choice((0.5, 2.0, 600.0)),
            flow_messages=random.choice((1, 10, 1000)),
            ack_timeout_s=random.choice((1.0, 3.0, 10.0)),
        ),
        clocks=_clocks(random, nodes),
        faults=_faults(random, end_s),
        works=_works(random, end_s),
        strict=random.random() < STRICT,
    )


def _network(random: Random) -> NetworkPlan:
    delay_min_s = random.choice((0.0001, 0.001, 0.005, 0.02))
    return NetworkPlan(
        delay_min_s=delay_min_s,
        delay_max_s=min(delay_min_s * random.choice((1.5, 5.0, 20.0)), DELAY_MAX_S),
        spike_probability=random.choice((0.0, 0.0, 0.01)),
        spike_s=random.choice((0.1, 0.5)),
        split_probability=random.choice((0.0, 0.1, 0.5)),
        buffer_bytes=random.choice((1 << 20, 1 << 20, 2000)),
    )


def _clocks(random: Random, nodes: int) -> list[ClockPlan]:
    drift = random.choice((0.0, 0.001, 0.05))
    wall_s = random.choice((0.0, 0.05, 5.0))
    return [
        ClockPlan(
            rate=1.0 + random.uniform(-drift, drift),
            offset_s=round(random.uniform(0.0, 1e6), 3),
            wall_offset_s=round(random.uniform(-wall_s, wall_s), 3),
        )
        for _ in range(nodes)
    ]


def _faults(random: Random, end_s: float) -> list[Fault]:
    if random.random() < QUIET_SEEDS:
        return []
    kinds = list(FAULT_KINDS)
    enabled = random.sample(kinds, random.randrange(1, len(kinds) + 1))
    weights = [OFTEN.get(kind, 1) for kind in enabled]
    faults = []
    at_s = 0.0
    for number in range(random.randrange(1, FAULTS_MAX + 1)):
        if number and random.random() < 0.5:
            at_s = min(at_s + random.expovariate(1 / SOON_S), end_s)
        else:
            at_s = random.uniform(FIRST_FAULT_S, end_s)
        faults.append(
            Fault(
                kind=random.choices(enabled, weights)[0],
                at_s=round(at_s, 3),
                for_s=round(random.choice((0.2, 1.0, 3.0, 6.0)) * random.uniform(0.5, 1.5), 3),
                target=random.choice(("primary", "primary", "backup", "any")),
                choice=random.randrange(1 << 16),
            )
        )
    return sorted(faults, key=lambda fault: fault.at_s)


def _works(random: Random, end_s: float) -> list[WorkPlan]:
    names = [name for name in WORK_KINDS if name not in LATER]
    kinds = random.sample(names, random.randrange(1, WORKS_MAX + 1))
    return [_work(random, kind, f"w{number}", end_s) for number, kind in enumerate(kinds)]


def _work(random: Random, name: str, work: str, end_s: float) -> WorkPlan:
    kind = WORK_KINDS[name]
    producers, consumers, browsers, actors = _numbers(random, kind)
    return WorkPlan(
        kind=name,
        name=work,
        choice=random.randrange(1 << 16),
        producers=[_producer(random, kind, end_s) for _ in range(producers)],
        consumers=[_consumer(random, kind) for _ in range(consumers)],
        browsers=[_consumer(random, kind) for _ in range(browsers)],
        actors=[_actor(random, kind, end_s) for _ in range(actors)],
    )


def _numbers(random: Random, kind: Kind) -> tuple[int, int, int, int]:
    """How many producers, consumers, browsers, actors."""
    if kind.actor in ("script", "asker"):
        return 0, 0, 0, random.randrange(1, 4)
    producers = 1 if kind.promise.ring or kind.deep else random.randrange(1, 3)
    alone = kind.temporary or kind.exclusive or kind.subscription == "durable"
    consumers = 0
    if kind.takes and kind.consumers:
        consumers = 1 if alone else random.randrange(1 if kind.subscription else 0, 3)
    browsers = int(
        bool(kind.takes) and not alone and not kind.auto_delete and random.random() < 0.2
    )
    actors = random.randrange(1, 3) if kind.actor == "mover" else int(bool(kind.actor))
    return producers, consumers, browsers, actors


def _manners(random: Random) -> dict[str, object]:
    return {
        "host": random.choice(CLIENT_HOSTS),
        "heartbeat_s": random.choice((1, 1, 2, 0)),
        "force": random.random() < 0.6,
        "retry_s": random.choice((0.01, 0.1)),
        "startle": random.random() < 0.6,
    }


def _producer(random: Random, kind: Kind, end_s: float) -> ClientPlan:
    """Its bursts are spread over the time in which things break."""
    window = 50 if kind.deep else random.choice((1, 5, 50))
    count = random.randrange(20, 200)
    if kind.padding:
        count = random.randrange(5, 15)
    elif kind.deep:
        count = random.randrange(600, 900)
    return ClientPlan(
        **_manners(random),  # type: ignore[arg-type]
        count=count,
        window=window,
        pause_s=round(random.uniform(0.3, 1.1) * end_s * (window + 1) / 2 / count, 3),
        resume=random.random() < 0.3,
        accept=random.random() < 0.5,
    )


def _consumer(random: Random, kind: Kind) -> ClientPlan:
    return ClientPlan(
        **_manners(random),  # type: ignore[arg-type]
        window=random.choice((1, 10, 100)),
        pause_s=random.choice((0.0, 0.02, 0.2)),
        accept=not kind.promise.at_most_once,
        windowed=random.random() < 0.7,
        release_every=0 if kind.reject_every else random.choice((0, 0, 0, 7)),
        leave_s=0.0 if kind.temporary else random.choice((0.0, 0.0, 3.0)),
    )


def _actor(random: Random, kind: Kind, end_s: float) -> ClientPlan:
    counts = {"script": 40, "purger": 8, "deleter": 6, "mover": 1, "asker": 60}
    count = random.randrange(1, counts[kind.actor] + 1)
    spread_s = round(random.uniform(0.3, 1.1) * end_s / count, 3)
    return ClientPlan(
        **_manners(random),  # type: ignore[arg-type]
        count=count,
        window=random.choice((1, 1, 5)),
        pause_s=random.choice((0.0, 0.05, 0.4)) if kind.actor == "mover" else spread_s,
    )


# -- protocols ------------------------------------------------------------------------------


def speak_protocols(random: Random, work: WorkPlan, share: float) -> WorkPlan:
    """The same work with some of its clients speaking 1.0: those that need not declare anything."""
    kind = WORK_KINDS[work.kind]
    share = 1.0 if kind.protocol == "1.0" else share
    declare = 1 if kind.redeclares or kind.exclusive else 0
    producers_declare = kind.redeclares and not kind.auto_delete and not kind.temporary

    def some(clients: list[ClientPlan], keep: int = 0) -> list[ClientPlan]:
        return [
            _manners10(random, client, kind) if at >= keep and random.random() < share else client
            for at, client in enumerate(clients)
        ]

    return replace(
        work,
        producers=some(work.producers, len(work.producers) if producers_declare else 0),
        consumers=some(work.consumers, declare),
        browsers=some(work.browsers),
        actors=some(work.actors) if kind.actor in ("mover", "asker") else work.actors,
        drain="1.0" if random.random() < share else "0-10",
    )


def _manners10(random: Random, client: ClientPlan, kind: Kind) -> ClientPlan:
    return replace(
        client,
        protocol="1.0",
        bare=random.random() < 0.2,
        sole=random.random() < 0.2,
        frame_bytes=random.choice((65536, 65536, 1024, 512)),
        session_window=random.choice((2048, 2048, 10)),
        resends=random.random() < 0.6,
        marks=random.random() < 0.5,
        relay=random.random() < 0.3 and not kind.on_demand,
        fetches=random.random() < 0.2,
        second=random.random() < 0.3,
        refuses=random.random() < 0.5 and not kind.temporary,
    )

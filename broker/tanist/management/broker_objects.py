"""The objects that are always there: broker, system, virtual host, memory (qpidd-compat 5.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tanist.core.broker import Broker
from tanist.core.notices import Actor
from tanist.core.totals import Totals
from tanist.management.arguments import count
from tanist.management.managed import ManagedObject, WallClock, Work
from tanist.management.methods import create, delete, move_messages
from tanist.management.schema import BROKER, MEMORY, SYSTEM, VHOST
from tanist.wire.amqp010.values import Value, uint32

BROKER_KEY: Final = "amqp-broker"
VHOST_KEY: Final = f"{BROKER.object_name(BROKER_KEY)},/"
VHOST_REFERENCE: Final[dict[str, Value]] = VHOST.reference(VHOST_KEY)
"""Value of the property ``vhostRef`` of everything that belongs to the one virtual host."""

CREATE: Final = "create"
DELETE: Final = "delete"
MOVE: Final = "queueMoveMessages"
ECHO: Final = "echo"
GET_LOG_LEVEL: Final = "getLogLevel"

MALLOC_FIGURES: Final = (
    "malloc_arena",
    "malloc_ordblks",
    "malloc_hblks",
    "malloc_hblkhd",
    "malloc_uordblks",
    "malloc_fordblks",
    "malloc_keepcost",
)
"""What the C library tells of its heap, in the order of ``MemoryObject.figures``."""


@dataclass(frozen=True)
class BrokerFacts:
    """What does not change while the broker runs."""

    system_id: UUID
    os_name: str = ""
    node_name: str = ""
    os_release: str = ""
    os_version: str = ""
    machine: str = ""
    port: int = 0
    max_connections: int = 0
    backlog: int = 0
    pub_interval_s: int = 0
    version: str = ""
    data_dir: str = ""
    federation_tag: str = ""
    log_rules: str = ""
    """The rules that say what is logged, separated by commas."""


class BrokerObject(ManagedObject):
    """The broker: its settings, what it counted over all, and what it can be asked to do.

    Not counted, always 0: persistent and transactional messages, flow to disk.
    """

    def __init__(self, broker: Broker, facts: BrokerFacts, clock: WallClock) -> None:
        super().__init__(BROKER, BROKER_KEY, clock.now_ns)
        self._broker = broker
        self._facts = facts
        self._clock = clock

    def values(self) -> dict[str, Value]:
        """See ``schema.BROKER``. One thread does all the work; nothing is published unasked."""
        broker, facts = self._broker, self._facts
        values: dict[str, Value] = {
            "name": self.key,
            "systemRef": SYSTEM.reference(str(facts.system_id)),
            "port": facts.port,
            "workerThreads": 1,
            "maxConns": facts.max_connections,
            "connBacklog": facts.backlog,
            "stagingThreshold": 0,
            "mgmtPublish": False,
            "mgmtPubInterval": facts.pub_interval_s,
            "version": facts.version,
            "dataDir": facts.data_dir or None,
            "uptime": self._clock.now_ns - self.created_ns,
            "queueCount": len(broker.queues),
        }
        values.update(_traffic(broker.retired.with_queues(broker.queues.values())))
        values["discardsNoRoute"] = broker.discards_no_route
        values["abandoned"] = broker.abandoned
        values["abandonedViaAlt"] = broker.abandoned_via_alternate
        return values

    def methods(self) -> tuple[str, ...]:
        """create, delete, echo, queueMoveMessages, getLogLevel."""
        return (CREATE, DELETE, ECHO, MOVE, GET_LOG_LEVEL)

    def changes(self, method: str) -> bool:
        """All but the questions."""
        return method in (CREATE, DELETE, MOVE)

    def call(
        self, method: str, arguments: dict[str, Value], actor: Actor
    ) -> dict[str, Value] | Work:
        """See ``methods``."""
        if method == CREATE:
            return create(self._broker, arguments, actor)
        if method == DELETE:
            return delete(self._broker, arguments, actor)
        if method == MOVE:
            return move_messages(self._broker, arguments)
        if method == GET_LOG_LEVEL:
            return {"level": self._facts.log_rules}
        return {
            "sequence": uint32(count(arguments, "sequence") & 0xFFFFFFFF),
            "body": arguments.get("body"),
        }


def _traffic(totals: Totals) -> dict[str, Value]:
    """What queues and the broker count alike, from what queues counted together."""
    return traffic(
        totals.enqueues,
        totals.enqueued_bytes,
        totals.dequeues,
        totals.dequeued_bytes,
        totals.acquires,
        totals.releases,
        totals.reroutes,
        totals.discards_ttl,
        totals.discards_ring,
        totals.discards_overflow,
        totals.discards_subscriber,
        totals.discards_purge,
    )


def traffic(
    enqueues: int,
    enqueued_bytes: int,
    dequeues: int,
    dequeued_bytes: int,
    acquires: int,
    releases: int,
    reroutes: int,
    discards_ttl: int,
    discards_ring: int,
    discards_overflow: int,
    discards_subscriber: int,
    discards_purge: int,
) -> dict[str, Value]:
    """The values of ``schema.TRAFFIC``."""
    return {
        "msgTotalEnqueues": enqueues,
        "msgTotalDequeues": dequeues,
        "msgTxnEnqueues": 0,
        "msgTxnDequeues": 0,
        "msgPersistEnqueues": 0,
        "msgPersistDequeues": 0,
        "msgDepth": enqueues - dequeues,
        "byteDepth": enqueued_bytes - dequeued_bytes,
        "byteTotalEnqueues": enqueued_bytes,
        "byteTotalDequeues": dequeued_bytes,
        "byteTxnEnqueues": 0,
        "byteTxnDequeues": 0,
        "bytePersistEnqueues": 0,
        "bytePersistDequeues": 0,
        "msgFtdEnqueues": 0,
        "msgFtdDequeues": 0,
        "byteFtdEnqueues": 0,
        "byteFtdDequeues": 0,
        "msgFtdDepth": 0,
        "byteFtdDepth": 0,
        "releases": releases,
        "acquires": acquires,
        "discardsTtl": discards_ttl,
        "discardsRing": discards_ring,
        "discardsLvq": 0,
        "discardsOverflow": discards_overflow,
        "discardsSubscriber": discards_subscriber,
        "discardsPurge": discards_purge,
        "reroutes": reroutes,
    }


class SystemObject(ManagedObject):
    """The machine."""

    def __init__(self, facts: BrokerFacts, clock: WallClock) -> None:
        super().__init__(SYSTEM, str(facts.system_id), clock.now_ns)
        self._facts = facts

    def values(self) -> dict[str, Value]:
        """See ``schema.SYSTEM``."""
        facts = self._facts
        return {
            "systemId": facts.system_id,
            "osName": facts.os_name,
            "nodeName": facts.node_name,
            "release": facts.os_release,
            "version": facts.os_version,
            "machine": facts.machine,
        }


class VhostObject(ManagedObject):
    """The one virtual host."""

    def __init__(self, facts: BrokerFacts, clock: WallClock) -> None:
        super().__init__(VHOST, VHOST_KEY, clock.now_ns)
        self._facts = facts

    def values(self) -> dict[str, Value]:
        """See ``schema.VHOST``."""
        return {
            "brokerRef": BROKER.reference(BROKER_KEY),
            "name": "/",
            "federationTag": self._facts.federation_tag,
        }


class MemoryObject(ManagedObject):
    """The heap of the process. ``figures``: as last told by the edge, in the order of
    ``MALLOC_FIGURES``; zeros until then, and where the C library does not tell.

    The one object that calls itself by its key alone, as the original's does.
    """

    def __init__(self, clock: WallClock) -> None:
        super().__init__(MEMORY, BROKER_KEY, clock.now_ns)
        self.figures: list[int] = [0] * len(MALLOC_FIGURES)

    @property
    def name(self) -> str:
        """The key, without package and class."""
        return self.key

    def values(self) -> dict[str, Value]:
        """See ``schema.MEMORY``."""
        values: dict[str, Value] = {"name": self.key}
        values.update(zip(MALLOC_FIGURES, self.figures, strict=True))
        return values

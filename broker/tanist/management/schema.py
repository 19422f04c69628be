"""The QMF2 classes, declared as data.

``class_name`` is as it travels: object classes in lower case, event classes in camel case. Hashes,
names, types and order of the properties are the original's; consoles that learned a schema from one
broker go on with another. A class lists its properties (what an object is) and then its statistics
(what it counted); ``codec`` writes values with the types given here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tanist.wire.amqp010.values import Value

AGENT_VENDOR: Final = "apache.org"
AGENT_PRODUCT: Final = "qpidd"
PACKAGE_BROKER: Final = "org.apache.qpid.broker"
PACKAGE_HA: Final = "org.apache.qpid.ha"

U16: Final = 2
U32: Final = 3
U64: Final = 4
TEXT: Final = 6
LONG_TEXT: Final = 7
TIME: Final = 8
DURATION: Final = 9
REFERENCE: Final = 10
FLAG: Final = 11
UUID_TYPE: Final = 14
MAP: Final = 15
LIST: Final = 21
"""Types of properties by QMF's numbers. Times and durations are nanoseconds."""


@dataclass(frozen=True)
class Field:
    """A property or statistic; ``optional``: void in objects that have none."""

    name: str
    type: int
    optional: bool = False


@dataclass(frozen=True)
class ClassSchema:
    """A class of managed objects, or of events."""

    package: str
    class_name: str
    hash: UUID
    is_event: bool = False
    fields: tuple[Field, ...] = ()
    """Properties, then statistics; empty: values are written as what they are in Python."""

    def schema_id(self) -> dict[str, Value]:
        """The ``_schema_id`` map of an element of this class."""
        return {
            "_package_name": self.package,
            "_class_name": self.class_name,
            "_type": "_event" if self.is_event else "_data",
            "_hash": self.hash,
        }

    def object_name(self, key: str) -> str:
        """The object name of an instance, ``package:class:key``."""
        return f"{self.package}:{self.class_name}:{key}"

    def reference(self, key: str) -> dict[str, Value]:
        """The value of a property that refers to the instance ``key``."""
        return {"_object_name": self.object_name(key)}


def _fields(type: int, *names: str) -> tuple[Field, ...]:
    """Fields of one type; a name that ends with ``?`` is optional."""
    return tuple(Field(name.removesuffix("?"), type, name.endswith("?")) for name in names)


def _with_bounds(*names: str) -> tuple[Field, ...]:
    """Numbers that come with the highest and the lowest value they had."""
    return _fields(U32, *(name + bound for name in names for bound in ("", "High", "Low")))


def _class(name: str, hash: str, *fields: tuple[Field, ...]) -> ClassSchema:
    return ClassSchema(
        PACKAGE_BROKER, name, UUID(hash), fields=tuple(f for fs in fields for f in fs)
    )


TRAFFIC: Final = (
    "msgTotalEnqueues",
    "msgTotalDequeues",
    "msgTxnEnqueues",
    "msgTxnDequeues",
    "msgPersistEnqueues",
    "msgPersistDequeues",
    "msgDepth",
    "byteDepth",
    "byteTotalEnqueues",
    "byteTotalDequeues",
    "byteTxnEnqueues",
    "byteTxnDequeues",
    "bytePersistEnqueues",
    "bytePersistDequeues",
    "msgFtdEnqueues",
    "msgFtdDequeues",
    "byteFtdEnqueues",
    "byteFtdDequeues",
    "msgFtdDepth",
    "byteFtdDepth",
    "releases",
    "acquires",
    "discardsTtl",
    "discardsRing",
    "discardsLvq",
    "discardsOverflow",
    "discardsSubscriber",
    "discardsPurge",
    "reroutes",
)
"""What both a queue and the broker count."""

SYSTEM: Final = _class(
    "system",
    "92f7522b-1888-82d7-49ea-668db4c5ea0b",
    _fields(UUID_TYPE, "systemId"),
    _fields(TEXT, "osName", "nodeName", "release", "version", "machine"),
)
MEMORY: Final = _class(
    "memory",
    "4c4b0f36-08ca-dfd5-f301-903936598668",
    _fields(TEXT, "name"),
    _fields(U64, "malloc_arena?", "malloc_ordblks?", "malloc_hblks?", "malloc_hblkhd?"),
    _fields(U64, "malloc_uordblks?", "malloc_fordblks?", "malloc_keepcost?"),
)
BROKER: Final = _class(
    "broker",
    "62510fab-6ec5-1011-15d1-3ba0a0d5a7c1",
    _fields(TEXT, "name"),
    _fields(REFERENCE, "systemRef"),
    _fields(U16, "port", "workerThreads", "maxConns", "connBacklog"),
    _fields(U32, "stagingThreshold"),
    _fields(FLAG, "mgmtPublish"),
    _fields(U16, "mgmtPubInterval"),
    _fields(TEXT, "version"),
    _fields(LONG_TEXT, "dataDir?"),
    _fields(DURATION, "uptime"),
    _fields(U64, "queueCount", *TRAFFIC, "discardsNoRoute", "abandoned", "abandonedViaAlt"),
)
VHOST: Final = _class(
    "vhost",
    "14a3fa67-8ae2-8988-cd94-40ef630d1b49",
    _fields(REFERENCE, "brokerRef"),
    _fields(TEXT, "name", "federationTag"),
)
QUEUE: Final = _class(
    "queue",
    "84ce326e-2cbd-6899-80d7-6267d3327e0f",
    _fields(REFERENCE, "vhostRef"),
    _fields(TEXT, "name"),
    _fields(FLAG, "durable", "autoDelete", "exclusive"),
    _fields(MAP, "arguments"),
    _fields(REFERENCE, "altExchange?"),
    _fields(U64, *TRAFFIC),
    _with_bounds("consumerCount", "bindingCount", "unackedMessages"),
    _fields(U64, "messageLatencyCount"),
    _fields(DURATION, "messageLatencyMin", "messageLatencyMax", "messageLatencyAvg"),
    _fields(FLAG, "flowStopped"),
    _fields(U32, "flowStoppedCount"),
    _fields(TEXT, "redirectPeer"),
    _fields(FLAG, "redirectSource"),
    _fields(TEXT, "creator"),
)
EXCHANGE: Final = _class(
    "exchange",
    "b6e4444e-2ddd-c672-da22-86ef5c88f0eb",
    _fields(REFERENCE, "vhostRef"),
    _fields(TEXT, "name", "type"),
    _fields(FLAG, "durable", "autoDelete"),
    _fields(REFERENCE, "altExchange?"),
    _fields(MAP, "arguments"),
    _with_bounds("producerCount", "bindingCount"),
    _fields(U64, "msgReceives", "msgDrops", "msgRoutes"),
    _fields(U64, "byteReceives", "byteDrops", "byteRoutes"),
)
BINDING: Final = _class(
    "binding",
    "79311b0b-4077-92c0-2001-79e75225daa3",
    _fields(REFERENCE, "exchangeRef", "queueRef"),
    _fields(LONG_TEXT, "bindingKey"),
    _fields(MAP, "arguments"),
    _fields(TEXT, "origin?"),
    _fields(U64, "msgMatched"),
)
SUBSCRIPTION: Final = _class(
    "subscription",
    "7cc0ee44-57d4-2ed7-1a4b-3156ed9a4343",
    _fields(REFERENCE, "sessionRef", "queueRef"),
    _fields(TEXT, "name"),
    _fields(FLAG, "browsing", "acknowledged", "exclusive"),
    _fields(TEXT, "creditMode"),
    _fields(MAP, "arguments"),
    _fields(U64, "delivered"),
)
CONNECTION: Final = _class(
    "connection",
    "99b81adb-2cf6-06a7-ac90-1cb42e67c2fc",
    _fields(REFERENCE, "vhostRef"),
    _fields(TEXT, "address"),
    _fields(FLAG, "incoming", "SystemConnection", "userProxyAuth", "federationLink"),
    _fields(TEXT, "authIdentity"),
    _fields(LONG_TEXT, "remoteProcessName?"),
    _fields(U32, "remotePid?", "remoteParentPid?"),
    _fields(FLAG, "shadow"),
    _fields(TEXT, "saslMechanism"),
    _fields(U16, "saslSsf"),
    _fields(MAP, "remoteProperties"),
    _fields(TEXT, "protocol"),
    _fields(FLAG, "closing"),
    _fields(U64, "framesFromClient", "framesToClient", "bytesFromClient", "bytesToClient"),
    _fields(U64, "msgsFromClient", "msgsToClient"),
)
SESSION: Final = _class(
    "session",
    "03382fcb-66f1-280a-d6cb-447340f63ea3",
    _fields(REFERENCE, "vhostRef"),
    _fields(TEXT, "name"),
    _fields(LONG_TEXT, "fullName?"),
    _fields(U16, "channelId"),
    _fields(REFERENCE, "connectionRef"),
    _fields(U32, "detachedLifespan"),
    _fields(FLAG, "attached"),
    _fields(TIME, "expireTime?"),
    _fields(U32, "maxClientRate?"),
    _fields(U64, "unackedMessages", "TxnStarts", "TxnCommits", "TxnRejects"),
    _fields(U32, "TxnCount", "clientCredit", "framesOutstanding"),
)
OBJECT_CLASSES: Final = (
    SYSTEM,
    MEMORY,
    BROKER,
    VHOST,
    QUEUE,
    EXCHANGE,
    BINDING,
    SUBSCRIPTION,
    CONNECTION,
    SESSION,
)
"""The classes of objects of package org.apache.qpid.broker that this broker has."""

HA_BROKER: Final = ClassSchema(PACKAGE_HA, "habroker", UUID("acdc2ef2-f796-fbd4-22ea-8ee38bb4ef49"))
MEMBERS_UPDATE: Final = ClassSchema(
    PACKAGE_HA, "membersUpdate", UUID("c5244832-896c-4450-b9b2-0283d5163250"), is_event=True
)

SEVERITY_INFORM: Final = 6
SEVERITY_NAMES: Final = ("emerg", "alert", "crit", "error", "warn", "note", "info", "debug")

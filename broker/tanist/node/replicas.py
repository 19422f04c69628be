"""All queues of this broker that are copies of queues on other brokers.

``replicate`` and ``unreplicate`` are methods of ``habroker``. What is copied from where is part of
the replicated state (``core.source``), so a backup that is promoted goes on where its predecessor
was; a backup itself copies nothing. The node hands in what concerns the links (``owns``) and time,
calls ``flush`` before it drains the journal, and ``write`` at the end of the step.
"""

from __future__ import annotations

from typing import Final

from tanist.core.broker import Broker
from tanist.core.queue import Queue
from tanist.ha.url import Url, parse_url
from tanist.management.ha_broker import QueueReplication
from tanist.node.cluster import Cluster
from tanist.node.config import NodeConfig
from tanist.node.followers import Followers
from tanist.node.identity import UuidSource
from tanist.node.inflow import Inflow
from tanist.node.links import CATEGORY
from tanist.node.outbox import Outbox
from tanist.node.replica import NEVER, Replica
from tanist.sessions.held import Held
from tanist.types import BrokerError, Condition
from tanist.wire.amqp010.values import Value

REPLICAS_MAX: Final = 1024
"""Queues that are copies: each has a connection, and clusters want to stay below their limits."""


class Replicas(QueueReplication):
    """The copies of one node, by queue."""

    def __init__(
        self,
        config: NodeConfig,
        broker: Broker,
        cluster: Cluster,
        followers: Followers,
        outbox: Outbox,
        uuids: UuidSource,
    ) -> None:
        self._config = config
        self._broker = broker
        self._cluster = cluster
        self._followers = followers
        self._outbox = outbox
        self._uuids = uuids
        self._replicas: dict[str, Replica] = {}
        self.active = False
        """Whether there is any."""
        self._conns: dict[int, Replica] = {}
        self._touched: list[Inflow] = []
        self._continued = not config.ha_cluster

    # -- the methods of habroker --------------------------------------------------------------

    def details(self) -> dict[str, Value]:
        """See ``QueueReplication``."""
        replicas: list[Value] = [replica.describe() for replica in self._replicas.values()]
        return {"replicas": replicas, "followers": self._followers.details()}

    def replicate(self, url: str, queue: str) -> None:
        """See ``QueueReplication``."""
        self._require_primary()
        found = self._broker.queues.get(queue)
        if found is None:
            raise BrokerError(
                Condition.NOT_FOUND, f"Queue not found: {queue}. Create it here first"
            )
        parsed = parse_url(url)
        if not parsed.addresses:
            raise BrokerError(Condition.INVALID_ARGUMENT, "No address of a broker to copy from")
        self._sweep()
        present = self._replicas.get(queue)
        if present is not None:
            if present.url.canonical() == parsed.canonical():
                return
            raise BrokerError(
                Condition.NOT_ALLOWED,
                f"Queue {queue} is a copy of the one at {present.name}: end that first "
                f"(qpid-ha unreplicate {queue})",
            )
        if len(self._replicas) >= REPLICAS_MAX:
            raise BrokerError(
                Condition.RESOURCE_LIMIT_EXCEEDED, f"{REPLICAS_MAX} queues are copies already"
            )
        self._begin(found, parsed)

    def _begin(self, queue: Queue, url: Url) -> None:
        source = queue.source
        text = url.canonical()
        lineage = None if source is None else source.lineage
        if source is not None and lineage is None and source.last_url != text:
            self._broker.forget_copies(queue)
        self._broker.set_source(queue, text, lineage)
        self._add(queue, url, True)

    def unreplicate(self, queue: str) -> None:
        """See ``QueueReplication``."""
        self._require_primary()
        replica = self._replicas.get(queue)
        if replica is None:
            raise BrokerError(Condition.NOT_FOUND, f"Queue {queue} is not copied from anywhere")
        self._end(replica, "info", f"is no longer copied from {replica.name}")

    def _require_primary(self) -> None:
        if not self._cluster.serves_clients:
            raise BrokerError(
                Condition.NOT_ALLOWED, "This broker is a backup: ask the primary, backups follow it"
            )

    # -- the copies ---------------------------------------------------------------------------

    def _add(self, queue: Queue, url: Url, fresh: bool) -> None:
        replica = Replica(
            self._config,
            self._broker,
            self._outbox,
            self._uuids,
            self._touched,
            self._conns,
            queue,
            url,
            fresh,
        )
        self._replicas[queue.name] = replica
        self.active = True
        replica.tick(self._broker.now)

    def _end(self, replica: Replica, level: str, text: str) -> None:
        queue = replica.queue
        replica.close()
        del self._replicas[queue.name]
        self.active = len(self._replicas) > 0
        source = queue.source
        if not queue.deleted and source is not None:
            self._broker.set_source(queue, "", source.lineage)
        self._outbox.log(level, CATEGORY, f"Queue {queue.name} {text}")

    def _sweep(self) -> None:
        """Drop what is over."""
        for replica in list(self._replicas.values()):
            if replica.queue.deleted:
                self._end(replica, "info", "was deleted, and is no longer copied")
            elif replica.ended:
                self._end(
                    replica,
                    "notice",
                    f"is no longer copied from {replica.name}: {replica.ended}",
                )

    def _continue(self) -> None:
        """We were promoted: go on with what our predecessor copied."""
        self._continued = True
        for queue in list(self._broker.queues_by_number.values()):
            source = queue.source
            if source is not None and source.active and len(self._replicas) < REPLICAS_MAX:
                self._add(queue, parse_url(source.url), False)

    # -- what the node drives -----------------------------------------------------------------

    def deadline(self) -> float:
        """When ``tick`` has something to do, beside being called now and then."""
        return min([replica.deadline() for replica in self._replicas.values()], default=NEVER)

    def tick(self, now: float) -> None:
        """Time passed. Called every 0.1 s at least."""
        if not self._continued and self._cluster.primary is not None:
            self._continue()
        if self._replicas:
            self._sweep()
            for replica in list(self._replicas.values()):
                replica.tick(now)

    def owns(self, conn: int) -> bool:
        """Whether an outbound connection is one of ours."""
        return conn in self._conns

    def link_up(self, conn: int, now: float) -> None:
        """An outbound connection is there."""
        self._conns[conn].up(now)

    def link_received(self, conn: int, data: bytes, now: float) -> None:
        """Bytes on an outbound connection."""
        replica = self._conns[conn]
        if not replica.queue.deleted:
            replica.received(data, now)
        if replica.ended or replica.queue.deleted:
            self._sweep()

    def link_gone(self, conn: int, now: float, reason: str) -> None:
        """An outbound connection is gone."""
        self._conns[conn].gone(now, reason)

    def flush(self, touched: list[Held]) -> None:
        """The journal is about to be drained: put in which ids came and went.

        Add to ``touched`` who holds confirmations of this step; each must be sealed.
        """
        for inflow in self._touched:
            inflow.flush()
            touched.append(inflow)
        self._touched.clear()

    def write(self) -> None:
        """Send what the step left to say."""
        for replica in list(self._conns.values()):
            replica.write()

"""One broker as a pure function: ``Node.step(input) -> outputs``.

The order of things within a step is the law of the product:

1. the input: bytes become events, events become commands, commands become records in memory;
2. the management agent answers, then entries go out to subscriptions with credit;
3. the records of the step are numbered, encoded once and sent to the backups;
4. what the step may not confirm yet is sealed with the newest index and held at the gate;
5. the gate opens as far as every in-sync backup has acknowledged;
6. whatever all this wrote leaves, one ``Send`` per connection.

So a confirmation can only leave in a step after its record did, and only when it came back.
A node that stops (``Stop`` is among the outputs) confirms nothing any more.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from tanist.core.broker import Broker, BrokerConfig
from tanist.core.message import Message
from tanist.ha.codec import RecordWriter
from tanist.ha.roles import IllegalTransition
from tanist.management.agent import Agent
from tanist.management.managed import WallClock
from tanist.node.clients import Clients
from tanist.node.cluster import Cluster
from tanist.node.config import NodeConfig
from tanist.node.followers import Followers
from tanist.node.gate import Gate
from tanist.node.identity import UuidSource, failover_message
from tanist.node.inputs import (
    Answered,
    Connected,
    Disconnected,
    HeapMeasured,
    Input,
    LinkUp,
    Listening,
    Received,
    Started,
    Writable,
)
from tanist.node.management import Management
from tanist.node.outbox import Outbox
from tanist.node.outputs import Arm, Output
from tanist.node.reception import SCAN_INTERVAL_S, Reception
from tanist.node.replicas import Replicas
from tanist.security.sasl import Authenticator, AuthenticatorConfig
from tanist.sessions.amqp010.sessions import Sessions
from tanist.sessions.amqp10.sessions import Sessions10
from tanist.sessions.translation import headers_of
from tanist.sessions.translation.lookup import lookup
from tanist.sessions.work import Steps
from tanist.types import ReplicationLevel

SCAN_PAUSE_S: Final = 0.01
"""Least time between two looks, whatever the connections say."""

STALL_S: Final = 1.0
"""Between two ticks, a tenth of a second apart, nothing was done for so long: we were stopped, or
stood still. What came meanwhile is read before anybody is called silent."""

EXPIRY_TESTS_MAX: Final = 1000
"""Entries looked at per step while expired messages are swept out."""


class Node:
    """One broker. Feed it ``Started`` first, then every input in the order things happen."""

    def __init__(
        self, config: NodeConfig, gate: Gate | None = None, writer: RecordWriter | None = None
    ) -> None:
        """``gate`` and ``writer`` may be given to observe them, or to break a rule in a test.

        Raises: BrokerError (INVALID_ARGUMENT) for a configuration that cannot work.
        """
        config.validate()
        self.config = config
        self._outbox = Outbox()
        self.gate = gate or Gate()
        self._next_scan = 0.0
        self._armed_at = float("inf")
        self._ticked_at = float("inf")
        self._sweep_at = float("inf")
        uuids = UuidSource(config.boot_id)
        clock = WallClock()
        self.agent = Agent(uuids(), int(config.mgmt_pub_interval_s), clock)
        self.broker = Broker(
            BrokerConfig(
                ha=config.ha_cluster,
                default_level=ReplicationLevel.parse(config.ha_replicate),
                queue_limit_bytes=config.default_queue_limit_bytes,
                replicated_queues_max=config.replicated_queues_max,
                failover_exchange=config.ha_cluster,
                agent_name=self.agent.name,
                followed=config.mgmt_enable and (config.ha_cluster or config.ha_queue_replication),
            ),
            uuids,
            headers_of,
            self._failover_message,
        )
        self._steps = Steps(self.broker)
        self.sessions = Sessions(self.broker, self._steps.work, config.auth)
        self.sessions10 = Sessions10(self.broker, self._steps.work, config.amqp10())
        self.cluster = Cluster(
            config, self.broker, self.gate, self._outbox, writer or RecordWriter()
        )
        self._followers = Followers(config, self.broker, self._steps, self._outbox)
        self._replicas = Replicas(
            config, self.broker, self.cluster, self._followers, self._outbox, uuids
        )
        self._reception = Reception(
            config,
            self.cluster,
            Authenticator(
                AuthenticatorConfig(
                    auth=config.auth, realm=config.realm, passwords=config.passwords
                )
            ),
            self.sessions,
            self.sessions10,
            self._outbox,
        )
        self._management = Management(
            config,
            self.broker,
            self.cluster,
            self.gate,
            self._outbox,
            self.agent,
            clock,
            Clients(self._reception.fronts),
            self._replicas,
            self._steps.work,
        )

    def step(self, happened: Input) -> list[Output]:
        """Take one input; returns what the edge must do, in order.

        Never raises for anything a peer did. After an output ``Stop`` the node must not be stepped
        again.
        """
        now = happened.now
        self.broker.now = now
        self._steps.begin()
        try:
            self._take(happened, now)
            if not self._outbox.stopped:
                self._finish(now, isinstance(happened, Received))
        except IllegalTransition as impossible:
            self._outbox.stop(f"Shutting down: {impossible}")
        return self._outbox.take()

    # -- inputs -----------------------------------------------------------------------------

    def _take(self, happened: Input, now: float) -> None:
        if isinstance(happened, Received):
            if happened.conn > 0:
                self._reception.received(happened.conn, happened.data, now)
            elif self._replicas.active and self._replicas.owns(happened.conn):
                self._replicas.link_received(happened.conn, happened.data, now)
            else:
                self.cluster.link_received(happened.conn, happened.data, now)
        elif isinstance(happened, Connected):
            self._reception.connected(happened, now)
        elif isinstance(happened, Disconnected):
            self._disconnected(happened, now)
        elif isinstance(happened, Writable):
            front = self._reception.fronts.get(happened.conn)
            if front is not None and front.link is not None:
                self._steps.writable(front.link, happened.writable)
        elif isinstance(happened, LinkUp):
            if self._replicas.owns(happened.conn):
                self._replicas.link_up(happened.conn, now)
            else:
                self.cluster.link_up(happened.conn, now)
        elif isinstance(happened, Answered):
            self.cluster.answered(happened.request, happened.code, happened.text, now)
        elif isinstance(happened, Started):
            self._started(happened, now)
        elif isinstance(happened, HeapMeasured):
            self._management.heap(happened.figures)
        elif not isinstance(happened, Listening):
            self._armed_at = float("inf")
            self._tick(now)

    def _started(self, happened: Started, now: float) -> None:
        self._next_scan = now + SCAN_INTERVAL_S
        self._sweep_at = now + self.config.queue_purge_interval_s
        self.broker.wall_offset_s = happened.wall_s - now
        self.broker.lookup = partial(lookup, unix_offset_s=happened.wall_s - now)
        self._management.start(now, happened.wall_s)
        self.cluster.start(now, happened.wall_s - now)

    def _disconnected(self, happened: Disconnected, now: float) -> None:
        if self._replicas.owns(happened.conn):
            self._replicas.link_gone(happened.conn, now, happened.reason)
        elif happened.conn < 0:
            self.cluster.link_gone(happened.conn, now, happened.reason)
        else:
            self._reception.gone(happened.conn, now)

    def _tick(self, now: float) -> None:
        stalled_s = now - self._ticked_at
        self._ticked_at = now
        if stalled_s > STALL_S:
            self.cluster.stalled(stalled_s)
            self._ticked_at = float("inf")  # the next tick comes at once, and counts
            return
        if now >= self._next_scan:
            self._scan(now)
        self.cluster.tick(now)
        self._replicas.tick(now)
        if self._followers.active:
            self._followers.tick()
        if now >= self.broker.deadline:
            self.broker.tick()
        if now >= self._sweep_at and self.cluster.serves_clients:
            done = self.broker.expire(EXPIRY_TESTS_MAX)
            self._sweep_at = now + (self.config.queue_purge_interval_s if done else 0.0)

    def _scan(self, now: float) -> None:
        """Heartbeats. The next scan is at the next beat that is known, or soon."""
        self._next_scan = max(self._reception.scan(now), now + SCAN_PAUSE_S)

    # -- the end of a step ------------------------------------------------------------------

    def _finish(self, now: float, routine: bool) -> None:
        """``routine``: bytes arrived, which may move the deadlines of the link and of delayed
        messages, but no other."""
        broker = self.broker
        management = self._management
        held = management.held
        if broker.agent_inbox or held.ready or management.unfinished or self.cluster.changed:
            management.work(now)
        if broker.notices:
            management.tell(now)
        again = self._steps.dispatch() or len(broker.notices) > 0
        work = self._steps.work
        followed = self._followers.active
        if self._replicas.active:
            self._replicas.flush(work.touched)
        if broker.journal:
            self._record(followed)
        if work.touched or followed:
            self._seal(followed)
        self.cluster.settle()
        if followed and self._followers.settle(self._confirmed_index()):
            again = True
        if self._outbox.stopped:
            return
        self._write()
        if work.broken or broker.pending or held.ready or management.again or self.cluster.changed:
            again = True
        due = min(self._link_deadline(), broker.delays.deadline)
        if again or not routine or due < self._armed_at:
            self._arm(now, again)

    def _record(self, followed: bool) -> None:
        """Hand the step's records to the backups and to whoever copies from us."""
        broker = self.broker
        records = broker.journal
        broker.journal = []
        if followed:
            records = self._followers.take(records)
        if records:
            self.cluster.replicate(records)

    def _seal(self, followed: bool) -> None:
        """What the step may not confirm yet waits for its newest record."""
        work = self._steps.work
        touched, work.touched = work.touched, []
        index = self.cluster.log.index
        pledge = self._followers.seal(index) if followed else None
        confirmed = self._confirmed_index()
        for held in touched:
            if pledge is not None:
                self._followers.hold(held, pledge)
            held.seal(index)
            if index <= confirmed:
                held.open_gate(index)
            else:
                self.gate.hold(index, held)

    def _confirmed_index(self) -> int:
        """Records up to this one are safe; outside a cluster there is nothing to wait for."""
        return self.cluster.log.index if self.cluster.primary is None else self.gate.opened_index

    def _write(self) -> None:
        if self._replicas.active:
            self._replicas.write()
        self._reception.write()

    def _arm(self, now: float, again: bool) -> None:
        at = now
        if not again:
            at = min(self._next_scan, self._link_deadline(), self.broker.deadline)
            at = max(at, now)
        if at < self._armed_at:
            self._armed_at = at
            self._outbox.put(Arm(at))

    # -- small things -----------------------------------------------------------------------

    def _link_deadline(self) -> float:
        """When an outbound connection has something to do."""
        at = self.cluster.deadline()
        return min(at, self._replicas.deadline()) if self._replicas.active else at

    def _failover_message(self) -> Message | None:
        return failover_message(self.cluster.public_url)

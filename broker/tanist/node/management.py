"""The management agent's part of a step: who asks, what is answered now, later, or when it is safe.

Requests that a management exchange set aside are given to the agent, in the form of AMQP 0-10; its
answers are published like any message of that form. Three things may hold an answer back:

* **the gate**: an answer that says "done" leaves when every in-sync backup has what it speaks of,
  as the completion of a client's command does (``held_replies``);
* **its length**: a long list comes at the pace of its reader (``long_answers``), and of a flood of
  requests only some are answered in a step;
* **the cluster**: a promotion waits until the other members were heard.

The node calls ``work`` and ``tell`` before it dispatches, seals ``held`` with the sessions,
and steps again at once while ``again`` says so.
"""

from __future__ import annotations

from typing import Final

from tanist.core.broker import Broker
from tanist.core.message import AMQP_0_10, Message
from tanist.core.notices import Actor
from tanist.management.agent import TOPIC_EXCHANGE, Agent
from tanist.management.answers import Answer
from tanist.management.broker_objects import (
    BrokerFacts,
    BrokerObject,
    MemoryObject,
    SystemObject,
    VhostObject,
)
from tanist.management.clients import ConnectionSource, SessionSource, SubscriptionSource
from tanist.management.codec import REQUEST_BYTES_MAX, Reply
from tanist.management.events import describe
from tanist.management.exchanges import BindingSource, ExchangeSource
from tanist.management.ha_broker import HaBroker, QueueReplication, promotion_asked
from tanist.management.managed import WallClock
from tanist.management.queues import QueueSource
from tanist.management.schema import MEMBERS_UPDATE, SEVERITY_INFORM, ClassSchema
from tanist.node.clients import Clients
from tanist.node.cluster import Cluster
from tanist.node.config import NodeConfig
from tanist.node.gate import Gate
from tanist.node.held_replies import HeldReplies
from tanist.node.long_answers import CATEGORY, LongAnswers, message_of
from tanist.node.outbox import Outbox
from tanist.sessions.translation import as_amqp010
from tanist.sessions.work import StepWork
from tanist.types import BrokerError
from tanist.wire.amqp010.values import Value

REQUESTS_PER_STEP: Final = 8
"""Requests answered in one step: each may cost some milliseconds, and a step must be short."""

REQUEST_10_BYTES_MAX: Final = 2 * REQUEST_BYTES_MAX
"""Longest request of AMQP 1.0 that is translated: what is in it must be shorter for the agent."""

PROMOTES_WAITING_MAX: Final = 100
"""Promote requests kept while a joining broker looks around; one resource manager sends one."""

WAITING_MAX: Final = 10_000
"""Answers that wait for backups; a tool sends one request after the other."""


class Management:
    """Requests, answers and events of one node."""

    def __init__(
        self,
        config: NodeConfig,
        broker: Broker,
        cluster: Cluster,
        gate: Gate,
        outbox: Outbox,
        agent: Agent,
        clock: WallClock,
        clients: Clients,
        replication: QueueReplication,
        work: StepWork,
    ) -> None:
        """``work``: where those who hold something in a step are noted."""
        self._config = config
        self._broker = broker
        self._cluster = cluster
        self._gate = gate
        self._outbox = outbox
        self._agent = agent
        self._clock = clock
        self._clients = clients
        self._replication = replication
        self._work = work
        self._memory = MemoryObject(clock)
        self._promotes: list[Message] = []
        self._long = LongAnswers(broker, outbox, self._reply)
        self.held = HeldReplies()
        """Answers behind the gate; those that it let through are for ``work``."""
        self.unfinished = False
        """``work`` has something to do in every step, whether or not a request came."""
        self.again = False
        """There is more to do at once: step again."""

    def start(self, now: float, wall_s: float) -> None:
        """The process runs; ``wall_s`` is Unix time at ``now``. Shows all objects from now on."""
        clock, config, broker = self._clock, self._config, self._broker
        clock.start(now, wall_s)
        if not config.mgmt_enable:
            return
        facts = _facts(config)
        agent = self._agent
        self._memory = MemoryObject(clock)
        agent.register(SystemObject(facts, clock))
        agent.register(BrokerObject(broker, facts, clock))
        agent.register(VhostObject(facts, clock))
        agent.register(self._memory)
        agent.add_source(QueueSource(broker, clock))
        agent.add_source(ExchangeSource(broker, clock))
        agent.add_source(BindingSource(broker, clock))
        agent.add_source(ConnectionSource(self._clients, clock))
        agent.add_source(SessionSource(self._clients, clock))
        agent.add_source(SubscriptionSource(self._clients, clock))
        if config.ha_cluster or config.ha_queue_replication:
            agent.register(
                HaBroker(
                    self._cluster,
                    self._replication,
                    broker,
                    config.system_id,
                    config.ha_replicate,
                    clock.now_ns,
                )
            )

    def heap(self, figures: list[int]) -> None:
        """The edge told how much memory there is, in the order of ``MALLOC_FIGURES``."""
        self._memory.figures = figures

    # -- the step -----------------------------------------------------------------------------

    def work(self, now: float) -> None:
        """Answer what can be answered now."""
        self.again = False
        if not self._config.mgmt_enable:
            self._broker.agent_inbox.clear()
            self._cluster.changed = False
            return
        self._clock.now = now
        if self.held.ready:
            ready, self.held.ready = self.held.ready, []
            for reply in ready:
                self._publish(reply)
        if self._long.busy:
            self.again = self._long.go_on(now)
        self._tell_members()
        for message in self._take_inbox(now):
            self._answer(message, now)
        self._tell_members()
        if self._broker.agent_inbox:
            self.again = True
        self.unfinished = self._long.busy or len(self._promotes) > 0

    def _tell_members(self) -> None:
        if self._cluster.changed:
            self._cluster.changed = False
            members: dict[str, Value] = {"members": self._cluster.ha_members()}
            self._publish_event(MEMBERS_UPDATE, members)

    def tell(self, now: float) -> None:
        """Publish what was changed as management events, if anybody wants to hear."""
        notices = self._broker.notices
        self._broker.notices = []
        if not self._config.mgmt_enable or not self._broker.exchanges[TOPIC_EXCHANGE].bindings:
            return
        self._clock.now = now
        for notice in notices:
            schema, values = describe(notice)
            self._publish_event(schema, values)

    # -- requests -----------------------------------------------------------------------------

    def _take_inbox(self, now: float) -> list[Message]:
        """What the agent answers now. A promotion waits until the other members were heard."""
        requests = self._broker.agent_inbox
        broker = self._broker
        inbox = self._promotes
        for request in requests[:REQUESTS_PER_STEP]:
            if request.form == AMQP_0_10 or request.size <= REQUEST_10_BYTES_MAX:
                inbox.append(as_amqp010(request, broker.queues, broker.exchanges))
        self._broker.agent_inbox = requests[REQUESTS_PER_STEP:]
        self._promotes = []
        ready: list[Message] = []
        for message in inbox:
            promotion = promotion_asked(message)
            if promotion is None or not self._cluster.promotion_must_wait(now, promotion.force):
                ready.append(message)
            elif len(self._promotes) < PROMOTES_WAITING_MAX:
                self._promotes.append(message)
        return ready

    def _answer(self, message: Message, now: float) -> None:
        overloaded = self.held.waiting >= WAITING_MAX or self._long.full
        actor: Actor = self._clients.actor(message.origin)
        try:
            answer = self._agent.answer(message, actor, overloaded)
            if answer is None:
                return
            reply = answer.take()
            if reply is not None:
                self._reply(answer, reply)
        except BrokerError as error:  # an answer that cannot be put into a message
            self._outbox.log("info", CATEGORY, f"request not answered: {error.text}")
            return
        if not answer.over:
            self._long.add(answer, reply, now)
            self.again = True

    # -- what leaves --------------------------------------------------------------------------

    def _reply(self, answer: Answer, reply: Reply) -> bool:
        """Publish ``reply``, or hold it until what it speaks of is safe."""
        if answer.after_records and self._must_wait():
            if self.held.add(reply):
                self._work.touched.append(self.held)
            return True
        return self._publish(reply)

    def _must_wait(self) -> bool:
        """Whether anything is recorded that some in-sync backup has not."""
        cluster = self._cluster
        if cluster.primary is None:
            return False
        return bool(self._broker.journal) or cluster.log.index > self._gate.opened_index

    def _publish(self, reply: Reply) -> bool:
        try:
            self._broker.publish(message_of(reply), reply.exchange)
        except BrokerError as error:
            self._outbox.log("debug", CATEGORY, f"no answer to {reply.exchange!r}: {error.text}")
            return False
        return True

    def _publish_event(self, schema: ClassSchema, values: dict[str, Value]) -> None:
        try:
            self._publish(self._agent.event(schema, values, SEVERITY_INFORM))
        except BrokerError as error:  # arguments that cannot be put into a message
            self._outbox.log("info", CATEGORY, f"event not published: {error.text}")


def _facts(config: NodeConfig) -> BrokerFacts:
    return BrokerFacts(
        system_id=config.system_id,
        os_name=config.os_name,
        node_name=config.node_name,
        os_release=config.os_release,
        os_version=config.os_version,
        machine=config.machine,
        port=config.port,
        max_connections=config.max_connections,
        backlog=config.connection_backlog,
        pub_interval_s=int(config.mgmt_pub_interval_s),
        version=config.version,
        data_dir=config.data_dir,
        federation_tag=config.federation_tag or str(config.system_id),
        log_rules=config.log_rules,
    )

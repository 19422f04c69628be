"""Workloads: what clients do in a run.

A *work* is one instance of a kind (``kinds``): its objects are named after it, a ``Configurator``
declares them first (and looks after each failover whether they are still there), then its clients
start. When the producers are done and nobody breaks anything any more, its consumers go, and one
fresh consumer for each queue drains what is left; then the history is judged by what the kind
promises.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tanist.wire.amqp010.values import Struct, Value
from tests.sim import probe
from tests.sim.actors import Deleter, Purger
from tests.sim.clients import Site
from tests.sim.clients10 import ON_DEMAND, QUEUE
from tests.sim.configuring import Configurator, Step, bind, declare_exchange, declare_queue
from tests.sim.consumers import Consumer, Consumer010, PatientConsumer010, Selection
from tests.sim.consumers10 import Consumer10, PatientConsumer10
from tests.sim.history import OR, WHOLE, Promise
from tests.sim.kinds import KINDS
from tests.sim.nodes import SimNode
from tests.sim.plan import ClientPlan, WorkPlan
from tests.sim.producers import Producer, Producer010, Route
from tests.sim.producers10 import Producer10
from tests.sim.routing import TOPOLOGIES, Topology
from tests.sim.scripts import draw_script
from tests.sim.subscribers10 import Asker10, Subscriber10, subscription_queue
from tests.sim.transactions import Mover, Mover010
from tests.sim.transactions10 import Mover10
from tests.sim.transactions_check import DRAIN

DRAIN_PLAN = ClientPlan(host="drain", heartbeat_s=1, window=100, pause_s=0.0)
TTLS_S = (0.0, 1.0, 100_000.0)
"""Times to live, in turn: none, short, long."""
DELAYS_S = (0.0, 0.3, 4.0)
"""Delays, in turn: none, short, and long enough for a failover."""
VISIT_S = 1.0
"""How long the drain of an auto-delete queue stays."""

SELECTIONS = (
    Selection("color = 'red'", lambda number: number % 2 == 0),
    Selection("color LIKE 'b%'", lambda number: number % 2 == 1),
)
"""What consumers select, in turn, of the topology "colors"."""

Actor = Mover | Purger | Deleter | Configurator | Asker10


class Work:
    """One workload of one run."""

    def __init__(self, site: Site, plan: WorkPlan) -> None:
        self.site = site
        self.plan = plan
        self.kind = KINDS[plan.kind]
        self.topology: Topology = TOPOLOGIES[self.kind.topology]
        self.producers: list[Producer] = []
        self.consumers: list[Consumer] = []
        self.browsers: list[Consumer] = []
        self.actors: list[Actor] = []
        self.drains: list[Consumer] = []
        self._started = False
        self._awaited = 0
        """Subscribers that have not been subscribed yet."""
        self.setup = Configurator(
            site, f"{plan.name}.setup", ClientPlan(pause_s=0.0), self._declarations(), self._start
        )

    # -- names ------------------------------------------------------------------------------

    def queue(self, letter: str) -> str:
        """The name of one of its queues."""
        if letter == "a" and self.kind.subscription:
            return subscription_queue(self.kind.subscription, self.plan.name)
        return f"{self.plan.name}.{letter}"

    def exchange(self, name: str) -> str:
        """The name of one of its exchanges; built-in ones and the default one are everybody's."""
        builtin = not name or name.startswith("amq.")
        return name if builtin else f"{self.plan.name}.{name}"

    def _key(self, key: str) -> str:
        return key.replace("%", self.plan.name)

    def promises(self) -> dict[str, Promise]:
        """What its queues promise, where that is not everything."""
        promise = self.kind.promise
        if promise.rejects_to:
            promise = Promise(rejects_to=self.queue(promise.rejects_to))
        return {} if promise == WHOLE else {self.queue("a"): promise}

    # -- declaring --------------------------------------------------------------------------

    @property
    def _comes_and_goes(self) -> bool:
        """Queue "a" is not the setup's: others declare it, again and again."""
        kind = self.kind
        others = bool(kind.subscription) or kind.on_demand or kind.actor == "deleter"
        return kind.redeclares or others

    def _declarations(self) -> list[Step]:
        topology = self.topology
        steps = [
            declare_exchange(self.exchange(name), kind, alternate=self._alternate(alternate))
            for name, kind, alternate in topology.exchanges
        ]
        for letter in topology.queues:
            if letter != "a" or not self._comes_and_goes:
                steps.append(self._declare(letter))
        for binding in topology.bindings:
            if binding[1] != "a" or not self._comes_and_goes:
                steps.append(self._bind(*binding))
        return steps

    def _alternate(self, name: str) -> str:
        return self.exchange(name) if name else ""

    def _declare(self, letter: str, claim: bool = False) -> Step:
        first = letter == "a"
        return declare_queue(
            self.queue(letter),
            self.kind.arguments if first else {},
            auto_delete=first and self._owned,
            exclusive=claim,
            alternate=self._alternate(self.topology.alternates.get(letter, "")),
        )

    def _bind(self, exchange: str, letter: str, key: str, given: Mapping[str, Value]) -> Step:
        arguments = {self._key(name): value for name, value in given.items()}
        return bind(self.exchange(exchange), self.queue(letter), self._key(key), arguments)

    def _prepare(self) -> tuple[Struct, ...]:
        """What a client of queue "a" must send first in each session."""
        kind = self.kind
        if not kind.redeclares and not kind.exclusive:
            return ()
        commands = [self._declare("a", claim=kind.exclusive or kind.temporary).command]
        if kind.redeclares:
            mine = [binding for binding in self.topology.bindings if binding[1] == "a"]
            commands += [self._bind(*binding).command for binding in mine]
        return tuple(commands)

    # -- running ----------------------------------------------------------------------------

    def _start(self) -> None:
        """Everything is declared: the clients begin, producers when subscribers are there."""
        plan, kind = self.plan, self.kind
        self._awaited = len(plan.consumers) if kind.subscription else 0
        for number, client in enumerate(plan.consumers):
            letter = kind.takes[number % len(kind.takes)]
            selection = SELECTIONS[number % len(SELECTIONS)] if kind.selects else None
            name = f"{plan.name}.c{number}"
            self.consumers.append(self._consumer(name, client, letter, selection=selection))
        for number, client in enumerate(plan.browsers):
            letter = kind.takes[number % len(kind.takes)]
            name = f"{plan.name}.b{number}"
            self.browsers.append(self._consumer(name, client, letter, browse=True))
        for number, client in enumerate(plan.actors):
            self.actors.append(self._actor(f"{plan.name}.t{number}", client))
        if not self._awaited:
            self._produce()

    def _subscribed(self) -> None:
        """One more subscription is there."""
        self._awaited -= 1
        if not self._awaited:
            self._produce()

    def _produce(self) -> None:
        self._started = True
        if self.kind.subscription and not self.consumers:
            return  # nobody would get anything
        for number, client in enumerate(self.plan.producers):
            self.producers.append(self._producer(f"{self.plan.name}.p{number}", client))

    @property
    def _owned(self) -> bool:
        """Queue "a" comes and goes with its consumers; producers have nothing to do with that."""
        return self.kind.auto_delete or self.kind.temporary

    def _speaks10(self, plan: ClientPlan) -> bool:
        return "1.0" in (plan.protocol, self.kind.protocol)

    @property
    def _capabilities(self) -> tuple[str, ...]:
        """Of the termini of 1.0 links."""
        return (QUEUE, ON_DEMAND) if self.kind.on_demand else ()

    def _producer(self, name: str, plan: ClientPlan) -> Producer:
        site, kind = self.site, self.kind
        if self._speaks10(plan):
            capabilities = self._capabilities
            return Producer10(site, name, plan, self._route, kind.padding, capabilities)
        prepare = self._prepare() if kind.redeclares and not self._owned else ()
        return Producer010(site, name, plan, self._route, kind.padding, prepare)

    def _consumer(
        self,
        name: str,
        plan: ClientPlan,
        letter: str,
        browse: bool = False,
        selection: Selection | None = None,
    ) -> Consumer:
        kind, queue = self.kind, self.queue(letter)
        if kind.subscription and not browse:
            return self._subscriber(name, plan)
        patient = self._owned or kind.exclusive or kind.actor == "deleter"
        reject_every = kind.reject_every if letter == "a" else 0
        if self._speaks10(plan):
            # It declares nothing: what others declare may be away for a while.
            patient = patient or kind.redeclares or bool(kind.subscription)
            return (PatientConsumer10 if patient else Consumer10)(
                self.site,
                name,
                plan,
                queue,
                reject_every=reject_every,
                browse=browse,
                capabilities=self._capabilities,
                selection=selection,
            )
        return (PatientConsumer010 if patient else Consumer010)(
            self.site,
            name,
            plan,
            queue,
            prepare=self._prepare() if letter == "a" else (),
            reject_every=reject_every,
            browse=browse,
            selection=selection,
        )

    def _subscriber(self, name: str, plan: ClientPlan) -> Subscriber10:
        """A subscriber, or the one that takes what is left and ends the subscription."""
        _, key, _, _ = self.topology.messages[0]
        topic = f"{self.topology.messages[0][0]}/{self._key(key)}"
        last = name.startswith(DRAIN)
        return Subscriber10(
            self.site,
            name,
            plan,
            self.plan.name,
            topic,
            self.kind.subscription,
            then=None if last else self._subscribed,
            unsubscribe=last,
        )

    def _actor(self, name: str, plan: ClientPlan) -> Actor:
        what = self.kind.actor
        if what == "mover":
            outputs = (self.queue("b"), self.queue("c"))
            mover = Mover10 if self._speaks10(plan) else Mover010
            return mover(self.site, name, plan, self.queue("a"), outputs)
        if what == "asker":
            return Asker10(self.site, name, plan)
        if what == "purger":
            return Purger(self.site, name, plan, self.queue("a"))
        if what == "deleter":
            declare = self._declare("a")
            binds = [self._bind(*b) for b in self.topology.bindings if b[1] == "a"]
            return Deleter(self.site, name, plan, self.queue("a"), declare, binds)
        return Configurator(self.site, name, plan, draw_script(name, self.plan.choice, plan.count))

    def _route(self, number: int) -> Route:
        kind, messages = self.kind, self.topology.messages
        exchange, key, headers, targets = messages[number % len(messages)]
        if kind.reject_every and number % kind.reject_every == 0:
            targets = (*targets, kind.promise.rejects_to)
        return Route(
            self.exchange(exchange),
            self._key(key) if exchange else self.queue(key),
            tuple(OR.join(self.queue(q) for q in target.split(OR)) for target in targets),
            tuple((self._key(name), value) for name, value in headers),
            TTLS_S[number % len(TTLS_S)] if kind.ttl else 0.0,
            DELAYS_S[number % len(DELAYS_S)] if kind.delayed else 0.0,
        )

    # -- ending -----------------------------------------------------------------------------

    def worked(self, primary: SimNode) -> bool:
        """Producers and scripts have done all they had to do."""
        return (
            self._started
            and all(producer.done for producer in self.producers)
            and all(a.done for a in self.actors if not isinstance(a, Mover))
            and (not self.kind.temporary or self._all_came(primary))
        )

    def _all_came(self, primary: SimNode) -> bool:
        """The consumer of a temporary queue is there, and nothing is left for it."""
        there = all(consumer.subscribed for consumer in self.consumers)
        return there and probe.depth(primary.node, self.queue("a")) == 0

    def wind_up(self) -> None:
        """Consumers and actors go."""
        for client in (*self.consumers, *self.browsers, *self.actors):
            client.finish()

    def wound_up(self) -> bool:
        """They are gone."""
        clients = (*self.consumers, *self.browsers, *self.actors)
        return all(client.gone for client in clients)

    def drain(self) -> None:
        """One fresh consumer for each queue.

        An auto-delete queue that nobody used stays until somebody did: its drain goes at once.
        """
        for letter in self.topology.queues:
            if letter == "a" and self.kind.temporary:
                continue
            name = f"{DRAIN}.{self.queue(letter)}"
            drain = self._consumer(name, self._drain_plan(letter), letter)
            self.drains.append(drain)
            if letter == "a" and self._owned:
                self.site.world.after(VISIT_S, drain.finish)

    def _drain_plan(self, letter: str) -> ClientPlan:
        """Who declares what it drains speaks 0-10."""
        declares = letter == "a" and len(self._prepare()) > 0
        return replace(DRAIN_PLAN, protocol="0-10" if declares else self.plan.drain)

    def drained(self, primary: SimNode) -> bool:
        """Its queues are empty, and those that had to go are gone."""
        for letter in self.topology.queues:
            depth = probe.depth(primary.node, self.queue(letter))
            if letter == "a" and self._owned:
                if depth is not None:
                    return False
            elif depth != 0:
                return False
        return True

    def finish(self) -> None:
        """The drains go; the setup looks once more."""
        for client in self.drains:
            client.finish()
        self.setup.finish()

    def finished(self, primary: SimNode) -> bool:
        """Nobody is left, and nothing of what belonged to somebody."""
        nodes = [actor.node for actor in self.actors if isinstance(actor, Asker10)]
        if self.kind.subscription:
            nodes.append(self.queue("a"))
        return (
            self.setup.gone
            and all(client.gone for client in self.drains)
            and all(probe.depth(primary.node, node) is None for node in nodes)
        )

    def waiting(self) -> str:
        """Who still has something to do, for an error text."""
        busy = [f"{p.name} {len(p.unconfirmed)} unconfirmed" for p in self.producers if not p.done]
        busy += [f"{c.name} at step {c.at}" for c in self._scripts() if not c.done]
        if self._awaited:
            busy.append(f"{self.plan.name}: {self._awaited} not subscribed")
        busy += [c.name for c in (*self.consumers, *self.actors, *self.drains) if not c.gone]
        return ", ".join(busy)

    def _scripts(self) -> list[Configurator]:
        return [self.setup, *(a for a in self.actors if isinstance(a, Configurator))]

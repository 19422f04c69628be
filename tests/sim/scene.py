"""A cluster with a queue, for tests of clients."""

from __future__ import annotations

from typing import TypeVar

from tests.sim.configuring import Configurator, declare_queue
from tests.sim.plan import ClientPlan, Plan
from tests.sim.simulation import Simulation

E = TypeVar("E")


class Scene:
    """Three brokers with the queue "q" and, if they are named, others."""

    def __init__(self, *queues: str) -> None:
        self.simulation = Simulation(Plan(1))
        self.site = self.simulation.site
        self.run(2.0)
        script = [declare_queue(name) for name in ("q", *queues)]
        self.setup = Configurator(self.site, "setup", ClientPlan(), script)
        self.run(1.0)
        assert self.setup.done

    def run(self, seconds: float) -> None:
        """Let so many virtual seconds pass."""
        world = self.simulation.world
        world.run_until(world.now + seconds)

    def fail_over(self) -> None:
        """Kill the primary; afterwards there are three brokers again."""
        self.simulation.nodes[0].kill()
        self.run(3.0)
        self.simulation.nodes[0].start()
        self.run(3.0)
        assert self.simulation.converged()

    def events(self, kind: type[E]) -> list[E]:
        """What happened of a kind."""
        return [event for event in self.site.events if isinstance(event, kind)]

    def counts(self, what: str) -> int:
        """A counter of the summary."""
        return self.simulation.world.counts[what]

    def depth(self, queue: str = "q") -> int | None:
        """Messages on a queue of the primary, None if it is not there."""
        primary = self.simulation.primary()
        assert primary is not None
        found = primary.node.broker.queues.get(queue)
        return None if found is None else found.count

"""Clients that do something to the queues of a workload while it runs."""

from __future__ import annotations

from tests.sim.clients import Site
from tests.sim.configuring import Configurator, Step, delete_queue, purge
from tests.sim.plan import ClientPlan


class Purger(Configurator):
    """Purges a queue ``plan.count`` times."""

    def __init__(self, site: Site, name: str, plan: ClientPlan, queue: str) -> None:
        super().__init__(site, name, plan, [purge(queue)] * plan.count)


class Deleter(Configurator):
    """Declares a queue; deletes it and declares it anew, ``plan.count`` times."""

    def __init__(
        self, site: Site, name: str, plan: ClientPlan, queue: str, declare: Step, binds: list[Step]
    ) -> None:
        things = [thing for step in binds for thing in step.states]
        make = [declare, *binds]
        super().__init__(site, name, plan, make + [delete_queue(queue, things), *make] * plan.count)

"""Make the plan of a failing run smaller while it still fails in the same way.

Each reduction is tried on its own: fewer faults (halves first, then one by one), fewer works, fewer
clients, fewer messages, clients that speak plainly, three brokers, perfect clocks, a calm network,
default options. What still breaks the same check is kept. The dice of a client or a connection
depend on its name only, so that what is left behaves much as before. Bounded in time: the best plan
so far is returned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from tests.sim.plan import MANNERS_10, BrokerPlan, ClientPlan, NetworkPlan, Plan, WorkPlan

T = TypeVar("T")

Fails = Callable[[Plan], str]
"""Runs a plan; the name of the check that failed, "" if none."""

LISTS = ("producers", "consumers", "browsers", "actors")
"""The clients of a work, in the order of ``WorkPlan``."""


def shrink(plan: Plan, check: str, fails: Fails, out_of_time: Callable[[], bool]) -> Plan:
    """The smallest plan found that still fails ``check``."""
    progress = True
    while progress and not out_of_time():
        progress = False
        for smaller in _reductions(plan):
            if out_of_time():
                break
            if fails(smaller) == check:
                plan = smaller
                progress = True
                break
    return plan


def size(plan: Plan) -> tuple[int, int, int]:
    """How large a plan is: faults, clients, messages and commands."""
    clients = [client for work in plan.works for client in _clients(work)]
    return len(plan.faults), len(clients), sum(client.count for client in clients)


def _clients(work: WorkPlan) -> list[ClientPlan]:
    return [*work.producers, *work.consumers, *work.browsers, *work.actors]


def _reductions(plan: Plan) -> Iterator[Plan]:
    """Smaller plans, the boldest first."""
    for works in _shorter(plan.works):
        yield replace(plan, works=works)
    for faults in _shorter(plan.faults):
        yield replace(plan, faults=faults)
    for at, work in enumerate(plan.works):
        for smaller in _smaller_works(work):
            yield replace(plan, works=[*plan.works[:at], smaller, *plan.works[at + 1 :]])
    yield from _calmer(plan)


def _shorter(items: list[T]) -> Iterator[list[T]]:
    """The list without a half, a quarter ... one of its items."""
    size = len(items)
    part = (size + 1) // 2
    while part:
        for start in range(0, size, part):
            yield items[:start] + items[start + part :]
        part = part // 2 if part > 1 else 0


def _smaller_works(work: WorkPlan) -> Iterator[WorkPlan]:
    for name in LISTS:
        clients: list[ClientPlan] = getattr(work, name)
        for at, client in enumerate(clients):
            yield replace(work, **{name: clients[:at] + clients[at + 1 :]})  # type: ignore[arg-type]
            if client.count > 1:
                half = replace(client, count=client.count // 2)
                rest = [*clients[:at], half, *clients[at + 1 :]]
                yield replace(work, **{name: rest})  # type: ignore[arg-type]
            for plainer in _plainer(client):
                rest = [*clients[:at], plainer, *clients[at + 1 :]]
                yield replace(work, **{name: rest})  # type: ignore[arg-type]


def _plainer(client: ClientPlan) -> Iterator[ClientPlan]:
    """The same client speaking 0-10, or 1.0 without any special manner."""
    defaults = {name: getattr(ClientPlan(), name) for name in MANNERS_10}
    plain = replace(client, **defaults)
    if client.protocol == "1.0":
        yield replace(plain, protocol="0-10")
        if plain != client:
            yield plain


def _calmer(plan: Plan) -> Iterator[Plan]:
    """The same with less noise around it."""
    quiet = [
        replace(plan, nodes=3, clocks=plan.clocks[:3]),
        replace(plan, clocks=[]),
        replace(plan, network=NetworkPlan()),
        replace(plan, brokers=BrokerPlan()),
        replace(plan, detect_s=0.5),
    ]
    if plan.faults:
        end_s = round(max(fault.at_s for fault in plan.faults) + 0.1, 3)
        quiet.append(replace(plan, faults_end_s=min(end_s, plan.faults_end_s)))
    yield from (smaller for smaller in quiet if smaller != plan)

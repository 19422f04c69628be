"""A hundred thousand links, opened and closed: a node keeps nothing of them."""

from __future__ import annotations

import gc
import sys

from tanist.wire.amqp10.composites import Source, Target
from tanist.wire.amqp10.link import Link
from tanist.wire.amqp10.session import Session
from tests.broker.node.guest10 import Guest10
from tests.broker.node.network import Guest, Host, Network

ROUNDS = 100
CYCLES = 1000
"""Links in one round, each kind in its turn."""

AT_ONCE = 20

BLOCKS_MAX = 2000
"""So many more blocks of memory are caches that fill; one a link would be a hundred thousand."""


def link(session: Session, number: int) -> Link:
    """To a queue, from a queue, from a topic with a selector, or from a new node."""
    name = f"link {number}"
    if number % 4 == 0:
        return session.sender(name, Source(), Target(address="q"))
    source = Source(address="q")
    if number % 4 == 1:
        source = Source(address=f"amq.topic/key {number}")
    elif number % 4 == 2:
        source = Source(dynamic=True)
    receiver = session.receiver(name, source, Target())
    receiver.flow(10)
    return receiver


def test_memory_is_flat_over_a_hundred_thousand_links() -> None:
    host = Host(Network(), "a", 1, ha_cluster=False)
    Guest(host).session().do("queue.declare", queue="q")
    guest = Guest10(host)
    session = guest.session()
    blocks: list[int] = []
    attached = 0
    for turn in range(ROUNDS):
        for first in range(0, CYCLES, AT_ONCE):
            start = turn * CYCLES + first
            links = [link(session, number) for number in range(start, start + AT_ONCE)]
            guest.pump()
            attached += sum(each.alive for each in links)
            for each in links:
                each.detach(True)
            guest.pump()
            guest.events.clear()
            guest.raw = b""
            host.outputs.clear()
            host.lines.clear()
        gc.collect()
        blocks.append(sys.getallocatedblocks())
    assert attached == ROUNDS * CYCLES
    assert guest.failure() == ""
    assert not guest.dropped
    assert list(host.node.broker.queues) == ["q"]
    growth = blocks[-1] - blocks[ROUNDS // 10]
    print(f"{attached} links; blocks of memory {blocks[ROUNDS // 10]}, at the end {blocks[-1]}")
    assert growth < BLOCKS_MAX

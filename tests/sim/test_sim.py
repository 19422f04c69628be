"""The simulator: a few seeds pass, the same seed gives the same history, broken rules are seen."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tanist.core.records import Dequeued, Record
from tanist.ha.codec import RecordWriter
from tanist.node.config import NodeConfig
from tanist.node.gate import Gate
from tanist.node.node import Node
from tanist.sessions.held import Held
from tests.sim.cluster import Run, Violation
from tests.sim.nodes import MakeNode

SEEDS_TO_CATCH = 200
"""A broken rule must show within this many seeds."""


class OpenGate(Gate):
    """Breaks the rule: confirms at once, whatever the backups have."""

    def hold(self, index: int, held: Held) -> None:
        super().hold(index, held)
        self.open(index)


class ForgetfulWriter(RecordWriter):
    """Breaks the rule: leaves every tenth dequeue out of the log."""

    def __init__(self) -> None:
        super().__init__()
        self.dequeues = 0

    def forget(self, record: Dequeued) -> Dequeued:
        self.dequeues += 1
        return Dequeued(record.queue, []) if self.dequeues % 10 == 0 else record

    def encode(self, records: Sequence[Record], head: bytes = b"") -> bytes:
        told: list[Record] = []
        for record in records:
            told.append(self.forget(record) if isinstance(record, Dequeued) else record)
        return super().encode(told, head)


def with_open_gate(config: NodeConfig) -> Node:
    return Node(config, gate=OpenGate())


def with_forgetful_writer(config: NodeConfig) -> Node:
    return Node(config, writer=ForgetfulWriter())


@pytest.mark.parametrize("seed", range(1, 11))
def test_seeds_keep_every_promise(seed: int) -> None:
    Run(seed).play()


def test_a_seed_is_a_whole_run() -> None:
    first, second = Run(4), Run(4)
    first.play()
    second.play()
    assert first.world.trace == second.world.trace
    assert first.history.received == second.history.received
    assert first.history.received


@pytest.mark.parametrize(
    ("make_node", "symptom"),
    [(with_open_gate, "lost"), (with_forgetful_writer, "replicas equal")],
)
def test_a_broken_rule_is_caught(make_node: MakeNode, symptom: str) -> None:
    for seed in range(1, SEEDS_TO_CATCH + 1):
        try:
            Run(seed, make_node).play()
        except Violation as violation:
            if symptom in str(violation):
                return
    pytest.fail(f"{SEEDS_TO_CATCH} seeds passed although the rule is broken")

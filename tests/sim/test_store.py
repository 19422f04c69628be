"""The outside record decides as the reference command does, and questions or answers get lost."""

from __future__ import annotations

import json

from tanist.node.outputs import Consult
from tests.sim.network import Network
from tests.sim.plan import NetworkPlan
from tests.sim.store import HOST, NO_ANSWER, Store
from tests.sim.world import World


class Scene:
    """A store, and what it answered."""

    def __init__(self) -> None:
        self.world = World(1)
        self.network = Network(self.world, NetworkPlan())
        self.store = Store(self.world, self.network)
        self.answers: list[tuple[int, str]] = []
        assert self.ask("promote", "a", "b") == (0, "1")

    def start(self, action: str, *members: str, leaving: tuple[str, ...] = ()) -> None:
        document = json.dumps({"leaving": leaving, "status": "ready", "run": ""})
        consult = Consult(1, [action, "1", "a", ",".join(members)], document, 5.0)
        self.store.ask("n1", consult, lambda code, text: self.answers.append((code, text)))

    def ask(self, action: str, *members: str, leaving: tuple[str, ...] = ()) -> tuple[int, str]:
        self.answers.clear()
        self.start(action, *members, leaving=leaving)
        self.world.run_until(self.world.now + 6.0)
        (answer,) = self.answers
        return answer


def test_questions_are_decided_and_recorded() -> None:
    scene = Scene()
    assert scene.ask("grow", "a", "b", "c") == (0, "")
    assert scene.store.record.in_sync == ("a", "b", "c")
    assert scene.ask("shrink", "a", "c", leaving=("b",)) == (0, "")
    assert scene.store.record.in_sync == ("a", "c")


def test_a_question_that_is_lost_changes_nothing() -> None:
    scene = Scene()
    scene.network.block([("n1", HOST)])
    assert scene.ask("shrink", "a", leaving=("b",)) == (NO_ANSWER, "")
    assert scene.store.record.in_sync == ("a", "b")


def test_an_answer_that_is_lost_counts() -> None:
    scene = Scene()
    scene.network.block([(HOST, "n1")])
    assert scene.ask("shrink", "a", leaving=("b",)) == (NO_ANSWER, "")
    assert scene.store.record.in_sync == ("a",)


def test_whom_a_question_under_way_leaves_out_does_not_count_any_more() -> None:
    scene = Scene()
    assert scene.store.surely_in_sync() == {"a", "b"}
    scene.start("shrink", "a", leaving=("b",))
    scene.start("grow", "a", "b", "c")
    assert scene.store.surely_in_sync() == {"a"}
    scene.network.block([("n1", HOST)])
    scene.world.run_until(scene.world.now + 6.0)
    assert scene.store.surely_in_sync() == {"a", "b"}

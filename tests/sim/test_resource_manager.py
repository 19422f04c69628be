"""The resource manager promotes the right one, kills before it promotes, and waits when it must."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from uuid import UUID

import pytest

from tanist.cli.insync_file import Record
from tanist.node.outputs import Consult
from tests.sim import resource_manager as module
from tests.sim.network import Network
from tests.sim.plan import NetworkPlan
from tests.sim.probe import Standing
from tests.sim.resource_manager import PATIENCE_S, ResourceManager, StrictManager
from tests.sim.store import Store
from tests.sim.world import World

OWNER = UUID(int=9)
JOINING, CATCHUP, READY, RECOVERING, ACTIVE = range(5)


class Stub:
    """As much of a ``SimNode`` as the resource manager looks at."""

    def __init__(self, number: int) -> None:
        self.name = f"n{number}"
        self.system_id = UUID(int=number)
        self.alive = True
        self.frozen = False
        self.starts = 1
        self.status = JOINING
        self.standing = Standing(0, OWNER, 0, 0)
        self.in_sync: set[UUID] = set()
        self.killed: list[str] = []

    @property
    def node(self) -> Stub:
        return self

    @property
    def awake(self) -> bool:
        return self.alive and not self.frozen

    def lead(self, epoch: int, *backups: Stub) -> None:
        self.status = ACTIVE
        self.standing = Standing(epoch, OWNER, 10, 0)
        self.in_sync = {backup.system_id for backup in backups}

    def follow(self, epoch: int, index: int) -> None:
        self.status = READY
        self.standing = Standing(epoch, OWNER, index, 0)

    def kill(self, how: str = "killed") -> None:
        self.killed.append(how)
        self.alive = False
        self.status = JOINING

    def start(self) -> None:
        self.alive = True
        self.starts += 1


class Scene:
    """Three stubs and a manager; ``answer`` answers the last promotion."""

    def __init__(self) -> None:
        self.world = World(1)
        self.network = Network(self.world, NetworkPlan())
        self.nodes = [Stub(1), Stub(2), Stub(3)]
        self.asked: list[str] = []
        self.given_up = 0
        self.store = Store(self.world, self.network)
        self.manager = self.make_manager()

    def make_manager(self) -> ResourceManager:
        return ResourceManager(
            self.world,
            self.network,
            self.nodes,  # type: ignore[arg-type]
            1.0,
            self.promote,  # type: ignore[arg-type]
        )

    def promote(self, node: Stub, answered: Callable[[str], None]) -> Callable[[], None]:
        self.asked.append(node.name)
        self.answer = answered

        def give_up() -> None:
            self.given_up += 1

        return give_up

    def run(self, seconds: float) -> None:
        self.world.run_until(self.world.now + seconds)

    def leading(self) -> list[Stub]:
        """n1 leads n2 and n3; n3 has more."""
        first, second, third = self.nodes
        first.lead(1, second, third)
        second.follow(1, 8)
        third.follow(1, 9)
        self.run(1.0)
        return self.nodes


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    look = SimpleNamespace(
        JOINING=JOINING,
        READY=READY,
        RECOVERING=RECOVERING,
        ACTIVE=ACTIVE,
        status=lambda node: node.status,
        is_primary=lambda node: node.status in (RECOVERING, ACTIVE),
        standing=lambda node: node.standing,
        in_sync=lambda node: node.in_sync,
    )
    monkeypatch.setattr(module, "probe", look)
    return Scene()


def test_a_new_cluster_gets_a_primary_when_all_are_there(scene: Scene) -> None:
    scene.nodes[2].alive = False
    scene.run(5.0)
    assert scene.asked == []
    scene.nodes[2].alive = True
    scene.run(1.0)
    assert scene.asked == ["n1"]


def test_nobody_is_promoted_while_the_primary_answers(scene: Scene) -> None:
    scene.leading()
    scene.run(20.0)
    assert scene.asked == []


def test_the_newest_of_the_in_sync_set_takes_over(scene: Scene) -> None:
    first, _, _ = scene.leading()
    scene.manager.ends(first)  # type: ignore[arg-type]
    first.kill()
    scene.run(0.7)
    assert scene.asked == []
    scene.run(1.0)
    assert scene.asked == ["n3"]


def test_only_members_of_the_set_are_promoted(scene: Scene) -> None:
    first, second, third = scene.leading()
    first.in_sync = {second.system_id}
    third.follow(1, 99)
    scene.run(1.0)
    first.alive = False
    scene.run(2.0)
    assert scene.asked == ["n2"]


def test_a_primary_that_hangs_is_killed_first(scene: Scene) -> None:
    first, _, _ = scene.leading()
    first.frozen = True
    scene.run(2.0)
    assert (first.killed, scene.asked) == (["fenced"], ["n3"])
    scene.run(2.0)
    assert first.starts == 2


def test_a_primary_that_cannot_be_reached_is_killed_first(scene: Scene) -> None:
    first, _, _ = scene.leading()
    scene.network.block([("n1", "rm")])
    scene.run(2.0)
    assert (first.killed, scene.asked) == (["fenced"], ["n3"])


def test_the_last_copy_is_waited_for(scene: Scene) -> None:
    first, second, third = scene.leading()
    first.in_sync = set()
    scene.run(1.0)
    first.frozen = True
    scene.run(30.0)
    assert (first.killed, scene.asked) == ([], [])
    assert not scene.manager.may_kill(first)  # type: ignore[arg-type]
    assert scene.manager.may_kill(second)  # type: ignore[arg-type]
    assert third.alive


def test_who_restarted_holds_nothing(scene: Scene) -> None:
    first, second, third = scene.leading()
    second.status = JOINING
    third.status = CATCHUP
    assert not scene.manager.may_kill(first)  # type: ignore[arg-type]


def test_a_promotion_that_is_refused_is_tried_again(scene: Scene) -> None:
    first, _, _ = scene.leading()
    first.alive = False
    scene.run(2.0)
    scene.answer("not now")
    scene.run(1.0)
    assert scene.asked == ["n3", "n3"]
    assert scene.world.counts["promotions refused"] == 1


def test_it_waits_until_a_promotion_is_answered(scene: Scene) -> None:
    first, _, _ = scene.leading()
    assert not scene.manager.waits
    first.alive = False
    scene.run(2.0)
    assert scene.manager.waits
    scene.answer("ok")
    assert not scene.manager.waits


def test_whoever_may_yet_become_primary_is_killed_before_another_is_asked(scene: Scene) -> None:
    first, _, third = scene.leading()
    first.alive = False
    scene.run(2.0)
    third.frozen = True
    scene.run(PATIENCE_S + 1.0)
    assert scene.asked == ["n3", "n2"]
    assert third.killed == ["fenced"]
    assert scene.given_up == 1


def test_a_broken_connection_leaves_it_in_doubt(scene: Scene) -> None:
    first, _, third = scene.leading()
    first.alive = False
    scene.run(2.0)
    third.frozen = True
    scene.answer("")
    scene.run(1.0)
    assert scene.asked == ["n3", "n2"]
    assert third.killed == ["fenced"]


def test_a_request_dies_with_the_process_that_got_it(scene: Scene) -> None:
    first, second, third = scene.leading()
    first.alive = False
    scene.run(2.0)
    scene.manager.ends(third)  # type: ignore[arg-type]
    third.kill()
    third.start()
    scene.run(1.0)
    assert scene.asked == ["n3", "n2"]
    assert third.killed == ["killed"]
    assert second.alive


def test_an_older_primary_is_not_believed(scene: Scene) -> None:
    first, second, third = scene.leading()
    first.alive = False
    third.lead(2, second)
    scene.run(1.0)
    first.alive = True
    first.status = ACTIVE
    third.alive = False
    scene.run(2.0)
    assert scene.asked == ["n2"]
    assert first.killed == ["fenced"]


# -- strict --------------------------------------------------------------------------------


class StrictScene(Scene):
    """n1 is the recorded primary of all three."""

    def make_manager(self) -> ResourceManager:
        return StrictManager(
            self.world,
            self.network,
            self.nodes,  # type: ignore[arg-type]
            1.0,
            self.promote,  # type: ignore[arg-type]
            self.store,
        )

    def record(self, epoch: int, *members: Stub) -> None:
        ids = tuple(str(member.system_id) for member in members)
        self.store.record = Record(epoch, ids[0], ids)


@pytest.fixture
def strict(scene: Scene) -> StrictScene:
    """``scene`` is there for what it patches."""
    assert scene.asked == []
    return StrictScene()


def test_a_strict_manager_kills_nobody_and_asks_any_member_of_the_record(
    strict: StrictScene,
) -> None:
    first, second, third = strict.leading()
    third.follow(1, 99)
    strict.record(1, first, second)
    strict.run(1.0)
    assert strict.asked == []
    first.frozen = True
    strict.run(2.0)
    assert strict.asked == ["n2"]
    assert first.killed == []


def test_a_primary_that_is_not_the_recorded_one_is_none(strict: StrictScene) -> None:
    first, second, _ = strict.leading()
    strict.record(2, second, first)
    second.frozen = True
    first.status = READY
    strict.run(2.0)
    assert strict.asked == ["n1"]


def test_who_was_promoted_first_and_did_not_hear_of_it_is_asked_again(strict: StrictScene) -> None:
    first, _, _ = strict.nodes
    strict.record(1, first)
    strict.run(2.0)
    assert strict.asked == ["n1"]


def test_whom_the_primary_wants_to_drop_is_no_reason_to_kill_it(strict: StrictScene) -> None:
    first, second, third = strict.leading()
    strict.record(1, first, second)
    assert strict.manager.may_kill(first)  # type: ignore[arg-type]
    document = json.dumps({"leaving": [str(second.system_id)], "status": "primary", "run": ""})
    words = ["shrink", "1", str(first.system_id), str(first.system_id)]
    strict.store.ask("n1", Consult(1, words, document, 5.0), lambda code, text: None)
    assert not strict.manager.may_kill(first)  # type: ignore[arg-type]
    assert third.status == READY


def test_whoever_may_be_the_first_to_be_recorded_is_not_killed(strict: StrictScene) -> None:
    """It would be recorded as the only one, and be gone."""
    first, second, _ = strict.nodes
    assert strict.manager.may_kill(first)  # type: ignore[arg-type]
    document = json.dumps({"leaving": [], "status": "joining", "run": "1"})
    words = ["promote", "1", str(first.system_id), str(first.system_id)]
    strict.store.ask("n1", Consult(1, words, document, 5.0), lambda code, text: None)
    assert not strict.manager.may_kill(first)  # type: ignore[arg-type]
    assert not strict.manager.may_kill(second)  # type: ignore[arg-type]

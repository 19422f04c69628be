"""The invariants go red when nodes do what they must not, and stay green otherwise."""

from __future__ import annotations

from types import SimpleNamespace
from uuid import UUID

import pytest

from tests.sim import watch as watch_module
from tests.sim.probe import Standing
from tests.sim.watch import Violation, Watch
from tests.sim.world import World

A, B = UUID(int=10), UUID(int=11)
WORLD = World(1)


class Stub:
    """As much of a ``SimNode`` as ``Watch`` looks at, and of what ``probe`` says about it."""

    def __init__(self, number: int) -> None:
        self.name = f"n{number}"
        self.system_id = UUID(int=number)
        self.world = WORLD
        self.alive = True
        self.primary = False
        self.opened = 0
        self.in_sync: set[UUID] = set()
        self.standing = Standing(1, A, 0, 0)
        self.config = SimpleNamespace(boot_id=bytes([number]))

    @property
    def node(self) -> Stub:
        return self

    def lead(self, epoch: int, owner: UUID, index: int, *backups: Stub) -> None:
        """Be promoted."""
        self.primary = True
        before = () if epoch == 1 else ((epoch - 1, A, 0),)
        self.standing = Standing(epoch, owner, index, index, (*before, (epoch, owner, index)))
        self.in_sync = {backup.system_id for backup in backups}

    def holds(self, epoch: int, owner: UUID, index: int, fork_index: int = 0) -> None:
        self.standing = Standing(epoch, owner, index, fork_index)


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> list[Stub]:
    look = SimpleNamespace(
        is_primary=lambda node: node.primary,
        opened_index=lambda node: node.opened,
        in_sync=lambda node: node.in_sync,
        standing=lambda node: node.standing,
        reached=lambda node: node.standing[:3],
        Standing=Standing,
    )
    monkeypatch.setattr(watch_module, "probe", look)
    return [Stub(number) for number in (1, 2, 3)]


def step(watch: Watch, node: Stub, opened: int | None = None, index: int | None = None) -> None:
    if opened is not None:
        node.opened = opened
    if index is not None:
        node.standing = node.standing._replace(last_index=index)
    watch.stepped(node)  # type: ignore[arg-type]


def watching(nodes: list[Stub]) -> Watch:
    return Watch(nodes)  # type: ignore[arg-type]


def test_what_all_in_sync_backups_have_may_be_confirmed(nodes: list[Stub]) -> None:
    first, second, third = nodes
    watch = watching(nodes)
    first.lead(1, A, 0, second)
    step(watch, first)
    second.holds(1, A, 5)
    step(watch, second)
    third.holds(1, A, 1)
    step(watch, third)
    step(watch, first, opened=5, index=6)
    assert len(watch.failovers) == 1


def test_confirming_before_a_backup_has_it_is_seen(nodes: list[Stub]) -> None:
    first, second, _ = nodes
    watch = watching(nodes)
    first.lead(1, A, 0, second)
    step(watch, first)
    second.holds(1, A, 4)
    step(watch, second)
    with pytest.raises(
        Violation, match=r"n1 confirmed record 5 of epoch 1, n2, .* has 4"
    ) as caught:
        step(watch, first, opened=5, index=6)
    assert caught.value.check == "confirmed early"


def test_records_of_another_history_do_not_count(nodes: list[Stub]) -> None:
    first, second, _ = nodes
    watch = watching(nodes)
    first.lead(2, B, 3, second)
    step(watch, first, opened=3)
    second.holds(1, A, 9)
    step(watch, second)
    with pytest.raises(Violation, match=r"n2, .* has 3"):
        step(watch, first, opened=5, index=6)


def test_what_a_backup_held_when_it_died_was_acknowledged_by_it(nodes: list[Stub]) -> None:
    first, second, _ = nodes
    watch = watching(nodes)
    first.lead(1, A, 0, second)
    step(watch, first)
    second.holds(1, A, 5)
    step(watch, second)
    second.holds(0, UUID(int=0), 0)
    step(watch, second)
    step(watch, first, opened=5, index=6)
    second.holds(1, A, 5)
    step(watch, second)
    with pytest.raises(Violation, match=r"n2, .* has 5"):
        step(watch, first, opened=6)


def test_a_deposed_primary_must_not_confirm_what_its_successor_never_had(
    nodes: list[Stub],
) -> None:
    first, second, _ = nodes
    watch = watching(nodes)
    first.lead(1, A, 0)
    step(watch, first)
    second.lead(2, B, 4)
    step(watch, second)
    step(watch, first, opened=4, index=6)
    with pytest.raises(
        Violation, match=r"n1 confirmed record 5 in epoch 1, n2 began epoch 2 after record 4"
    ) as caught:
        step(watch, first, opened=5)
    assert caught.value.check == "confirmed when deposed"


@pytest.mark.parametrize("confirmed", [False, True])
def test_a_successor_that_died_unfollowed_matters_if_it_confirmed(
    nodes: list[Stub], confirmed: bool
) -> None:
    first, second, _ = nodes
    watch = watching(nodes)
    first.lead(1, A, 0)
    step(watch, first)
    second.lead(2, B, 4)
    step(watch, second)
    if confirmed:
        step(watch, second, opened=5, index=5)
    second.alive = False
    if confirmed:
        with pytest.raises(Violation, match="confirmed when deposed"):
            step(watch, first, opened=5, index=6)
    else:
        step(watch, first, opened=5, index=6)


def test_two_brokers_must_not_confirm_in_one_epoch(nodes: list[Stub]) -> None:
    first, second, _ = nodes
    watch = watching(nodes)
    first.lead(1, A, 0)
    step(watch, first)
    step(watch, first, opened=1, index=1)
    second.lead(1, B, 1)
    step(watch, second)
    with pytest.raises(Violation, match="n2 and n1 both confirmed in epoch 1") as caught:
        step(watch, second, opened=2, index=2)
    assert caught.value.check == "two primaries"


def test_a_primary_that_confirms_nothing_is_no_second_one(nodes: list[Stub]) -> None:
    first, second, _ = nodes
    watch = watching(nodes)
    first.lead(1, A, 0)
    step(watch, first)
    step(watch, first, opened=1, index=1)
    second.lead(1, B, 1)
    step(watch, second, opened=1, index=7)


def test_whoever_is_promoted_has_what_was_confirmed(nodes: list[Stub]) -> None:
    first, second, third = nodes
    watch = watching(nodes)
    first.lead(1, A, 0)
    step(watch, first)
    step(watch, first, opened=8, index=9)
    second.lead(2, B, 8)
    step(watch, second)
    third.lead(3, B, 7)
    with pytest.raises(Violation, match="n3 was promoted with 7 records, 8 were") as caught:
        step(watch, third)
    assert caught.value.check == "promoted behind"


def test_a_restarted_broker_is_another_one(nodes: list[Stub]) -> None:
    first, _, _ = nodes
    watch = watching(nodes)
    first.lead(1, A, 0)
    step(watch, first)
    step(watch, first, opened=8, index=9)
    first.config = SimpleNamespace(boot_id=b"next")
    first.opened = 0
    first.lead(2, B, 8)
    step(watch, first)
    assert len(watch.failovers) == 2


def test_a_replica_that_cannot_follow_is_seen(nodes: list[Stub]) -> None:
    watch = Watch(nodes)  # type: ignore[arg-type]
    watch.said(nodes[1], "Lost primary tcp:n1:5672: reset by the network", False)
    watch.said(nodes[0], "Shutting down: deposed; this primary is of epoch 1", True)
    for text, stops in (
        ("Replication failed: position 7 of queue q", False),
        ("Shutting down: Illegal state transition from active", True),
    ):
        with pytest.raises(Violation, match=f"cannot follow: n2 says: {text}"):
            watch.said(nodes[1], text, stops)

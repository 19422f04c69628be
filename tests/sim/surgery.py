"""Damage to the inside of a node: the harder half of the mutants.

A ``Spoiled`` node is damaged after every step, through what is public anyway. ``patched`` nodes
have methods replaced, which compiled classes do not allow: such mutants live in the interpreter
only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from tanist.core.records import Record
from tanist.ha.messages import Hello
from tanist.ha.peer import Phase
from tanist.ha.roles import Status
from tanist.ha.standing import Position
from tanist.node.config import NodeConfig
from tanist.node.inputs import Input
from tanist.node.node import Node
from tanist.node.outputs import Output
from tanist.node.rivals import Verdict
from tests.sim.nodes import MakeNode

Damage = Callable[[Node], None]


class Spoiled:
    """A node, and what is done to its inside after every step."""

    def __init__(self, node: Node, spoil: Damage) -> None:
        self._node = node
        self._spoil = spoil

    def __getattr__(self, name: str) -> object:
        return getattr(self._node, name)

    def step(self, happened: Input) -> list[Output]:
        """One step, then the damage."""
        outputs = self._node.step(happened)
        self._spoil(self._node)
        return outputs


def spoiled(make_damage: Callable[[], Damage]) -> MakeNode:
    """Makes nodes with a damage each, which may remember things."""
    return lambda config: cast(Node, Spoiled(Node(config), make_damage()))


def patched(patch: Damage) -> MakeNode:
    """Makes nodes with something replaced at the beginning."""

    def make(config: NodeConfig) -> Node:
        node = Node(config)
        patch(node)
        return node

    return make


def forget_marks() -> Damage:
    """A promoted broker does not know what may have been delivered before."""

    def damage(node: Node) -> None:
        for queue in node.broker.queues.values():
            queue.redelivered_below = 0

    return damage


def expire_on_a_backup() -> Damage:
    """Backups look at the clock, too."""

    def damage(node: Node) -> None:
        broker = node.broker
        if not broker.serving:
            for queue in broker.queues_by_number.values():
                late = [e.position for e in queue.entries() if e.message.expires_at <= broker.now]
                queue.remove(late)

    return damage


def ready_too_early() -> Damage:
    """A primary calls a backup ready when it is linked, whatever it lacks."""

    def damage(node: Node) -> None:
        primary = node.cluster.primary
        if primary is not None:
            for peer in primary.peers.values():
                if peer.phase is Phase.TAIL:
                    peer.phase = Phase.READY
                    peer.info.status = Status.READY
                    primary.membership.put(peer.info)
                    primary.members_changed = primary.stirred = True

    return damage


def lose_the_tail() -> Damage:
    """The newest of the old messages are missing when a backup has been filled."""
    was_whole = True

    def damage(node: Node) -> None:
        nonlocal was_whole
        whole = node.cluster.backup.whole
        if whole and not was_whole:
            for queue in node.broker.queues_by_number.values():
                queue.remove([entry.position for entry in queue.entries()][-1:])
        was_whole = whole

    return damage


def shrink_unasked() -> Damage:
    """A primary drops who is absent, whatever anybody says."""

    def damage(node: Node) -> None:
        primary = node.cluster.primary
        if primary is not None:
            primary.drop(primary.overdue())

    return damage


def reuse_ids() -> Damage:
    """A promoted broker numbers messages from the last one that is there: it is there twice."""
    serving = False

    def damage(node: Node) -> None:
        nonlocal serving
        if node.broker.serving and not serving:
            for queue in node.broker.queues_by_number.values():
                positions = [entry.position for entry in queue.entries()]
                if positions:
                    queue.ordering.last_position = positions[-1] - 1
        serving = node.broker.serving

    return damage


def ignore_epochs(node: Node) -> None:
    """It follows whoever calls itself primary, and as a primary never finds that it is deposed."""
    cluster = node.cluster
    backup, rivals, log = cluster.backup, cluster.rivals, cluster.log
    position, hello = backup.position, backup._hello

    def position_without_epoch() -> Position:
        at = position()
        at.epoch = 0
        return at

    def hello_of_anybody(said: Hello) -> bool:
        if said.history and said.history[-1].owner != log.owner:
            log.epoch = -1
        return hello(said)

    def never(*_: object) -> Verdict:
        return Verdict()

    _replace(backup, "position", position_without_epoch)
    _replace(backup, "_hello", hello_of_anybody)
    _replace(rivals, "look", never)
    _replace(rivals, "decide", never)


def split_transactions(node: Node) -> None:
    """Of what was recorded together, half is replicated one step later."""
    cluster, broker = node.cluster, node.broker
    replicate, genuine = cluster.replicate, node.step
    left: list[Record] = []

    def half(records: list[Record]) -> None:
        middle = (len(records) + 1) // 2
        left.extend(records[middle:])
        replicate(records[:middle])

    def step(happened: Input) -> list[Output]:
        broker.journal.extend(left)
        left.clear()
        return genuine(happened)

    _replace(cluster, "replicate", half)
    _replace(node, "step", step)


def _replace(owner: object, method: str, function: Callable[..., object]) -> None:
    assert hasattr(owner, method)
    setattr(owner, method, function)

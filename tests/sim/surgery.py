"""Damage to the inside of a node: the harder half of the mutants.

A ``Spoiled`` node is damaged after every step, through what is public anyway; of a ``Thinned`` one
not all is written that it says. ``patched`` nodes
have methods replaced, which compiled classes do not allow: such mutants live in the interpreter
only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import cast

from tanist.core.broker import Broker
from tanist.core.message import Message
from tanist.core.records import Entry
from tanist.ha.peer import Phase
from tanist.ha.roles import Status
from tanist.node.config import NodeConfig
from tanist.node.inputs import Input
from tanist.node.node import Node
from tanist.node.outputs import Output, Send
from tanist.wire.amqp010.codec import encode_control, make
from tanist.wire.amqp010.framing import FRAME_HEADER, FRAME_HEADER_SIZE
from tanist.wire.amqp10.framing import EMPTY_FRAME
from tests.sim.nodes import MakeNode

Damage = Callable[[Node], None]

_CONTROL = encode_control(make("connection.heartbeat"))
HEARTBEAT = FRAME_HEADER.pack(0x0F00, FRAME_HEADER_SIZE + len(_CONTROL), 0) + _CONTROL
"""The frame of 0-10 that says nothing but that its writer lives; 1.0 has an empty one."""

BEATS = (HEARTBEAT, EMPTY_FRAME)

SPLIT_S = 0.3
"""Between the halves of a transaction."""


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


class Thinned:
    """A node of whose heartbeats only every ``keep``-th is written, 0 for none.

    ``dialled``: of those to its primary, else of those on connections that it accepted.
    ``beats``: the frames.
    """

    def __init__(self, node: Node, keep: int, dialled: bool, beats: tuple[bytes, ...]) -> None:
        self._node = node
        self._keep = keep
        self._dialled = dialled
        self._beats = beats
        self._seen: Counter[int] = Counter()

    def __getattr__(self, name: str) -> object:
        return getattr(self._node, name)

    def step(self, happened: Input) -> list[Output]:
        """One step, and what is left of its outputs."""
        return [output for output in self._node.step(happened) if self._passes(output)]

    def _passes(self, output: Output) -> bool:
        if not isinstance(output, Send) or output.data not in self._beats:
            return True
        if (output.conn < 0) != self._dialled:
            return True
        self._seen[output.conn] += 1
        return self._keep > 0 and self._seen[output.conn] % self._keep == 0


def thinned(keep: int, dialled: bool = False, beats: tuple[bytes, ...] = BEATS) -> MakeNode:
    """Makes nodes with fewer heartbeats."""
    return lambda config: cast(Node, Thinned(Node(config), keep, dialled, beats))


def hoard() -> Damage:
    """Something is kept of every step, and never looked at again."""
    hoarded: list[tuple[float, str]] = []

    def damage(node: Node) -> None:
        hoarded.append((node.broker.now, node.config.node_name))

    return damage


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
    """A backup is ready as soon as it is linked, whatever it lacks: both sides say so."""

    def damage(node: Node) -> None:
        cluster = node.cluster
        primary = cluster.primary
        if primary is not None:
            for peer in primary.peers.values():
                if peer.phase is Phase.TAIL:
                    peer.phase = Phase.READY
                    peer.info.status = Status.READY
                    primary.membership.put(peer.info)
                    primary.members_changed = primary.stirred = True
        elif cluster.role.status is Status.CATCHUP:
            cluster.role.status = Status.READY

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
    """A promoted broker numbers messages from the last one that is there, not that ever was."""
    serving = False

    def damage(node: Node) -> None:
        nonlocal serving
        if node.broker.serving and not serving:
            for queue in node.broker.queues_by_number.values():
                positions = [entry.position for entry in queue.entries()]
                queue.ordering.last_position = max(positions, default=0)
        serving = node.broker.serving

    return damage


def ignore_epochs() -> Damage:
    """A promoted broker stays in the epoch of its predecessor."""
    before = 0

    def damage(node: Node) -> None:
        nonlocal before
        log = node.cluster.log
        if before and node.cluster.primary is not None and log.epoch > before:
            log.epoch = log.history[-1].number = before
        before = log.epoch

    return damage


def forget_counts() -> Damage:
    """A promoted broker flags what may have been delivered, and counts no delivery before its own.

    The class of entries is replaced.
    """
    serving = False

    class Uncounted(Entry):
        __slots__ = ()

        @property
        def delivery_count(self) -> int:
            return max(0, self.deliveries - 1)

    def damage(node: Node) -> None:
        nonlocal serving
        if node.broker.serving and not serving:
            for queue in node.broker.queues_by_number.values():
                for entry in queue.entries():
                    entry.__class__ = Uncounted
        serving = node.broker.serving

    return damage


def select_anything() -> Damage:
    """Consumers get what their selectors do not mean."""

    def damage(node: Node) -> None:
        broker = node.broker
        for queue in broker.queues.values():
            for subscription in queue.subscriptions:
                if subscription.interest is not None:
                    broker.set_interest(subscription, None)

    return damage


def split_transactions(forms: tuple[int, ...]) -> Damage:
    """Half of what a transaction publishes is done and confirmed; the other half comes later.

    ``forms``: of messages, to which that happens.
    """

    def patch(node: Node) -> None:
        left: list[tuple[float, list[Message]]] = []

        class Splitting(Broker):
            __slots__ = ()

            def publish_all(self, messages: list[Message]) -> None:
                middle = (len(messages) + 1) // 2
                if not messages or messages[0].form not in forms:
                    middle = len(messages)
                super().publish_all(messages[:middle])
                left.append((self.now + SPLIT_S, messages[middle:]))

        broker, genuine_step = node.broker, node.step
        broker.__class__ = Splitting

        def step(happened: Input) -> list[Output]:
            if left and left[0][0] <= broker.now:
                Broker.publish_all(broker, left.pop(0)[1])
            return genuine_step(happened)

        node.step = step  # type: ignore[method-assign]

    return patch

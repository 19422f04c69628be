"""A model of the resource manager: who is promoted, who is killed before.

It is **omniscient** where a real one must be told: it sees the in-sync set of the primary the
moment it changes. In all else it is as a good real one: it notices what it cannot reach after
``detect_s``, it kills a primary that hangs or that it cannot reach before it promotes another
(fencing does not need the network), it promotes nobody who was not in the last in-sync set, and it
waits when nobody of that set can be reached. Faults ask ``may_kill``: nobody survives the loss of
all that hold the data.

In a strict run it is neither: it knows of the set what the outside record says (``store``), fences
nobody, and asks a member of the set to take over as soon as it does not reach the primary.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.sim import probe
from tests.sim.network import Network
from tests.sim.nodes import RESTART_S, SimNode, Watcher
from tests.sim.store import HOST, Store
from tests.sim.world import World

POLL_S = 0.25
PATIENCE_S = 5.0
"""A promotion that was not answered for so long is asked for again."""

Promote = Callable[[SimNode, Callable[[str], None]], Callable[[], None]]
"""Asks a node to become primary; calls back once, see ``_answered``; returns how to give up."""


class ResourceManager(Watcher):
    """Promotes when there is no primary; remembers who was in sync."""

    def __init__(
        self,
        world: World,
        network: Network,
        nodes: list[SimNode],
        detect_s: float,
        promote: Promote,
    ) -> None:
        self.world = world
        self.nodes = nodes
        self.in_sync: dict[str, int] = {}
        """Who was in sync with the newest primary, itself included: name -> which run of it."""
        self._network = network
        self._detect_s = detect_s
        self._promote = promote
        self._epoch = 0
        self._well_at = 0.0
        self._asked: SimNode | None = None
        self._give_up: Callable[[], None] = _nothing
        self._asked_at = 0.0
        self._doubtful: dict[str, int] = {}
        """Node -> which run of it was asked to become primary and may do so yet."""
        self._poll()

    # -- knowing ----------------------------------------------------------------------------

    def ends(self, node: SimNode) -> None:
        """A process is about to end: the last chance to see what it knew.

        The last of the set stays in it although its data is gone: nobody else may take its place.
        """
        self.observe()
        if len(self.in_sync) > 1:
            self.in_sync.pop(node.name, None)

    def observe(self) -> None:
        """Take the in-sync set from the primary of the newest epoch."""
        for node in self.nodes:
            if self._is_current(node):
                self._epoch = probe.standing(node.node).epoch
                ids = probe.in_sync(node.node)
                self.in_sync = {
                    n.name: n.starts for n in self.nodes if n is node or n.system_id in ids
                }

    def _is_current(self, node: SimNode) -> bool:
        """A primary, perhaps stopped, that is not older than what was seen before."""
        return (
            node.alive
            and probe.is_primary(node.node)
            and probe.standing(node.node).epoch >= self._epoch
        )

    def may_kill(self, node: SimNode) -> bool:
        """Whether somebody else has everything that was confirmed."""
        self.observe()
        return self._nothing_at_stake() or any(
            self._counts(n) and n is not node and holds_data(n) for n in self.nodes
        )

    def _nothing_at_stake(self) -> bool:
        """Nobody was promoted yet."""
        return not self.in_sync

    def _counts(self, node: SimNode) -> bool:
        """It may be promoted if the primary is lost now."""
        return self._was_in_sync(node)

    def _was_in_sync(self, node: SimNode) -> bool:
        return self.in_sync.get(node.name) == node.starts

    def reaches(self, node: SimNode) -> bool:
        """Whether the node answers it."""
        return node.awake and self._network.is_open(HOST, node.name)

    def candidate(self) -> SimNode | None:
        """Whom to promote now."""
        there = [node for node in self.nodes if self.reaches(node)]
        if not self.in_sync:
            joining = [n for n in there if probe.status(n.node) is probe.JOINING]
            return joining[0] if len(joining) == len(self.nodes) else None
        ready = [n for n in there if self._was_in_sync(n) and probe.status(n.node) is probe.READY]
        return self._choose(ready)

    def _choose(self, ready: list[SimNode]) -> SimNode | None:
        """Whoever has most."""
        return max(ready, key=_newest, default=None)

    # -- acting -----------------------------------------------------------------------------

    @property
    def waits(self) -> bool:
        """Whether a promotion was asked for that nobody answered yet: there is no peace before."""
        return self._asked is not None

    def _poll(self) -> None:
        self.observe()
        now = self.world.now
        asked = self._asked
        if asked is not None and (
            not self._is_doubtful(asked) or now - self._asked_at > PATIENCE_S
        ):
            self.world.note(f"rm: no answer from {asked.name}")
            self._give_up()
            self._asked = None
        if any(self._is_current(node) and self.reaches(node) for node in self.nodes):
            self._well_at = now
        elif self._asked is None and now - self._well_at >= self._detect_s:
            self._fail_over()
        self.world.after(POLL_S, self._poll)

    def _is_doubtful(self, node: SimNode) -> bool:
        """It was asked, nobody knows what came of it, and it still runs."""
        return node.alive and self._doubtful.get(node.name) == node.starts

    def _fail_over(self) -> None:
        node = self.candidate()
        if node is None:
            return
        self._fence(node)
        self.world.note(f"rm promotes {node.name}; in sync {sorted(self.in_sync)}")
        self._asked = node
        self._asked_at = self.world.now
        self._doubtful[node.name] = node.starts
        self._give_up = self._promote(node, lambda text: self._answered(node, text))

    def _fence(self, chosen: SimNode) -> None:
        """Kill whoever is, or may be about to become, another primary."""
        for node in self.nodes:
            rival = node.alive and (self._is_doubtful(node) or probe.is_primary(node.node))
            if node is not chosen and rival:
                self.world.note(f"rm fences {node.name}")
                self.world.counts["fenced"] += 1
                node.kill("fenced")
                self.world.after(RESTART_S, node.start)

    def _answered(self, node: SimNode, text: str) -> None:
        """ "ok", why not, or "" when the connection broke: then it may have happened or not."""
        self.world.note(f"rm: {node.name} answered promote with {text!r}")
        self._asked = None
        if text:
            self._doubtful.pop(node.name, None)
        if text == "ok":
            self._well_at = self.world.now
        elif text:
            self.world.counts["promotions refused"] += 1


class StrictManager(ResourceManager):
    """The resource manager of a strict run."""

    def __init__(
        self,
        world: World,
        network: Network,
        nodes: list[SimNode],
        detect_s: float,
        promote: Promote,
        store: Store,
    ) -> None:
        self._store = store
        self._dice = world.dice("strict manager")
        super().__init__(world, network, nodes, detect_s, promote)

    def ends(self, node: SimNode) -> None:
        """It is not told."""

    def observe(self) -> None:
        """Read the record. It does not say which run of a member it means."""
        recorded = self._store.record.in_sync
        self.in_sync = {n.name: n.starts for n in self.nodes if str(n.system_id) in recorded}

    def _nothing_at_stake(self) -> bool:
        """Nobody is recorded, or about to be: that run of it would be all that counts."""
        return not self.in_sync and not self._store.asked

    def _counts(self, node: SimNode) -> bool:
        """Its primary may have asked already to go on without it."""
        return str(node.system_id) in self._store.surely_in_sync()

    def _is_current(self, node: SimNode) -> bool:
        """It is the primary of the record, perhaps stopped."""
        record = self._store.record
        return (
            node.alive
            and probe.is_primary(node.node)
            and (str(node.system_id), probe.standing(node.node).epoch)
            == (record.primary, record.epoch)
        )

    def candidate(self) -> SimNode | None:
        """Any ready one of the set; or whoever was promoted first and did not hear of it."""
        found = super().candidate()
        if found is None:
            for node in self.nodes:
                waits = self.reaches(node) and probe.status(node.node) is probe.JOINING
                if waits and str(node.system_id) == self._store.record.primary:
                    return node
        return found

    def _choose(self, ready: list[SimNode]) -> SimNode | None:
        """Any of them will do, that is what the record means."""
        return self._dice.choice(ready) if ready else None

    def _fence(self, chosen: SimNode) -> None:
        """Nobody is fenced."""


def holds_data(node: SimNode) -> bool:
    """It is the primary, or followed one and has a whole state: not freshly restarted."""
    return node.alive and probe.status(node.node) in (probe.READY, probe.RECOVERING, probe.ACTIVE)


def _newest(node: SimNode) -> tuple[int, int, str]:
    standing = probe.standing(node.node)
    return standing.epoch, standing.last_index, node.name


def _nothing() -> None:
    """Nobody to give up on."""

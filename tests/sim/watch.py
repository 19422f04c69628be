"""Invariants: what must hold after every single step of a node, seen from outside.

* Nothing is confirmed before every backup that the primary counts as in sync has it.
* No two brokers confirm in one epoch.
* Whoever is promoted has everything that was ever confirmed.

A broken one raises ``Violation`` in the middle of the run, where the trace ends with the cause.
"""

from __future__ import annotations

from uuid import UUID

from tests.sim import probe
from tests.sim.nodes import SimNode, Watcher


class Violation(Exception):
    """A promise was broken: ``check`` names which, ``text`` says how."""

    def __init__(self, check: str, text: str) -> None:
        super().__init__(f"{check}: {text}")
        self.check = check
        self.text = text


class Watch(Watcher):
    """Looks at every node after every step."""

    def __init__(self, nodes: list[SimNode]) -> None:
        self.promotions: list[float] = []
        """When somebody became primary."""
        self._nodes = {node.system_id: node for node in nodes}
        self._opened: dict[str, tuple[bytes, int]] = {}
        self._confirmers: dict[int, tuple[UUID, str]] = {}
        self._newest = (0, 0)
        """Epoch of the newest confirmation, and the highest index that was confirmed in it."""

    def stepped(self, node: SimNode) -> None:
        """Compare the node with what was seen of it before."""
        inside = node.node
        if not probe.is_primary(inside):
            return
        run, opened = inside.config.boot_id, probe.opened_index(inside)
        known, before = self._opened.get(node.name, (b"", 0))
        if known == run and before == opened:
            return
        standing = probe.standing(inside)
        if known != run:
            self._promoted(node, standing)
            before = standing.fork_index
        self._opened[node.name] = (run, opened)
        if opened > max(before, standing.fork_index):
            self._confirmed(node, standing, opened)

    def _promoted(self, node: SimNode, standing: probe.Standing) -> None:
        """``standing`` is that of the first step as primary: its epoch begins at its fork."""
        self.promotions.append(node.world.now)
        node.world.counts["promotions"] += 1
        epoch, index = self._newest
        if standing.fork_index < index and standing.epoch > epoch:
            raise Violation(
                "promoted behind",
                f"{node.name} was promoted with {standing.fork_index} records, "
                f"{index} were confirmed in epoch {epoch}",
            )

    def _confirmed(self, node: SimNode, standing: probe.Standing, opened: int) -> None:
        who = (standing.owner, node.name)
        first = self._confirmers.setdefault(standing.epoch, who)
        if first != who:
            raise Violation(
                "two primaries",
                f"{node.name} and {first[1]} both confirmed in epoch {standing.epoch}",
            )
        self._newest = max(self._newest, (standing.epoch, opened))
        for system_id in sorted(probe.in_sync(node.node), key=lambda who: who.int):
            backup = self._nodes.get(system_id)
            if backup is None:
                continue
            has = _held_by(backup, standing)
            if has < opened:
                raise Violation(
                    "confirmed early",
                    f"{node.name} confirmed record {opened} of epoch {standing.epoch}, "
                    f"{backup.name}, which it counts as in sync, has {has}",
                )


def _held_by(backup: SimNode, primary: probe.Standing) -> int:
    """How many records of ``primary``'s log a backup holds, or held when a run of it ended.

    The primary can know no better than what was acknowledged by a broker that has died since.
    """
    now = probe.standing(backup.node).common(primary)
    if now and backup.alive:
        return now
    return max([now, *(standing.common(primary) for standing in backup.ended)])

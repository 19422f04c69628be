"""Invariants: what must hold after every single step of a node, seen from outside.

* Nothing is confirmed before every backup that the primary counts as in sync has it.
* No two brokers confirm in one epoch.
* Whoever is promoted has everything that was ever confirmed.
* Nobody confirms what the primary of a newer epoch never had, if anything is left of that epoch.
* A backup can do what its primary did, and nobody but a deposed primary stops itself.

A broken one raises ``Violation`` in the middle of the run, where the trace ends with the cause.
"""

from __future__ import annotations

from uuid import UUID

from tanist.node.links import CANNOT_FOLLOW
from tests.sim import probe
from tests.sim.nodes import SimNode, Watcher

DEPOSED = "Shutting down: deposed"
"""How the last line of a broker begins that stops itself rightly."""


class Violation(Exception):
    """A promise was broken: ``check`` names which, ``text`` says how."""

    def __init__(self, check: str, text: str) -> None:
        super().__init__(f"{check}: {text}")
        self.check = check
        self.text = text


class Watch(Watcher):
    """Looks at every node after every step."""

    def __init__(self, nodes: list[SimNode]) -> None:
        self.failovers: list[float] = []
        """When somebody became primary, or ceased to be."""
        self._names = {node.system_id: node.name for node in nodes}
        self._ever: dict[str, dict[tuple[int, UUID], int]] = {node.name: {} for node in nodes}
        """Name -> epoch and owner -> the last record of it that the backup ever had."""
        self._opened: dict[str, tuple[bytes, int]] = {}
        self._confirmers: dict[int, tuple[UUID, str]] = {}
        self._nodes = nodes
        self._forks: list[tuple[int, UUID, int, str]] = []
        """Epoch, owner, index and name of each promotion."""
        self._newest = (0, 0)
        """Epoch of the newest confirmation, and the highest index that was confirmed in it."""

    def stepped(self, node: SimNode) -> None:
        """Compare the node with what was seen of it before."""
        inside = node.node
        if not probe.is_primary(inside):
            epoch, owner, index = probe.reached(inside)
            ever = self._ever[node.name]
            if index > ever.get((epoch, owner), -1):
                ever[epoch, owner] = index
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

    def said(self, node: SimNode, text: str, stops: bool) -> None:
        """Lines that no fault explains: the data of primary and backup have parted."""
        if text.startswith(CANNOT_FOLLOW) or (stops and not text.startswith(DEPOSED)):
            raise Violation("cannot follow", f"{node.name} says: {text}")

    def ends(self, node: SimNode) -> None:
        """A primary that ends, deposed or not, takes with it what nobody else was to have."""
        if probe.is_primary(node.node):
            self.failovers.append(node.world.now)

    def _promoted(self, node: SimNode, standing: probe.Standing) -> None:
        """``standing`` is that of the first step as primary: its epoch begins at its fork."""
        self.failovers.append(node.world.now)
        node.world.counts["promotions"] += 1
        self._forks.append((standing.epoch, standing.owner, standing.fork_index, node.name))
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
        for epoch, owner, index, name in self._forks:
            newer = epoch > standing.epoch and index < opened
            if newer and self._matters(epoch, owner):
                raise Violation(
                    "confirmed when deposed",
                    f"{node.name} confirmed record {opened} in epoch {standing.epoch}, "
                    f"{name} began epoch {epoch} after record {index}",
                )
        self._newest = max(self._newest, (standing.epoch, opened))
        for system_id in sorted(probe.in_sync(node.node), key=lambda who: who.int):
            backup = self._names.get(system_id)
            if backup is None:
                continue
            has = self._ever_held(backup, standing)
            if has < opened:
                raise Violation(
                    "confirmed early",
                    f"{node.name} confirmed record {opened} of epoch {standing.epoch}, "
                    f"{backup}, which it counts as in sync, has {has}",
                )

    def _matters(self, epoch: int, owner: UUID) -> bool:
        """It confirmed something, or somebody is left who was in it.

        A primary that died before anybody followed it left nothing to be at odds with.
        """
        return epoch in self._confirmers or any(
            node.alive and probe.reached(node.node)[:2] == (epoch, owner) for node in self._nodes
        )

    def _ever_held(self, backup: str, primary: probe.Standing) -> int:
        """How many records of ``primary``'s log a backup holds, or held once.

        What was acknowledged by a broker that was started anew since is what the primary can know.
        """
        return max(
            (
                probe.Standing(epoch, owner, index, 0).common(primary)
                for (epoch, owner), index in self._ever[backup].items()
            ),
            default=0,
        )

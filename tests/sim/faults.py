"""What goes wrong: one line of ``KINDS`` is one kind of fault.

A fault is data (``plan.Fault``); here it is done to the run and, when its time is over, undone. It
strikes whoever fits its target at that moment. What would destroy the last copy of confirmed data
is left out: that is the one thing nobody survives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from tests.sim import probe
from tests.sim.network import CLIENT, SERVER, Network, Way
from tests.sim.nodes import SimNode
from tests.sim.plan import Fault
from tests.sim.resource_manager import ResourceManager
from tests.sim.store import HOST as RM_HOST
from tests.sim.world import World

CLIENT_HOSTS = ("c0", "c1", "c2")
"""The machines that clients run on."""

SLOW_S = 0.2
SLOW_BYTES = 20_000.0
"""A slow host: so many seconds more for everything, so many bytes a second."""

STORM_S = 0.4


@dataclass
class Scene:
    """What a fault can get at. ``random`` is that of the fault alone."""

    world: World
    network: Network
    nodes: list[SimNode]
    manager: ResourceManager
    random: Random

    def victim(self, fault: Fault) -> SimNode | None:
        """Whom the fault strikes."""
        awake = [node for node in self.nodes if node.awake]
        primaries = [node for node in awake if probe.is_primary(node.node)]
        chosen = {
            "primary": primaries,
            "backup": [node for node in awake if node not in primaries],
            "any": awake,
        }.get(fault.target, [node for node in awake if node.name == fault.target])
        return self.random.choice(chosen) if chosen else None

    def others(self, node: SimNode) -> list[str]:
        """The other brokers' names."""
        return [other.name for other in self.nodes if other is not node]


Undo = Callable[[], None]
Strike = Callable[[Scene, Fault], Undo | None]
"""Does the fault; returns how it ends, or None if nobody fitted."""


def _nothing() -> None:
    """A fault that is over at once."""


def kill(scene: Scene, fault: Fault) -> Undo | None:
    """SIGKILL; started again afterwards."""
    node = scene.victim(fault)
    if node is None or not scene.manager.may_kill(node):
        return None
    node.kill()
    return node.start


def stop(scene: Scene, fault: Fault) -> Undo | None:
    """SIGTERM; started again afterwards."""
    node = scene.victim(fault)
    if node is None or not scene.manager.may_kill(node):
        return None
    node.stop()
    return node.start


def power(scene: Scene, fault: Fault) -> Undo | None:
    """The machine loses its power: nobody is told. Started again afterwards."""
    node = scene.victim(fault)
    if node is None or not scene.manager.may_kill(node):
        return None
    node.lose_power()
    return node.start


def pause(scene: Scene, fault: Fault) -> Undo | None:
    """SIGSTOP, then SIGCONT."""
    node = scene.victim(fault)
    if node is None:
        return None
    node.freeze()
    return node.thaw


def pause_all(scene: Scene, fault: Fault) -> Undo | None:
    """SIGSTOP for every broker, then SIGCONT for all."""
    for node in scene.nodes:
        node.freeze()

    def thaw_all() -> None:
        for node in scene.nodes:
            node.thaw()

    return thaw_all


def cut(scene: Scene, fault: Fault) -> Undo | None:
    """One connection is reset."""
    pipes = [p for p in scene.network.pipes if p.open[CLIENT] and p.open[SERVER] and not p.broken]
    if not pipes:
        return None
    pipe = scene.random.choice(pipes)
    scene.world.note(f"cut {pipe.name}")
    scene.network.cut(pipe)
    return _nothing


def cut_all(scene: Scene, fault: Fault) -> Undo | None:
    """All connections of one broker are reset."""
    node = scene.victim(fault)
    if node is None:
        return None
    for pipe in scene.network.pipes:
        if node.name in pipe.ways[SERVER]:
            scene.network.cut(pipe)
    return _nothing


def both(left: list[str], right: list[str]) -> list[Way]:
    """The ways between two groups, in both directions."""
    return [way for a in left for b in right for way in ((a, b), (b, a))]


def _block(scene: Scene, ways: list[Way]) -> Undo:
    scene.world.note("blocked: " + " ".join(f"{a}>{b}" for a, b in ways))
    unblock = scene.network.block(ways)

    def undo() -> None:
        scene.world.note("open again: " + " ".join(f"{a}>{b}" for a, b in ways))
        unblock()

    return undo


def split(scene: Scene, fault: Fault) -> Undo | None:
    """Two groups of brokers do not hear each other; everybody else is on one side, or sees both."""
    names = [node.name for node in scene.nodes]
    scene.random.shuffle(names)
    size = scene.random.randrange(1, len(names))
    left, right = names[:size], names[size:]
    for host in (*CLIENT_HOSTS, RM_HOST):
        side = scene.random.choice((left, right, None))
        if side is not None:
            side.append(host)
    return _block(scene, both(left, right))


def isolate(scene: Scene, fault: Fault) -> Undo | None:
    """One broker hears no other broker, perhaps nobody at all."""
    node = scene.victim(fault)
    if node is None:
        return None
    rest = scene.others(node)
    if scene.random.random() < 0.5:
        rest += [*CLIENT_HOSTS, RM_HOST]
    return _block(scene, both([node.name], rest))


def one_way(scene: Scene, fault: Fault) -> Undo | None:
    """What one broker says is not heard by others, or it does not hear them: one direction only."""
    node = scene.victim(fault)
    if node is None:
        return None
    others = scene.others(node)
    if scene.random.random() < 0.5:
        others = [scene.random.choice(others)]
    if scene.random.random() < 0.3:
        others += [*CLIENT_HOSTS, RM_HOST]
    outward = scene.random.random() < 0.5
    ways = [(node.name, other) if outward else (other, node.name) for other in others]
    return _block(scene, ways)


def partial_split(scene: Scene, fault: Fault) -> Undo | None:
    """Two brokers do not hear each other; all others hear both."""
    node = scene.victim(fault)
    if node is None:
        return None
    return _block(scene, both([node.name], [scene.random.choice(scene.others(node))]))


def clients_apart(scene: Scene, fault: Fault) -> Undo | None:
    """Some client machines do not reach some brokers."""
    hosts = scene.random.sample(CLIENT_HOSTS, scene.random.randrange(1, 4))
    names = [node.name for node in scene.nodes]
    names = scene.random.sample(names, scene.random.randrange(1, len(names) + 1))
    return _block(scene, both(hosts, names))


def manager_apart(scene: Scene, fault: Fault) -> Undo | None:
    """The resource manager does not reach one broker."""
    node = scene.victim(fault)
    return None if node is None else _block(scene, both([RM_HOST], [node.name]))


def slow(scene: Scene, fault: Fault) -> Undo | None:
    """Everything to and from one broker takes long and stands in line."""
    node = scene.victim(fault)
    if node is None:
        return None
    scene.world.note(f"{node.name} is slow")
    scene.network.slow[node.name] = (SLOW_S, SLOW_BYTES)

    def undo() -> None:
        scene.world.note(f"{node.name} is no longer slow")
        scene.network.slow.pop(node.name, None)

    return undo


def storm(scene: Scene, fault: Fault) -> Undo | None:
    """Everything may take long."""
    scene.network.storm_s = STORM_S

    def undo() -> None:
        scene.network.storm_s = 0.0

    return undo


KINDS: dict[str, Strike] = {
    "kill": kill,
    "stop": stop,
    "power": power,
    "pause": pause,
    "pause all": pause_all,
    "cut": cut,
    "cut all": cut_all,
    "split": split,
    "isolate": isolate,
    "one way": one_way,
    "partial": partial_split,
    "clients apart": clients_apart,
    "manager apart": manager_apart,
    "slow": slow,
    "storm": storm,
}
"""All kinds by name."""


class Faults:
    """Strikes when it is time, and heals."""

    def __init__(
        self,
        world: World,
        network: Network,
        nodes: list[SimNode],
        manager: ResourceManager,
        faults: list[Fault],
        startle: Callable[[], None],
        lead_s: float,
    ) -> None:
        self.struck = 0
        """How many found somebody to strike."""
        self._world = world
        self._network = network
        self._nodes = nodes
        self._manager = manager
        self._healed = False
        self._startle = startle
        self._lead_s = lead_s
        for fault in faults:
            world.at(fault.at_s, partial(self._announce, fault))

    def _announce(self, fault: Fault) -> None:
        """Clients are startled, then it strikes: in the middle of what they have just begun."""
        if not self._healed:
            self._startle()
            lead_s = Random(fault.choice).uniform(0.0, self._lead_s)
            self._world.after(lead_s, partial(self._strike, fault))

    def _strike(self, fault: Fault) -> None:
        if self._healed:
            return
        scene = Scene(self._world, self._network, self._nodes, self._manager, Random(fault.choice))
        undo = KINDS[fault.kind](scene, fault)
        if undo is None:
            self._world.counts["faults without a victim"] += 1
            return
        self.struck += 1
        self._world.counts[f"fault {fault.kind}"] += 1

        def over() -> None:
            if not self._healed:
                undo()

        self._world.after(fault.for_s, over)

    def heal(self) -> None:
        """Everything that is broken is right again: ways, hosts, processes."""
        self._healed = True
        self._world.note("heal")
        self._network.heal()
        for node in self._nodes:
            node.thaw()
            node.start()

"""Every fault of the matrix, by name.

A fault is taken through these steps by its run; what it does not need does nothing:

==============  ==================================================================================
``prepare``     what must be so before: a backup that is catching up, say
``inject``      let it happen
``hit_again``   after a promotion, if ``twice``: hit the promoted one; another is promoted then
``fence``       after the last promotion: make sure that the old primary never serves again
``heal``        undo it; every node of ``hit`` must become a ready backup then
==============  ==================================================================================
"""

from __future__ import annotations

from typing import ClassVar, Final

from tanist_interop.faults.process import Fault, Kill, Restart, Suspend
from tanist_interop.faults.scene import CLIENTS, Scene

SLOW_S: Final = 0.04
SLOW_OCTETS_PER_S: Final = 400_000.0
"""A slow link: a round trip of 80 ms, a tenth of what the load of a run may need at most."""

JUMP_S: Final = 3_600.0

DEPOSED_S: Final = 30.0
"""A primary that goes on and finds that it was replaced ends within this: it looks at all members
every five seconds."""

TRICKLE_OCTETS_PER_S: Final = 8_000.0
"""So little reaches a backup that is to be caught while it catches up."""


NOT_REFUSED: Final = "it was promoted"
WENT_ON: Final = "it did not end by itself"
WRONG: Final = (NOT_REFUSED, WENT_ON)
"""Evidence that no broker may give."""

CAUGHT_UP: Final = "the backup had caught up already"
VOID: Final = (CAUGHT_UP,)
"""Evidence that the fault was not what it was to be."""


class Staged:
    """A fault of the matrix in one scene."""

    name: ClassVar[str] = ""
    twice: ClassVar[bool] = False
    """Whoever is promoted is hit as well."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.blocked: list[tuple[int, int]] = []
        """From whom to whom it lets nothing pass."""
        self.hit: list[int] = []
        """Nodes that something was done to."""
        self.evidence = ""
        """What was seen of it, for the history."""

    @property
    def survivors(self) -> list[int]:
        """Who may be promoted after it."""
        nodes = [self.scene.primary, *self.scene.backups]
        return [node for node in nodes if node not in self.hit]

    def prepare(self) -> None:
        """Before it. Raises: HostError, OSError, as all of these."""

    def inject(self) -> None:
        """Let it happen."""

    def hit_again(self, promoted: int) -> None:
        """The promoted one is hit as well."""

    def fence(self) -> None:
        """Nobody who was replaced goes on."""

    def heal(self) -> None:
        """Undo it."""


class Quiet(Staged):
    """What the others are compared with."""

    name = "none"
    summary = "nothing happens"


class OfProcesses(Staged):
    """A fault made of one or more primitive ones."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self.parts: list[Fault] = []

    def strike(self, kind: type[Fault], node: int) -> Fault:
        """Hit one broker."""
        part = kind(self.scene.brokers, node)
        self.hit.append(node)
        self.parts.append(part)
        part.inject()
        if isinstance(part, Restart):
            self.scene.exit_codes[node] = part.exit_code
        return part

    def heal(self) -> None:
        """Undo every part."""
        for part in self.parts:
            part.heal()


class KillPrimary(OfProcesses):
    """SIGKILL the primary."""

    name = "kill-primary"

    def inject(self) -> None:
        self.strike(Kill, self.scene.primary)


class KillBackup(OfProcesses):
    """SIGKILL a backup."""

    name = "kill-backup"

    def inject(self) -> None:
        self.strike(Kill, self.scene.backups[0])


class KillTwo(OfProcesses):
    """SIGKILL the primary and a backup at once."""

    name = "kill-two"

    def inject(self) -> None:
        self.strike(Kill, self.scene.primary)
        self.strike(Kill, self.scene.backups[0])


class KillBackups(OfProcesses):
    """SIGKILL both backups."""

    name = "kill-backups"

    def inject(self) -> None:
        for node in self.scene.backups:
            self.strike(Kill, node)


class HangPrimary(OfProcesses):
    """SIGSTOP the primary; killed after the promotion, as fencing does."""

    name = "hang-primary"

    def inject(self) -> None:
        self.strike(Suspend, self.scene.primary)

    def fence(self) -> None:
        for part in self.parts:
            if isinstance(part, Suspend) and not part.deadly:
                part.fence()


class HangPrimaryUnfenced(HangPrimary):
    """SIGSTOP the primary; it goes on after the promotion, believing what it believed."""

    name = "hang-primary-unfenced"

    def fence(self) -> None:
        """Nobody fences it: it must find out itself, and end."""

    def heal(self) -> None:
        """Let it go on, and start it again when it has ended by itself, as it must."""
        (node,) = self.hit
        self.scene.brokers.resume(node)
        deposed = self.scene.brokers.ends(node, DEPOSED_S)
        self.evidence = "ended by itself" if deposed else WENT_ON
        if not deposed:
            self.scene.brokers.kill(node)
        self.scene.brokers.restart(node)


class HangBackup(OfProcesses):
    """SIGSTOP a backup until the primary drops it, then SIGCONT."""

    name = "hang-backup"

    def inject(self) -> None:
        self.strike(Suspend, self.scene.backups[0])


class StopPrimary(OfProcesses):
    """SIGTERM the primary."""

    name = "stop-primary"

    def inject(self) -> None:
        self.strike(Restart, self.scene.primary)


class StopBackup(OfProcesses):
    """SIGTERM a backup."""

    name = "stop-backup"

    def inject(self) -> None:
        self.strike(Restart, self.scene.backups[0])


class RestartPrimary(OfProcesses):
    """SIGKILL the primary and start it again at once, before anybody is promoted."""

    name = "restart-primary"

    def inject(self) -> None:
        self.strike(Kill, self.scene.primary).heal()

    def heal(self) -> None:
        """It runs already."""


class KillRecovering(OfProcesses):
    """SIGKILL the primary, and the promoted one before it has recovered."""

    name = "kill-recovering"
    twice = True

    def inject(self) -> None:
        self.strike(Kill, self.scene.primary)

    def hit_again(self, promoted: int) -> None:
        self.strike(Kill, promoted)


class KillCatchingUp(OfProcesses):
    """SIGKILL the primary while a backup that was away catches up."""

    name = "kill-catching-up"

    def prepare(self) -> None:
        """It comes back, but little of what it needs reaches it."""
        primary, node = self.scene.primary, self.scene.backups[0]
        part = self.strike(Kill, node)
        self.scene.links.slow(primary, node, 0.0, TRICKLE_OCTETS_PER_S)
        part.heal()

    def inject(self) -> None:
        (status,) = self.scene.brokers.statuses([self.scene.backups[0]])
        self.evidence = CAUGHT_UP if status == "ready" else f"the backup was {status or 'silent'}"
        self.strike(Kill, self.scene.primary)

    def heal(self) -> None:
        self.scene.links.slow(self.scene.primary, self.scene.backups[0], 0.0, 0.0)
        self.parts[1].heal()


class PromoteWrong(OfProcesses):
    """Promote a broker that has just come back and has nothing: it must refuse."""

    name = "promote-wrong"

    def inject(self) -> None:
        """The links to the primary are cut meanwhile: it would have caught up too soon."""
        node, primary = self.scene.backups[0], self.scene.primary
        part = self.strike(Kill, node)
        self.blocked = [(node, primary), (primary, node)]
        for pair in self.blocked:
            self.scene.links.block(*pair)
        part.heal()
        self.evidence = self.scene.brokers.refusal(node) or NOT_REFUSED

    def heal(self) -> None:
        for pair in self.blocked:
            self.scene.links.unblock(*pair)


class OfLinks(Staged):
    """Nothing passes on some links until it is healed."""

    fenced: ClassVar[bool] = True
    """Its primary was replaced, and is killed before the links heal."""

    def pairs(self) -> list[tuple[int, int]]:
        """From whom to whom nothing passes."""
        raise NotImplementedError

    def inject(self) -> None:
        self.hit = self.cut_off()
        self.blocked = self.pairs()
        for pair in self.blocked:
            self.scene.links.block(*pair)

    def cut_off(self) -> list[int]:
        """Who is hit."""
        return [self.scene.primary]

    def fence(self) -> None:
        if self.fenced:
            for node in self.hit:
                self.scene.brokers.kill(node)

    def heal(self) -> None:
        for pair in self.blocked:
            self.scene.links.unblock(*pair)
        if self.fenced:
            for node in self.hit:
                self.scene.brokers.restart(node)

    def around(self, node: int) -> list[int]:
        """Everybody else."""
        nodes = [self.scene.primary, *self.scene.backups]
        return [CLIENTS, *(other for other in nodes if other != node)]


class Partition(OfLinks):
    """Cut the primary off from brokers and clients; killed after the promotion."""

    name = "partition"

    def pairs(self) -> list[tuple[int, int]]:
        node = self.scene.primary
        return [pair for other in self.around(node) for pair in ((node, other), (other, node))]


class PartitionOneWay(OfLinks):
    """What the primary says gets nowhere, but it hears; killed after the promotion."""

    name = "partition-one-way"

    def pairs(self) -> list[tuple[int, int]]:
        return [(self.scene.primary, other) for other in self.around(self.scene.primary)]


class PartitionPartial(OfLinks):
    """Cut the link between the primary and one backup; all others go on."""

    name = "partition-partial"
    fenced = False

    def pairs(self) -> list[tuple[int, int]]:
        primary, backup = self.scene.primary, self.scene.backups[0]
        return [(primary, backup), (backup, primary)]

    def cut_off(self) -> list[int]:
        return [self.scene.backups[0]]


class OfEveryLink(Staged):
    """Something is the matter with every link: between brokers, or to clients."""

    to_clients: ClassVar[bool] = False

    def links(self) -> list[tuple[int, int]]:
        """Every link once."""
        nodes = sorted([self.scene.primary, *self.scene.backups])
        if self.to_clients:
            return [(CLIENTS, node) for node in nodes]
        return [(one, other) for one in nodes for other in nodes if one < other]


class SlowLinks(OfEveryLink):
    """Every octet between brokers takes 40 ms."""

    name = "slow-links"

    def inject(self) -> None:
        self._set(SLOW_S, SLOW_OCTETS_PER_S)

    def heal(self) -> None:
        self._set(0.0, 0.0)

    def _set(self, delay_s: float, octets_per_s: float) -> None:
        for one, other in self.links():
            self.scene.links.slow(one, other, delay_s, octets_per_s)
            self.scene.links.slow(other, one, delay_s, octets_per_s)


class SlowClients(SlowLinks):
    """Every octet between clients and brokers takes 40 ms."""

    name = "slow-clients"
    to_clients = True


class LossyLinks(OfEveryLink):
    """Links between brokers stall and break now and then."""

    name = "lossy-links"

    def inject(self) -> None:
        for pair in self.links():
            self.scene.links.lossy(*pair, self.scene.seed)

    def heal(self) -> None:
        self.hit = [] if self.to_clients else list(self.scene.backups)
        for pair in self.links():
            self.scene.links.lossy(*pair, None)


class LossyClients(LossyLinks):
    """Links between clients and brokers stall and break now and then."""

    name = "lossy-clients"
    to_clients = True


class KillClient(Staged):
    """SIGKILL every program that receives."""

    name = "kill-client"

    def prepare(self) -> None:
        self.scene.clients.finish()

    def inject(self) -> None:
        self.scene.clients.kill()


class PauseClient(Staged):
    """SIGSTOP every program that receives until the broker drops it, then SIGCONT."""

    name = "pause-client"

    def inject(self) -> None:
        self.scene.clients.pause()

    def heal(self) -> None:
        self.scene.clients.resume()


class ClockJump(Staged):
    """The brokers' clocks jump an hour ahead, and back."""

    name = "clock-jump"

    def inject(self) -> None:
        self.scene.brokers.jump(JUMP_S)

    def heal(self) -> None:
        self.scene.brokers.jump(0.0)


class KillInTransaction(KillPrimary):
    """SIGKILL the primary while consumers have acknowledged in an open transaction."""

    name = "kill-in-transaction"


class KillInLargeMessage(KillPrimary):
    """SIGKILL the primary while every client sends a message of 10 MB."""

    name = "kill-in-large-message"


STAGED: Final[dict[str, type[Staged]]] = {
    kind.name: kind
    for kind in (
        Quiet, KillPrimary, KillBackup, KillTwo, KillBackups, HangPrimary, HangPrimaryUnfenced,
        HangBackup, StopPrimary, StopBackup, RestartPrimary, KillRecovering, KillCatchingUp,
        KillInTransaction, KillInLargeMessage, PromoteWrong, Partition, PartitionOneWay,
        PartitionPartial, SlowLinks, SlowClients, LossyLinks, LossyClients, KillClient, PauseClient,
        ClockJump,
    )
}  # fmt: skip
"""Every fault by the name that scenarios use."""

"""Whether this broker may be promoted: looking around first, then yes or no.

A request to promote is kept until everybody was asked who must be (``must_wait``), then decided
(``decide``). Asked are: every member, for its status and where it stands; and the command that
decides over the in-sync set, if there is one (``arbiter``). Refused is a broker

* that has only a part (catching up), or nothing while another member has something (joining);
* that lacks what was confirmed since: a member is at a newer epoch (unless that member says that
  its primary counted on us all the same: then nothing was confirmed since);
* that left the in-sync set: a member that was told later says so, or the primary is alive and
  confirms without it;
* that the command refuses.

``force`` overrides all of these except a living primary and the command: for the case that nothing
better is left (docs/total-failure.md).
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from tanist.ha.backup import Backup
from tanist.ha.roles import Status, status_name
from tanist.ha.standing import PeerStatus
from tanist.ha.url import Address
from tanist.node.arbiter import FORCE, PROMOTE, YES, Arbiter
from tanist.node.links import VERIFY_MAX_S, Links
from tanist.types import BrokerError, Condition

NEVER: Final = float("-inf")
ANSWERS_FRESH_S: Final = 2 * VERIFY_MAX_S
"""What members said of themselves is believed so long; all answers come within half of it."""


class Promotion:
    """Decides over the promotion of one backup."""

    def __init__(self, backup: Backup, links: Links, arbiter: Arbiter) -> None:
        self._backup = backup
        self._links = links
        self._arbiter = arbiter
        self._asked_at = NEVER
        self._answer = ""
        """Why the command refused, empty if it agreed or was not asked."""
        self._granted_epoch = 0
        self._consulted = False

    def must_wait(self, now: float, addresses: list[Address], force: bool) -> bool:
        """Whether a request must be kept and asked about again in a later step."""
        status = self._backup.role.status
        if status not in (Status.JOINING, Status.READY) and not (
            force and status is Status.CATCHUP
        ):
            return False
        if status is Status.JOINING and self._backup.unchecked:
            return True
        if now > self._asked_at + ANSWERS_FRESH_S:  # we may have been stopped since
            self._asked_at = now
            self._consulted = False
            self._links.heard.clear()
            self._links.verify(now, addresses)
        if self._links.verifying:
            return True
        return self._arbiter.enabled and self._consult(force)

    def _consult(self, force: bool) -> bool:
        """Ask the command, unless we would refuse anyway; true while it has not answered."""
        if self._consulted:
            return False
        action = FORCE if force else PROMOTE
        answer = self._arbiter.take_answer()
        if answer is not None and answer.action == action:
            self._consulted = True
            self._answer = "" if answer.code == YES else answer.text or "without a reason"
            self._granted_epoch = 0
            if answer.code == YES and answer.text.isascii() and answer.text.isdigit():
                self._granted_epoch = int(answer.text[:18])
            return False
        if not self._arbiter.waiting:
            if self._refusal(force):
                return False
            own = self._backup.system_id
            known = self._backup.membership
            in_sync = [own, *(who for who in self.survivors() if who != own)]
            status = status_name(self._backup.role.status)
            self._arbiter.ask(action, self._next_epoch(), own, known, in_sync, status=status)
        return True

    def survivors(self) -> list[UUID]:
        """The in-sync set as we know it, less the primary that we followed."""
        return self._backup.membership.survivors()

    def decide(self, force: bool) -> int:
        """The epoch that may begin.

        Raises: BrokerError (PRECONDITION_FAILED) that says why this broker must not be promoted and
            what to do.
        """
        self._asked_at = NEVER
        consulted, self._consulted = self._consulted, False
        self._arbiter.give_up()
        refusal = self._refusal(force)
        if not refusal and self._arbiter.enabled:
            if not consulted:  # the answer was for another request that came together with this
                refusal = "ha-insync-command was not asked for this promotion: ask again"
            elif self._answer:
                refusal = f"ha-insync-command refuses this promotion: {self._answer}"
        if refusal:
            raise BrokerError(Condition.PRECONDITION_FAILED, refusal)
        epoch = max(self._next_epoch(), self._granted_epoch if consulted else 0)
        self._links.heard.clear()
        return epoch

    def _next_epoch(self) -> int:
        heard = [peer.epoch for peer in self._links.heard]
        return max([*heard, self._backup.log.epoch]) + 1

    def _refusal(self, force: bool) -> str:
        """Why not; empty if nothing speaks against it."""
        heard = self._links.heard
        if force:
            alive = [peer for peer in heard if peer.is_primary]
            if alive:
                return (
                    f"The primary {alive[0].system_id} is alive: stop it first. --force is for a "
                    "cluster without a primary."
                )
            return ""
        status = self._backup.role.status
        if status is Status.CATCHUP:
            return "Still catching up, cannot be promoted."
        if status is Status.JOINING and self._backup.saw_active_member:
            return "Joining active cluster, cannot be promoted."
        for peer in heard:
            refusal = self._behind(peer)
            if refusal:
                return refusal
        return ""

    def _is_counted_on(self, peer: PeerStatus) -> bool:
        """A backup of a newer epoch whose in-sync set has us: nothing was confirmed without us."""
        backup = self._backup
        return (
            not peer.is_primary
            and backup.role.status is Status.READY
            and backup.system_id in peer.in_sync
        )

    def _behind(self, peer: PeerStatus) -> str:
        """Why what ``peer`` says speaks against us. Who only catches up has nothing to offer."""
        log = self._backup.log
        if not peer.is_whole:
            return ""
        if peer.epoch > log.epoch:
            if self._is_counted_on(peer):
                return ""
            return (
                f"This broker is at epoch {log.epoch}, member {peer.system_id} at epoch "
                f"{peer.epoch}: cannot be promoted, it lacks what was confirmed since. "
                "Promote a ready member of the newest epoch (qpid-ha status --all)."
            )
        if peer.epoch < log.epoch:
            return ""
        if peer.is_primary and not self._backup.following:
            return (
                f"The primary {peer.system_id} is alive and confirms without this broker: "
                "cannot be promoted. Wait until this broker is linked to it again, or stop it "
                "first."
            )
        left = peer.in_sync and self._backup.system_id not in peer.in_sync
        if left and peer.owner == log.owner and peer.version > self._backup.membership.version:
            return (
                f"This broker left the in-sync set, as member {peer.system_id} was told: cannot be "
                "promoted, it lacks what was confirmed since. Promote a member of the set "
                "(qpid-ha status --all)."
            )
        return ""

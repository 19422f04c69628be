"""Changing the in-sync set of a primary: who must be asked before somebody is dropped, or added.

``ha.primary`` knows who should be dropped. Before that happens every other member is asked whether
another primary was promoted (one of them may have followed it), and then the command that decides
over the set, if there is one (``arbiter``). Until both agreed nothing is confirmed that the absent
member lacks.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from tanist.ha.log import Log
from tanist.ha.membership import Membership
from tanist.ha.primary import Primary
from tanist.ha.url import Address
from tanist.node.arbiter import ASK_AGAIN_S, DEPOSED, GROW, SHRINK, YES, Arbiter, Question
from tanist.node.links import CATEGORY, Links
from tanist.node.outbox import Outbox

PRIMARY: Final = "primary"
"""The status that a primary names: recovering and active are the same to the command."""


class InSync:
    """The in-sync set of one broker while it is primary. ``problem``: why it cannot be changed."""

    def __init__(
        self,
        system_id: UUID,
        log: Log,
        membership: Membership,
        links: Links,
        arbiter: Arbiter,
        outbox: Outbox,
    ) -> None:
        self._own = system_id
        self._log = log
        self._membership = membership
        self._links = links
        self._arbiter = arbiter
        self._outbox = outbox
        self.problem = ""
        self._verified: set[UUID] = set()
        """Absent members for whose sake everybody was asked whether we still are the primary."""

    def shrink(self, primary: Primary, addresses: list[Address]) -> None:
        """Drop who cannot be waited for any longer, as soon as everybody agreed. Call each step."""
        overdue = primary.overdue()
        if not overdue:
            self._verified.clear()
            return
        self._verified.intersection_update(primary.absent)
        fresh = [system_id for system_id in overdue if system_id not in self._verified]
        if fresh:
            self._verified.update(fresh)
            self._links.verify(primary.now, addresses, self._silent_one(primary, fresh))
        if self._links.verifying:
            return
        arbiter = self._arbiter
        if not arbiter.enabled:
            self._drop(primary, overdue)
        elif arbiter.question is None and primary.now >= arbiter.ask_at:
            stay = [who for who in self._sure_members(primary) if who not in overdue]
            why = "; ".join(f"{who} {primary.absent[who].reason}" for who in overdue)
            arbiter.ask(
                SHRINK, self._log.epoch, self._own, self._membership, stay, overdue, why, PRIMARY
            )

    def grow(self, primary: Primary) -> None:
        """Let the command record new members of the set. Call each step, after ``shrink``."""
        arbiter = self._arbiter
        if not arbiter.enabled or arbiter.question is not None or primary.now < arbiter.ask_at:
            return
        members = self._sure_members(primary)
        if not set(members) <= arbiter.recorded:
            arbiter.ask(GROW, self._log.epoch, self._own, self._membership, members, status=PRIMARY)

    def answered(self, primary: Primary) -> str:
        """The command answered; returns why this primary must stop, or an empty text."""
        question = self._arbiter.take_answer()
        if question is None:
            return ""
        primary.stirred = True
        if question.code == YES:
            self.problem = ""
            self._drop(primary, question.leaving)
        elif question.code == DEPOSED:
            return f"deposed; ha-insync-command says: {question.text or 'nothing more'}"
        else:
            self._not_now(question, primary.now)
        return ""

    def _sure_members(self, primary: Primary) -> list[UUID]:
        """Ourselves, who is READY, and the absent that were recorded for us.

        Of a backup of our predecessor that has not come back we do not know whether it was in the
        record: it may have been dropped without our being told.
        """
        absent, recorded = primary.absent, self._arbiter.recorded
        return [
            self._own,
            *(who for who in primary.in_sync() if who not in absent or who in recorded),
        ]

    def _silent_one(self, primary: Primary, absent: list[UUID]) -> str:
        """The address of an absent member that has fallen silent, empty if there is none."""
        for system_id in absent:
            info = self._membership.get(system_id)
            if info is not None and primary.absent[system_id].silent:
                return Address(info.protocol, info.host, info.port).canonical()
        return ""

    def _drop(self, primary: Primary, system_ids: list[UUID]) -> None:
        for system_id in system_ids:
            absent = primary.absent.get(system_id)
            if absent is None:  # it came back meanwhile
                continue
            level, what = "warning", f"Backup {system_id} is not in sync any more: it"
            if absent.expected:
                level, what = "error", f"Recovering backup timed out: {system_id}"
            self._outbox.log(level, CATEGORY, f"{what} {absent.reason}; going on without it")
        primary.drop(system_ids)

    def _not_now(self, question: Question, now: float) -> None:
        self._arbiter.ask_at = now + ASK_AGAIN_S
        why = question.text or f"exit status {question.code}"
        if question.action == SHRINK:
            why += "; what the absent backups lack stays unconfirmed"
        problem = f"ha-insync-command does not agree to {question.action}: {why}"
        if problem != self.problem:
            self.problem = problem
            self._outbox.log("error", CATEGORY, problem)

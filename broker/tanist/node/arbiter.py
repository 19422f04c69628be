"""The outside decision over the in-sync set: ``ha-insync-command``.

Without a command a primary decides by itself who is in sync, and a promotion is decided by whoever
asks for it. With one, every change of the in-sync set is put to the command first, and only what it
recorded counts: a primary that cannot reach the record cannot shrink the set, so alone on the wrong
side of a partition it confirms nothing; and who is not in the record is not promoted.

The command is run as ``COMMAND ACTION EPOCH PRIMARY-ID IN-SYNC-ID,...`` with the same and more as
JSON on its standard input. Actions:

* ``promote`` (or ``force-promote``): may PRIMARY-ID become primary in EPOCH? It waits for the
  others of the set: what is recorded now is what was recorded before *and* is in this set. A number
  on standard output is used as epoch instead, if it is greater;
* ``grow``: these are in sync, add who is missing;
* ``shrink``: ``leaving`` must go, may they?

Exit status 0 is yes, 3 is "another broker is primary now" (the asking primary stops), anything else
is no: a primary asks again a second later. One question is under way at a time.

``recorded`` is what we are sure is recorded; it may be less than what is. A primary never names a
member that it is not sure of, unless that member is READY.
"""

from __future__ import annotations

import json
from typing import Final
from uuid import UUID

from tanist.ha.membership import Membership
from tanist.node.outbox import Outbox
from tanist.node.outputs import Consult

PROMOTE: Final = "promote"
FORCE: Final = "force-promote"
SHRINK: Final = "shrink"
GROW: Final = "grow"

ANSWER_MAX_S: Final = 5.0
"""The command gets so long; promote waits for it, and qpid-ha gives up after 10 seconds."""

ASK_AGAIN_S: Final = 1.0
"""After a no, or no answer, a primary asks again so much later."""

YES: Final = 0
DEPOSED: Final = 3

NOBODY: Final[list[UUID]] = []


class Question:
    """What was asked, and the answer once it is there (``code`` -1: none could be had)."""

    __slots__ = ("action", "answered", "code", "in_sync", "leaving", "request", "text")

    def __init__(self, request: int, action: str, in_sync: list[UUID], leaving: list[UUID]) -> None:
        self.request = request
        self.action = action
        self.in_sync = in_sync
        self.leaving = leaving
        self.answered = False
        self.code = -1
        self.text = ""


class Arbiter:
    """Puts questions to the command. ``enabled``: there is one."""

    def __init__(self, enabled: bool, outbox: Outbox, run: str = "") -> None:
        """``run`` names this run of the process, for the command to compare."""
        self.enabled = enabled
        self._run = run
        self._outbox = outbox
        self._requests = 0
        self.question: Question | None = None
        """What was asked last and is not dealt with yet."""
        self.recorded: set[UUID] = set()
        """Members of the in-sync set that the command recorded for us, ourselves included."""
        self.ask_at = 0.0
        """A primary asks nothing before this time (seconds)."""

    @property
    def waiting(self) -> bool:
        """A question is under way."""
        return self.question is not None and not self.question.answered

    def ask(
        self,
        action: str,
        epoch: int,
        primary: UUID,
        members: Membership,
        in_sync: list[UUID],
        leaving: list[UUID] = NOBODY,
        reason: str = "",
        status: str = "",
    ) -> None:
        """Put a question; the answer comes in ``question``. None may be under way.

        ``status``: the asking broker's, by name. One that is ``joining`` has just started: whatever
        it held before is gone, although its id may be in the record. (Unless it is this very run
        that was promoted and did not hear of it.)
        """
        assert not self.waiting
        self._requests += 1
        self.question = Question(self._requests, action, in_sync, leaving)
        addresses: dict[str, str] = {}
        for info in members.members.values():
            if info.host:
                addresses[str(info.system_id)] = f"{info.host}:{info.port}"
        ids = [str(system_id) for system_id in in_sync]
        document: dict[str, object] = {
            "action": action,
            "epoch": epoch,
            "primary": str(primary),
            "run": self._run,
            "status": status,
            "inSync": ids,
            "leaving": [str(system_id) for system_id in leaving],
            "reason": reason,
            "addresses": addresses,
        }
        self._outbox.put(
            Consult(
                self._requests,
                [action, str(epoch), str(primary), ",".join(ids)],
                json.dumps(document),
                ANSWER_MAX_S,
            )
        )

    def answered(self, request: int, code: int, text: str) -> None:
        """The command ended. An answer to a question that was given up is ignored."""
        question = self.question
        if question is not None and question.request == request:
            question.answered = True
            question.code = code
            question.text = text

    def give_up(self) -> None:
        """Whatever was asked is of no interest any more, nor is its answer."""
        self.question = None

    def take_answer(self) -> Question | None:
        """The question with its answer, once; None if there is none."""
        question = self.question
        if question is None or not question.answered:
            return None
        self.question = None
        if question.code == YES:
            promoted = question.action in (PROMOTE, FORCE)
            self.recorded = set(question.in_sync[:1] if promoted else question.in_sync)
        return question

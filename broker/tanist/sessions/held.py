"""Confirmations that wait for their records: the contract between sessions and the gate.

A confirmation of anything that became a record may be given only when that record is safe on
every in-sync backup. A session collects such confirmations during a step; at the end of the step
the node **seals** them with the index of the newest record, and when that index is safe it **opens
the gate** for the session::

    for held in steps.work.touched:
        held.seal(log.index)
        gate.hold(log.index, held)       # later: held.open_gate(index)

The cost is O(1) per session and step, whatever the number of messages.

Where queues are copied to other brokers, what a step confirms may wait for these, too: before it
seals, the node gives a ``Pledge`` (``core.follower``), and says when it is kept. What a session
collects later waits with it, because a sync is complete when everything before it is.
"""

from __future__ import annotations

from mypy_extensions import mypyc_attr

from tanist.core.follower import Pledge


@mypyc_attr(allow_interpreted_subclasses=True)
class Held:
    """Something with confirmations to give once its records are safe: a session."""

    __slots__ = ()

    def seal(self, index: int) -> None:
        """Everything collected since the last seal waits for record ``index``."""
        raise NotImplementedError

    def pledge(self, pledge: Pledge) -> None:
        """Everything collected since the last seal waits for ``pledge``, too; called before seal.

        Who has nothing to do with messages of clients need not wait for copies.
        """

    def kept(self) -> None:
        """A pledge was kept: confirm what waited for nothing else."""

    def open_gate(self, index: int) -> None:
        """Records up to ``index`` are safe: confirm everything sealed at or below it."""
        raise NotImplementedError

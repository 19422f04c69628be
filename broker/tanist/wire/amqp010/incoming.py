"""The peer's commands by number: which arrived, which are done, which the peer must be told of.

A peer announces with session.command-point the id of its next command: at the start, where any id
is good, and later, forwards or backwards, when it replays after a failover. A command whose id
arrived before is a duplicate: it is ignored, and if it is done, that is announced again.

All ids here are unwrapped (``serial``), except those that methods take and return. What arrived is
the present run, from ``_run_first`` to ``next - 1``, and the runs before it. ``take`` only counts
until ``stop``, where the next id needs a closer look: before the first command-point, where the
run would touch an older one, or after ``block``.

Announcing. ``complete`` notes the ids; ``announcement`` returns the ranges to send. They are
always whole merged ranges, because the Java and the Python client advance only over a range that
begins at or before the first id they wait for. Nothing is forgotten but what the peer said it
knows, and ids further back than ``SPAN_MAX``.

Source: AMQP specification 0-10, part III "session" (command-point, completed, known-completed).
"""

from __future__ import annotations

from typing import Final

from tanist.wire.serial import HALF, WIRE_MASK, Ranges, unwrap

RUNS_MAX: Final = 65536
"""Holes a peer may leave in its command ids: beyond any client (Java replays at most 64 K
commands), and a few megabytes of memory."""

SPAN_MAX: Final = HALF >> 1
"""Longest range ever announced, and oldest ids remembered: serial numbers further apart than
``HALF`` have no order, so that a long session must let go of its beginning."""

START: Final = WIRE_MASK + 1
"""Id 0, unwrapped: one round above zero, so that a replay from before the start stays positive."""

IGNORE: Final = -1
AGAIN: Final = -2
BLOCKED: Final = -3
"""What ``take`` returns instead of an id."""


class Incoming:
    """The numbers of one session's incoming commands.

    ``next``: the next command's id, unwrapped. ``pointed``: a command-point has arrived.
    """

    __slots__ = (
        "_fresh",
        "_run_first",
        "_runs",
        "_stop",
        "_tail_fresh",
        "blocked",
        "done",
        "next",
        "pointed",
    )

    def __init__(self) -> None:
        self.next = START
        self.pointed = False
        self.blocked = False
        self.done = Ranges()
        self._run_first = START
        self._stop = START
        self._runs = Ranges()
        self._fresh: list[int] = []
        self._tail_fresh = False

    def take(self) -> int:
        """The wire id of the command that just arrived.

        ``IGNORE``: a duplicate; ``AGAIN``: one to announce again; ``BLOCKED``: no command may
        arrive now, and it was not counted.
        """
        number = self.next
        if number == self._stop:
            return self._take_at_stop()
        self.next = number + 1
        return number & WIRE_MASK

    def _take_at_stop(self) -> int:
        if self.blocked or not self.pointed:
            return BLOCKED
        number = self.next
        self.next = number + 1
        runs = self._runs
        index = runs.index(number)
        if index == len(runs):
            self._stop = -1
            return number & WIRE_MASK
        if runs.firsts[index] > number:
            self._stop = runs.firsts[index]
            return number & WIRE_MASK
        self._end_run(number)
        self._run_first = self._stop = number + 1
        if self.done.contains(number):
            self._fresh.append(number)
            return AGAIN
        return IGNORE

    def _end_run(self, end: int) -> None:
        """Keep the present run, which goes to below ``end``."""
        if end > self._run_first:
            self._runs.add(self._run_first, end - 1)

    def block(self) -> None:
        """No command may arrive from now on."""
        self.blocked = True
        self._stop = self.next

    def point(self, command_id: int) -> bool:
        """The next command has the wire id ``command_id``. False: too many jumps."""
        runs = self._runs
        self._end_run(self.next)
        near = runs.lasts[-1] if len(runs) else START
        runs.forget_below(near - SPAN_MAX)
        if len(runs) > RUNS_MAX:
            return False
        self.pointed = True
        self.next = self._run_first = self._stop = unwrap(command_id, near)
        return True

    def complete(self, first: int, last: int) -> bool:
        """The commands ``first`` to ``last`` (wire ids) are done.

        True if there was nothing to announce before.
        """
        lasts = self.done.lasts
        if lasts:
            number = lasts[-1] + 1
            if number & WIRE_MASK == first:
                lasts[-1] = number + ((last - first) & WIRE_MASK)
                if self._tail_fresh:
                    return False
                self._tail_fresh = True
                self._fresh.append(number)
                return len(self._fresh) == 1
        number = unwrap(first, self.next)
        self.done.add(number, number + ((last - first) & WIRE_MASK))
        if number >= self.done.firsts[-1]:
            self._tail_fresh = True
        self._fresh.append(number)
        return len(self._fresh) == 1

    def announcement(self, everything: bool) -> list[tuple[int, int]]:
        """The unwrapped ranges to announce now; empty if there is nothing new.

        The lowest range is always among them: the C++ client takes whatever lies below the end of
        the first range of an announcement as confirmed.
        """
        done, fresh = self.done, self._fresh
        if not fresh and not everything:
            return []
        if len(done.firsts) == 1:
            ranges = [(done.firsts[0], done.lasts[0])]
        elif everything or not len(done):
            ranges = done.pairs()
        else:
            indices = {done.index(number) for number in fresh}
            indices.add(0)
            ranges = [(done.firsts[i], done.lasts[i]) for i in sorted(indices) if i < len(done)]
        fresh.clear()
        self._tail_fresh = False
        return ranges

    def known(self, ranges: list[tuple[int, int]]) -> None:
        """The peer knows these wire ids to be done: forget them.

        Only from the front; holes would cost memory and help nobody.
        """
        done = self.done
        for first, last in ranges:
            start = unwrap(first, self.next)
            end = start + ((last - first) & WIRE_MASK)
            if len(done) and start <= done.firsts[0] <= end:
                done.forget_below(end + 1)

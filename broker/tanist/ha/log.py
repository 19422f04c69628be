"""The replicated log as one node holds it: its place in the cluster's history, its newest batches.

Records are numbered ``(epoch, index)``; index grows by one per record over all epochs of a cluster,
epoch by one (or more) per promotion. A batch is what one step of the primary produced; it is
encoded once, and the same bytes go to every backup and are kept here, so that a backup which lost
its link goes on where it was. Backups keep what they receive for the same reason: the one that is
promoted can serve the others without a snapshot.

``history`` says which primary led from which index on. With it ``meet`` finds where two logs part:
a follower that has more of an older epoch than we ever had drops what is behind that point (nobody
confirmed it, or we would have it) and goes on from there.

The log is bounded in bytes of memory (``retain_bytes``): what is cut off costs a lagging backup a
snapshot, nothing else.
"""

from __future__ import annotations

from collections import deque
from typing import Final
from uuid import UUID

from mypy_extensions import mypyc_attr

from tanist.types import FramingError

RETAIN_BYTES: Final = 64 * 1024 * 1024
"""Bytes of batches kept for backups that resume: seconds of full load, little of the memory."""

BATCH_BYTES: Final = 200
"""What a batch takes beside its octets, in the interpreted broker (compiled: 110): where messages
come one by one that is more than the octets."""

HISTORY_MAX: Final = 64
"""Epochs remembered: a follower that missed more promotions than that gets a snapshot."""

NO_OWNER: Final = UUID(int=0)


class Epoch:
    """Since the record after index ``begin`` the primary was ``owner``, in epoch ``number``."""

    __slots__ = ("begin", "number", "owner")

    def __init__(self, number: int, owner: UUID, begin: int) -> None:
        self.number = number
        self.owner = owner
        self.begin = begin


@mypyc_attr(acyclic=True)
class Batch:
    """Encoded records ``first``..``last`` (inclusive indexes), appended at ``at`` (seconds)."""

    __slots__ = ("at", "data", "first", "last")

    def __init__(self, first: int, last: int, data: bytes, at: float = 0.0) -> None:
        self.first = first
        self.last = last
        self.data = data
        self.at = at


class Log:
    """Where this node stands in the history of the cluster, and its newest stretch.

    ``epoch`` and ``owner`` name the primary whose history this is (0 and ``NO_OWNER``: nobody's
    yet); ``fork_index`` is where that epoch began. They are the last element of ``history``.
    """

    __slots__ = (
        "batches",
        "epoch",
        "fork_index",
        "history",
        "index",
        "owner",
        "retain_bytes",
        "retained_bytes",
    )

    def __init__(self, retain_bytes: int = RETAIN_BYTES) -> None:
        self.epoch = 0
        self.owner = NO_OWNER
        self.fork_index = 0
        self.history: list[Epoch] = [Epoch(0, NO_OWNER, 0)]
        self.index = 0
        self.batches: deque[Batch] = deque()
        self.retained_bytes = 0
        self.retain_bytes = retain_bytes

    # -- whose history ----------------------------------------------------------------------

    def begin_epoch(self, number: int, owner: UUID) -> None:
        """This node was promoted: epoch ``number`` begins after the last index.

        ``number`` must be newer than our own. Epochs that began after what we have, of which we
        were only told, are no part of our history.
        """
        assert number > self.epoch
        ours = [epoch for epoch in self.history if epoch.begin <= self.index]
        self._set_history([*ours, Epoch(number, owner, self.index)])

    def forget_past(self) -> None:
        """What we hold is not what the log says (a part of it): nobody goes on from before now."""
        self._set_history(self.history[-1:])
        self.restart(self.index)

    def follow(self, history: list[Epoch]) -> None:
        """Take over the history of the primary that we follow now.

        Raises: FramingError if it is no history.
        """
        before = Epoch(-1, NO_OWNER, 0)
        for epoch in history:
            if epoch.number <= before.number or epoch.begin < before.begin:
                raise FramingError("replication link: the epochs of a history must grow")
            before = epoch
        if not history:
            raise FramingError("replication link: a history without an epoch")
        self._set_history(history)

    def _set_history(self, history: list[Epoch]) -> None:
        self.history = history[-HISTORY_MAX:]
        last = self.history[-1]
        self.epoch = last.number
        self.owner = last.owner
        self.fork_index = last.begin

    def meet(self, epoch: int, owner: UUID, index: int, floor: int) -> int:
        """The index after which a follower at ``(epoch, owner, index)`` goes on; -1: nowhere.

        It is where our history and the follower's part, or the end of what it has. ``floor``: what
        the follower cannot take back, because it did it to its queues already. -1 also when the log
        does not reach back so far: the follower needs a snapshot. So does one that never followed
        anybody: what is in the queues is less than all that ever went through them.
        """
        end = self.index
        for known in reversed(self.history):
            if known.number == epoch and known.owner == owner:
                break
            end = known.begin
        else:
            return -1
        at = min(index, end)
        new = owner == NO_OWNER and at < self.index
        if new or at < floor or at + 1 < self.first_retained:
            return -1
        return at

    # -- batches ----------------------------------------------------------------------------

    def append(self, count: int, data: bytes, at: float = 0.0) -> Batch:
        """Add ``count`` records encoded as ``data``; the next indexes are theirs."""
        batch = Batch(self.index + 1, self.index + count, data, at)
        self.index = batch.last
        self.batches.append(batch)
        self.retained_bytes += len(data) + BATCH_BYTES
        while self.retained_bytes > self.retain_bytes and len(self.batches) > 1:
            self.retained_bytes -= len(self.batches.popleft().data) + BATCH_BYTES
        return batch

    def truncate(self, index: int) -> None:
        """Forget everything after ``index``, which must be the end of a batch.

        Raises: FramingError if it is in the middle of one; nothing is forgotten then.
        """
        if any(batch.first <= index < batch.last for batch in self.batches):
            raise FramingError(f"replication link: index {index} is in the middle of a batch")
        while self.batches and self.batches[-1].first > index:
            self.retained_bytes -= len(self.batches.pop().data) + BATCH_BYTES
        self.index = min(self.index, index)

    def restart(self, index: int) -> None:
        """A snapshot at ``index`` replaces everything: nothing before it can be resumed from us."""
        self.batches.clear()
        self.retained_bytes = 0
        self.index = index

    @property
    def first_retained(self) -> int:
        """The oldest index that can still be sent from the log."""
        return self.batches[0].first if self.batches else self.index + 1

    def batches_after(self, index: int, count_max: int) -> list[Batch]:
        """The first ``count_max`` retained batches after ``index``, oldest first.

        ``index`` must be the end of a batch and not older than ``first_retained - 1``.
        """
        batches = self.batches
        low, high = 0, len(batches)
        while low < high:
            middle = (low + high) // 2
            if batches[middle].first <= index:
                low = middle + 1
            else:
                high = middle
        return [batches[at] for at in range(low, min(low + count_max, len(batches)))]

"""The replicated log as one node holds it: the newest batches, encoded.

Records are numbered ``(epoch, index)``; index grows by one per record over all epochs of a cluster,
epoch by one per promotion. A batch is what one step of the primary produced; it is encoded once,
and the same bytes go to every backup and are kept here, so that a backup which lost its link goes
on where it was. Backups keep what they receive for the same reason: the one that is promoted can
serve the others without a snapshot.

The log is bounded in bytes (``retain_bytes``): what is cut off costs a lagging backup a snapshot,
nothing else.
"""

from __future__ import annotations

from collections import deque
from typing import Final
from uuid import UUID

RETAIN_BYTES: Final = 64 * 1024 * 1024
"""Bytes of batches kept for backups that resume: seconds of full load, little of the memory."""

NO_OWNER: Final = UUID(int=0)


class Batch:
    """Encoded records ``first``..``last`` (inclusive indexes)."""

    __slots__ = ("data", "first", "last")

    def __init__(self, first: int, last: int, data: bytes) -> None:
        self.first = first
        self.last = last
        self.data = data


class Log:
    """Where this node stands in the history of the cluster, and its newest stretch.

    ``epoch`` and ``owner`` name the primary whose history this is; ``fork_index`` is where
    ``epoch`` began, ``previous_epoch``/``previous_owner`` whose history it continued.
    """

    __slots__ = (
        "batches",
        "epoch",
        "fork_index",
        "index",
        "owner",
        "previous_epoch",
        "previous_owner",
        "retain_bytes",
        "retained_bytes",
    )

    def __init__(self, retain_bytes: int = RETAIN_BYTES) -> None:
        self.epoch = 0
        self.owner = NO_OWNER
        self.index = 0
        self.fork_index = 0
        self.previous_epoch = 0
        self.previous_owner = NO_OWNER
        self.batches: deque[Batch] = deque()
        self.retained_bytes = 0
        self.retain_bytes = retain_bytes

    def begin_epoch(self, owner: UUID, newest_seen: int = 0) -> int:
        """This node was promoted: a new epoch begins after the last index. Returns the epoch.

        It is newer than our own and than ``newest_seen``, the newest that a member spoke of.
        """
        self.previous_epoch = self.epoch
        self.previous_owner = self.owner
        self.fork_index = self.index
        self.epoch = max(self.epoch, newest_seen) + 1
        self.owner = owner
        return self.epoch

    def append(self, count: int, data: bytes) -> Batch:
        """Add ``count`` records encoded as ``data``; the next indexes are theirs."""
        batch = Batch(self.index + 1, self.index + count, data)
        self.index = batch.last
        self.batches.append(batch)
        self.retained_bytes += len(data)
        while self.retained_bytes > self.retain_bytes and len(self.batches) > 1:
            self.retained_bytes -= len(self.batches.popleft().data)
        return batch

    def follow(self, epoch: int, owner: UUID, fork_index: int) -> None:
        """Accept the epoch of the primary that we follow now (a new one, or the same)."""
        if (epoch, owner) != (self.epoch, self.owner):
            self.previous_epoch = self.epoch
            self.previous_owner = self.owner
            self.epoch = epoch
            self.owner = owner
            self.fork_index = fork_index

    def restart(self, index: int) -> None:
        """A snapshot at ``index`` replaced everything: nothing before it can be resumed from us."""
        self.batches.clear()
        self.retained_bytes = 0
        self.index = index

    @property
    def first_retained(self) -> int:
        """The oldest index that can still be sent from the log."""
        return self.batches[0].first if self.batches else self.index + 1

    def can_resume(self, epoch: int, owner: UUID, index: int) -> bool:
        """Whether a follower at ``(epoch, owner, index)`` holds a prefix of this log and can go on.

        True for one of our own epoch, and for one of the epoch before that stopped at or before
        the point where ours began; both only while the log still has the next record.
        """
        if index > self.index or index + 1 < self.first_retained:
            return False
        if (epoch, owner) == (self.epoch, self.owner):
            return True
        return (epoch, owner) == (
            self.previous_epoch,
            self.previous_owner,
        ) and index <= self.fork_index

    def batches_after(self, index: int) -> list[Batch]:
        """The retained batches after ``index``, oldest first.

        ``index`` must be the end of a batch and not older than ``first_retained - 1``.
        """
        found: list[Batch] = []
        for batch in reversed(self.batches):
            if batch.first <= index:
                break
            found.append(batch)
        found.reverse()
        return found

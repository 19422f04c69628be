"""The status of a broker in a cluster, as a table.

Theory of operation. A broker of a cluster starts as a backup (``joining``). It dials the members;
when a primary answers it is ``catchup`` until that primary, and nobody else, says it is ``ready``.
A promoted broker is ``recovering`` while it waits for the backups of its predecessor, then
``active``. There is no way back from primary to backup: a deposed primary must be restarted. A
broker outside a cluster is ``standalone`` for ever.

Everything that changes a status goes through ``Role.fire``; what is not in ``TRANSITIONS`` is
impossible, and an impossible change stops the broker. The numbers travel in membership maps and the
names are printed by ``qpid-ha``; both are the original's and must not change.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final


class Status(IntEnum):
    """Status of a broker; the value is what travels in membership maps."""

    JOINING = 0
    CATCHUP = 1
    READY = 2
    RECOVERING = 3
    ACTIVE = 4
    STANDALONE = 5


class Trigger(Enum):
    """What makes a status change."""

    CLUSTER = "the broker was configured as a member of a cluster"
    PRIMARY_FOUND = "a primary accepted our replication link"
    CAUGHT_UP = "the primary says that we are in sync"
    FELL_BEHIND = "the primary says that we are not in sync, or sends a new snapshot"
    PROMOTED = "the resource manager promoted this broker"
    FORCED = "a person promoted this broker, knowing what it lacks"
    RECOVERED = "no backup is waited for any more"


TRANSITIONS: Final[dict[tuple[Status, Trigger], Status]] = {
    (Status.STANDALONE, Trigger.CLUSTER): Status.JOINING,
    (Status.JOINING, Trigger.PRIMARY_FOUND): Status.CATCHUP,
    (Status.JOINING, Trigger.PROMOTED): Status.RECOVERING,
    (Status.CATCHUP, Trigger.PRIMARY_FOUND): Status.CATCHUP,
    (Status.CATCHUP, Trigger.FELL_BEHIND): Status.CATCHUP,
    (Status.CATCHUP, Trigger.CAUGHT_UP): Status.READY,
    (Status.READY, Trigger.PRIMARY_FOUND): Status.READY,
    (Status.READY, Trigger.CAUGHT_UP): Status.READY,
    (Status.READY, Trigger.FELL_BEHIND): Status.CATCHUP,
    (Status.READY, Trigger.PROMOTED): Status.RECOVERING,
    (Status.JOINING, Trigger.FORCED): Status.RECOVERING,
    (Status.CATCHUP, Trigger.FORCED): Status.RECOVERING,
    (Status.READY, Trigger.FORCED): Status.RECOVERING,
    (Status.RECOVERING, Trigger.RECOVERED): Status.ACTIVE,
}

PRIMARY_STATUSES: Final = frozenset({Status.RECOVERING, Status.ACTIVE})
BACKUP_STATUSES: Final = frozenset({Status.JOINING, Status.CATCHUP, Status.READY})


class IllegalTransition(Exception):
    """A status change that cannot happen; the broker must stop (never limp on)."""


def status_name(status: Status) -> str:
    """The word that tools print and scripts match, e.g. ``"ready"``."""
    return status.name.lower()


class Role:
    """The present status of one broker. Change it only with ``fire``."""

    __slots__ = ("status",)

    def __init__(self) -> None:
        self.status = Status.STANDALONE

    def fire(self, trigger: Trigger) -> bool:
        """Change the status; true if it is another one now.

        Raises: IllegalTransition if the table has no such row; stop the broker then.
        """
        target = TRANSITIONS.get((self.status, trigger))
        if target is None:
            raise IllegalTransition(
                f"Illegal state transition from {status_name(self.status)}: {trigger.value}"
            )
        changed = target is not self.status
        self.status = target
        return changed

    @property
    def is_primary(self) -> bool:
        """Recovering or active: the one that serves clients of a cluster."""
        return self.status in PRIMARY_STATUSES

    @property
    def is_backup(self) -> bool:
        """Joining, catching up or ready: ordinary clients are turned away."""
        return self.status in BACKUP_STATUSES

    @property
    def name(self) -> str:
        """The status as tools print it."""
        return status_name(self.status)

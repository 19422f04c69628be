"""What brokers tell each other of themselves, and what it means.

Before anybody logs in, a member says in the *server-properties* of its connection.start who it is
and where it stands (``PeerStatus``): one dial tells a primary from a backup, a promotion learns
from the members whether somebody else must be promoted, and a primary whether it still is one. A
backup says in the *arguments* of its subscription what it has (``Position``), so that the primary
knows where to go on.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from tanist.ha.messages import FORMAT
from tanist.ha.roles import PRIMARY_STATUSES, Status
from tanist.wire.amqp010.values import Value, uint32, uint64

SYSTEM_ID_PROPERTY: Final = "qpid.ha-system-id"
STATUS_PROPERTY: Final = "qpid.ha-status"
EPOCH_PROPERTY: Final = "qpid.ha-epoch"
OWNER_PROPERTY: Final = "qpid.ha-owner"
INDEX_PROPERTY: Final = "qpid.ha-index"
CONFIRMED_PROPERTY: Final = "qpid.ha-confirmed"
SET_PROPERTY: Final = "qpid.ha-set"
IN_SYNC_PROPERTY: Final = "qpid.ha-in-sync"
FLOOR_PROPERTY: Final = "qpid.ha-applied"
FILLED_QUEUE_PROPERTY: Final = "qpid.ha-filled-queue"
FILLED_POSITION_PROPERTY: Final = "qpid.ha-filled-position"
WHOLE_PROPERTY: Final = "qpid.ha-whole"
FORMAT_PROPERTY: Final = "qpid.ha-format"
INFO_PROPERTY: Final = "qpid.ha-info"
"""Argument of a subscription: the broker-info map."""

IN_SYNC_MAX: Final = 1000
"""Members of an in-sync set that are named to a peer, or read from it; clusters have a handful."""


class PeerStatus:
    """What a broker says of itself in connection.start.

    ``epoch``, ``owner``, ``index``: where its log stands. ``confirmed``: how many records it
    confirmed since its epoch began (a primary only). ``in_sync``: the in-sync set as it knows it,
    and ``version``, how recent that is within the epoch.
    """

    __slots__ = (
        "confirmed",
        "epoch",
        "in_sync",
        "index",
        "owner",
        "status",
        "system_id",
        "version",
    )

    def __init__(
        self,
        system_id: UUID,
        status: Status,
        epoch: int,
        owner: UUID,
        index: int = 0,
        confirmed: int = 0,
        version: int = 0,
        in_sync: list[UUID] | None = None,
    ) -> None:
        self.system_id = system_id
        self.status = status
        self.epoch = epoch
        self.owner = owner
        self.index = index
        self.confirmed = confirmed
        self.version = version
        self.in_sync: list[UUID] = in_sync or []

    @property
    def is_primary(self) -> bool:
        """It says that it serves."""
        return self.status in PRIMARY_STATUSES

    @property
    def is_whole(self) -> bool:
        """It says that it has everything: primary, or ready backup."""
        return self.is_primary or self.status is Status.READY

    def deposes(self, system_id: UUID, epoch: int, confirmed: int) -> bool:
        """Whether a primary ``system_id`` of ``epoch`` must stop, having heard this.

        A newer epoch deposes an older one. Two primaries of one epoch should not be; if they are,
        the one that confirmed more stays, or else the one with the greater id, so that exactly one
        of them stops.
        """
        if self.epoch != epoch or not self.is_primary or self.system_id == system_id:
            return self.epoch > epoch
        return (self.confirmed, self.system_id.int) > (confirmed, system_id.int)

    def to_properties(self) -> dict[str, Value]:
        """As server-properties."""
        members: list[Value] = list(self.in_sync[:IN_SYNC_MAX])
        return {
            SYSTEM_ID_PROPERTY: self.system_id,
            STATUS_PROPERTY: uint32(int(self.status)),
            EPOCH_PROPERTY: uint64(self.epoch),
            OWNER_PROPERTY: self.owner,
            INDEX_PROPERTY: uint64(self.index),
            CONFIRMED_PROPERTY: uint64(self.confirmed),
            SET_PROPERTY: uint64(self.version),
            IN_SYNC_PROPERTY: members,
        }

    @classmethod
    def from_properties(cls, properties: dict[str, Value]) -> PeerStatus | None:
        """Read the server-properties of a broker; None if it is no cluster member."""
        system_id = properties.get(SYSTEM_ID_PROPERTY)
        status = properties.get(STATUS_PROPERTY)
        epoch = properties.get(EPOCH_PROPERTY)
        owner = properties.get(OWNER_PROPERTY)
        if not isinstance(system_id, UUID) or not isinstance(owner, UUID):
            return None
        if not isinstance(status, int) or not 0 <= status <= int(Status.STANDALONE):
            return None
        if not isinstance(epoch, int):
            return None
        members = properties.get(IN_SYNC_PROPERTY)
        found = members[:IN_SYNC_MAX] if isinstance(members, list) else []
        return cls(
            system_id,
            Status(status),
            epoch,
            owner,
            _number(properties, INDEX_PROPERTY),
            _number(properties, CONFIRMED_PROPERTY),
            _number(properties, SET_PROPERTY),
            [member for member in found if isinstance(member, UUID)],
        )


class Position:
    """Where a follower stands.

    ``index``: the end of its log, of which it cannot take back what is up to ``floor``. ``whole``:
    false in the middle of a snapshot; then ``filled_queue`` and ``filled_position`` say up to where
    the old messages came, and ``filled_queue`` is -1 before the first of them.
    """

    __slots__ = (
        "epoch",
        "filled_position",
        "filled_queue",
        "floor",
        "index",
        "owner",
        "whole",
    )

    def __init__(
        self,
        epoch: int,
        owner: UUID,
        index: int,
        floor: int,
        whole: bool = True,
        filled_queue: int = -1,
        filled_position: int = 0,
    ) -> None:
        self.epoch = epoch
        self.owner = owner
        self.index = index
        self.floor = floor
        self.whole = whole
        self.filled_queue = filled_queue
        self.filled_position = filled_position

    def to_arguments(self) -> dict[str, Value]:
        """As arguments of the subscription."""
        arguments: dict[str, Value] = {
            FORMAT_PROPERTY: uint32(FORMAT),
            EPOCH_PROPERTY: uint64(self.epoch),
            OWNER_PROPERTY: self.owner,
            INDEX_PROPERTY: uint64(self.index),
            FLOOR_PROPERTY: uint64(self.floor),
            WHOLE_PROPERTY: self.whole,
        }
        if not self.whole and self.filled_queue >= 0:
            arguments[FILLED_QUEUE_PROPERTY] = uint32(self.filled_queue)
            arguments[FILLED_POSITION_PROPERTY] = uint64(self.filled_position)
        return arguments

    @classmethod
    def from_arguments(cls, arguments: dict[str, Value]) -> Position | None:
        """Read the arguments of a subscription; None if they name no place.

        A follower that does not say what it can take back can take back nothing.
        """
        epoch = arguments.get(EPOCH_PROPERTY)
        owner = arguments.get(OWNER_PROPERTY)
        index = arguments.get(INDEX_PROPERTY)
        if not isinstance(epoch, int) or not isinstance(owner, UUID) or not isinstance(index, int):
            return None
        floor = arguments.get(FLOOR_PROPERTY)
        queue = arguments.get(FILLED_QUEUE_PROPERTY)
        return cls(
            epoch,
            owner,
            index,
            floor if isinstance(floor, int) else index,
            arguments.get(WHOLE_PROPERTY) is True,
            queue if isinstance(queue, int) else -1,
            _number(arguments, FILLED_POSITION_PROPERTY),
        )


def _number(values: dict[str, Value], name: str) -> int:
    value = values.get(name)
    return value if isinstance(value, int) else 0

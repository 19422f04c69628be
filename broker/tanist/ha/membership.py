"""Who is in the cluster, as the primary sees it and the backups mirror it.

The primary keeps the truth: itself, one entry for each connected backup, and the members of the
in-sync set that it waits for. It sends the whole list to every backup whenever it changes; a backup
replaces its own list. ``version`` grows with every change within an epoch, so that of two brokers
that followed one primary we know who was told last. In sync is who is *ready* on the list, and who
is *waited for*: started anew, it has not everything yet, but was not dropped from the set either.
The maps are the original's "broker info" maps (system-id, protocol, host-name, port, status), which
``habroker.members`` and the ``membersUpdate`` event show.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from tanist.ha.roles import Status
from tanist.types import FramingError
from tanist.wire.amqp010.values import Value, int32, uint16

NAME_MAX: Final = 255
"""Characters of a host name: what DNS allows."""

PORT_MAX: Final = 65535

IN_SYNC_STATUSES: Final = frozenset({Status.READY, Status.RECOVERING, Status.ACTIVE})
"""Who has everything that was confirmed, as the list says it."""


class BrokerInfo:
    """One member: identity, the address it is known by ("" and 0 if unknown), status."""

    __slots__ = ("host", "port", "protocol", "status", "system_id")

    def __init__(
        self, system_id: UUID, status: Status, protocol: str = "", host: str = "", port: int = 0
    ) -> None:
        self.system_id = system_id
        self.status = status
        self.protocol = protocol
        self.host = host
        self.port = port

    def to_map(self) -> dict[str, Value]:
        """The broker-info map that travels in client properties, members and events."""
        return {
            "system-id": self.system_id,
            "protocol": self.protocol,
            "host-name": self.host,
            "port": uint16(self.port),
            "status": int32(int(self.status)),
        }

    @classmethod
    def from_map(cls, value: Value) -> BrokerInfo:
        """Read a broker-info map.

        Raises: FramingError if it has no system-id or a status that does not exist.
        """
        if not isinstance(value, dict):
            raise FramingError("broker info is not a map")
        system_id = value.get("system-id")
        if not isinstance(system_id, UUID):
            raise FramingError("broker info without a uuid as system-id")
        number = value.get("status")
        if not isinstance(number, int) or not 0 <= number <= int(Status.STANDALONE):
            raise FramingError(f"broker info with unknown status {number!r}")
        port = value.get("port")
        protocol, host = _text(value.get("protocol")), _text(value.get("host-name"))
        if len(protocol) > NAME_MAX or len(host) > NAME_MAX:
            raise FramingError("broker info with an endless protocol or host name")
        if isinstance(port, int) and not 0 <= port <= PORT_MAX:
            raise FramingError(f"broker info with port {port}")
        return cls(system_id, Status(number), protocol, host, port if isinstance(port, int) else 0)


def _text(value: Value) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""


class Membership:
    """The members in the order in which they came, self first on a primary."""

    __slots__ = ("members", "version", "waited_for")

    def __init__(self) -> None:
        self.members: dict[UUID, BrokerInfo] = {}
        self.waited_for: set[UUID] = set()
        self.version = 0

    def begin(self, primary: BrokerInfo, keep: list[UUID]) -> None:
        """A new primary: itself, and of the others those to ``keep``."""
        kept = {who: info for who, info in self.members.items() if who in keep}
        self.members = {primary.system_id: primary, **kept}
        self.waited_for.intersection_update(keep)

    def put(self, info: BrokerInfo, waited_for: bool = False) -> None:
        """Add a member, or replace what was known of it."""
        self.members[info.system_id] = info
        if waited_for:
            self.waited_for.add(info.system_id)
        else:
            self.waited_for.discard(info.system_id)

    def remove(self, system_id: UUID) -> None:
        """Forget a member; harmless if it is none."""
        self.members.pop(system_id, None)
        self.waited_for.discard(system_id)

    def get(self, system_id: UUID) -> BrokerInfo | None:
        """What is known of a member."""
        return self.members.get(system_id)

    def to_list(self) -> list[Value]:
        """The list shown in ``habroker.members``."""
        return [info.to_map() for info in self.members.values()]

    def replace(self, version: int, members: list[Value], waited_for: list[Value]) -> None:
        """Take over the primary's list.

        Raises: FramingError for an element that is no broker info; the old list stays then.
        """
        infos = [BrokerInfo.from_map(member) for member in members]
        self.members = {info.system_id: info for info in infos}
        self.waited_for = {who for who in waited_for if isinstance(who, UUID)}
        self.version = version

    def in_sync(self) -> list[UUID]:
        """The in-sync set: the primary, and whoever is ready or waited for."""
        return [
            info.system_id
            for info in self.members.values()
            if info.status in IN_SYNC_STATUSES or info.system_id in self.waited_for
        ]

    def survivors(self) -> list[UUID]:
        """The in-sync set without its primary."""
        return [
            info.system_id
            for info in self.members.values()
            if info.status is Status.READY or info.system_id in self.waited_for
        ]

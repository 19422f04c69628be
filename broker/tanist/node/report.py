"""What a broker says of its part in the cluster: properties of ``habroker`` beyond the original's.

For ``qpid-ha status --all``, for monitoring, and for whoever must decide after a disaster: where
each broker stands, how far a backup has come and how long it will take, what is stuck, since when
and why. docs/qpid-ha.md lists the properties.
"""

from __future__ import annotations

from typing import Final

from tanist.ha.backup import Backup
from tanist.ha.membership import IN_SYNC_STATUSES, Membership
from tanist.ha.peer import Peer
from tanist.ha.primary import Absent, Primary
from tanist.ha.roles import Role, Status, status_name
from tanist.wire.amqp010.values import Value, uint64

STUCK_AFTER_S: Final = 3.0
"""Without progress for so long something is stuck; one maintenance interval is not yet."""

UNKNOWN_ETA: Final = -1
NANOSECONDS: Final = 1_000_000_000


class Clock:
    """Turns seconds of the node into Unix nanoseconds."""

    __slots__ = ("_offset_s", "now")

    def __init__(self, now: float, wall_offset_s: float) -> None:
        self.now = now
        self._offset_s = wall_offset_s

    def wall_ns(self, at: float) -> Value:
        """The moment ``at`` as a property; 0 for "never"."""
        return uint64(max(0, int((at + self._offset_s) * NANOSECONDS))) if at else uint64(0)

    def stuck_since(self, moved_at: float) -> float:
        """``moved_at`` if that is long ago, else 0."""
        return moved_at if self.now > moved_at + STUCK_AFTER_S else 0.0


class Situation:
    """What there is to report on: the parts of a node's place in the cluster."""

    __slots__ = ("backup", "membership", "messages", "primary", "problems", "role", "status_since")

    def __init__(
        self,
        role: Role,
        backup: Backup,
        primary: Primary | None,
        membership: Membership,
        status_since: float,
        problems: list[str],
        messages: int,
    ) -> None:
        self.role = role
        self.backup = backup
        self.primary = primary
        self.membership = membership
        self.status_since = status_since
        self.problems = problems
        self.messages = messages


def details(situation: Situation, clock: Clock) -> dict[str, Value]:
    """The further properties of habroker, for any role."""
    problems: list[Value] = [line for line in situation.problems if line]
    in_sync: list[Value] = list(situation.membership.in_sync())
    log = situation.backup.log
    found: dict[str, Value] = {
        "epoch": uint64(log.epoch),
        "index": uint64(log.index),
        "applied": uint64(log.index),
        "messages": uint64(situation.messages),
        "inSync": in_sync,
        "statusSince": clock.wall_ns(situation.status_since),
        "stuckSince": uint64(0),
        "reason": "",
        "problems": problems,
        "backups": [],
        "catchUp": {},
    }
    if situation.primary is not None:
        found |= _primary(situation.primary, clock)
    elif situation.role.is_backup:
        found |= _backup(situation.backup, situation.role.status, clock)
    return found


def _backup(backup: Backup, status: Status, clock: Clock) -> dict[str, Value]:
    stuck_since = 0.0
    reason = ""
    if not backup.following:
        reason = "no link to a primary"
        stuck_since = clock.stuck_since(backup.moved_at) if backup.moved_at else 0.0
    elif status is not Status.READY:
        reason = "tail of the log" if backup.whole else "old messages"
        stuck_since = clock.stuck_since(backup.moved_at)
    return {
        "applied": uint64(backup.floor),
        "stuckSince": clock.wall_ns(stuck_since),
        "reason": reason,
        "catchUp": _progress(backup, clock) if status is Status.CATCHUP else {},
    }


def _progress(backup: Backup, clock: Clock) -> dict[str, Value]:
    """How far a backup that catches up has come, and when it will be there."""
    done, total = backup.messages_done, backup.messages_total
    if backup.whole:
        done, total = backup.log.index, max(backup.end_index, backup.log.index)
    return {
        "whole": backup.whole,
        "done": uint64(done),
        "total": uint64(total),
        "unit": "records" if backup.whole else "messages",
        "etaSeconds": _eta_s(done, total, clock.now - backup.began_at),
    }


def _eta_s(done: int, total: int, passed_s: float) -> int:
    """Seconds to go at the speed so far; UNKNOWN_ETA before anything was done."""
    if done <= 0 or passed_s <= 0:
        return UNKNOWN_ETA
    return int((total - done) * passed_s / done)


def _primary(primary: Primary, clock: Clock) -> dict[str, Value]:
    backups: list[Value] = []
    for peer in primary.peers.values():
        backups.append(_peer(primary, peer, clock))
    linked = {peer.info.system_id for peer in primary.peers.values()}
    for system_id, absent in primary.absent.items():
        if system_id not in linked:
            info = primary.membership.get(system_id)
            address = f"{info.host}:{info.port}" if info is not None and info.host else ""
            backups.append(
                {
                    "system-id": system_id,
                    "address": address,
                    "status": "absent",
                    "inSync": True,
                    "index": uint64(absent.acked),
                    "behind": uint64(primary.log.index - absent.acked),
                    "reason": absent.reason,
                    "stuckSince": clock.wall_ns(absent.since),
                }
            )
    held = [absent for absent in primary.absent.values()]
    since = min((absent.since for absent in held), default=0.0)
    reason = "; ".join(f"{who} {absent.reason}" for who, absent in primary.absent.items())
    return {
        "backups": backups,
        "stuckSince": clock.wall_ns(clock.stuck_since(since) if held else 0.0),
        "reason": f"waits for {reason}" if held else "",
    }


def _peer(primary: Primary, peer: Peer, clock: Clock) -> Value:
    info = peer.info
    absent: Absent | None = primary.absent.get(info.system_id)
    stuck_since = 0.0
    if peer.in_flight:
        stuck_since = clock.stuck_since(peer.in_flight[0].at)
    found: dict[str, Value] = {
        "system-id": info.system_id,
        "address": f"{info.host}:{info.port}" if info.host else "",
        "status": status_name(info.status),
        "phase": peer.phase.name.lower(),
        "inSync": info.status in IN_SYNC_STATUSES,
        "index": uint64(peer.acked_index),
        "behind": uint64(primary.log.index - peer.acked_index),
        "reason": peer.reason or (absent.reason if absent is not None else ""),
        "stuckSince": clock.wall_ns(stuck_since),
    }
    catch_up = peer.catch_up
    if catch_up is not None:
        found["done"] = uint64(catch_up.done)
        found["total"] = uint64(catch_up.total)
        found["etaSeconds"] = _eta_s(catch_up.done, catch_up.total, clock.now - peer.began_at)
    return found

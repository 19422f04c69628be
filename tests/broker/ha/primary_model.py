"""A primary whose node is the test, and backups that acknowledge when they are told to."""

from __future__ import annotations

from uuid import UUID

from tanist.core.broker import Broker, BrokerConfig
from tanist.core.message import Message
from tanist.core.notices import Actor
from tanist.ha.codec import RecordWriter
from tanist.ha.log import NO_OWNER, Log
from tanist.ha.membership import BrokerInfo, Membership
from tanist.ha.messages import batch_head
from tanist.ha.peer import Phase
from tanist.ha.primary import Primary
from tanist.ha.roles import Status
from tanist.ha.standing import Position
from tanist.types import ReplicationLevel
from tests.broker.ha.link_peer import LinkPeer

ME, B, C = UUID(int=1), UUID(int=2), UUID(int=3)
ACTOR = Actor("u", "h:1")


class Cluster:
    """A primary whose node is the test: it drops at once who should be dropped."""

    def __init__(
        self,
        *,
        flow_messages: int = 0,
        flow_bytes: int = 0,
        retain: int = 10**6,
        ack_timeout_s: float = 0.0,
        drops: bool = True,
    ) -> None:
        numbers = iter(range(1, 10**6))
        self.drops = drops
        self.broker = Broker(
            BrokerConfig(ha=True, default_level=ReplicationLevel.ALL),
            lambda: UUID(int=next(numbers)),
            lambda message: {},
        )
        self.broker.promote()
        self.log = Log(retain)
        self.log.begin_epoch(1, ME)
        self.membership = Membership()
        self.primary = Primary(
            self.broker,
            self.log,
            self.membership,
            RecordWriter(),
            flow_messages,
            flow_bytes,
            ack_timeout_s,
        )
        self.opened = 0
        self.dropped: list[UUID] = []
        self.broker.declare_queue("q", ACTOR, arguments={"qpid.max_count": 10**6})
        self.commit()

    def publish(self, count: int = 1, body: bytes = b"x") -> None:
        """``count`` messages in one step."""
        for _ in range(count):
            self.broker.publish(Message(b"", body, "", "q"), "")
        self.commit()

    def commit(self) -> None:
        """The end of a step with records."""
        records, self.broker.journal = self.broker.journal, []
        head = batch_head(self.log.epoch, self.log.index + 1, self.opened, len(records))
        self.primary.replicate(self.log.append(len(records), RecordWriter().encode(records, head)))
        self.settle()

    def settle(self) -> list[UUID]:
        """The end of every step; returns who became ready.

        Of the news of members only that somebody left is told here: it holds confirmations.
        """
        self.primary.pump()
        overdue = self.primary.overdue()
        if self.drops and overdue:
            self.dropped += overdue
            self.primary.drop(overdue)
        if self.primary.shrunk:
            self.primary.announce_members()
        self.opened = self.primary.confirmable(self.opened)
        self.primary.commit(self.opened)
        return [peer.info.system_id for peer in self.primary.promote_synced(self.opened)]

    def at(self, now: float) -> list[int]:
        """Time passes; returns the connections that must be dropped."""
        self.primary.now = now
        stuck = [peer.conn for peer in self.primary.tick()]
        self.settle()
        return stuck

    def join(
        self,
        conn: int,
        who: UUID = B,
        index: int = 0,
        epoch: int = 0,
        *,
        floor: int | None = None,
        whole: bool = True,
        filled: tuple[int, int] = (-1, 0),
    ) -> LinkPeer:
        """A backup subscribes; one that has nothing (epoch 0) just started."""
        link = LinkPeer()
        owner = ME if epoch else NO_OWNER
        info = BrokerInfo(who, Status.READY if epoch else Status.JOINING)
        position = Position(epoch, owner, index, index if floor is None else floor, whole, *filled)
        self.primary.add(conn, link.session, info, position)
        self.settle()
        return link

    def ready(self, conn: int, who: UUID = B) -> LinkPeer:
        """A backup that is in sync; what it was sent is forgotten."""
        link = self.join(conn, who)
        self.acknowledge(conn)
        assert self.phase(conn) is Phase.READY
        assert link.received
        return link

    def acknowledge(self, conn: int, transfers: int = 10**6) -> list[UUID]:
        """A backup completed its oldest transfers (all)."""
        self.primary.acknowledged(conn, transfers)
        return self.settle()

    def phase(self, conn: int) -> Phase:
        return self.primary.peers[conn].phase

    def status_of(self, who: UUID) -> Status | None:
        info = self.membership.get(who)
        return info and info.status


def kinds(bodies: list[bytes]) -> list[int]:
    return [body[0] for body in bodies]

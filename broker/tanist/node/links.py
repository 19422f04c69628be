"""Outbound connections of a member: looking at the others, and the replication link.

A dial has a purpose:

* LINK: the replication link of a backup. It dials the addresses in turn until a primary accepts
  it. A pass over the list is made without delay between addresses; after a pass that found no
  primary it waits ``link-maintenance-interval``;
* CHECK: at its start a member dials every address once, only to read what the peer says of itself
  (**status check**);
* VERIFY: before a promotion all other members are asked for status and epoch, and a primary asks
  again whenever it loses a backup: perhaps another was promoted while we were stopped or cut off.
  Until all were heard, or had their time, the promotion waits, or nothing is confirmed;
* SURVEY: every now and then every member looks at all others, so that two primaries are noticed.

A link whose primary does not finish the handshake in time is dropped: a stopped process still
accepts TCP connections. One that a primary refuses for who we are (connection.close) ends this
broker with one line: no retry would mend the configuration, and the original does the same.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from tanist.ha.backup import Backup, Refusal
from tanist.ha.membership import BrokerInfo
from tanist.ha.messages import BACKUP_PROPERTY, REPLICATION_SOURCE
from tanist.ha.roles import IllegalTransition, Status
from tanist.ha.standing import INFO_PROPERTY, PeerStatus
from tanist.ha.url import Address
from tanist.node.config import NodeConfig
from tanist.node.outbox import Outbox
from tanist.node.outputs import Close, Connect, Send
from tanist.types import MESSAGE_BYTES_MAX, BrokerError, Condition
from tanist.wire.amqp010.codec import make
from tanist.wire.amqp010.connection import Connection, ConnectionSettings
from tanist.wire.amqp010.events import (
    Attached,
    Closed,
    Detached,
    Event,
    Exception_,
    Failed,
    Opened,
    Transfer,
)
from tanist.wire.amqp010.session import Session
from tanist.wire.amqp010.values import Value, uint32

CATEGORY: Final = "HA"
CANNOT_FOLLOW: Final = "Replication failed"
"""How the line begins that says that a backup could not do what its primary did."""

BATCH_BYTES_MAX: Final = 4 * MESSAGE_BYTES_MAX
"""Largest message of a replication link: one step of the primary may record a message of the
largest size, a transaction, and what goes with it."""

HANDSHAKE_MIN_S: Final = 1.0
"""A peer gets at least this long to answer, however short the heartbeat."""
VERIFY_MAX_S: Final = 2.0
"""A member gets so long to answer a primary that wants to know whether it still is one; nothing is
confirmed meanwhile."""

HUNG_MAX_S: Final = 0.5
"""So long one gets that has just fallen silent: perhaps it was only its link that was cut."""

CHECK_MAX_S: Final = 8.0
"""A status check takes no longer: promote waits for it, and qpid-ha gives up after 10 seconds."""

SURVEY_EVERY_S: Final = 5.0
"""Between two looks at all members: two primaries are news that nobody should have to wait for, and
a look costs one connection for each pair of members."""


class Purpose(IntEnum):
    """What a dial is for."""

    LINK = 0
    CHECK = 1
    VERIFY = 2
    SURVEY = 3


class Dial:
    """One outbound connection."""

    __slots__ = (
        "address",
        "conn",
        "connection",
        "ends_pass",
        "following",
        "give_up_at",
        "judged",
        "opened",
        "purpose",
    )

    def __init__(
        self, conn: int, address: Address, purpose: Purpose, ends_pass: bool, give_up_at: float
    ) -> None:
        self.conn = conn
        self.address = address
        self.purpose = purpose
        self.ends_pass = ends_pass
        self.give_up_at = give_up_at
        self.connection: Connection | None = None
        self.judged = False
        self.opened = False
        self.following = False

    @property
    def name(self) -> str:
        """The address, for the log."""
        return self.address.canonical()


class Links:
    """The outbound connections of one member."""

    def __init__(self, config: NodeConfig, backup: Backup, outbox: Outbox) -> None:
        self._config = config
        self._backup = backup
        self._outbox = outbox
        self._dials: dict[int, Dial] = {}
        self._link: Dial | None = None
        self.dial_at = float("inf")
        """When ``tick`` dials next."""
        self.closed = False
        self.own_address: Address | None = None
        """The address at which we met ourselves: what others know us by."""
        self.status_changed = False
        self.verifying: set[int] = set()
        """Dials of ``verify`` that are not decided yet."""
        self.heard: list[PeerStatus] = []
        """What members answered to ``verify`` since the list was emptied."""
        self.sights: list[tuple[str, PeerStatus | None]] = []
        """What dials found: address, and who answered. The cluster looks at it and empties it."""
        self.survey_at = float("inf")
        """When ``survey`` asks around next."""
        self.refusal = ""
        """Why we do not follow a primary that answers, empty if we do or if there is none."""

    @property
    def handshake_s(self) -> float:
        """How long a peer may take from the dial to its first message."""
        wanted = max(HANDSHAKE_MIN_S, 2 * self._config.link_heartbeat_interval_s)
        return min(wanted, self._config.max_negotiate_time_s)

    def start(self, now: float, addresses: list[Address]) -> None:
        """Dial these members from now on; checks all of them once if we are still joining."""
        self._backup.point_at(addresses)
        self.survey_at = now + SURVEY_EVERY_S
        if self._backup.role.status is Status.JOINING:
            for address in addresses:
                dial = self._connect(now, address, Purpose.CHECK)
                self._backup.unchecked.add(dial.conn)
        if self._link is None:
            self.dial_at = now
            self.tick(now)

    def verify(self, now: float, addresses: list[Address], hung: str = "") -> None:
        """Ask every other member for its status and epoch; answers come in ``heard``.

        ``hung`` is the canonical address of a member that has just fallen silent, or empty; little
        time is spent on it. ``verifying`` is empty when all were heard or had their time.
        """
        if not self.verifying:
            self.heard.clear()
        for address in self._others(addresses):
            limit_s = HUNG_MAX_S if address.canonical() == hung else VERIFY_MAX_S
            dial = self._connect(now, address, Purpose.VERIFY)
            dial.give_up_at = min(dial.give_up_at, now + limit_s)
            self.verifying.add(dial.conn)

    def survey(self, now: float, addresses: list[Address]) -> None:
        """Look at every other member, if it is time; what they say comes in ``sights``."""
        if now < self.survey_at:
            return
        self.survey_at = now + SURVEY_EVERY_S
        surveying = {d.name for d in self._dials.values() if d.purpose is Purpose.SURVEY}
        for address in self._others(addresses):
            if address.canonical() not in surveying:
                self._connect(now, address, Purpose.SURVEY)

    def _others(self, addresses: list[Address]) -> list[Address]:
        """The addresses that are not known to be our own."""
        own = "" if self.own_address is None else self.own_address.canonical()
        return [address for address in addresses if address.canonical() != own]

    def close_all(self) -> None:
        """Drop every outbound connection: a promoted broker links to nobody."""
        self.closed = True
        for dial in self._dials.values():
            self._outbox.put(Close(dial.conn, abort=True))
        self._dials.clear()
        self._backup.unchecked.clear()
        self._link = None
        self.dial_at = float("inf")

    # -- time -------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Dial if it is time; drop what takes too long or fell silent."""
        for dial in list(self._dials.values()):
            self._tick_dial(dial, now)
        if self._link is None and now >= self.dial_at and not self.closed:
            taken = self._backup.take_address()
            self.dial_at = float("inf")
            if taken is not None:
                self._link = self._connect(now, taken[0], Purpose.LINK, taken[1])

    def _tick_dial(self, dial: Dial, now: float) -> None:
        if now >= dial.give_up_at:
            self._drop(dial, now, "no answer in time")
            return
        connection = dial.connection
        if connection is not None and now >= connection.deadline:
            self._events(dial, connection.tick(now), now)
            self._send(dial)

    # -- what the edge reports --------------------------------------------------------------

    def up(self, conn: int, now: float) -> None:
        """The TCP connection of a dial is there."""
        dial = self._dials.get(conn)
        if dial is None:
            return
        dial.connection = Connection(self._settings(), now)
        self._send(dial)

    def received(self, conn: int, data: bytes, now: float) -> None:
        """Bytes from a peer."""
        dial = self._dials.get(conn)
        if dial is None or dial.connection is None:
            return
        events = dial.connection.receive_data(data, now)
        if not dial.judged and dial.connection.server_properties:
            dial.judged = True
            if not self._judge(dial, now):
                return
        self._events(dial, events, now)
        self._send(dial)

    def gone(self, conn: int, now: float, reason: str) -> None:
        """The TCP connection is gone, or could not be made."""
        dial = self._dials.get(conn)
        if dial is not None:
            self._forget(dial, now, reason)

    # -- one dial ---------------------------------------------------------------------------

    def _connect(
        self, now: float, address: Address, purpose: Purpose, ends_pass: bool = False
    ) -> Dial:
        conn = self._outbox.next_conn()
        limit_s = self.handshake_s
        if purpose is not Purpose.LINK:
            limit_s = min(limit_s, CHECK_MAX_S)
        dial = Dial(conn, address, purpose, ends_pass, now + limit_s)
        self._dials[conn] = dial
        self._outbox.put(Connect(conn, address.host, address.port, limit_s))
        return dial

    def _settings(self) -> ConnectionSettings:
        config = self._config
        properties: dict[str, Value] = {
            "product": "qpid-tanist",
            "qpid.fed_link": uint32(1),
            "qpid.federation_tag": config.federation_tag or str(config.system_id),
            BACKUP_PROPERTY: self._info().to_map(),
        }
        return ConnectionSettings(
            role="client",
            client_properties=properties,
            username=config.ha_username,
            password=config.ha_password,
            mechanism=config.ha_mechanism,
            heartbeat_s=int(config.link_heartbeat_interval_s),
            content_max=BATCH_BYTES_MAX,
        )

    def _info(self) -> BrokerInfo:
        info = BrokerInfo(self._config.system_id, self._backup.role.status)
        if self.own_address is not None:
            info.protocol = self.own_address.protocol
            info.host = self.own_address.host
            info.port = self.own_address.port
        return info

    def _judge(self, dial: Dial, now: float) -> bool:
        """Look at who answered; false if the connection was dropped."""
        assert dial.connection is not None
        peer = PeerStatus.from_properties(dial.connection.server_properties)
        if peer is not None:
            if peer.system_id == self._backup.system_id:
                self.own_address = dial.address
            else:
                self.sights.append((dial.name, peer))
                if dial.purpose is Purpose.VERIFY:
                    self.heard.append(peer)
        if dial.purpose in (Purpose.VERIFY, Purpose.SURVEY):
            self._drop(dial, now, "looked at")
            return False
        try:
            self._backup.judge(peer)
        except Refusal as refusal:
            self._drop(dial, now, str(refusal))
            return False
        if dial.purpose is Purpose.CHECK:
            self._drop(dial, now, "checked")
            return False
        return True

    def _events(self, dial: Dial, events: list[Event], now: float) -> None:
        for event in events:
            if dial.conn not in self._dials:
                return
            if isinstance(event, Transfer):
                self._transfer(dial, event, now)
            elif isinstance(event, Opened):
                assert dial.connection is not None
                dial.opened = True
                dial.connection.attach(f"{REPLICATION_SOURCE}.{self._config.system_id}", force=True)
            elif isinstance(event, Attached):
                self._subscribe(event.session)
            elif isinstance(event, Exception_):
                self._drop(dial, now, event.struct.text("description"))
            elif isinstance(event, Detached):
                self._drop(dial, now, "the primary ended the replication session")
            elif isinstance(event, (Closed, Failed)):
                self._send(dial)
                self._drop(dial, now, event.text)
                self._refused(dial, event)

    def _refused(self, dial: Dial, event: Closed | Failed) -> None:
        """Perhaps the primary does not want us for who we are; trying again would not help then.

        It says so before open-ok, or offers no mechanism that we may use.
        """
        connection = dial.connection
        if dial.opened or connection is None or event.code != Condition.CONNECTION_FORCED.code:
            return
        if isinstance(event, Failed) and connection.mechanism:
            return
        user = self._config.ha_username or "anonymous"
        self._outbox.stop(
            f"Shutting down: the primary {dial.name} refuses our link as user {user}: {event.text}."
            " Check ha-username, ha-password and ha-mechanism on both brokers"
        )

    def _subscribe(self, session: Session) -> None:
        session.send(
            make(
                "message.subscribe",
                queue=REPLICATION_SOURCE,
                destination=REPLICATION_SOURCE,
                accept_mode=1,
                acquire_mode=1,
                arguments={
                    **self._backup.position().to_arguments(),
                    INFO_PROPERTY: self._info().to_map(),
                },
            )
        )

    def _transfer(self, dial: Dial, event: Transfer, now: float) -> None:
        self._backup.now = now
        try:
            if self._backup.receive(event.body):
                self.status_changed = True
        except Refusal as refusal:
            line = f"Will not follow {dial.name}: {refusal}"
            if line != self.refusal:
                self.refusal = line
                self._outbox.log("error", CATEGORY, line)
            self._drop(dial, now, str(refusal))
            return
        except IllegalTransition as impossible:
            self._outbox.stop(f"Shutting down: {impossible}")
            return
        except BrokerError as error:
            self._outbox.log("error", CATEGORY, f"{CANNOT_FOLLOW}: {error.text}")
            if self._backup.broken():
                self.status_changed = True
            self._drop(dial, now, "its data could not be applied; a snapshot will be asked for")
            return
        event.session.complete(event.id, event.id)
        if not dial.following:
            dial.following = True
            self.refusal = ""
            dial.give_up_at = float("inf")
            self._outbox.log("notice", CATEGORY, f"Connected to primary {dial.name}")

    def _send(self, dial: Dial) -> None:
        if dial.connection is not None and dial.conn in self._dials:
            data = dial.connection.data_to_send()
            if data:
                self._outbox.put(Send(dial.conn, data))

    def _drop(self, dial: Dial, now: float, reason: str) -> None:
        self._outbox.put(Close(dial.conn, abort=True))
        self._forget(dial, now, reason)

    def _forget(self, dial: Dial, now: float, reason: str) -> None:
        self._dials.pop(dial.conn, None)
        if not dial.judged:
            self.sights.append((dial.name, None))
        self._backup.unchecked.discard(dial.conn)
        self.verifying.discard(dial.conn)
        if dial is not self._link:
            return
        self._link = None
        if dial.following:
            self._backup.now = now
            self._backup.link_lost()
            self._outbox.log("warning", CATEGORY, f"Lost primary {dial.name}: {reason}")
        else:
            self._outbox.log("debug", CATEGORY, f"No link to {dial.name}: {reason}")
        pause = self._config.link_maintenance_interval_s if dial.ends_pass else 0.0
        self.dial_at = now + pause

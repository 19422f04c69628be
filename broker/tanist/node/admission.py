"""Who gets in: from the first byte of an accepted connection to open-ok.

The rules, in order (evaluated when the client has sent connection.open, after SASL):

1. a broker-info map with our own system id: we dialled ourselves; drop.
2. the client property ``qpid.ha-admin``, whatever its value: let in, in every state.
3. a backup, or a broker that is joining: drop. **Dropping is closing TCP without a word**: every
   polite refusal is fatal for some genuine client, and an open-ok would reset the back-off of
   others.
4. a primary, or a broker without a cluster: let in; with a broker-info map it is a backup's link.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from tanist.ha.membership import BrokerInfo
from tanist.ha.messages import ADMIN_PROPERTY, BACKUP_PROPERTY
from tanist.node.cluster import Cluster
from tanist.node.config import NodeConfig
from tanist.node.outbox import Outbox
from tanist.security.sasl import Authenticator
from tanist.sessions.amqp010.link import Link010
from tanist.types import Condition
from tanist.wire.amqp010.connection import Connection
from tanist.wire.amqp010.events import Event, Opening, SaslResponse, SaslStart

CATEGORY: Final = "Security"


class Kind(IntEnum):
    """What an accepted connection turned out to be."""

    OPENING = 0
    CLIENT = 1
    BACKUP = 2


class ServerConnection:
    """An accepted connection: the protocol machine, and who is behind it."""

    __slots__ = (
        "connection",
        "counted",
        "heard_at",
        "kind",
        "link",
        "local",
        "number",
        "peer",
        "silent",
        "since",
    )

    def __init__(
        self, number: int, connection: Connection, peer: str, local: str, since: float = 0.0
    ) -> None:
        self.number = number
        self.connection = connection
        self.peer = peer
        self.local = local
        self.since = since
        self.heard_at = since
        self.kind = Kind.OPENING
        self.link: Link010 | None = None
        self.counted = False
        """It counts against max-connections: an ordinary client that was let in."""
        self.silent = False
        """It ends because the peer said nothing for too long."""


class Admission:
    """Decides over accepted connections while they open."""

    def __init__(
        self, config: NodeConfig, cluster: Cluster, authenticator: Authenticator, outbox: Outbox
    ) -> None:
        self._config = config
        self._cluster = cluster
        self._authenticator = authenticator
        self._outbox = outbox
        self.open_connections = 0

    def event(self, conn: ServerConnection, event: Event, now: float) -> bool:
        """Handle one event of a connection that is not open yet; false: drop TCP now."""
        if isinstance(event, SaslStart):
            self._sasl_start(conn, event)
        elif isinstance(event, SaslResponse):
            conn.connection.close(
                Condition.CONNECTION_FORCED.code, "Authentication failed: no challenge was sent"
            )
        elif isinstance(event, Opening):
            return self._opening(conn, now)
        return True

    def _is_ha_user(self, conn: ServerConnection) -> bool:
        """Whether a connection that says so may be a backup's link.

        With passwords only the user of the links may: a backup can stop a primary and keep all
        confirmations waiting.
        """
        config = self._config
        realm = f"@{config.realm}"
        user = conn.connection.user.removesuffix(realm)
        return not config.auth or user == config.ha_username.removesuffix(realm)

    def _refuse_backup(self, conn: ServerConnection) -> None:
        """Say so politely: the backup stops with the text, for its configuration is wrong."""
        text = (
            f"user {conn.connection.user} may not be a backup: it is not the ha-username of the "
            "primary"
        )
        self._outbox.log("error", CATEGORY, f"{conn.peer}: {text}")
        conn.connection.close(Condition.CONNECTION_FORCED.code, text)

    def closed(self, conn: ServerConnection) -> None:
        """An accepted connection is gone."""
        self.open_connections -= conn.counted

    def _sasl_start(self, conn: ServerConnection, event: SaslStart) -> None:
        outcome = self._authenticator.start(event.mechanism, event.response)
        if outcome.user:
            conn.connection.sasl_accept(outcome.user)
            return
        level, who = "info", conn.peer
        if BACKUP_PROPERTY in event.client_properties:  # rare, and worth a look
            level, who = "error", f"{conn.peer}, a broker that wants to be a backup"
        self._outbox.log(level, CATEGORY, f"{who}: {outcome.text}")
        conn.connection.close(Condition.CONNECTION_FORCED.code, outcome.text)

    def _opening(self, conn: ServerConnection, now: float) -> bool:
        properties = conn.connection.client_properties
        info: BrokerInfo | None = None
        if BACKUP_PROPERTY in properties:
            info = self._cluster.backup_info(properties[BACKUP_PROPERTY])
            if info is not None and info.system_id == self._config.system_id:
                return False
        admin = ADMIN_PROPERTY in properties
        if not admin and not self._cluster.serves_clients:
            self._outbox.log("trace", CATEGORY, f"Rejected connection {conn.peer}: not the primary")
            return False
        ordinary = not admin and info is None  # clients must not shut out tools and backups
        limit = self._config.max_connections
        if ordinary and limit and self.open_connections >= limit:
            conn.connection.close(
                Condition.CONNECTION_FORCED.code, "User connection denied by configured limit"
            )
            self._outbox.log(
                "warning", CATEGORY, f"{conn.peer} denied: max-connections={limit} are open"
            )
            return True
        follows = info is not None and not admin and self._cluster.primary is not None
        if follows and not self._is_ha_user(conn):
            self._refuse_backup(conn)
            return True
        conn.counted = ordinary
        self.open_connections += ordinary
        if follows:
            conn.kind = Kind.BACKUP
        else:
            conn.kind = Kind.CLIENT
            conn.link = Link010(conn.connection, conn.number, conn.connection.user, conn.peer, now)
        conn.connection.open_ok(self._cluster.known_hosts())
        return True

"""Who gets in, whatever protocol he speaks.

The rules, in order (evaluated when the client wants to open, after SASL):

1. a broker-info map with our own system id: we dialled ourselves; drop.
2. the client property ``qpid.ha-admin``, whatever its value: let in, in every state.
3. a backup, or a broker that is joining: drop. **Dropping is closing TCP without a word**: every
   polite refusal is fatal for some genuine client, and an open-ok or Open of ours would reset the
   back-off of others.
4. a primary, or a broker without a cluster: let in; with a broker-info map it is a backup's link.
"""

from __future__ import annotations

from typing import Final

from tanist.ha.membership import BrokerInfo
from tanist.node.cluster import Cluster
from tanist.node.config import NodeConfig
from tanist.node.front import Front, Kind
from tanist.node.outbox import Outbox

CATEGORY: Final = "Security"

LIMIT_TEXT: Final = "User connection denied by configured limit"


class Refused(Exception):
    """Not let in. ``text``: tell it politely; empty: drop the connection without a word."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.text = text


class Admission:
    """Decides over accepted connections while they open."""

    def __init__(self, config: NodeConfig, cluster: Cluster, outbox: Outbox) -> None:
        self._config = config
        self._cluster = cluster
        self._outbox = outbox
        self.open_connections = 0

    def admit(self, front: Front, admin: bool, info: BrokerInfo | None = None) -> None:
        """Let ``front`` in as what it is (``front.kind``). Raises: Refused.

        ``admin``: it has the property ``qpid.ha-admin``. ``info``: the broker-info map of a link.
        """
        if info is not None and info.system_id == self._config.system_id:
            raise Refused
        if not admin and not self._cluster.serves_clients:
            self._outbox.log(
                "trace", CATEGORY, f"Rejected connection {front.peer}: not the primary"
            )
            raise Refused
        ordinary = not admin and info is None  # clients must not shut out tools and backups
        limit = self._config.max_connections
        if ordinary and limit and self.open_connections >= limit:
            self._outbox.log(
                "warning", CATEGORY, f"{front.peer} denied: max-connections={limit} are open"
            )
            raise Refused(LIMIT_TEXT)
        follows = info is not None and not admin and self._cluster.primary is not None
        if follows and not self._is_ha_user(front):
            raise Refused(self._why_no_backup(front))
        front.counted = ordinary
        self.open_connections += ordinary
        front.kind = Kind.BACKUP if follows else Kind.CLIENT

    def closed(self, front: Front) -> None:
        """An accepted connection is gone."""
        self.open_connections -= front.counted

    def _is_ha_user(self, front: Front) -> bool:
        """Whether a connection that says so may be a backup's link.

        With passwords only the user of the links may: a backup can stop a primary and keep all
        confirmations waiting.
        """
        config = self._config
        realm = f"@{config.realm}"
        user = front.user.removesuffix(realm)
        return not config.auth or user == config.ha_username.removesuffix(realm)

    def _why_no_backup(self, front: Front) -> str:
        """Say so politely: the backup stops with the text, for its configuration is wrong."""
        text = f"user {front.user} may not be a backup: it is not the ha-username of the primary"
        self._outbox.log("error", CATEGORY, f"{front.peer}: {text}")
        return text

"""Who a broker says it is, and ids that are unique without rolling dice.

The edge gives sixteen random bytes at each start (``boot_id``); ids are derived from them by
counting, so a simulated node makes the same ids in every run of the same seed.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final
from uuid import UUID

from tanist.core.message import Message
from tanist.ha.standing import SYSTEM_ID_PROPERTY, PeerStatus
from tanist.ha.url import Url
from tanist.node.config import NodeConfig
from tanist.wire.amqp010.codec import encode_header, make
from tanist.wire.amqp010.values import STR16_CODE, Array, Value

FAILOVER_EXCHANGE: Final = "amq.failover"

PRODUCT: Final = "qpid-tanist"
"""What brokers of ours call themselves in connection.start."""


class UuidSource:
    """Makes uuids from the boot id by counting; call it for the next one."""

    def __init__(self, boot_id: bytes) -> None:
        self._boot_id = boot_id
        self._count = 0

    def __call__(self) -> UUID:
        """A uuid that no other call, start or broker gets."""
        self._count += 1
        digest = sha256(self._boot_id + self._count.to_bytes(8, "big")).digest()
        return UUID(bytes=digest[:16], version=4)


def server_properties(config: NodeConfig, standing: PeerStatus | None) -> dict[str, Value]:
    """The server-properties of connection.start.

    A member of a cluster adds its ``standing``: others learn it before they log in. A broker whose
    queues may be copied says who it is, so that none copies from itself.
    """
    properties: dict[str, Value] = {
        "product": PRODUCT,
        "version": config.version,
        "platform": "Python",
        "host": config.node_name,
        "qpid.federation_tag": config.federation_tag or str(config.system_id),
    }
    if config.ha_queue_replication:
        properties[SYSTEM_ID_PROPERTY] = config.system_id
    if standing is not None:
        properties.update(standing.to_properties())
    return properties


def failover_message(url: Url) -> Message | None:
    """What a queue bound to ``amq.failover`` gets: where the members are; None without a URL.

    The header ``amq.failover`` is an array of str16, one address an element.
    """
    elements = url.failover_elements()
    if not elements:
        return None
    header = encode_header(
        [
            make("message.delivery-properties", routing_key=FAILOVER_EXCHANGE),
            make(
                "message.message-properties",
                content_length=0,
                application_headers={FAILOVER_EXCHANGE: Array(STR16_CODE, elements)},
            ),
        ]
    )
    return Message(header, b"", FAILOVER_EXCHANGE, FAILOVER_EXCHANGE)

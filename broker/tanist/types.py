"""What every layer may know: error conditions, the error tree, replication levels, limits.

``Condition`` is the one registry of things that can go wrong for a peer; it carries the AMQP 0-10
code (specification 1.0, "execution.error-code" and "connection.close-code") and the AMQP 1.0
symbol. Each layer raises ``BrokerError`` (or a leaf of it) and the edge of its protocol turns it
into bytes in one place.

Limits live here, each with the reason for its number: nothing that a peer can grow is unbounded.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final


class Condition(Enum):
    """An error condition: ``(AMQP 0-10 code, AMQP 1.0 symbol)``."""

    NORMAL = (200, "")
    CONNECTION_FORCED = (320, "amqp:connection:forced")
    INVALID_PATH = (402, "amqp:not-found")
    UNAUTHORIZED_ACCESS = (403, "amqp:unauthorized-access")
    NOT_FOUND = (404, "amqp:not-found")
    RESOURCE_LOCKED = (405, "amqp:resource-locked")
    PRECONDITION_FAILED = (406, "amqp:precondition-failed")
    RESOURCE_DELETED = (408, "amqp:resource-deleted")
    ILLEGAL_STATE = (409, "amqp:illegal-state")
    FRAMING_ERROR = (501, "amqp:connection:framing-error")
    COMMAND_INVALID = (503, "amqp:not-allowed")
    RESOURCE_LIMIT_EXCEEDED = (506, "amqp:resource-limit-exceeded")
    NOT_ALLOWED = (530, "amqp:not-allowed")
    ILLEGAL_ARGUMENT = (531, "amqp:invalid-field")
    NOT_IMPLEMENTED = (540, "amqp:not-implemented")
    INTERNAL_ERROR = (541, "amqp:internal-error")
    INVALID_ARGUMENT = (542, "amqp:invalid-field")

    @property
    def code(self) -> int:
        """The AMQP 0-10 error code."""
        return self.value[0]

    @property
    def symbol(self) -> str:
        """The AMQP 1.0 error symbol, empty for NORMAL."""
        return self.value[1]


class BrokerError(Exception):
    """Somebody outside made a mistake, or asked for what cannot be; never a bug of ours.

    ``condition`` says what kind, ``text`` says what is wrong, where, and what to do.
    """

    def __init__(self, condition: Condition, text: str) -> None:
        super().__init__(text)
        self.condition = condition
        self.text = text


class FramingError(BrokerError):
    """The peer's bytes break the protocol; its connection must be closed with code 501."""

    def __init__(self, text: str) -> None:
        super().__init__(Condition.FRAMING_ERROR, text)


class LocalProtocolError(BrokerError):
    """*We* tried to send what the protocol forbids: a bug in the layer above the wire."""

    def __init__(self, text: str) -> None:
        super().__init__(Condition.INTERNAL_ERROR, text)


class ReplicationLevel(IntEnum):
    """What of an object reaches the backups (``qpid.replicate``)."""

    NONE = 0
    CONFIGURATION = 1
    ALL = 2

    @classmethod
    def parse(cls, text: str) -> ReplicationLevel:
        """The level called ``text`` (exact lower case).

        Raises: BrokerError (INVALID_ARGUMENT) for any other word.
        """
        for level in cls:
            if level.name.lower() == text:
                return level
        raise BrokerError(
            Condition.INVALID_ARGUMENT,
            f"Invalid replication value: {text} (use none, configuration or all)",
        )


CREDIT_UNLIMITED: Final = 0xFFFFFFFF
"""Credit value that means "no limit" (AMQP 0-10 message.flow)."""

FRAME_SIZE_MAX: Final = 65535
"""Largest 0-10 frame: the size field has 16 bits."""

CHANNEL_MAX: Final = 0xFFFE
"""Highest channel offered; what the original offers, and clients clip to it."""

HEARTBEAT_MAX_S: Final = 120
"""Longest heartbeat offered in tune; the Java client disables heartbeats below its wish."""

NESTING_MAX: Final = 32
"""Deepest nesting of maps, lists and arrays; Python recursion stays far from its limit."""

MESSAGE_BYTES_MAX: Final = 256 * 1024 * 1024
"""Largest assembled message: one message must not be able to take all memory."""

SESSIONS_PER_CONNECTION_MAX: Final = 1024
"""Sessions one connection may attach; clients use a handful, an attach loop must end."""

HEARTBEATS_MISSED_MAX: Final = 2
"""A peer silent for this many intervals is gone (the guide: "twice the interval")."""

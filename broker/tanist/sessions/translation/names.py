"""Names that messages carry from one protocol version to the other.

The ``x-amqp-...`` headers are those by which the original's client library shows its application
what only an AMQP 1.0 message has; the others are the headers that the 0-10 clients themselves use,
and the annotations of the JMS mapping. docs/message-mapping.md says what each is for.
"""

from __future__ import annotations

from typing import Final

# Application headers of AMQP 0-10.
SUBJECT: Final = "qpid.subject"
APP_ID: Final = "x-amqp-0-10.app-id"
JMS_TYPE: Final = "x-jms-type"
GROUP_ID: Final = "JMSXGroupID"
GROUP_SEQUENCE: Final = "JMSXGroupSeq"

# Application headers of AMQP 0-10 for what only AMQP 1.0 has a place for.
TO: Final = "x-amqp-to"
MESSAGE_ID: Final = "x-amqp-message-id"
CORRELATION_ID: Final = "x-amqp-correlation-id"
REPLY_TO: Final = "x-amqp-reply-to"
USER_ID: Final = "x-amqp-user-id"
CONTENT_TYPE: Final = "x-amqp-content-type"
CONTENT_ENCODING: Final = "x-amqp-content-encoding"
EXPIRY_TIME: Final = "x-amqp-absolute-expiry-time"
CREATION_TIME: Final = "x-amqp-creation-time"
REPLY_TO_GROUP_ID: Final = "x-amqp-reply-to-group-id"
MESSAGE_ANNOTATIONS: Final = "x-amqp-message-annotations"
FOOTER: Final = "x-amqp-footer"
BODY: Final = "x-amqp-body"
"""What the body was, where its 0-10 form does not tell; see ``bodies``."""

CARRIED: Final = frozenset(
    (
        TO,
        MESSAGE_ID,
        CORRELATION_ID,
        REPLY_TO,
        USER_ID,
        CONTENT_TYPE,
        CONTENT_ENCODING,
        EXPIRY_TIME,
        CREATION_TIME,
        REPLY_TO_GROUP_ID,
        MESSAGE_ANNOTATIONS,
        FOOTER,
        BODY,
    )
)
"""The headers above: no application properties when a message becomes one of AMQP 1.0 again."""

# Annotations of AMQP 1.0.
REST: Final = "x-opt-amqp-0-10"
"""Message annotation with what only AMQP 0-10 has a place for: a map."""

JMS_MESSAGE_TYPE: Final = "x-opt-jms-msg-type"

REST_HEADERS: Final = "headers"
"""Key in ``REST``: application headers that are no simple values, a map."""

REST_REPLY_TO: Final = "reply-to"
"""Key in ``REST``: exchange and routing key, a list, where the address does not tell them apart."""

REST_CONTENT_TYPE: Final = "content-type"
REST_CONTENT_ENCODING: Final = "content-encoding"
"""Keys in ``REST``: those that are not ASCII, as symbols are."""

REST_TIMESTAMP: Final = "timestamp"
REST_EXPIRATION: Final = "expiration"
"""Keys in ``REST``: times that were given in seconds, or that AMQP 1.0 cannot count."""

REST_DISCARD_UNROUTABLE: Final = "discard-unroutable"
REST_IMMEDIATE: Final = "immediate"
REST_RESUME_ID: Final = "resume-id"
REST_RESUME_TTL: Final = "resume-ttl"
"""Keys in ``REST``: delivery-properties that nobody uses any more."""

# Values of x-opt-jms-msg-type (AMQP JMS mapping, 3.2.2).
JMS_OBJECT: Final = 1
JMS_MAP: Final = 2
JMS_STREAM: Final = 4

"""Annotations that an outcome ("modified") adds to a message for its next deliveries.

The message of the one entry is replaced by another with the annotations merged in, on the backups,
too; other queues that have the same message do not see them. What is added counts against the limit
of the queue. Source: AMQP 1.0, 3.2.10, 3.4.5.
"""

from __future__ import annotations

from typing import Final

from tanist.core.broker import Broker
from tanist.core.message import AMQP_1_0, Message
from tanist.core.records import Entry
from tanist.sessions.translation import to_amqp10
from tanist.types import FramingError
from tanist.wire.amqp10.sections import (
    MESSAGE_ANNOTATIONS,
    encode_map_section,
    split_message,
)
from tanist.wire.amqp10.values import Annotations, Fields

ANNOTATIONS_MAX: Final = 64 * 1024
"""Octets of the annotations of a message after a merge. What would be larger is not merged."""


def annotate(broker: Broker, entry: Entry, added: Fields) -> None:
    """Merge ``added`` into the message annotations of ``entry``.

    A message whose annotations cannot be read is left as it is: its producer broke it. So is one on
    a queue that has no room for them.
    """
    message = entry.message
    body = message.body if message.form == AMQP_1_0 else to_amqp10(message)
    try:
        parts = split_message(body)
        annotations: Annotations = dict(parts.read_message_annotations())
    except FramingError:
        return
    annotations.update(added)
    section = encode_map_section(MESSAGE_ANNOTATIONS, annotations)
    if len(section) > ANNOTATIONS_MAX:
        return
    annotated = Message(
        b"",
        section + body[parts.message_annotations[1] :],
        message.exchange,
        message.routing_key,
        message.durable,
        message.priority,
        message.expires_at,
        message.redelivered,
        False,
        message.origin,
        AMQP_1_0,
    )
    broker.amend(entry, annotated)

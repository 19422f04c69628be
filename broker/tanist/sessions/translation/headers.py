"""The application headers of a message of either form: what it may be routed by."""

from __future__ import annotations

from collections.abc import Mapping

from tanist.core.message import AMQP_0_10, Message
from tanist.sessions.translation.amqp010 import headers_of_amqp010
from tanist.types import FramingError
from tanist.wire.amqp010.transfer import application_headers


def headers_of(message: Message) -> Mapping[str, object]:
    """The application headers of ``message``; for ``Broker(headers_of=...)``.

    Those of AMQP 1.0 are its application properties, subject and group, as a 0-10 consumer sees
    them, so that a binding means the same for both. Headers that cannot be decoded are none:
    whoever is at work when they are needed (a consumer that rejects the message, perhaps) is not to
    blame for them.
    """
    if message.form != AMQP_0_10:
        return headers_of_amqp010(message)
    try:
        return application_headers(message.header)
    except FramingError:
        return {}

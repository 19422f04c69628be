"""When a message wants to be delivered: ``x-opt-delivery-time`` and ``x-opt-delivery-delay``.

Both are message annotations with whole numbers of milliseconds: of Unix time, and from now on. A
message that has both waits for the first. Of a message without them nothing is decoded.

Source: no standard; Qpid JMS writes the first one (``MessageProducer.setDeliveryDelay``) and asks
connections and links for the capability ``DELAYED_DELIVERY``, other brokers take the second, too.
"""

from __future__ import annotations

from typing import Final

from tanist.types import BrokerError, Condition, FramingError
from tanist.wire.amqp10.sections import skip_value, split_message
from tanist.wire.amqp10.values import Value

DELAYED_DELIVERY: Final = "DELAYED_DELIVERY"

DELIVERY_TIME: Final = "x-opt-delivery-time"
DELIVERY_DELAY: Final = "x-opt-delivery-delay"

TIME_MS_MAX: Final = 1 << 53
"""Later than that is never: no clock of ours can tell it from later still."""

_ANNOTATIONS: Final = b"\x00\x53\x72"
_MAP8: Final = 0xC1
_MAP32: Final = 0xD1
_SMALL: Final = b"\x53"
_COMMON: Final = b"x-opt-delivery-"


def available_at(body: bytes, now: float, wall_offset_s: float) -> float:
    """Monotonic seconds before which a message must not be delivered, 0 = at once.

    ``body``: its sections from the message annotations on. ``wall_offset_s``: Unix time minus
    ``now``. Raises: FramingError: the annotations are broken; BrokerError (ILLEGAL_ARGUMENT): the
    value is no time.
    """
    if body.startswith(_ANNOTATIONS):
        code = body[3] if len(body) > 8 else 0
        if code == _MAP8:
            end = 5 + body[4]
        elif code == _MAP32:
            end = 8 + int.from_bytes(body[4:8], "big")
        else:
            end = skip_value(body, 3, len(body))
        if end > len(body):
            raise FramingError(f"message annotations end at octet {end} of {len(body)}")
    elif body[1:2] == _SMALL:
        return 0.0
    else:  # perhaps annotations, with their descriptor written in an unusual way
        end = split_message(body).message_annotations[1]
    if body.find(_COMMON, 3, end) < 0:
        return 0.0
    annotations = split_message(body[:end]).read_message_annotations()
    time = annotations.get(DELIVERY_TIME)
    if time is not None:
        due = _milliseconds(DELIVERY_TIME, time) / 1000 - wall_offset_s
    else:
        delay = annotations.get(DELIVERY_DELAY)
        if delay is None:
            return 0.0
        due = now + _milliseconds(DELIVERY_DELAY, delay) / 1000
    return due if due > now else 0.0


def _milliseconds(name: str, value: Value) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise BrokerError(
            Condition.ILLEGAL_ARGUMENT,
            f"message annotation {name} is no number of milliseconds, but {str(value)[:40]!r}",
        )
    return min(max(value + 0, 0), TIME_MS_MAX)

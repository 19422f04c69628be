"""The hand-written twin of ``codec`` for what every message needs.

A message is a command segment (``message.transfer``), a header segment and a body. Its content
stays the octets that arrived: here the head is decoded, the delivery-properties are found in the
header, and on delivery they are replaced there, everything else untouched. Property tests hold
this module equal to ``codec``.

Producers repeat themselves: the same head and the same delivery-properties come with every
message. Small bounded caches, keyed by the octets, make the common case one dictionary look-up.
Therefore ``TransferHead`` and ``DeliveryProperties`` are shared: never change one.

``scan_header`` checks the sizes and codes of all structs in the header, and the contents of the
delivery-properties only; ``application_headers`` and ``message_properties`` decode the rest for
those who ask.

Source: AMQP specification 0-10, III.8 "message" (transfer, delivery-properties), II.4.1.
"""

from __future__ import annotations

import struct
from typing import Final

from tanist.types import FramingError
from tanist.wire.amqp010 import codec
from tanist.wire.amqp010.values import Struct, Value

CACHE_ENTRIES_MAX: Final = 1024
"""Entries of each cache: more producers than usual; a full cache is emptied, which costs a few
microseconds per entry to fill again."""

CACHE_KEY_MAX: Final = 512
"""Longest octets worth remembering, so that all caches together stay below some megabytes."""

NO_TIME: Final = -1
"""Value of an absent ttl, timestamp, expiration."""

TRANSFER_CODE: Final = b"\x04\x01"
"""The first two octets of the command segment of every message."""

_SIZE_CODE: Final = struct.Struct(">IH")
_DELIVERY: Final = 0x0401
_FRAGMENT: Final = 0x0402
_MESSAGE: Final = 0x0403
_HEADER_CODES: Final = frozenset((_DELIVERY, _FRAGMENT, _MESSAGE, 0x0901, 0x0A01))
"""Structs of header segments: message, file and stream properties."""

# Bits of the packing flags of delivery-properties.
_DISCARD_UNROUTABLE: Final = 0x001
_IMMEDIATE: Final = 0x002
_REDELIVERED: Final = 0x004
_PRIORITY: Final = 0x008
_DELIVERY_MODE: Final = 0x010
_TTL: Final = 0x020
_TIMESTAMP: Final = 0x040
_EXPIRATION: Final = 0x080
_EXCHANGE: Final = 0x100
_ROUTING_KEY: Final = 0x200
_RESUME_ID: Final = 0x400
_RESUME_TTL: Final = 0x800
_ALL_FLAGS: Final = 0xFFF


ACCEPT_UNSAID: Final = -1
"""An absent accept-mode. By the specification that is explicit; the original sends no accept then,
and the genuine Python client, which leaves the field out, cannot take one."""


class TransferHead:
    """The fields of one ``message.transfer`` command. Shared between messages: never change it.

    ``accept_mode``: 0 explicit (the receiver accepts each message), 1 none, ``ACCEPT_UNSAID`` when
    the field is absent. ``acquire_mode``: 0 pre-acquired, 1 not acquired. ``sync``: complete it at
    once.
    """

    __slots__ = ("accept_mode", "acquire_mode", "destination", "sync")

    def __init__(self, destination: str, accept_mode: int, acquire_mode: int, sync: bool) -> None:
        self.destination = destination
        self.accept_mode = accept_mode
        self.acquire_mode = acquire_mode
        self.sync = sync


class DeliveryProperties:
    """What the broker needs of a header segment. Shared between messages: never change it.

    ``ttl_ms`` is in milliseconds, ``timestamp`` and ``expiration`` in seconds since 1970;
    ``NO_TIME`` where absent. ``delivery_mode`` is 0 where absent; ``durable`` says it is 2.
    """

    __slots__ = (
        "delivery_mode",
        "discard_unroutable",
        "durable",
        "exchange",
        "expiration",
        "immediate",
        "priority",
        "redelivered",
        "resume_id",
        "resume_ttl_ms",
        "routing_key",
        "timestamp",
        "ttl_ms",
    )

    def __init__(self) -> None:
        self.discard_unroutable = False
        self.immediate = False
        self.redelivered = False
        self.priority = 4
        self.delivery_mode = 0
        self.durable = False
        self.ttl_ms = NO_TIME
        self.timestamp = NO_TIME
        self.expiration = NO_TIME
        self.exchange = ""
        self.routing_key = ""
        self.resume_id = ""
        self.resume_ttl_ms = NO_TIME


_DEFAULTS: Final = DeliveryProperties()
_heads: Final[dict[bytes, TransferHead]] = {}
_deliveries: Final[dict[bytes, DeliveryProperties]] = {}
_stamps: Final[dict[tuple[bytes, str | None, bool, int | None], bytes]] = {}


def decode_transfer(segment: bytes) -> TransferHead:
    """The head in the payload of a command segment that starts with ``TRANSFER_CODE``.

    Raises: FramingError, also if it is another command.
    """
    head = _heads.get(segment)
    if head is not None:
        return head
    head = _parse_transfer(segment)
    if len(segment) <= CACHE_KEY_MAX:
        if len(_heads) >= CACHE_ENTRIES_MAX:
            _heads.clear()
        _heads[segment] = head
    return head


def _parse_transfer(segment: bytes) -> TransferHead:
    if segment[:3] != b"\x04\x01\x01" or len(segment) < 6:
        raise FramingError("no message.transfer where one belongs")
    sync, flags = segment[3], segment[4] | segment[5] << 8
    if sync > 1 or flags > 7:
        raise FramingError(f"message.transfer: packing flags {flags:#x}")
    pos, destination, accept_mode, acquire_mode = 6, "", ACCEPT_UNSAID, 0
    try:
        if flags & 1:
            start = pos + 1
            pos = start + segment[pos]
            destination = segment[start:pos].decode()
        if flags & 2:
            accept_mode = segment[pos]
            pos += 1
        if flags & 4:
            acquire_mode = segment[pos]
            pos += 1
    except IndexError:
        raise FramingError("message.transfer ends within its fields") from None
    except UnicodeDecodeError as error:
        raise FramingError(f"message.transfer.destination: {error.reason}") from None
    if pos != len(segment):
        raise FramingError(f"message.transfer has {len(segment)} octets, its fields {pos}")
    return TransferHead(destination, accept_mode, acquire_mode, sync == 1)


def encode_transfer(
    destination: str, accept_mode: int, acquire_mode: int, sync: bool = False
) -> bytes:
    """The payload of the command segment. Make it once per subscription, not per message."""
    name = destination.encode()
    assert len(name) < 256 and 0 <= accept_mode < 256 and 0 <= acquire_mode < 256
    return b"\x04\x01\x01%c\x07\x00%c%b%c%c" % (sync, len(name), name, accept_mode, acquire_mode)


def scan_header(header: bytes) -> DeliveryProperties:
    """The delivery-properties in a header segment; defaults if it has none.

    Raises: FramingError if a struct's size, its code or the delivery-properties are bad.
    """
    if not header:
        return _DEFAULTS
    start, end = _find_delivery(header)
    if start == end:
        return _DEFAULTS
    part = header[start:end]
    found = _deliveries.get(part)
    if found is not None:
        return found
    found = _parse_delivery(part)
    if len(part) <= CACHE_KEY_MAX:
        if len(_deliveries) >= CACHE_ENTRIES_MAX:
            _deliveries.clear()
        _deliveries[part] = found
    return found


def _find_delivery(header: bytes) -> tuple[int, int]:
    """Start and end of the delivery-properties, size included; (0, 0) if absent.

    Walks over all structs: a header that lies about its sizes must not be passed on.
    """
    total = len(header)
    if total >= 12:
        size, code = _SIZE_CODE.unpack_from(header)
        if code == _DELIVERY:
            end = size + 4
            if end == total:
                return 0, end
            if end + 6 <= total:
                size, code = _SIZE_CODE.unpack_from(header, end)
                if code == _MESSAGE and size + 4 + end == total and size >= 4 and end >= 8:
                    return 0, end
    return _walk(header, total)


def _walk(header: bytes, total: int) -> tuple[int, int]:
    start = stop = pos = 0
    seen: set[int] = set()
    while pos < total:
        if pos + 6 > total:
            raise FramingError("header segment ends within a struct")
        size, code = _SIZE_CODE.unpack_from(header, pos)
        if code not in _HEADER_CODES or code in seen:
            raise FramingError(f"struct {code:#06x} cannot stand in this header segment")
        end = pos + 4 + size
        if size < 4 or end > total:
            raise FramingError(f"struct {code:#06x} of {size} octets in a header of {total}")
        if code == _DELIVERY:
            start, stop = pos, end
        seen.add(code)
        pos = end
    return start, stop


def _parse_delivery(part: bytes) -> DeliveryProperties:
    """Decode the struct ``part`` (size, code, flags, fields)."""
    if len(part) < 8:
        raise FramingError("delivery-properties without packing flags")
    flags = part[6] | part[7] << 8
    if flags > _ALL_FLAGS:
        raise FramingError(f"delivery-properties: packing flags {flags:#x} beyond its fields")
    out = DeliveryProperties()
    out.discard_unroutable = flags & _DISCARD_UNROUTABLE != 0
    out.immediate = flags & _IMMEDIATE != 0
    out.redelivered = flags & _REDELIVERED != 0
    try:
        pos = _parse_strings(part, flags, out, _parse_numbers(part, flags, out))
    except IndexError:
        raise FramingError("delivery-properties end within a field") from None
    except UnicodeDecodeError as error:
        raise FramingError(f"delivery-properties: {error.reason}") from None
    if pos != len(part):
        raise FramingError(f"delivery-properties of {len(part)} octets, fields end at {pos}")
    return out


def _parse_numbers(part: bytes, flags: int, out: DeliveryProperties) -> int:
    pos = 8
    if flags & _PRIORITY:
        out.priority = part[pos]
        pos += 1
    if flags & _DELIVERY_MODE:
        out.delivery_mode = part[pos]
        out.durable = out.delivery_mode == 2
        pos += 1
    if flags & _TTL:
        out.ttl_ms = int.from_bytes(part[pos : pos + 8], "big")
        pos += 8
    if flags & _TIMESTAMP:
        out.timestamp = int.from_bytes(part[pos : pos + 8], "big")
        pos += 8
    if flags & _EXPIRATION:
        out.expiration = int.from_bytes(part[pos : pos + 8], "big")
        pos += 8
    return pos


def _parse_strings(part: bytes, flags: int, out: DeliveryProperties, pos: int) -> int:
    if flags & _EXCHANGE:
        start = pos + 1
        pos = start + part[pos]
        out.exchange = part[start:pos].decode()
    if flags & _ROUTING_KEY:
        start = pos + 1
        pos = start + part[pos]
        out.routing_key = part[start:pos].decode()
    if flags & _RESUME_ID:
        start = pos + 2
        pos = start + (part[pos] << 8 | part[pos + 1])
        out.resume_id = part[start:pos].decode()
    if flags & _RESUME_TTL:
        out.resume_ttl_ms = int.from_bytes(part[pos : pos + 8], "big")
        pos += 8
    return pos


def stamp_header(
    header: bytes, exchange: str | None, redelivered: bool, ttl_ms: int | None
) -> bytes:
    """``header`` for a delivery: with this exchange (None: as it is), this redelivered bit and
    this remaining ttl (None: as it is); all else octet for octet.

    Returns the same object when nothing changes. ``header`` has passed ``scan_header``.
    """
    start, end = _locate_delivery(header)
    part = header[start:end]
    key = (part, exchange, redelivered, ttl_ms)
    stamped = _stamps.get(key)
    if stamped is None:
        stamped = _stamp(part, exchange, redelivered, ttl_ms)
        if len(part) <= CACHE_KEY_MAX:
            if len(_stamps) >= CACHE_ENTRIES_MAX:
                _stamps.clear()
            _stamps[key] = stamped
    if stamped == part:
        return header
    if start == 0:
        return stamped + header[end:]
    return header[:start] + stamped + header[end:]


def _locate_delivery(header: bytes) -> tuple[int, int]:
    """``_find_delivery`` for a header that was checked before."""
    if not header:
        return 0, 0
    size, code = _SIZE_CODE.unpack_from(header)
    if code == _DELIVERY:
        return 0, size + 4
    return _walk(header, len(header))


def _stamp(part: bytes, exchange: str | None, redelivered: bool, ttl_ms: int | None) -> bytes:
    """The stamped struct; empty if there is none and none is needed."""
    if not part and not exchange and not redelivered and ttl_ms is None:
        return part
    old = codec.decode_struct32(part) if part else codec.make("message.delivery-properties")
    fields = dict(old.fields)
    if redelivered:
        fields["redelivered"] = True
    else:
        fields.pop("redelivered", None)
    if ttl_ms is not None:
        fields["ttl"] = ttl_ms
    if exchange is not None and exchange != old.text("exchange"):
        fields["exchange"] = exchange
    return codec.encode_struct32(Struct(old.definition, fields))


def message_properties(header: bytes) -> Struct | None:
    """The message-properties in a header segment, decoded; None if absent. Raises: FramingError."""
    total, pos = len(header), 0
    while pos + 6 <= total:
        size, code = _SIZE_CODE.unpack_from(header, pos)
        end: int = pos + 4 + size
        if code == _MESSAGE:
            return codec.decode_struct32(header[pos:end])
        pos = end
    return None


def application_headers(header: bytes) -> dict[str, Value]:
    """The application headers of a message; empty if none. Raises: FramingError."""
    properties = message_properties(header)
    return {} if properties is None else properties.map("application_headers")

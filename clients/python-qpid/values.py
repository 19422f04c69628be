"""Values of `put` and `take`: between docs/client-protocol.md's notation and what the library works with.

AMQP 0-10 types of the same meaning have the names of AMQP 1.0 there. Python has one integer, so what is
received is an `integer`; a Python float is a double.
"""
from __future__ import print_function

import struct

from qpid.datatypes import UUID, timestamp
from qpid.messaging import Message

KEY = u"value"  # of the header, or of the entry of a map, that has the value

SCALARS = {
    "null": lambda text: None,
    "boolean": lambda text: text == "true",
    "long": int,
    "double": lambda text: struct.unpack(">d", text.decode("hex"))[0],
    "timestamp": lambda text: timestamp(int(text) / 1000.0),
    "uuid": lambda text: UUID(hex=str(text)),
    "binary": lambda text: buffer(text.decode("hex")),
    "string": lambda text: text,
}

BODIES = ("string", "binary", "list", "map")


class Unsupported(Exception):
    """The library cannot send this."""


def read(value):
    """What the library sends as this value. Raises Unsupported."""
    kind, inner = value["type"], value["value"]
    if kind == "list":
        return [read(item) for item in inner]
    if kind == "map":
        return dict((read(key), read(item)) for key, item in inner)
    if kind not in SCALARS:
        raise Unsupported("Python 2 has nothing that the library sends as %s" % kind)
    return SCALARS[kind](inner)


def write(given):
    """What the library handed out, with the type that it has there. Raises TypeError."""
    if isinstance(given, (list, tuple)):
        return {"type": "list", "value": [write(item) for item in given]}
    if isinstance(given, dict):
        pairs = [[write(key), write(item)] for key, item in given.items()]
        return {"type": "map", "value": sorted(pairs, key=repr)}
    kind, text = scalar(given)
    return {"type": kind, "value": text}


def scalar(given):
    """Type and text of what is no compound."""
    if given is None:
        return "null", ""
    if isinstance(given, bool):
        return "boolean", str(given).lower()
    if isinstance(given, (int, long)):
        return "integer", str(given)
    if isinstance(given, timestamp):
        return "timestamp", str(int(round(given * 1000)))
    if isinstance(given, float):
        return "double", struct.pack(">d", given).encode("hex")
    if isinstance(given, unicode):
        return "string", given
    if isinstance(given, (str, buffer)):
        return "binary", str(given).encode("hex")
    if hasattr(given, "bytes"):
        return "uuid", str(given)
    raise TypeError("the library handed out a %s" % type(given).__name__)


def message(place, value):
    """A message with the value in that place. Raises Unsupported."""
    if place == "body" and value["type"] not in BODIES:
        raise Unsupported("an AMQP 0-10 body is text, octets, a list or a map")
    inner = read(value)
    if place == "property":
        return Message(u"", properties={KEY: inner})
    if place == "map":
        return Message({KEY: inner})
    return Message(str(inner) if isinstance(inner, buffer) else inner)


def found(place, received):
    """The value in that place of a message. Raises KeyError, TypeError."""
    if place == "property":
        return write(received.properties[KEY])
    return write(received.content[KEY] if place == "map" else received.content)

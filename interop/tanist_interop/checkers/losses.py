"""What may be lost of an AMQP value on its way from one client program to another, and why.

A value passes up to three places that cannot keep it: the sender's library, the translation
between AMQP 1.0 and AMQP 0-10, and the receiver's library. ``expect`` computes from these rules
exactly what must come out; whatever else comes out is a loss that nobody has explained. Between
Proton in Python and in C++ nothing is lost.

The rules of the translation are those of docs/message-mapping.md.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, cast

from tanist_interop.protocol import Value

SPEAK_0_10: Final = ("python-qpid", "jms-0-10")
JMS: Final = ("jms-1.0", "jms-0-10")

LOSSES: Final[dict[str, str]] = {
    "0-10 body": "A body of AMQP 0-10 is octets, text, a map or a list.",
    "Python 2 types": "Python 2 has no such type for `qpid.messaging` to send.",
    "Java types": "Java has no such type, or the JMS client for 0-10 does not send it.",
    "JMS properties": "JMS allows primitives and text as properties; both clients enforce it.",
    "JMS bodies": "The JMS client sends text, octets, lists, maps and arrays as a body.",
    "JMS nested arrays": "The JMS client fails to encode and to decode an array within a map.",
    "JMS objects": "The JMS client cannot hand out what is not `Serializable`.",
    "Java char": "A Java `char` has 16 bits: it cannot send more, and cuts what it receives.",
    "Java unsigned": "Java has no unsigned integers: the next wider type, or the same bits.",
    "JMS 0-10 time": "The JMS client hands out the seconds of a 0-10 datetime as a long.",
    "JMS no body": "The JMS client takes a message without a body for one of no octets.",
    "Proton no body": "Proton for Python sends a body of null as no body at all.",
    "rhea descriptors": "rhea replaces the descriptor of a body by the one of its section.",
    "rhea sequences": "rhea hands out an array as a list.",
    "JavaScript numbers": "JavaScript has one type of numbers; of 64 bits what does not fit "
    "comes as octets.",
    "rhea text": "rhea hands out strings and symbols as text, keys of maps too.",
    "rhea octets": "rhea hands out binary, UUIDs and decimals as octets.",
    "Python integers": "Python 2 has one type of integers, and of floats the double.",
    "0-10 seconds": "0-10 datetimes are seconds: `qpid.messaging` sends whole ones, and a 1.0 "
    "timestamp that is none becomes an int64.",
    "0-10 text": "0-10 clients know no symbols and cannot read wide characters: they get text.",
    "0-10 decimals": "0-10 clients know no decimals: they get the octets.",
    "0-10 descriptors": "0-10 has no described values: the descriptor is dropped.",
    "0-10 arrays": "0-10 clients hand out an array as a list.",
    "0-10 one item": "A body that 0-10 has no place for becomes a list of one item.",
    "0-10 char": "A 0-10 char is one octet, which the 0-10 clients misread.",
}
"""Reasons by their names; ``tanist-interop`` prints them, docs/type-fidelity.md keeps them."""

NARROW: Final = {"ubyte": "short", "ushort": "int", "uint": "long", "ulong": "long"}
INTEGERS: Final = ("ubyte", "ushort", "uint", "ulong", "byte", "short", "int", "long")
DECIMALS: Final = ("decimal32", "decimal64", "decimal128")
BODIES_0_10: Final = ("string", "binary", "list", "map")
PRIMITIVES: Final = (
    "null", "boolean", "byte", "short", "int", "long", "float", "double", "char", "string",
)  # fmt: skip
SENT_BY_PYTHON_2: Final = (
    "null", "boolean", "long", "double", "timestamp", "uuid", "binary", "string", "list", "map",
)  # fmt: skip
NOT_OF_JMS_0_10: Final = (
    "ubyte", "ushort", "uint", "ulong", *DECIMALS, "timestamp", "symbol", "array", "described",
)  # fmt: skip


@dataclass
class Expected:
    """What must come of a value: ``answer`` of ``put`` or ``take``, and the value handed out."""

    answer: str
    value: Value | None = None
    losses: list[str] = field(default_factory=list)

    def lose(self, name: str) -> None:
        """Note a reason, once."""
        if name not in self.losses:
            self.losses.append(name)


Change = Callable[[Value, Expected], Value]


def simple(kind: str, text: object) -> Value:
    """A value that is no compound."""
    return {"type": kind, "value": str(text)}


def parts(value: Value) -> list[Value]:
    """The items of a list, an array or a described value."""
    return cast("list[Value]", value["value"])


def pairs(value: Value) -> list[list[Value]]:
    """The entries of a map."""
    return cast("list[list[Value]]", value["value"])


def through(value: Value, change: Change, to: Expected) -> Value:
    """The value with every scalar changed, and every compound after what is in it."""
    inner: object = value["value"]
    if value["type"] == "map":
        inner = [[through(item, change, to) for item in pair] for pair in pairs(value)]
    elif isinstance(inner, list):
        inner = [through(item, change, to) for item in parts(value)]
    return change({"type": value["type"], "value": inner}, to)


def normal(value: Value | None) -> object:
    """A value to compare: the entries of maps in one order (some languages have none)."""
    if value is None:
        return None
    if value["type"] == "map":
        entries = [[normal(item) for item in pair] for pair in pairs(value)]
        return ("map", sorted(entries, key=repr))
    if isinstance(value["value"], list):
        return (value["type"], [normal(item) for item in parts(value)])
    return (value["type"], value["value"])


def expect(sender: str, receiver: str, place: str, sent: Value) -> Expected:
    """What must come of a value that this sender sends to this receiver."""
    refused = refusal(sender, place, sent)
    if refused is not None:
        return refused
    out = Expected("taken")
    value = as_sent(sender, place, sent, out)
    if receiver in SPEAK_0_10 and sender not in SPEAK_0_10:
        value = through(value, to_0_10, out)
        if place == "body" and value["type"] not in (*BODIES_0_10, "null"):
            out.lose("0-10 one item")
            value = {"type": "list", "value": [value]}
    if cannot_hand_out(receiver, place, value, out):
        return Expected("failed", None, out.losses)
    if place == "body" and value["type"] == "null" and takes_for_octets(sender, receiver):
        out.lose("JMS no body")
        if receiver == "jms-1.0":
            out.lose("Proton no body")
        value = simple("binary", "")
    if sender == "jms-0-10" and receiver in SPEAK_0_10 and value["type"] == "char":
        value = misread(receiver, value, out)
    elif receiver in HANDS_OUT:
        value = through(value, HANDS_OUT[receiver], out)
    if place == "body" and receiver == "js-rhea" and value["type"] == "described":
        out.lose("rhea descriptors")
        value = parts(value)[1]
    return Expected("taken", value, out.losses)


def refusal(sender: str, place: str, sent: Value) -> Expected | None:
    """What the sender's library does not send, None if it does."""
    kind = str(sent["type"])
    if sender in JMS and kind == "char" and int(str(sent["value"])) > 0xFFFF:
        return Expected("unsupported", None, ["Java char"])
    if sender == "jms-0-10" and kind in NOT_OF_JMS_0_10:
        return Expected("unsupported", None, ["Java types"])
    if sender in SPEAK_0_10 and place == "body" and kind not in BODIES_0_10:
        return Expected("unsupported", None, ["0-10 body"])
    if sender == "python-qpid" and kind not in SENT_BY_PYTHON_2:
        return Expected("unsupported", None, ["Python 2 types"])
    if sender == "jms-0-10" and place == "property" and kind in ("null", "uuid"):
        return Expected("unsupported", None, ["JMS properties"])
    if sender == "jms-1.0" and place == "property" and kind not in PRIMITIVES:
        return Expected("unsupported", None, ["JMS properties"])
    if sender == "jms-1.0" and place == "body" and kind not in (*BODIES_0_10, "null", "array"):
        return Expected("unsupported", None, ["JMS bodies"])
    if sender == "jms-1.0" and place == "map" and kind == "array":
        return Expected("failed", None, ["JMS nested arrays"])
    return None


def as_sent(sender: str, place: str, sent: Value, to: Expected) -> Value:
    """What the sender's library makes of it."""
    if sender == "js-rhea" and place == "body" and sent["type"] == "described":
        to.lose("rhea descriptors")
        return parts(sent)[1]
    if sender == "python-qpid" and sent["type"] == "timestamp":
        whole = int(str(sent["value"])) // 1000 * 1000
        if str(whole) != sent["value"]:
            to.lose("0-10 seconds")
        return simple("timestamp", whole)
    return sent


def to_0_10(value: Value, to: Expected) -> Value:
    """What the broker makes of a value of AMQP 1.0 for AMQP 0-10."""
    kind, inner = value["type"], value["value"]
    if kind in ("symbol", "char"):
        to.lose("0-10 text")
        return simple("string", inner if kind == "symbol" else chr(int(str(inner))))
    if kind in DECIMALS:
        to.lose("0-10 decimals")
        return simple("binary", inner)
    if kind == "described":
        to.lose("0-10 descriptors")
        return parts(value)[1]
    if kind == "timestamp" and int(str(inner)) % 1000:
        to.lose("0-10 seconds")
        return simple("long", inner)
    return value


def cannot_hand_out(receiver: str, place: str, value: Value, to: Expected) -> bool:
    """Whether the receiver's library fails at this."""
    if receiver == "jms-1.0" and place == "map" and value["type"] == "array":
        to.lose("JMS nested arrays")
        return True
    if receiver == "jms-1.0" and place == "body" and value["type"] in ("symbol", "described"):
        to.lose("JMS objects")
        return True
    return False


def takes_for_octets(sender: str, receiver: str) -> bool:
    """Whether a body of null comes as no octets."""
    return receiver == "jms-0-10" or (receiver == "jms-1.0" and sender == "python-proton")


def misread(receiver: str, value: Value, to: Expected) -> Value:
    """A char of 0-10: one octet, which one client takes for a signed number and one for octets."""
    to.lose("0-10 char")
    octet = int(str(value["value"])) & 0xFF
    if receiver == "python-qpid":
        return simple("binary", f"{octet:02x}")
    return simple("char", octet if octet < 0x80 else octet | 0xFF00)


def by_rhea(value: Value, to: Expected) -> Value:
    """What rhea hands out."""
    kind, inner = value["type"], str(value["value"])
    if kind in ("string", "symbol"):
        to.lose("rhea text")
        return simple("text", inner)
    if kind in ("binary", "uuid", *DECIMALS):
        to.lose("rhea octets")
        return simple("octets", inner.replace("-", ""))
    if kind == "array":
        to.lose("rhea sequences")
        return {"type": "list", "value": value["value"]}
    if kind in (*INTEGERS, "char", "float", "double"):
        to.lose("JavaScript numbers")
        return number_of_javascript(str(kind), inner)
    return value


def number_of_javascript(kind: str, text: str) -> Value:
    """A number as JavaScript has it, or the octets of an integer that is too far from zero."""
    if kind in ("float", "double"):
        (number,) = struct.unpack(">f" if kind == "float" else ">d", bytes.fromhex(text))
        return simple("number", repr(number))
    integer = int(text)
    if -2097153 < integer >> 32 < 2097153:  # rhea looks at the upper half only
        return simple("number", integer)
    return simple("octets", f"{integer % 2**64:016x}")


def by_qpid_messaging(value: Value, to: Expected) -> Value:
    """What qpid.messaging hands out."""
    kind, inner = value["type"], str(value["value"])
    if kind in INTEGERS:
        to.lose("Python integers")
        return simple("integer", inner)
    if kind == "float":
        to.lose("Python integers")
        (number,) = struct.unpack(">f", bytes.fromhex(inner))
        return simple("double", struct.pack(">d", number).hex())
    return _list(value, to)


def by_jms_0_10(value: Value, to: Expected) -> Value:
    """What the JMS client for 0-10 hands out."""
    kind, inner = str(value["type"]), str(value["value"])
    if kind in NARROW:
        to.lose("Java unsigned")
        integer = int(inner)
        return simple(NARROW[kind], integer - 2**64 if integer >= 2**63 else integer)
    if kind == "timestamp":
        to.lose("JMS 0-10 time")
        return simple("long", int(inner) // 1000)
    return _list(value, to)


def _list(value: Value, to: Expected) -> Value:
    if value["type"] == "array":
        to.lose("0-10 arrays")
        return {"type": "list", "value": value["value"]}
    return value


def by_jms_1_0(value: Value, to: Expected) -> Value:
    """What the JMS client for 1.0 hands out."""
    if value["type"] == "char" and int(str(value["value"])) > 0xFFFF:
        to.lose("Java char")
        return simple("char", int(str(value["value"])) & 0xFFFF)
    return value


HANDS_OUT: Final[dict[str, Change]] = {
    "js-rhea": by_rhea,
    "python-qpid": by_qpid_messaging,
    "jms-0-10": by_jms_0_10,
    "jms-1.0": by_jms_1_0,
}
"""Per program what its library makes of a value; the others hand out what came."""

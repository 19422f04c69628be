"""Random messages of both forms, and what of them must survive, in a form that can be compared.

The strategies draw whatever the types allow, so that translating never fails. ``plain010`` and
``exact`` forget exactly what docs/message-mapping.md calls lost.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from hypothesis import strategies as st

from tanist.core.message import Message
from tanist.sessions.translation.names import APP_ID, CARRIED, REST
from tanist.wire.amqp010 import codec, spec
from tanist.wire.amqp010 import values as values010
from tanist.wire.amqp010.codec import encode_list, encode_map, make
from tanist.wire.amqp010.values import (
    Array,
    Struct,
    TypedBytes,
    TypedFloat,
    TypedInt,
    TypedStr,
    vbin16,
)
from tanist.wire.amqp10 import values as values10
from tanist.wire.amqp10.composites import Properties
from tanist.wire.amqp10.sections import (
    encode_body_value,
    encode_data,
    encode_sequence,
)
from tests.broker.sessions.translation.messages import amqp010, amqp10
from tests.broker.wire.amqp10.random_values import SCALARS, any_values, scalars

Drawn: TypeAlias = Any
"""What hypothesis drew."""

TEXTS = {0x85, 0x95, 0x86, 0x96, 0x94, 0x04, 0x27}
OCTETS = {0x80, 0x90, 0xA0}
ODD_OCTETS = (0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0xC0, 0xC8, 0xD0, 0xD8)
ASCII_TEXT = st.text(st.characters(max_codepoint=126, min_codepoint=32), max_size=8)
NAMES = st.text(max_size=6)
LATIN = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8)


def integers(code: int, low: int, high: int) -> st.SearchStrategy[Drawn]:
    """Integers with a type code."""
    return st.integers(low, high).map(lambda value: TypedInt(value, code))


SIMPLE_010: st.SearchStrategy[Drawn] = st.one_of(
    st.none(),
    st.booleans(),
    integers(0x01, -128, 127),
    integers(0x02, 0, 255),
    integers(0x11, -(2**15), 2**15 - 1),
    integers(0x12, 0, 2**16 - 1),
    integers(0x21, -(2**31), 2**31 - 1),
    integers(0x22, 0, 2**32 - 1),
    st.integers(-(2**63), 2**63 - 1),
    integers(0x32, 0, 2**64 - 1),
    integers(0x38, 0, 2**53),
    st.binary(min_size=4, max_size=4).map(
        lambda raw: codec.decode_list(codec.encode_list([TypedFloat(0.0, 0x23, raw)]))[0]
    ),
    st.floats(),
    st.uuids(),
    NAMES,
    NAMES.map(lambda text: TypedStr(text, 0x85)),
    LATIN.map(lambda text: TypedStr(text, 0x94)),
    NAMES.map(lambda text: TypedStr(text, 0x96)),
    st.binary(max_size=8),
    st.binary(max_size=8).map(vbin16),
    st.characters(exclude_categories=["Cs"]).map(lambda text: TypedStr(text, 0x27)),
)


def odd_octets() -> st.SearchStrategy[Drawn]:
    """Octets of a type that AMQP 1.0 does not have."""
    return st.sampled_from(ODD_OCTETS).flatmap(
        lambda code: st.binary(
            min_size=spec.TYPES_BY_CODE[code].width, max_size=spec.TYPES_BY_CODE[code].width
        ).map(lambda octets: TypedBytes(octets, code))
    )


def nested_arrays() -> st.SearchStrategy[Drawn]:
    """Arrays of arrays of what AMQP 1.0 has no array for, or not for all values."""
    octets = st.binary(min_size=4, max_size=4).map(lambda raw: TypedBytes(raw, 0x20))
    times = st.one_of(integers(0x38, 0, 2**53), integers(0x38, 2**60, 2**64 - 1))
    inner = st.one_of(
        st.lists(octets, max_size=2).map(lambda items: Array(0x20, items)),
        st.lists(times, max_size=2).map(lambda items: Array(0x38, items)),
    )
    return st.lists(inner, max_size=3).map(lambda items: Array(0xAA, items))


def arrays() -> st.SearchStrategy[Drawn]:
    """Arrays of some types."""
    return st.one_of(
        nested_arrays(),
        st.lists(NAMES, max_size=3).map(lambda items: Array(0x95, items)),
        st.lists(st.integers(-5, 5), max_size=3).map(lambda items: Array(0x31, items)),
        st.lists(st.uuids(), max_size=3).map(lambda items: Array(0x48, items)),
        st.lists(integers(0x38, 0, 2**53), max_size=3).map(lambda items: Array(0x38, items)),
        st.lists(st.dictionaries(NAMES, SIMPLE_010, max_size=2), max_size=2).map(
            lambda items: Array(0xA8, items)
        ),
    )


VALUES_010: st.SearchStrategy[Drawn] = st.recursive(
    st.one_of(
        SIMPLE_010,
        odd_octets(),
        arrays(),
        st.just(make("dtx.xa-result", status=1)),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=5,
)

HEADER_NAMES = st.one_of(
    NAMES,
    st.sampled_from(["qpid.subject", "x-jms-type", "JMSXGroupID", "JMSXGroupSeq", APP_ID]),
).filter(lambda name: name not in CARRIED)


def plain010(value: Drawn) -> Drawn:
    """A 0-10 value without what is lost: the width of a length, characters, structs decoded."""
    if isinstance(value, Struct):
        return (0xAB, codec.encode_struct32(value)[4:])
    if isinstance(value, Array):
        return ("list", *(plain010(item) for item in value))
    if isinstance(value, dict):
        return ("map", *((key, plain010(item)) for key, item in value.items()))
    if isinstance(value, (list, tuple)):
        return ("list", *(plain010(item) for item in value))
    code = values010.type_code(value)
    if isinstance(value, str):
        return ("text", str(value))
    if isinstance(value, bytes):
        return ("octets" if code in OCTETS else code, value[:])
    if isinstance(value, TypedFloat):
        return (code, value.raw)
    if isinstance(value, float):
        return (code, codec.encode_list([value]))
    if isinstance(value, bool):
        return (code, value)
    if code == 0x38 and value * 1000 >= 2**63:
        code = 0x32
    return (code, int(value)) if isinstance(value, int) else (code, value)


def optional(strategy: st.SearchStrategy[Drawn]) -> st.SearchStrategy[Drawn]:
    """``strategy`` or None."""
    return st.one_of(st.none(), strategy)


@st.composite
def messages010(draw: st.DrawFn) -> Message:
    """A message of AMQP 0-10 with any of its properties."""
    delivery: dict[str, Drawn] = {
        "timestamp": draw(optional(st.integers(0, 2**64 - 1))),
        "expiration": draw(optional(st.integers(0, 2**42))),
        "discard_unroutable": draw(st.booleans()),
        "resume_id": draw(optional(NAMES.filter(bool))),
        "resume_ttl": draw(optional(st.integers(0, 2**64 - 1))),
    }
    names = st.one_of(st.none(), NAMES)
    properties: dict[str, Drawn] = {
        "message_id": draw(optional(st.uuids())),
        "correlation_id": draw(optional(st.binary(max_size=8))),
        "reply_to": draw(
            optional(
                st.builds(
                    lambda e, k: make("message.reply-to", exchange=e, routing_key=k), names, names
                )
            )
        ),
        "content_encoding": draw(optional(NAMES.filter(bool))),
        "user_id": draw(optional(st.binary(max_size=8))),
        "app_id": draw(optional(st.binary(max_size=8))),
    }
    kind = draw(
        st.sampled_from(["", "text/plain", "amqp/map", "amqp/list", "image/png", "jms/map-message"])
    )
    if kind:
        properties["content_type"] = kind
    body = draw(st.one_of(st.binary(max_size=30), NAMES.map(str.encode)))
    if kind == "amqp/map" and draw(st.booleans()):
        body = encode_map(draw(st.dictionaries(NAMES, VALUES_010, max_size=3)))
    elif kind == "amqp/list" and draw(st.booleans()):
        body = encode_list(draw(st.lists(VALUES_010, max_size=3)))
    headers = draw(optional(st.dictionaries(HEADER_NAMES, VALUES_010, max_size=4)))
    exchange, key = draw(st.sampled_from([("", "q"), ("amq.topic", "a.b"), ("fan", "")]))
    bodiless = draw(st.booleans())
    present = {name: value for name, value in properties.items() if value is not None}
    return amqp010(
        {name: value for name, value in delivery.items() if value is not None},
        present,
        headers,
        b"" if bodiless else body,
        exchange=exchange,
        key=key,
        bodiless=bodiless,
    )


_OTHER = ("binary", "char", "string", "symbol", "timestamp")
SIMPLE_10: st.SearchStrategy[Drawn] = st.one_of(
    *(SCALARS[name] for name in SCALARS if name not in _OTHER and "decimal" not in name),
    NAMES,
    st.binary(max_size=8),
    st.integers(0, 2**40).map(lambda seconds: values10.Timestamp(seconds * 1000)),
)
VALUES_10: st.SearchStrategy[Drawn] = st.recursive(
    SIMPLE_10,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=5,
)
IDS: st.SearchStrategy[Drawn] = st.one_of(
    SCALARS["ulong"], st.uuids(), st.binary(max_size=8), NAMES, st.uuids().map(str)
)


def bodies10() -> st.SearchStrategy[Drawn]:
    """Bodies of one data section, or of values and sequences that 0-10 has types for."""
    return st.one_of(
        st.binary(max_size=30).map(encode_data),
        VALUES_10.map(encode_body_value),
        st.lists(st.lists(VALUES_10, max_size=3).map(encode_sequence), min_size=1, max_size=3).map(
            b"".join
        ),
    )


@st.composite
def messages10(draw: st.DrawFn) -> Message:
    """A message of AMQP 1.0 with any of its sections, of what the mapping calls lossless."""
    ms = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**42))
    properties = Properties(
        message_id=draw(optional(IDS)),
        user_id=draw(optional(st.binary(max_size=8))),
        to=draw(optional(NAMES)),
        subject=draw(optional(NAMES)),
        reply_to=draw(optional(NAMES)),
        correlation_id=draw(optional(IDS)),
        content_type=draw(
            optional(st.sampled_from(["text/plain", "amqp/map", "a/b", "jms/map-message"]))
        ),
        content_encoding=draw(optional(ASCII_TEXT.filter(bool))),
        absolute_expiry_time=draw(optional(ms)),
        creation_time=draw(optional(ms)),
        group_id=draw(optional(NAMES)),
        group_sequence=draw(optional(st.integers(0, 2**32 - 1))),
        reply_to_group_id=draw(optional(NAMES)),
    )
    keys = NAMES.filter(lambda name: name not in CARRIED and not name.startswith(("qpid.", "JMSX")))
    symbols = ASCII_TEXT.filter(lambda name: name not in (REST, "x-opt-jms-msg-type"))
    return amqp10(
        draw(optional(st.just(properties))),
        draw(optional(st.dictionaries(keys, SIMPLE_10, max_size=4))),
        draw(optional(st.dictionaries(symbols, VALUES_10, max_size=3))),
        draw(bodies10()),
        draw(optional(st.dictionaries(symbols, VALUES_10, max_size=2))),
    )


def descriptions_of_structs() -> st.SearchStrategy[Drawn]:
    """What stands for a struct of 0-10 in AMQP 1.0, or only looks like it."""
    known = st.sampled_from(
        [
            make("dtx.xa-result", status=1),
            make("message.message-properties", application_headers={"a": [[[1]]]}),
            make("message.message-properties", application_headers={"a": [[[[[[[1]]]]]]]}),
            make("message.message-properties", application_headers={"a": Array(0xF0, [None] * 9)}),
        ]
    ).map(lambda struct: codec.encode_struct32(struct)[4:])
    octets = st.one_of(
        known,
        known.flatmap(damaged),
        st.binary(max_size=6).map(lambda rest: b"\x04\x03" + rest),
        st.binary(max_size=6),
    )
    symbol = values10.Symbol("amqp-0-10:struct32")
    described = octets.map(lambda found: values10.Described(symbol, found))
    return st.tuples(described, st.integers(0, 28)).map(lambda pair: nested(*pair))


def nested(value: Drawn, levels: int) -> Drawn:
    """``value`` in so many lists."""
    for _ in range(levels):
        value = [value]
    return value


@st.composite
def wild10(draw: st.DrawFn) -> Message:
    """A message of AMQP 1.0 of anything that the types allow, well-formed or not."""
    octets = draw(messages10()).body
    each = st.one_of(any_values, descriptions_of_structs())
    anything = st.dictionaries(st.text(max_size=6), each, max_size=3)
    wild = amqp10(
        Properties(message_id=draw(IDS)),
        draw(anything),
        {REST: draw(st.one_of(scalars, anything)), "x-amqp-0-10.app-id": draw(scalars)},
        draw(any_values.map(encode_body_value)),
    )
    chosen = draw(st.sampled_from([octets, wild.body]))
    if draw(st.booleans()) and chosen:
        at = draw(st.integers(0, len(chosen) - 1))
        chosen = chosen[:at] + bytes([draw(st.integers(0, 255))]) + chosen[at + 1 :]
    return Message(b"", chosen, draw(st.sampled_from(["", "e"])), "q", form=1)


WORDS = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=5),
    st.sampled_from(["q", "e/k", "amq.topic/a/b", "qpid.subject", "x-amqp-to", "ü", "x" * 256]),
)
USUAL_010: st.SearchStrategy[Drawn] = st.one_of(
    st.booleans(),
    st.integers(-300, 300),
    st.integers(-(2**63), 2**63 - 1),
    integers(0x21, -(2**31), 2**31 - 1),
    integers(0x22, 0, 2**32 - 1),
    integers(0x22, 0, 300),
    integers(0x32, 0, 2**64 - 1),
    integers(0x32, 0, 300),
    st.floats(),
    WORDS,
    st.binary(max_size=5).map(vbin16),
)


def sometimes(draw: st.DrawFn, **strategies: st.SearchStrategy[Drawn]) -> dict[str, Drawn]:
    """Some of the fields."""
    return {name: draw(each) for name, each in strategies.items() if draw(st.booleans())}


@st.composite
def usual010(draw: st.DrawFn) -> Message:
    """A message of AMQP 0-10 as producers send it; sometimes with one thing that is unusual."""
    times = st.one_of(st.integers(10**11, 2**42), st.integers(0, 2**64 - 1))
    delivery = sometimes(
        draw,
        priority=st.integers(0, 9),
        delivery_mode=st.integers(1, 2),
        ttl=st.integers(1, 2**40),
        timestamp=times,
        exchange=st.sampled_from(["", "e"]),
        redelivered=st.just(True),
    )
    reply_to = sometimes(draw, exchange=WORDS, routing_key=WORDS)
    fit = {name: value for name, value in reply_to.items() if len(value.encode()) < 256}
    properties = sometimes(
        draw,
        content_length=st.just(4),
        message_id=st.uuids(),
        correlation_id=WORDS.map(str.encode),
        reply_to=st.just(make("message.reply-to", **fit)),
        content_type=st.sampled_from(
            ["text/plain", "text/plain", "image/png", "amqp/map", "", "ü"]
        ),
        user_id=WORDS.map(str.encode),
    )
    names = WORDS.filter(lambda name: len(name.encode()) < 256)
    headers = draw(optional(st.dictionaries(names, USUAL_010, max_size=4)))
    body = draw(st.one_of(WORDS.map(str.encode), st.binary(max_size=3)))
    exchange, key = draw(st.sampled_from([("", "q"), ("e", "k"), ("fan", ""), ("", "x" * 255)]))
    bodiless = draw(st.booleans()) and draw(st.booleans())
    return amqp010(
        delivery,
        properties,
        headers,
        b"" if bodiless else body,
        exchange=exchange,
        key=key,
        bodiless=bodiless,
    )


USUAL_10: st.SearchStrategy[Drawn] = st.one_of(
    st.booleans(),
    st.integers(-300, 300),
    st.integers(-300, 300).map(values10.Int),
    st.integers(0, 300).map(values10.UInt),
    st.integers(0, 300).map(values10.ULong),
    SCALARS["byte"],
    SCALARS["int"],
    SCALARS["uint"],
    SCALARS["ulong"],
    SCALARS["long"],
    st.floats(),
    WORDS,
    st.binary(max_size=5),
    st.just(values10.Symbol("s")),
    st.none(),
)


@st.composite
def usual10(draw: st.DrawFn) -> Message:
    """A message of AMQP 1.0 as producers send it; sometimes with one thing that is unusual."""
    times = st.one_of(st.integers(10**11, 2**42), st.integers(-5, 5))
    properties = Properties(
        **sometimes(
            draw,
            message_id=st.one_of(WORDS, st.uuids(), st.uuids().map(str)),
            user_id=st.binary(max_size=5),
            to=WORDS,
            subject=WORDS,
            reply_to=st.one_of(WORDS, st.sampled_from(["jobs", "jobs/high", "amq.fanout", "e/"])),
            correlation_id=WORDS,
            content_type=st.sampled_from(["text/plain", "text/plain", "image/png", "amqp/map"]),
            absolute_expiry_time=times,
            creation_time=times,
        )
    )
    if draw(st.integers(0, 9)) == 0:
        properties.group_id = "g"
    values = st.dictionaries(WORDS, USUAL_10, max_size=4)
    keys = st.sampled_from(["x-opt-jms-dest", "x-opt-jms-msg-type", "x-opt-a", REST])
    bodies = st.one_of(
        WORDS.map(encode_body_value),
        WORDS.map(str.encode).map(encode_data),
        st.just(encode_body_value(None)),
        st.just(b""),
    )
    message = amqp10(
        draw(optional(st.just(properties))),
        draw(optional(values)),
        draw(optional(st.dictionaries(keys, USUAL_10, max_size=2))),
        draw(bodies),
        exchange=draw(st.sampled_from(["", "e"])),
        key=draw(st.sampled_from(["q", "", "ü" * 200])),
    )
    message.durable = draw(st.booleans())
    message.priority = draw(st.integers(0, 9))
    return message


@st.composite
def damaged(draw: st.DrawFn, octets: bytes) -> bytes:
    """``octets`` with one of them changed, some missing, or some more."""
    if not octets:
        return octets
    at = draw(st.integers(0, len(octets) - 1))
    kind = draw(st.integers(0, 2))
    if kind == 0:
        return octets[:at] + bytes([draw(st.integers(0, 255))]) + octets[at + 1 :]
    return octets[:at] if kind == 1 else octets + draw(st.binary(min_size=1, max_size=3))

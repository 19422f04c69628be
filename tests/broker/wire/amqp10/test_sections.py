"""Tests of messages: sections found and decoded, in all orders and spellings, good and bad."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.types import FramingError, LocalProtocolError
from tanist.wire.amqp10 import sections
from tanist.wire.amqp10.codec import decode_performative
from tanist.wire.amqp10.composites import Header, Properties
from tanist.wire.amqp10.decoding import decode_value
from tanist.wire.amqp10.encoding import encode_composite, encode_value
from tanist.wire.amqp10.framing import FrameParser
from tanist.wire.amqp10.performatives import Transfer
from tanist.wire.amqp10.sections import (
    DATA,
    DEFAULT_HEADER,
    NO_BODY,
    SEQUENCE,
    VALUE,
    MessageParts,
    cut_header,
    encode_body_value,
    encode_data,
    encode_map_section,
    encode_sequence,
    skip_value,
    split_message,
    stamp_header,
)
from tanist.wire.amqp10.spec import DEFINITIONS
from tanist.wire.amqp10.values import Described, Symbol, ULong, Value
from tests.broker.wire.amqp10.proton_oracle import ProtonOracle, readable
from tests.broker.wire.amqp10.random_values import (
    ASCII,
    Drawn,
    any_values,
    composites_of,
    exact,
    scalars,
    unsigned,
)

annotations = st.dictionaries(
    st.one_of(ASCII.map(Symbol), unsigned(64).map(ULong)), scalars, max_size=3
)
properties_map = st.dictionaries(st.text(max_size=9), scalars, max_size=3)
headers: st.SearchStrategy[Drawn] = composites_of(DEFINITIONS["header"])
properties: st.SearchStrategy[Drawn] = composites_of(DEFINITIONS["properties"])


@st.composite
def bodies(draw: st.DrawFn) -> tuple[int, list[Value]]:
    """The kind of a body, and the values of its sections."""
    kind = draw(st.sampled_from((NO_BODY, DATA, SEQUENCE, VALUE)))
    if kind == DATA:
        return kind, draw(st.lists(st.binary(max_size=300), min_size=1, max_size=3))
    if kind == SEQUENCE:
        return kind, draw(st.lists(st.lists(any_values, max_size=3), min_size=1, max_size=3))
    return kind, [draw(any_values)] if kind == VALUE else []


@st.composite
def messages(draw: st.DrawFn) -> tuple[list[Drawn], bytes]:
    """What is in a message (None: not there), and the message."""
    content = [
        draw(st.one_of(st.none(), kind))
        for kind in (headers, annotations, annotations, properties, properties_map)
    ]
    kind, values = draw(bodies())
    content += [(kind, values), draw(st.one_of(st.none(), annotations))]
    out = b"" if content[0] is None else encode_composite(content[0])
    for code, at in ((0x71, 1), (0x72, 2)):
        out += b"" if content[at] is None else encode_map_section(code, content[at])
    out += b"" if content[3] is None else encode_composite(content[3])
    out += b"" if content[4] is None else encode_map_section(0x74, content[4])
    write = {DATA: encode_data, SEQUENCE: encode_sequence, VALUE: encode_body_value}
    for value in values:
        out += write[kind](value)  # type: ignore[operator]
    out += b"" if content[6] is None else encode_map_section(0x78, content[6])
    return content, out


def body_of(parts: MessageParts) -> Drawn:
    if parts.body_kind == DATA:
        return parts.read_data()
    if parts.body_kind == SEQUENCE:
        return parts.read_sequences()
    return parts.read_body_value() if parts.body_kind == VALUE else None


def content_of(parts: MessageParts) -> list[Drawn]:
    return [
        exact(parts.read_header()),
        exact(parts.read_delivery_annotations()),
        exact(parts.read_message_annotations()),
        exact(parts.read_properties()),
        exact(parts.read_application_properties()),
        parts.body_kind,
        exact(body_of(parts)),
        exact(parts.read_footer()),
    ]


def spans_of(parts: MessageParts) -> list[sections.Span]:
    return [
        parts.header,
        parts.delivery_annotations,
        parts.message_annotations,
        parts.properties,
        parts.application_properties,
        parts.body,
        parts.footer,
    ]


@settings(max_examples=200, deadline=None)
@given(message=messages())
def test_sections_are_found_and_read(message: tuple[list[Drawn], bytes]) -> None:
    content, octets = message
    parts = split_message(octets)
    header, delivery, annotation, props, application, (kind, values), footer = content
    body = {DATA: b"".join, SEQUENCE: list, VALUE: lambda v: v[0], NO_BODY: lambda _: None}
    assert content_of(parts) == [
        exact(DEFAULT_HEADER if header is None else header),
        exact(delivery or {}),
        exact(annotation or {}),
        exact(props),
        exact(application or {}),
        kind,
        exact(body[kind](values)),
        exact(footer or {}),
    ]
    # The sections, put together again, are the message: not an octet belongs to none.
    assert b"".join(parts.octets(span) for span in spans_of(parts)) == octets
    cut, rest = cut_header(octets)
    assert exact(cut) == exact(parts.read_header())
    assert rest == parts.header[1]


@settings(max_examples=100, deadline=None)
@given(message=messages())
def test_proton_reads_our_sections_as_we_do(
    proton: ProtonOracle, message: tuple[list[Drawn], bytes]
) -> None:
    _, octets = message
    parts = split_message(octets)
    for span in spans_of(parts):
        section = parts.octets(span)
        if section and span != parts.body and readable(decode_value(section)):
            assert exact(proton.decode(section)) == exact(decode_value(section))


@settings(max_examples=200, deadline=None)
@given(value=any_values, behind=st.binary(max_size=5))
def test_a_value_is_skipped_without_being_read(value: Drawn, behind: bytes) -> None:
    octets = encode_value(value)
    assert skip_value(b"x" + octets + behind, 1, len(octets) + 1) == len(octets) + 1
    for end in range(len(octets)):
        with pytest.raises(FramingError):
            skip_value(octets[:end], 0, end)


def test_descriptors_may_be_long_numbers_or_symbols() -> None:
    long_header = bytes.fromhex("008000000000000000704" + "5")
    by_symbol = encode_value(Described(Symbol("amqp:data:binary"), b"abc"))
    parts = split_message(long_header + by_symbol)
    assert parts.header == (0, 11)
    assert parts.read_header() == Header()
    assert parts.read_data() == b"abc"
    assert cut_header(long_header + by_symbol) == (Header(), 11)
    assert cut_header(by_symbol) == (DEFAULT_HEADER, 0)
    assert cut_header(b"") == (DEFAULT_HEADER, 0)


def section(code: int, value: Value) -> bytes:
    return encode_value(Described(ULong(code), value))


HEAD = section(0x70, [])
PROPS = section(0x73, [])
BYTES = section(0x75, b"x")
SEQ = section(0x76, [1])
ANY = section(0x77, "x")
FOOT = section(0x78, {})


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (PROPS + HEAD, "header after properties"),
        (HEAD + HEAD, "header after header"),
        (FOOT + BYTES, "data after footer"),
        (FOOT + FOOT, "footer after footer"),
        (BYTES + PROPS, "properties after data"),
        (BYTES + SEQ, "amqp-sequence after data"),
        (BYTES + ANY, "amqp-value after data"),
        (SEQ + ANY, "amqp-value after amqp-sequence"),
        (SEQ + BYTES, "data after amqp-sequence"),
        (ANY + ANY, "amqp-value after amqp-value"),
        (ANY + BYTES, "data after amqp-value"),
        (section(0x70, {}), "header at octet 0: its value is no list"),
        (section(0x74, []), "application-properties at octet 0: its value is no map"),
        (section(0x75, "x"), "data at octet 0: its value is no binary"),
        (section(0x76, {}), "amqp-sequence at octet 0: its value is no list"),
        (section(0x24, []), "no section of a message at octet 0: descriptor 0x24"),
        (section(0x79, []), "no section of a message at octet 0: descriptor 0x79"),
        (section(0x10000, []), "descriptor 65536"),
        (encode_value(Described(Symbol("amqp:open:list"), [])), "descriptor amqp:open:list"),
        (encode_value(Described(5, [])), "no section of a message at octet 0: 005505"),
        (BYTES + b"\x00", "no section of a message at octet 6: 00"),
        (BYTES + b"abc", "no section of a message at octet 6: 616263"),
        (b"\x00\x53\x75", "data at octet 0: its value is no binary"),
        (b"\x00\x53\x77", "a value belongs at octet 3"),
        (b"\x00\x53\x77\x00", "a value belongs at octet 4"),
        (b"\x00\x53\x77\x57", "unknown constructor 0x57"),
        (b"\x00\x53\x75\xa0\x05abc", "value of 10 octets in a message of 8"),
        (b"\x00\x53\x75\xb0\xff\xff\xff\xff", "in a message of 8"),
        (b"\x00\x53\x75\xb0\xff\xff", "in a message of 6"),
        (b"\x00\x80\x00", "octets announced"),
        (b"\x00\xa3\x01\x80\x40", "symbol"),
    ],
)
def test_broken_messages(message: bytes, text: str) -> None:
    with pytest.raises(FramingError, match=text):
        split_message(message)


@pytest.mark.parametrize(
    ("message", "read", "text"),
    [
        (section(0x70, ["x"]), MessageParts.read_header, "header.durable is no boolean"),
        (section(0x73, [5]), MessageParts.read_properties, "properties.message_id is no ulong"),
        (
            section(0x74, {Symbol("x"): 1}),
            MessageParts.read_application_properties,
            "application-properties: a symbol cannot be a key",
        ),
        (
            section(0x71, {"x": 1}),
            MessageParts.read_delivery_annotations,
            "delivery-annotations: a string cannot be a key",
        ),
        (section(0x72, {5: 1}), MessageParts.read_message_annotations, "a long cannot be a key"),
        (section(0x78, {None: 1}), MessageParts.read_footer, "a null cannot be a key"),
        (b"\x00\x53\x73\xc0\x02\x02\x40", MessageParts.read_properties, "announces 2 items"),
        (b"\x00\x53\x73\xc0\x02\x00\x40", MessageParts.read_properties, "left over after list"),
        (b"\x00\x53\x77\xc0\x02\x01\x57", MessageParts.read_body_value, "unknown constructor"),
        (b"\x00\x53\x76\xc0\x02\x01\x57", MessageParts.read_sequences, "unknown constructor"),
    ],
)
def test_what_is_inside_is_judged_when_it_is_read(message: bytes, read: Drawn, text: str) -> None:
    parts = split_message(message)
    with pytest.raises(FramingError, match=text):
        read(parts)


def test_a_broken_header_is_found_when_it_is_cut() -> None:
    for bad in (section(0x70, ["x"]), b"\x00\x53\x70\xc0\x05\x01", b"\x00\x53\x70\x57", b"\x00"):
        with pytest.raises(FramingError):
            cut_header(bad + BYTES if bad != b"\x00" else bad)
    with pytest.raises(FramingError, match="header: a list belongs here, no string"):
        cut_header(section(0x70, "x"))


def test_the_same_header_is_decoded_once() -> None:
    one, _ = cut_header(section(0x70, [True]) + BYTES)
    two, _ = cut_header(section(0x70, [True]) + ANY)
    assert one is two
    assert one.durable


def test_caches_are_bounded() -> None:
    for number in range(2 * sections.CACHE_ENTRIES_MAX):
        stamp_header(False, 4, number, False, 0)
        cut_header(stamp_header(True, 4, number, False, 0))
    assert len(sections._stamps) <= sections.CACHE_ENTRIES_MAX
    assert len(sections._headers) <= sections.CACHE_ENTRIES_MAX
    octets = bytearray(b"\x00\x53\x70\xd0\x00\x00\x00\x00\x00\x00\x00\x01\x41")
    octets[4:8] = (5).to_bytes(4, "big")
    assert cut_header(bytes(octets))[0].durable


@settings(max_examples=100, deadline=None)
@given(header=headers)
def test_headers_are_stamped_as_they_are_encoded(header: Header) -> None:
    stamped = stamp_header(
        header.durable, header.priority, header.ttl, header.first_acquirer, header.delivery_count
    )
    assert stamped == encode_composite(header)
    assert exact(cut_header(stamped + BYTES)[0]) == exact(header)


def test_there_is_a_header_even_if_all_is_default() -> None:
    assert stamp_header(False, 4, None, False, 0).hex() == "00537045"
    with pytest.raises(LocalProtocolError, match=r"header\.priority"):
        stamp_header(False, 256, None, False, 0)


def test_a_message_as_it_is_written() -> None:
    found = encode_composite(Properties(UUID(int=1), to="q", content_type="t", group_sequence=7))
    fields = "98" + "00" * 15 + "01" + "40" + "a10171" + "404040" + "a30174" + "40404040" + "5207"
    assert found.hex() == "005373c0%02x0c" % (len(fields) // 2 + 1) + fields
    assert encode_data(b"ab").hex() == "005375a0026162"
    assert encode_data(bytes(300))[:8].hex() == "005375b00000012c"
    assert encode_sequence([]).hex() == "00537645"
    assert encode_body_value(None).hex() == "00537740"


def test_recorded_messages_are_split_and_read(captured: dict[str, bytes]) -> None:
    """Every recorded transfer with a payload of one frame; all of them are read to the end."""
    found = 0
    for stream in captured.values():
        for payload in payloads(stream):
            parts = split_message(payload)
            content_of(parts)
            assert b"".join(parts.octets(span) for span in spans_of(parts)) == payload
            assert parts.body_kind != NO_BODY
            header, rest = cut_header(payload)
            assert exact(header) == exact(parts.read_header())
            assert rest == parts.header[1]
            found += 1
    assert found >= 20


def payloads(stream: bytes) -> list[bytes]:
    parser = FrameParser(1 << 20)
    parser.push(stream)
    found, seen = [], 0
    while seen < len(stream):
        if stream[seen : seen + 4] == b"AMQP":
            parser.next_header()
            seen += 8
            continue
        frame = parser.next_frame()
        assert frame is not None
        seen += 8 + len(frame.body)
        if frame.type == 0 and frame.body:
            performative, end = decode_performative(frame.body)
            if isinstance(performative, Transfer):
                found.append(frame.body[end:])
    return found


@settings(max_examples=300, deadline=None)
@given(message=messages(), data=st.data())
def test_damaged_messages_are_read_or_refused_in_one_way(
    message: tuple[list[Drawn], bytes], data: st.DataObject
) -> None:
    octets = bytearray(message[1] or b"\x00\x53\x77\x40")
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(octets)
    try:
        parts = split_message(damaged)
        content_of(parts)
    except FramingError as error:
        assert error.text
        return
    assert b"".join(parts.octets(span) for span in spans_of(parts)) == damaged

"""Tests of the short way: equal to the general codec on whatever clients and we may send."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tanist.types import FramingError
from tanist.wire.amqp10 import twins
from tanist.wire.amqp10.composing import read_performative
from tanist.wire.amqp10.composites import Accepted
from tanist.wire.amqp10.encoding import encode_composite, encode_value
from tanist.wire.amqp10.performatives import Disposition, Flow, Transfer
from tanist.wire.amqp10.spec import DEFINITIONS, PERFORMATIVE
from tanist.wire.amqp10.values import Composite
from tests.broker.wire.amqp10.random_values import Drawn, composites_of, exact, unsigned

READERS = {
    "transfer": twins.decode_transfer,
    "disposition": twins.decode_disposition,
    "flow": twins.decode_flow,
}

uints = unsigned(32)
perhaps = st.one_of(st.none(), uints)
flags = st.one_of(st.booleans(), st.none())


def agree(name: str, octets: bytes, start: int = 0) -> bool:
    """Whether the twin had an opinion; it must be that of the general codec then."""
    short = READERS[name](octets, start)
    if short is None:
        return False
    general, end = read_performative(octets, start, PERFORMATIVE)
    assert (exact(short[0]), short[1]) == (exact(general), end)
    return True


@pytest.mark.parametrize("name", sorted(READERS))
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_performative_is_read_alike(name: str, data: st.DataObject) -> None:
    octets = encode_composite(data.draw(composites_of(DEFINITIONS[name])))
    agree(name, octets)
    agree(name, b"xy" + octets + b"payload", 2)


def uint(draw: st.DrawFn, number: int | None) -> bytes:
    """A uint in one of its encodings."""
    if number is None:
        return b"\x40"
    choices = [b"\x70" + number.to_bytes(4, "big")]
    if number < 256:
        choices.append(bytes((0x52, number)))
    if number == 0:
        choices.append(b"\x43")
    return draw(st.sampled_from(choices))


FLAG = st.sampled_from((b"\x40", b"\x41", b"\x42", b"\x56\x00", b"\x56\x01"))
STATE = st.sampled_from(
    [
        b"\x40",
        b"\x00\x53\x24\x45",
        b"\x00\x53\x24\xc0\x01\x00",
        b"\x00\x53\x24\xc0\x00\x00",
        b"\x00\x53\x24\xd0\x00\x00\x00\x04\x00\x00\x00\x00",
        b"\x00\x53\x25\x45",
        b"\x00\x80\x00\x00\x00\x00\x00\x00\x00\x24\x45",
    ]
)


@st.composite
def spelled(draw: st.DrawFn, name: str) -> bytes:
    """One of the three in the many spellings of the format, not all of them right."""
    tag = draw(st.binary(min_size=0, max_size=8))
    numbers = [uint(draw, draw(perhaps)) for _ in range(8)]
    some = [draw(FLAG) for _ in range(5)]
    if name == "transfer":
        tags = [b"\xa0%c%b" % (len(tag), tag), b"\xb0\0\0\0%c%b" % (len(tag), tag), b"\x40"]
        fields = [numbers[0], numbers[1], draw(st.sampled_from(tags)), numbers[2], some[0]]
        mode = draw(st.sampled_from((b"\x40", b"\x50\x00", b"\x42")))
        fields += [some[1], mode, draw(STATE), *some[2:]]
    elif name == "disposition":
        fields = [some[0], numbers[0], numbers[1], some[1], draw(STATE), some[2]]
    else:
        properties = draw(st.sampled_from((b"\x40", b"\xc1\x01\x00", b"\x42")))
        fields = [*numbers, some[0], some[1], properties]
    count = draw(st.integers(0, len(fields)))
    lie = draw(st.sampled_from((0, 0, 0, 0, 1, -1)))
    body = b"".join(fields[:count])
    size = min(max(len(body) + 1 + lie, 0), 255)
    return b"\x00\x53%c\xc0%c%c%b" % (DEFINITIONS[name].code, size, count, body)


def general_or_refusal(octets: bytes) -> Drawn:
    try:
        found, end = read_performative(octets, 0, PERFORMATIVE)
    except FramingError:
        return None
    return exact(found), end


@pytest.mark.parametrize("name", sorted(READERS))
@settings(max_examples=600, deadline=None)
@given(data=st.data(), more=st.binary(max_size=4))
def test_any_spelling_is_read_alike_or_left_to_the_general_codec(
    name: str, data: st.DataObject, more: bytes
) -> None:
    octets = data.draw(spelled(name)) + more
    short = READERS[name](octets, 0)
    if short is not None:
        assert (exact(short[0]), short[1]) == general_or_refusal(octets)


@pytest.mark.parametrize("name", sorted(READERS))
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_damaged_octets_are_never_read_otherwise(name: str, data: st.DataObject) -> None:
    octets = bytearray(encode_composite(data.draw(composites_of(DEFINITIONS[name]))))
    for _ in range(data.draw(st.integers(1, 2))):
        octets[data.draw(st.integers(3, len(octets) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(octets)))
    for damaged in (bytes(octets), bytes(octets[:cut])):
        short = READERS[name](damaged, 0)
        if short is not None:
            assert (exact(short[0]), short[1]) == general_or_refusal(damaged)


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        ("transfer", "005314c00b05435201a0021234434241"[:-2]),
        ("transfer", "005314c0110b435201a00212344342424040424242"),
        ("transfer", "005314c00b0652057000000001a000434141"),
        ("transfer", "005314c002" + "0143"),
        ("transfer", "005314c003" + "015205"),
        ("disposition", "005315c008054143404100532445"),
        ("disposition", "005315c009064143404100532445" + "42"),
        ("disposition", "005315c00b064143404100532" + "4c0010042"),
        ("disposition", "005315c0030241" + "43"),
        ("disposition", "005315c00504424352" + "0541"),
        ("flow", "005313c0160943707fffffff43707fffffff434370000001f44042"),
        ("flow", "005313c01a0b43707fffffff43707fffffff434370000001f44042424040"[:-2]),
        ("flow", "005313c00d0443707fffffff43707fffffff"),
    ],
)
def test_what_clients_send_takes_the_short_way(name: str, octets: str) -> None:
    """Recorded from Proton C++ and Qpid JMS, or what rhea and our own encoder write."""
    octets_ = bytearray(bytes.fromhex(octets))
    octets_[4] = len(octets_) - 5
    assert agree(name, bytes(octets_))


@settings(max_examples=200, deadline=None)
@given(
    handle=uints,
    delivery_id=uints,
    tag=st.binary(min_size=1, max_size=32),
    settled=st.booleans(),
    more=st.booleans(),
)
@example(handle=0, delivery_id=255, tag=b"x", settled=False, more=False)
def test_transfers_are_written_alike(
    handle: int, delivery_id: int, tag: bytes, settled: bool, more: bool
) -> None:
    expected = encode_composite(Transfer(handle, delivery_id, tag, 0, settled, more))
    assert twins.encode_transfer(handle, delivery_id, tag, settled, more) == expected
    assert agree("transfer", expected) or handle > 255
    expected = encode_composite(Transfer(handle, more=more))
    assert twins.encode_continuation(handle, more) == expected


@settings(max_examples=200, deadline=None)
@given(role=st.booleans(), first=uints, last=perhaps, settled=st.booleans())
def test_dispositions_are_written_alike(
    role: bool, first: int, last: int | None, settled: bool
) -> None:
    expected = encode_composite(Disposition(role, first, last, settled, Accepted()))
    assert twins.encode_disposition(role, first, last, settled) == expected
    assert agree("disposition", expected)


@settings(max_examples=200, deadline=None)
@given(
    numbers=st.tuples(perhaps, uints, uints, uints),
    link=st.tuples(perhaps, perhaps, perhaps),
)
def test_flows_are_read_alike(numbers: Drawn, link: Drawn) -> None:
    assert agree("flow", encode_composite(Flow(*numbers, *link)))


CODES = (b"\x40", b"\x41", b"\x42")


def bodies(head: bytes, fields: int) -> Iterator[bytes]:
    """``head`` with all combinations of null, true and false behind it, some too many."""
    for count in range(fields + 1):
        for codes in itertools.product(CODES, repeat=count):
            yield head + b"".join(codes)


@pytest.mark.parametrize(
    ("name", "head", "there", "fields", "expected"),
    [
        ("transfer", "435205a0017843" + "42", 5, 7, 64),
        ("disposition", "415205" + "43", 3, 4, 16),
        ("disposition", "41520543" + "42" + "00532445", 5, 2, 4),
        ("flow", "43" * 8, 8, 4, 22),
    ],
)
def test_all_combinations_of_flags_are_read_alike(
    name: str, head: str, there: int, fields: int, expected: int
) -> None:
    short_ones = 0
    for body in bodies(bytes.fromhex(head), fields):
        count = there + len(body) - len(head) // 2
        octets = b"\x00\x53%c\xc0%c%c%b" % (DEFINITIONS[name].code, len(body) + 1, count, body)
        short = READERS[name](octets, 0)
        if short is not None:
            short_ones += 1
            assert (exact(short[0]), short[1]) == general_or_refusal(octets), octets.hex()
    assert short_ones == expected


def test_there_is_one_accepted() -> None:
    found = twins.decode_disposition(twins.encode_disposition(True, 1, 2, True), 0)
    assert found is not None
    assert found[0].state is twins.ACCEPTED
    composite: Composite = twins.ACCEPTED
    assert encode_value(composite).hex() == "00532445"

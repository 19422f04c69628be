"""Tests of the frame bodies as a whole: all performatives, and every recorded octet."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.types import FramingError, LocalProtocolError
from tanist.wire.amqp10.codec import decode_performative, decode_sasl, encode_performative
from tanist.wire.amqp10.composing import read_performative
from tanist.wire.amqp10.decoding import decode_value
from tanist.wire.amqp10.encoding import encode_value
from tanist.wire.amqp10.framing import TYPE_SASL, FrameParser, encode_frame
from tanist.wire.amqp10.performatives import Close, Open, SaslInit, Transfer
from tanist.wire.amqp10.spec import DEFINITIONS, PERFORMATIVE, SASL, Definition
from tests.broker.wire.amqp10.conftest import PROTOCOLS
from tests.broker.wire.amqp10.proton_oracle import ProtonOracle
from tests.broker.wire.amqp10.random_values import composites_of, exact

FRAME_BODIES = [d for d in DEFINITIONS.values() if d.group in (PERFORMATIVE, SASL)]


@pytest.mark.parametrize("definition", FRAME_BODIES, ids=lambda d: d.name)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_frame_body_round_trips(definition: Definition, data: st.DataObject) -> None:
    value = data.draw(composites_of(definition))
    octets = encode_performative(value)
    if definition.group == SASL:
        assert exact(decode_sasl(octets)) == exact(value)
    else:
        found, end = decode_performative(octets)
        assert (exact(found), end) == (exact(value), len(octets))
    for end in range(len(octets)):
        with pytest.raises(FramingError):
            if definition.group == SASL:
                decode_sasl(octets[:end])
            else:
                decode_performative(octets[:end])


def test_only_a_transfer_has_a_payload() -> None:
    octets = encode_performative(Transfer(0, 1, b"t", 0, False))
    assert decode_performative(octets + b"abc") == (Transfer(0, 1, b"t", 0, False), len(octets))
    with pytest.raises(FramingError, match="3 octets left over after close"):
        decode_performative(encode_performative(Close()) + b"abc")
    with pytest.raises(FramingError, match="3 octets left over after sasl-init"):
        decode_sasl(encode_performative(SaslInit("PLAIN")) + b"abc")


def test_sasl_and_amqp_are_not_mixed() -> None:
    with pytest.raises(FramingError, match="no sasl in the frame but 16"):
        decode_sasl(encode_performative(Open("c")))
    with pytest.raises(FramingError, match="no performative in the frame but 65"):
        decode_performative(encode_performative(SaslInit("PLAIN")))


def test_our_own_faults_are_told_apart() -> None:
    with pytest.raises(LocalProtocolError, match="handle"):
        encode_performative(Transfer(-5))


def bodies(stream: bytes) -> list[tuple[int, bytes]]:
    """Type and body of the frames that are not empty; all octets are accounted for."""
    parser = FrameParser(1 << 20)
    parser.push(stream)
    found, seen = [], 0
    while seen < len(stream):
        if stream[seen : seen + 4] == b"AMQP":
            assert parser.next_header() in PROTOCOLS
            seen += 8
            continue
        frame = parser.next_frame()
        assert frame is not None
        assert (
            encode_frame(frame.channel, frame.body, frame.type)
            == (stream[seen : seen + 8 + len(frame.body)])
        )
        seen += 8 + len(frame.body)
        if frame.body:
            found.append((frame.type, frame.body))
    return found


def test_there_are_recordings(captured: dict[str, bytes]) -> None:
    assert len(captured) == 10
    assert sum(len(bodies(stream)) for stream in captured.values()) > 90


def test_every_recorded_frame_round_trips(captured: dict[str, bytes]) -> None:
    """What was read, written and read again, is the same; most of it to the octet."""
    same = total = 0
    for stream in captured.values():
        for type_, body in bodies(stream):
            group = SASL if type_ == TYPE_SASL else PERFORMATIVE
            general, end = read_performative(body, 0, group)
            if type_ != TYPE_SASL:
                found, found_end = decode_performative(body)
                assert (exact(found), found_end) == (exact(general), end)
            octets = encode_performative(general)
            assert exact(read_performative(octets, 0, group)[0]) == exact(general)
            total += 1
            same += octets == body[:end]
    assert same > total * 0.7


def test_proton_agrees_on_every_recorded_frame(
    captured: dict[str, bytes], proton: ProtonOracle
) -> None:
    for stream in captured.values():
        for type_, body in bodies(stream):
            group = SASL if type_ == TYPE_SASL else PERFORMATIVE
            general, end = read_performative(body, 0, group)
            octets = body[:end]
            assert encode_value(decode_value(octets)) == proton.again(octets)
            assert exact(proton.decode(octets)) == exact(decode_value(octets))
            ours = encode_performative(general)
            assert proton.again(ours) == encode_value(decode_value(ours))


@settings(max_examples=400, deadline=None)
@given(octets=st.binary(max_size=40), kind=st.sampled_from([None, 0x10, 0x13, 0x14, 0x15, 0x18]))
def test_random_bodies_are_refused_in_one_way(octets: bytes, kind: int | None) -> None:
    body = octets if kind is None else b"\x00\x53%c\xc0" % kind + octets
    for decode in (decode_performative, decode_sasl):
        try:
            decode(body)
        except FramingError as error:
            assert error.text

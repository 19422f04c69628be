"""Tests of frames: the parser fed in any slices, the encoder, bad headers, and the captures."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.types import FramingError
from tanist.wire.amqp10.framing import (
    EMPTY_FRAME,
    FRAME_HEADER,
    TYPE_AMQP,
    TYPE_SASL,
    Frame,
    FrameParser,
    encode_frame,
)

HEADER = b"AMQP\x00\x01\x00\x00"

frames = st.tuples(st.integers(0, 1), st.integers(0, 0xFFFF), st.binary(max_size=60))


def described(frame: Frame) -> tuple[int, int, bytes]:
    return frame.type, frame.channel, frame.body


def drained(parser: FrameParser) -> list[tuple[int, int, bytes]]:
    found = []
    while (frame := parser.next_frame()) is not None:
        found.append(described(frame))
    return found


@settings(max_examples=100, deadline=None)
@given(sent=st.lists(frames, max_size=6), data=st.data())
def test_frames_are_parsed_from_any_slices(
    sent: list[tuple[int, int, bytes]], data: st.DataObject
) -> None:
    stream = b"".join(encode_frame(channel, body, type_) for type_, channel, body in sent)
    parser = FrameParser()
    got = []
    at = 0
    while at < len(stream):
        step = data.draw(st.integers(1, 40))
        parser.push(stream[at : at + step])
        if data.draw(st.booleans()):
            got += drained(parser)
        at += step
    got += drained(parser)
    assert got == sent
    assert parser.next_frame() is None


@settings(max_examples=50, deadline=None)
@given(body=st.binary(max_size=30), step=st.integers(1, 50))
def test_a_header_may_stand_between_frames(body: bytes, step: int) -> None:
    stream = HEADER + encode_frame(0, body, TYPE_SASL) + HEADER + encode_frame(7, body)
    parser = FrameParser()
    wanted = ["header", "frame", "header", "frame"]
    got: list[object] = []
    for at in range(0, len(stream), step):
        parser.push(stream[at : at + step])
        while wanted:
            if wanted[0] == "header":
                header = parser.next_header()
                if header is None:
                    break
                got.append(header)
            else:
                frame = parser.next_frame()
                if frame is None:
                    break
                got.append(described(frame))
            wanted.pop(0)
    assert got == [HEADER, (TYPE_SASL, 0, body), HEADER, (TYPE_AMQP, 7, body)]


def test_a_frame_is_laid_out_as_the_specification_says() -> None:
    assert encode_frame(0x1234, b"ab").hex() == "0000000a02001234" + "6162"
    assert encode_frame(0, b"ab", TYPE_SASL).hex() == "0000000a02010000" + "6162"
    assert encode_frame(0, b"") == EMPTY_FRAME


def test_an_extended_header_is_passed_over() -> None:
    parser = FrameParser()
    parser.push(bytes.fromhex("00000012 04000001 ffffffff eeeeeeee 6162"))
    assert drained(parser) == [(TYPE_AMQP, 1, b"ab")]
    parser.push(bytes.fromhex("0000000c 03000001 ffffffff"))
    assert drained(parser) == [(TYPE_AMQP, 1, b"")]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("00000007 02000000", "frame size 7 is below 8"),
        ("00000000 02000000", "frame size 0 is below 8"),
        ("00000201 02000000", "frame size 513 is above the agreed 512"),
        ("ffffffff 02000000", "is above the agreed 512"),
        ("00000008 01000000", "data offset 1 lies within the frame header"),
        ("00000008 00000000", "data offset 0 lies within"),
        ("00000008 03000000", "data offset 3 lies beyond the frame of 8 octets"),
        ("00000010 ff000000", "data offset 255 lies beyond"),
        ("00000008 02020000", "unknown frame type 2"),
        ("00000008 02ff0000", "unknown frame type 255"),
        ("414d5150 00010000", "is above the agreed 512"),  # a protocol header
        ("47455420 2f204854", "is above the agreed 512"),  # GET / HT
    ],
)
def test_bad_frame_headers_fail_at_once(header: str, message: str) -> None:
    """Before the body is there, and after the good frames before them."""
    parser = FrameParser(512)
    parser.push(encode_frame(1, b"x") + bytes.fromhex(header))
    frame = parser.next_frame()
    assert frame is not None
    assert described(frame) == (TYPE_AMQP, 1, b"x")
    with pytest.raises(FramingError, match=message):
        parser.next_frame()


def test_the_largest_frame_can_be_changed_in_between() -> None:
    parser = FrameParser(512)
    parser.push(encode_frame(0, b"x") + encode_frame(0, bytes(1000)))
    assert parser.next_frame() is not None
    parser.frame_max = 1008
    assert drained(parser) == [(TYPE_AMQP, 0, bytes(1000))]


def test_an_incomplete_frame_is_not_copied_for_each_octet() -> None:
    """Else a large frame in small pieces would cost its size squared."""
    body = bytes(1 << 20)
    stream = encode_frame(0, body)
    parser = FrameParser(1 << 21)
    size = FRAME_HEADER.size
    parser.push(stream[:size])
    assert parser.next_frame() is None
    for at in range(size, len(stream), 64):
        parser.push(stream[at : at + 64])
        if at + 64 < len(stream):
            assert parser.data == b""  # what is there has not been joined yet
            assert parser.next_frame() is None
    assert drained(parser) == [(TYPE_AMQP, 0, body)]


@settings(max_examples=300, deadline=None)
@given(octets=st.lists(st.binary(max_size=40), max_size=6))
def test_random_octets_are_frames_or_a_framing_error(octets: list[bytes]) -> None:
    parser = FrameParser(512)
    try:
        for piece in octets:
            parser.push(piece)
            drained(parser)
    except FramingError as error:
        assert error.text

"""Tests of frames: the parser fed in any slices, the encoders, and bad frame headers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.wire.amqp010 import framing
from tanist.wire.amqp010.framing import Frame, FrameBuffer, FrameParser

frames = st.builds(
    Frame,
    st.integers(0, 15),
    st.integers(0, 3),
    st.integers(0, 1),
    st.integers(0, 0xFFFE),
    st.binary(max_size=60),
)


def described(found: list[Frame]) -> list[tuple[int, int, int, int, bytes]]:
    return [(f.flags, f.type, f.track, f.channel, f.payload) for f in found]


@settings(max_examples=60, deadline=None)
@given(sent=st.lists(frames, max_size=6), data=st.data())
def test_frames_are_parsed_from_any_slices(sent: list[Frame], data: st.DataObject) -> None:
    stream = b"".join(frame.encode() for frame in sent)
    parser = FrameParser()
    got: list[Frame] = []
    at = 0
    while at < len(stream):
        step = data.draw(st.integers(1, 40))
        got += parser.feed(stream[at : at + step])
        at += step
    assert described(got) == described(sent)
    assert parser.failure is None


def test_an_incomplete_frame_is_not_looked_at_again_before_its_end() -> None:
    """Else a frame that comes in octets one by one would be copied once for each."""
    buffer = FrameBuffer()
    assert buffer.push(b"12") == b"12"
    buffer.keep(b"12", 5)
    assert [buffer.push(octet) for octet in (b"3", b"4", b"5")] == [b"", b"", b"12345"]
    assert buffer.push(b"6") == b"6"


def test_a_frame_is_laid_out_as_the_specification_says() -> None:
    frame = Frame(framing.FIRST_SEGMENT | framing.LAST_FRAME, 2, 1, 0x1234, b"ab")
    assert frame.encode().hex() == "0902000e00011234000000006162"


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("0f00 000b 0000 0000 00000000", "frame size 11 is below 12"),
        ("0f00 0000 0000 0000 00000000", "frame size 0 is below 12"),
        ("0f00 1001 0000 0000 00000000", "frame size 4097 is above the agreed 4096"),
        ("4f00 000c 0000 0000 00000000", "format or reserved bits 0x4"),
        ("1f00 000c 0000 0000 00000000", "format or reserved bits 0x1"),
        ("2f00 000c 0000 0000 00000000", "format or reserved bits 0x2"),
        ("0f04 000c 0000 0000 00000000", "unknown segment type 4"),
        ("0fff 000c 0000 0000 00000000", "unknown segment type 255"),
        ("0f00 000c 0100 0000 00000000", "track or reserved bits 0x100"),
        ("0f00 000c 0010 0000 00000000", "track or reserved bits 0x10"),
        ("0f00 000c 0002 0000 00000000", "track or reserved bits 0x2"),
        ("0f00 000c 0000 0101 00000000", "channel 257 is above the agreed 256"),
        ("47455420 2f204854 54502f31", "format or reserved bits 0x4"),  # GET / HTTP/1
        ("414d5150 01010009 00000000", "format or reserved bits 0x4"),  # a protocol header
    ],
)
def test_bad_frame_headers_fail_at_once(header: str, message: str) -> None:
    """Before the payload is there, and after the good frames before them were delivered."""
    good = Frame(15, 0, 0, 0, b"x")
    parser = FrameParser(frame_max=4096, channel_max=256)
    assert described(parser.feed(good.encode() + bytes.fromhex(header))) == described([good])
    assert parser.failure is not None
    assert message in parser.failure.text
    assert parser.failure.condition.code == 501
    assert parser.feed(good.encode()) == []


def test_the_last_four_octets_are_ignored() -> None:
    parser = FrameParser()
    assert len(parser.feed(bytes.fromhex("0f00000c00000000ffffffff"))) == 1


def test_a_frame_of_the_agreed_size_is_good() -> None:
    parser = FrameParser(frame_max=4096)
    assert len(parser.feed(Frame(15, 0, 0, 0, bytes(4084)).encode())) == 1


# ---------------------------------------------------------------------------------- encoders


@pytest.mark.parametrize("size", [0, 1, 84, 85, 168, 169, 1000])
@pytest.mark.parametrize(("first", "last"), [(True, True), (True, False), (False, True)])
def test_segments_are_split_at_the_frame_size(size: int, first: bool, last: bool) -> None:
    payload = bytes(range(256)) * 4
    payload = payload[:size]
    encoded = framing.encode_segment(7, framing.TYPE_BODY, payload, first, last, 96)
    found = FrameParser(frame_max=96).feed(encoded)
    assert b"".join(f.payload for f in found) == payload
    assert len(found) == max(1, -(-size // 84))
    assert [bool(f.flags & framing.FIRST_FRAME) for f in found] == [
        at == 0 for at in range(len(found))
    ]
    assert [bool(f.flags & framing.LAST_FRAME) for f in found] == [
        at == len(found) - 1 for at in range(len(found))
    ]
    for frame in found:
        assert bool(frame.flags & framing.FIRST_SEGMENT) == first
        assert bool(frame.flags & framing.LAST_SEGMENT) == last
        assert (frame.type, frame.track, frame.channel) == (framing.TYPE_BODY, 1, 7)


def segments_of(encoded: bytes) -> list[tuple[int, int, bytes]]:
    """(flags of the first frame's segment, type, payload) of each segment."""
    found: list[tuple[int, int, bytes]] = []
    for frame in FrameParser().feed(encoded):
        if frame.flags & framing.FIRST_FRAME:
            found.append((frame.flags & 12, frame.type, frame.payload))
        else:
            flags, type_, payload = found.pop()
            assert (flags, type_) == (frame.flags & 12, frame.type)
            found.append((flags, type_, payload + frame.payload))
    return found


@pytest.mark.parametrize("frame_max", [100, 65535])
@pytest.mark.parametrize("header", [b"", b"h" * 20, b"h" * 300])
@pytest.mark.parametrize("body", [b"", b"b" * 30, b"b" * 500])
def test_messages_have_their_segments(frame_max: int, header: bytes, body: bytes) -> None:
    encoded = framing.encode_transfer_frames(3, b"head", header, body, frame_max)
    assert FrameParser(frame_max=frame_max).feed(encoded)
    expected = [(8, 1, b"head"), (0, 2, header), (4, 3, body)]
    assert segments_of(encoded) == [item for item in expected if item[1] != 2 or header]


def test_controls_and_commands_go_on_their_tracks() -> None:
    control, command = FrameParser().feed(
        framing.encode_control_frame(1, b"c") + framing.encode_command_frame(2, b"d")
    )
    assert described([control, command]) == [(15, 0, 0, 1, b"c"), (15, 1, 1, 2, b"d")]

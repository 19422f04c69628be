"""Tests of assembly: whole commands from any slices, the rules, every recorded octet."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.wire.amqp010 import assembly, codec, framing, spec, transfer
from tanist.wire.amqp010.assembly import Assembled, Assembler
from tanist.wire.amqp010.framing import Frame, FrameParser

HEAD = transfer.encode_transfer("q", 0, 0)
PURGE = codec.encode_command(codec.make("queue.purge", queue="q"))
HEARTBEAT = codec.encode_control(codec.make("connection.heartbeat"))
HEADER = codec.encode_header([codec.make("message.delivery-properties", routing_key="q")])

CONTROL, COMMAND, CONTENT, BODY = 0, 1, 2, 3
"""Segment types, CONTENT being the header segment."""

RECORDED = {
    "sides": 64,
    "octets": 258188,
    "frames": 2805,
    "controls": 1131,
    "commands": 1005,
    "messages": 345,
}
"""What the captures hold of 0-10: a test over them that finds less has not looked."""


def frame(flags: int, type_: int, payload: bytes = b"", track: int = 1, channel: int = 0) -> bytes:
    return Frame(flags, type_, track, channel, payload).encode()


# ------------------------------------------------------------------------------ good input


@st.composite
def units(draw: st.DrawFn) -> tuple[Assembled, bytes]:
    """A control, a command or a message, and its frames."""
    channel = draw(st.integers(0, 3))
    kind = draw(st.integers(0, 2))
    if kind == 0:
        return (channel, 0, HEARTBEAT, b"", None), framing.encode_control_frame(channel, HEARTBEAT)
    if kind == 1:
        frame_max = draw(st.sampled_from([20, 65535]))
        encoded = framing.encode_command_frame(channel, PURGE, frame_max)
        return (channel, 1, PURGE, b"", None), encoded
    header = draw(st.sampled_from([b"", HEADER]))
    body = draw(st.none() | st.binary(max_size=60))
    frame_max = draw(st.sampled_from([30, 65535]))
    encoded = framing.encode_transfer_frames(channel, HEAD, header, body, frame_max)
    return (channel, 1, HEAD, header, body), encoded


@settings(max_examples=60, deadline=None)
@given(sent=st.lists(units(), max_size=6), data=st.data())
def test_units_are_assembled_from_any_slices(
    sent: list[tuple[Assembled, bytes]], data: st.DataObject
) -> None:
    stream = b"".join(encoded for _, encoded in sent)
    assembler = Assembler()
    got: list[Assembled] = []
    at = 0
    while at < len(stream):
        step = data.draw(st.integers(1, 200))
        got += assembler.feed(stream[at : at + step])
        at += step
    assert assembler.failure is None
    assert got == [unit for unit, _ in sent]
    assert assembler.frames == len(FrameParser().feed(stream))


def test_channels_and_tracks_interleave() -> None:
    one = [frame(f.flags, f.type, f.payload, 1, 1) for f in split_message()]
    two = [frame(f.flags, f.type, f.payload, 1, 2) for f in split_message()]
    control = framing.encode_control_frame(1, HEARTBEAT)
    stream = b"".join(a + control + b for a, b in zip(one, two, strict=True))
    got = Assembler().feed(stream)
    assert Counter(unit[:2] for unit in got) == {(1, 0): len(one), (1, 1): 1, (2, 1): 1}
    assert [unit[2:] for unit in got if unit[1]] == [(HEAD, HEADER, b"b" * 50)] * 2


def split_message() -> list[Frame]:
    encoded = framing.encode_transfer_frames(1, HEAD, HEADER, b"b" * 50, 20)
    return FrameParser().feed(encoded)


def test_a_message_may_end_with_its_header() -> None:
    stream = frame(0x0B, 1, HEAD) + frame(0x07, 2, HEADER)
    assert Assembler().feed(stream) == [(0, 1, HEAD, HEADER, None)]


def test_an_empty_body_is_not_an_absent_one() -> None:
    for header in (b"", HEADER):
        empty = framing.encode_transfer_frames(0, HEAD, header, b"")
        absent = framing.encode_transfer_frames(0, HEAD, header, None)
        assert Assembler().feed(empty) == [(0, 1, HEAD, header, b"")]
        assert Assembler().feed(absent) == [(0, 1, HEAD, header, None)]


@pytest.mark.parametrize("step", [1, 3, 65536])
def test_time_is_linear_in_the_octets(step: int) -> None:
    """Four times the octets must not take much more than four times as long."""

    def seconds(size: int) -> float:
        stream = framing.encode_transfer_frames(0, HEAD, HEADER, bytes(size))
        best = float("inf")
        for _ in range(2):
            assembler, count = Assembler(), 0
            begin = time.process_time()
            for at in range(0, len(stream), step):
                count += len(assembler.feed(stream[at : at + step]))
            best = min(best, time.process_time() - begin)
            assert count == 1
        return best

    size = 250_000 if step < 1000 else 4_000_000
    assert seconds(4 * size) < 12 * seconds(size) + 0.05


# -------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (frame(0x0F, COMMAND, PURGE, track=0), "segment of type 1 begins on track 0"),
        (frame(0x0F, CONTROL, HEARTBEAT, track=1), "segment of type 0 begins on track 1"),
        (frame(0x0F, CONTENT, HEADER), "segment of type 2 begins on track 1"),
        (frame(0x0F, BODY), "segment of type 3 begins on track 1"),
        (frame(0x03, BODY), "never begun"),
        (frame(0x07, CONTENT, HEADER), "never begun"),
        (frame(0x0D, COMMAND, PURGE), "never begun"),
        (frame(0x00, COMMAND, PURGE), "never begun"),
        (frame(0x0B, CONTROL, HEARTBEAT, track=0), "one segment only"),
        (frame(0x0B, COMMAND, HEAD) + frame(0x0F, COMMAND, HEAD), "first-segment"),
        (frame(0x0B, COMMAND, HEAD) + frame(0x07, COMMAND, HEAD), "cannot follow one of type 1"),
        (
            frame(0x0B, COMMAND, HEAD) + frame(0x03, BODY) + frame(0x07, CONTENT, HEADER),
            "segment of type 2 cannot follow one of type 3",
        ),
        (
            frame(0x0B, COMMAND, HEAD) + frame(0x03, CONTENT) + frame(0x07, CONTENT),
            "segment of type 2 cannot follow one of type 2",
        ),
        (frame(0x0B, COMMAND, HEAD) + frame(0x03, BODY) + frame(0x07, BODY), "cannot follow"),
        (frame(0x0A, COMMAND, HEAD) + frame(0x0F, COMMAND, HEAD), "before the last frame"),
        (frame(0x0A, COMMAND, HEAD) + frame(0x07, BODY), "before the last frame"),
        (frame(0x0A, COMMAND, HEAD) + frame(0x01, BODY), "belongs to no segment"),
        (frame(0x0A, COMMAND, HEAD) + frame(0x0D, COMMAND), "belongs to no segment"),
        (frame(0x0A, COMMAND, HEAD) + frame(0x01, COMMAND), "belongs to no segment"),
        (frame(0x0B, COMMAND, HEAD) + frame(0x05, BODY), "belongs to no segment"),
        (frame(0x0B, COMMAND, PURGE) + frame(0x07, BODY), "carries no header and no body"),
        (
            frame(0x0B, COMMAND, PURGE) + frame(0x03, CONTENT, HEADER) + frame(0x07, BODY),
            "carries no header and no body",
        ),
        (frame(0x0B, COMMAND) + frame(0x07, BODY), "carries no header and no body"),
        (frame(0x0F, CONTROL, HEARTBEAT, 0, 0xFFFF), "channel 65535"),
        (frame(0x0F, 4, HEARTBEAT), "unknown segment type"),
        (frame(0x1F, CONTROL, HEARTBEAT, 0), "reserved bits"),
        (frame(0x0F, CONTROL, HEARTBEAT, 2), "track"),
    ],
)
@pytest.mark.parametrize("step", [1, 10_000])
def test_broken_rules_fail_after_what_was_good(stream: bytes, message: str, step: int) -> None:
    good = framing.encode_command_frame(5, PURGE)
    assembler = Assembler()
    got: list[Assembled] = []
    everything = good + stream + good
    for at in range(0, len(everything), step):
        got += assembler.feed(everything[at : at + step])
    assert got == [(5, 1, PURGE, b"", None)]
    assert assembler.failure is not None
    assert message in assembler.failure.text
    assert assembler.failure.condition.code == 501


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("size", [0, 11, 2000])
def test_a_frame_of_a_bad_size_fails_within_a_message_too(position: int, size: int) -> None:
    parts = [frame(0x0B, 1, HEAD), frame(0x03, 2, HEADER), frame(0x07, 3, b"b" * 2100)]
    parts[position] = parts[position][:2] + size.to_bytes(2, "big") + parts[position][4:]
    assembler = Assembler(frame_max=1000)
    assert assembler.feed(b"".join(parts)) == []
    assert assembler.failure is not None
    assert "frame size" in assembler.failure.text


def test_agreed_limits_hold_for_whole_messages() -> None:
    message = framing.encode_transfer_frames(9, HEAD, HEADER, b"b" * 100)
    assert len(Assembler(frame_max=112, channel_max=9).feed(message)) == 1
    for assembler in (Assembler(frame_max=111), Assembler(channel_max=8)):
        assert assembler.feed(message) == []
        assert assembler.failure is not None


def test_a_body_without_end_reaches_the_limit() -> None:
    assembler = Assembler(content_max=1_000_000)
    assembler.feed(frame(0x0B, COMMAND, HEAD))
    assembler.feed(frame(0x06, BODY, bytes(60_000)))
    fed = 0
    while assembler.failure is None and fed < 100:
        assembler.feed(frame(0x04, BODY, bytes(60_000)))
        fed += 1
    assert fed == 16
    assert assembler.failure is not None
    assert "incomplete messages exceed 1000000" in assembler.failure.text


def test_empty_frames_reach_the_limit_as_well() -> None:
    assembler = Assembler(content_max=100_000)
    assembler.feed(frame(0x0A, COMMAND, HEAD) + frame(0x08, COMMAND) * 2000)
    assert assembler.failure is not None


def test_what_was_completed_no_longer_counts() -> None:
    assembler = Assembler(content_max=1000)
    message = framing.encode_transfer_frames(0, HEAD, HEADER, b"b" * 300, 100)
    for _ in range(20):
        assert len(assembler.feed(message)) == 1


@pytest.mark.parametrize(("type_", "flags"), [(CONTROL, 0x0C), (COMMAND, 0x0C)])
def test_commands_and_controls_are_bounded(type_: int, flags: int) -> None:
    assembler = Assembler()
    assembler.feed(frame(flags | 2, type_, bytes(60_000), track=type_))
    fed = 1
    while assembler.failure is None and fed < 100:
        assembler.feed(frame(flags, type_, bytes(60_000), track=type_))
        fed += 1
    assert fed == assembly.SEGMENT_BYTES_MAX // 60_000 + 1


def test_commands_begun_on_every_channel_are_bounded() -> None:
    assembler = Assembler()
    for channel in range(assembly.PLACES_MAX):
        assembler.feed(frame(0x0A, COMMAND, HEAD, 1, channel))
    assert assembler.failure is None
    assembler.feed(frame(0x0A, COMMAND, HEAD, 1, assembly.PLACES_MAX))
    assert assembler.failure is not None
    assert "incomplete commands" in assembler.failure.text


def test_a_failed_assembler_ignores_the_rest() -> None:
    assembler = Assembler()
    assembler.feed(b"\xff" * 12)
    assert assembler.failure is not None
    assert assembler.feed(framing.encode_command_frame(0, PURGE)) == []


# ------------------------------------------------------------------------- recorded octets


def rebuilt(unit: Assembled, last: Frame) -> bytes:
    """The frames of a unit, its parts decoded and encoded again."""
    channel, track, segment, header, body = unit
    if not track:
        return framing.encode_control_frame(channel, again_control(segment))
    command, sync = codec.decode_command(segment)
    segment = codec.encode_command(command, sync)
    if not command.definition.content:
        return framing.encode_command_frame(channel, segment)
    header = codec.encode_header(codec.decode_header(header))
    if last.type == framing.TYPE_BODY:
        return framing.encode_transfer_frames(channel, segment, header, again_body(header, body))
    return framing.encode_segment(
        channel, framing.TYPE_COMMAND, segment, True, False, 65535
    ) + framing.encode_segment(channel, framing.TYPE_HEADER, header, False, True, 65535)


def again_control(segment: bytes) -> bytes:
    return codec.encode_control(codec.decode_control(segment))


def again_body(header: bytes, body: bytes) -> bytes:
    """Management speaks in maps and lists: decode and encode those bodies too."""
    properties = transfer.message_properties(header)
    kind = properties.text("content_type") if properties else ""
    if kind == "amqp/map":
        return codec.encode_map(codec.decode_map(body))
    if kind == "amqp/list":
        return codec.encode_list(codec.decode_list(body))
    return body


def last_frames(frames: list[Frame]) -> list[Frame]:
    """The frames that complete a unit."""
    end = framing.LAST_SEGMENT | framing.LAST_FRAME
    return [f for f in frames if f.flags & end == end]


def test_every_recorded_octet_decodes_and_encodes_to_itself(captured: dict[str, bytes]) -> None:
    counts: Counter[str] = Counter()
    for name, stream in captured.items():
        data = stream[8:]
        frames = FrameParser().feed(data)
        got = Assembler().feed(data)
        lasts = last_frames(frames)
        assert b"".join(f.encode() for f in frames) == data, name
        assert len(lasts) == len(got), name
        encoded = [rebuilt(unit, last) for unit, last in zip(got, lasts, strict=True)]
        assert b"".join(encoded) == data, name
        counts["sides"] += 1
        counts["octets"] += len(data)
        counts["frames"] += len(frames)
        counts["controls"] += sum(unit[1] == 0 for unit in got)
        counts["commands"] += sum(unit[1] == 1 for unit in got)
        counts["messages"] += sum(unit[2].startswith(transfer.TRANSFER_CODE) for unit in got)
    assert counts == RECORDED


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_recorded_octets_in_slices_give_the_same(captured: dict[str, bytes], step: int) -> None:
    for name, data in captured.items():
        assembler = Assembler()
        got: list[Assembled] = []
        for at in range(8, len(data), step):
            got += assembler.feed(data[at : at + step])
        assert assembler.failure is None
        assert got == Assembler().feed(data[8:]), name


def test_recorded_messages_scan_as_they_decode(captured: dict[str, bytes]) -> None:
    seen = 0
    for data in captured.values():
        for _, _, segment, header, _ in Assembler().feed(data[8:]):
            if not segment.startswith(transfer.TRANSFER_CODE):
                continue
            head, (command, sync) = transfer.decode_transfer(segment), codec.decode_command(segment)
            assert (head.destination, head.sync) == (command.text("destination"), sync)
            structs = {s.name: s for s in codec.decode_header(header)}
            delivery = structs["message.delivery-properties"]
            properties = transfer.scan_header(header)
            assert properties.routing_key == delivery.text("routing_key")
            assert properties.ttl_ms == delivery.number("ttl", transfer.NO_TIME)
            assert transfer.stamp_header(header, None, properties.redelivered, None) is header
            seen += 1
    assert seen == RECORDED["messages"]


def test_recorded_octets_use_much_of_the_specification(captured: dict[str, bytes]) -> None:
    used = set()
    for data in captured.values():
        for _, track, segment, _, _ in Assembler().feed(data[8:]):
            key = int.from_bytes(segment[:2], "big")
            used.add((spec.COMMANDS if track else spec.CONTROLS)[key].name)
    assert len(used) == 40


def test_what_is_incomplete_can_be_forgotten() -> None:
    assembler = Assembler()
    assembler.feed(frame(0x0B, COMMAND, HEAD) + frame(0x02, BODY, bytes(50_000)) + b"\x0f\x01")
    assembler.clear()
    assert assembler.feed(frame(0x0B, COMMAND, HEAD) + frame(0x07, BODY, b"new")) == [
        (0, 1, HEAD, b"", b"new")
    ]
    assert assembler.failure is None


def test_a_failure_keeps_nothing_of_what_was_sent_alive() -> None:
    assembler = Assembler()
    assembler.feed(frame(0x0B, COMMAND, HEAD) + frame(0x0F, 9))
    assert assembler.failure is not None
    assert assembler.failure.__traceback__ is None

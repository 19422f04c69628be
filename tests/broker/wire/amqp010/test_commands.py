"""Tests of the twin of ``codec`` for small commands: the same octets, the same meaning."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.types import FramingError
from tanist.wire.amqp010 import codec, commands
from tanist.wire.amqp010.codec import make
from tanist.wire.amqp010.framing import encode_control_frame
from tanist.wire.amqp010.values import Struct

ids = st.one_of(st.integers(0, 20), st.integers(0, 0xFFFFFFFF), st.just(0xFFFFFFFF))


@st.composite
def ranges(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Ranges of serial numbers, wrapping ones too."""
    firsts = draw(st.lists(ids, min_size=1, max_size=4))
    width = st.one_of(st.integers(0, 5), st.integers(0, 0x7FFFFFFF))
    return [(first, (first + draw(width)) & 0xFFFFFFFF) for first in firsts]


def facts(decoded: tuple[Struct, bool]) -> tuple[str, dict[str, object], bool]:
    struct, sync = decoded
    return struct.name, dict(struct.fields), sync


@settings(max_examples=100, deadline=None)
@given(ranges())
def test_a_plain_completed_is_known(pairs: list[tuple[int, int]]) -> None:
    segment = codec.encode_control(make("session.completed", commands=pairs))
    assert segment.startswith(commands.COMPLETED_START)
    assert commands.decode_completed(segment) == pairs
    assert codec.decode_control(segment).ranges("commands") == pairs


@settings(max_examples=50, deadline=None)
@given(ranges(), st.integers(0, 0xFFFE))
def test_completed_frame(pairs: list[tuple[int, int]], channel: int) -> None:
    first, last = pairs[0]
    segment = codec.encode_control(make("session.completed", commands=[(first, last)]))
    frame = commands.completed_frame(channel, first, last + (1 << 32))
    assert frame == encode_control_frame(channel, segment)


@settings(max_examples=100, deadline=None)
@given(ranges(), st.booleans())
def test_accept(pairs: list[tuple[int, int]], sync: bool) -> None:
    command = make("message.accept", transfers=pairs)
    segment = codec.encode_command(command, sync)
    assert facts(commands.decode_command(segment)) == facts(codec.decode_command(segment))
    assert commands.encode_accept(pairs) == codec.encode_command(command)


@pytest.mark.parametrize(
    "control",
    [
        make("session.completed"),
        make("session.completed", commands=[]),
        make("session.completed", commands=[(1, 2)], timely_reply=True),
        make("session.known-completed", commands=[(1, 2)]),
        make("session.completed", timely_reply=True),
    ],
)
def test_any_other_form_of_completed_is_left_to_the_codec(control: Struct) -> None:
    assert commands.decode_completed(codec.encode_control(control)) is None


MESSAGE_COMMANDS = [
    make("message.accept", transfers=[(0, 4), (6, 6)]),
    make("message.accept"),
    make("message.flow", destination="d", unit=1, value=0xFFFFFFFF),
    make("message.flow", destination="d" * 255, unit=0, value=1),
    make("message.flush", destination="d"),
    make("message.set-flow-mode", destination="d", flow_mode=1),
    make("message.stop", destination="d"),
    make("message.release", transfers=[(0, 4)], set_redelivered=True),
    make("execution.sync"),
    make("queue.declare", queue="q", arguments={"a": 1}),
]


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(MESSAGE_COMMANDS),
    st.booleans(),
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 255)), max_size=2),
    st.integers(-3, 3),
)
def test_any_octets_mean_what_the_codec_says(
    command: Struct, sync: bool, changes: list[tuple[int, int]], longer: int
) -> None:
    octets = bytearray(codec.encode_command(command, sync))
    for at, value in changes:
        octets[at % len(octets)] = value
    octets = octets + bytes(longer) if longer > 0 else octets[: len(octets) + longer]
    segment = bytes(octets)
    for _ in range(2):  # the second time perhaps from the cache
        try:
            expected = facts(codec.decode_command(segment))
        except FramingError:
            with pytest.raises(FramingError):
                commands.decode_command(segment)
        else:
            assert facts(commands.decode_command(segment)) == expected


@settings(max_examples=200, deadline=None)
@given(ranges(), st.lists(st.tuples(st.integers(0, 30), st.integers(0, 255)), max_size=2))
def test_no_octets_are_a_completed_that_the_codec_refuses(
    pairs: list[tuple[int, int]], changes: list[tuple[int, int]]
) -> None:
    octets = bytearray(codec.encode_control(make("session.completed", commands=pairs)))
    for at, value in changes:
        octets[at % len(octets)] = value
    found = commands.decode_completed(bytes(octets))
    if found is not None:
        control = codec.decode_control(bytes(octets))
        assert (control.name, control.ranges("commands")) == ("session.completed", found)
        assert not control.flag("timely_reply")


def test_repeated_commands_are_decoded_once() -> None:
    flow = codec.encode_command(make("message.flow", destination="once", unit=0, value=7))
    assert commands.decode_command(flow)[0] is commands.decode_command(flow)[0]
    declare = codec.encode_command(make("queue.declare", queue="q"))
    assert commands.decode_command(declare)[0] is not commands.decode_command(declare)[0]


def test_the_memory_of_commands_is_bounded() -> None:
    for number in range(2 * commands.CACHE_ENTRIES_MAX):
        segment = codec.encode_command(make("message.flow", destination=str(number)))
        struct, _ = commands.decode_command(segment)
        assert struct.text("destination") == str(number)
    assert len(commands._commands) <= commands.CACHE_ENTRIES_MAX

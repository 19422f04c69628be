"""Output: what is cut into frames comes out of the assembler as it was."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.wire.amqp010.assembly import Assembler
from tanist.wire.amqp010.codec import encode_control, make
from tanist.wire.amqp010.framing import (
    FIRST_SEGMENT,
    LAST_SEGMENT,
    TYPE_BODY,
    TYPE_COMMAND,
    TYPE_HEADER,
    encode_control_frame,
    encode_transfer_frames,
)
from tanist.wire.amqp010.output import WHOLE_SEGMENTS, Output
from tanist.wire.amqp010.transfer import encode_transfer

HEAD = encode_transfer("q", 0, 0)


def test_a_control_is_one_frame():
    output = Output()
    control = make("session.timeout", timeout=0)
    output.control(7, control)
    assert output.frames == 1
    assert output.take() == encode_control_frame(7, encode_control(control))
    assert output.take() == b""


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=90), st.binary(max_size=300), st.integers(12, 60))
def test_segments_are_cut_and_come_back(header, body, room):
    output = Output(room)
    output.segment(TYPE_COMMAND, 3, HEAD, FIRST_SEGMENT)
    output.segment(TYPE_HEADER, 3, header, 0)
    output.segment(TYPE_BODY, 3, body, LAST_SEGMENT)
    frames = output.frames
    data = output.take()
    if header:
        assert data == encode_transfer_frames(3, HEAD, header, body, room + 12)
    assembler = Assembler(room + 12)
    assert assembler.feed(data) == [(3, 1, HEAD, header, body)]
    assert assembler.failure is None
    assert assembler.frames == frames


def test_append_moves_everything_behind():
    first, second = Output(), Output()
    first.segment(TYPE_COMMAND, 0, b"a", WHOLE_SEGMENTS)
    second.segment(TYPE_COMMAND, 0, b"b", WHOLE_SEGMENTS)
    first.append(second)
    assert (first.frames, second.frames, second.take()) == (2, 0, b"")
    assert first.take().endswith(b"b")

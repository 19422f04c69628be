from __future__ import annotations

from tanist.wire.amqp10.framing import FRAME_SIZE_MIN_MAX
from tanist.wire.amqp10.output import Output
from tanist.wire.amqp10.performatives import End, SaslOutcome
from tests.broker.wire.amqp10.pair import frame, sasl


def test_frames_leave_in_their_order_and_once():
    output = Output()
    output.performative(3, End())
    output.sasl(SaslOutcome(0))
    output.empty()
    output.frame(7, b"body")
    assert output.frames == 4
    assert output.take() == (
        frame(End(), 3)
        + sasl(SaslOutcome(0))
        + b"\0\0\0\x08\x02\0\0\0"
        + b"\0\0\0\x0c\x02\0\0\x07body"
    )
    assert output.take() == b""
    assert output.frame_max == FRAME_SIZE_MIN_MAX, "until the peer says more"

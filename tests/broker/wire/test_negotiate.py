"""The first bytes choose the protocol, as early as they can."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.wire.negotiate import (
    HEADER_SIZE,
    HEADERS,
    Protocol,
    sniff,
)


@pytest.mark.parametrize(
    ("data", "protocol"),
    [
        (b"AMQP\x01\x01\x00\x0a", Protocol.AMQP_0_10),
        (b"AMQP\x01\x01\x00\x0a and more", Protocol.AMQP_0_10),
        (b"AMQP\x00\x01\x00\x00", Protocol.AMQP_1_0),
        (b"AMQP\x02\x01\x00\x00", Protocol.AMQP_1_0_TLS),
        (b"AMQP\x03\x01\x00\x00", Protocol.AMQP_1_0_SASL),
        (b"AMQP\x00\x00\x09\x01", Protocol.UNKNOWN),
        (b"AMQP\x01\x01\x08\x00", Protocol.UNKNOWN),
        (b"GET / HTTP/1.1\r\n", Protocol.UNKNOWN),
        (b"G", Protocol.UNKNOWN),
        (b"\x16\x03\x01", Protocol.UNKNOWN),
        (b"\x00", Protocol.UNKNOWN),
        (b"AMQP\x01\x01\x00\x00", Protocol.UNKNOWN),
        (b"AMQP\x01\x01\x00", None),
        (b"AMQP", None),
        (b"", None),
    ],
)
def test_sniff(data, protocol):
    assert sniff(data) == protocol


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=20), st.sampled_from(sorted(HEADERS)).map(lambda h: h + b"x")))
def test_the_verdict_comes_once_and_stays(data):
    verdicts = [sniff(data[:size]) for size in range(len(data) + 1)]
    decided = [verdict for verdict in verdicts if verdict is not None]
    assert len(set(decided)) <= 1
    assert verdicts == [None] * (len(verdicts) - len(decided)) + decided
    if len(data) >= HEADER_SIZE:
        assert decided
        assert (decided[0] != Protocol.UNKNOWN) == (data[:HEADER_SIZE] in HEADERS)

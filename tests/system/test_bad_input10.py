"""Bad input over AMQP 1.0, to a real broker: that connection ends, and nobody else notices."""

from __future__ import annotations

import contextlib
import socket

import pytest
from bad_input_broker import ANSWER_S

from tanist.wire.amqp10.codec import encode_performative
from tanist.wire.amqp10.composites import Source, Target
from tanist.wire.amqp10.framing import encode_frame
from tanist.wire.amqp10.performatives import Attach, Begin, Open, Transfer
from tanist.wire.negotiate import HEADER_1_0, HEADER_1_0_SASL, HEADER_1_0_TLS

pytest_plugins = ["bad_input_broker"]

OPEN = HEADER_1_0 + encode_frame(0, encode_performative(Open("bad")))
BEGUN = OPEN + encode_frame(0, encode_performative(Begin(None, 0, 100, 100)))
ATTACHED = BEGUN + encode_frame(
    0, encode_performative(Attach("l", 0, False, 2, 0, Source(), Target(address="nowhere")))
)

BAD = {
    "tls": HEADER_1_0_TLS,
    "zeros before open": HEADER_1_0 + bytes(64),
    "a huge frame": HEADER_1_0 + b"\xff\xff\xff\xff\x02\0\0\0",
    "a frame of four octets": HEADER_1_0 + b"\0\0\0\x04",
    "doff beyond the frame": OPEN + b"\0\0\0\x08\xff\0\0\0",
    "a performative that is none": OPEN + encode_frame(0, b"\0\x53\x7f\x45"),
    "a list that lies": OPEN + encode_frame(0, b"\0\x53\x11\xd0\xff\xff\xff\xff\xff\xff\xff\xff"),
    "deep nesting": OPEN + encode_frame(0, b"\0\x53\x11" + b"\xc0\xff\x01" * 4000),
    "begin before open": HEADER_1_0 + encode_frame(0, encode_performative(Begin(None, 0, 1, 1))),
    "two opens": OPEN + OPEN[len(HEADER_1_0) :],
    "a channel beyond the last": OPEN
    + encode_frame(0xFFFF, encode_performative(Begin(None, 0, 1, 1))),
    "sasl where none was asked for": HEADER_1_0_SASL + bytes(16),
}


@pytest.mark.parametrize("octets", list(BAD.values()), ids=list(BAD))
def test_the_connection_ends(attacked, octets):
    with socket.create_connection(("127.0.0.1", attacked.port), ANSWER_S) as peer:
        peer.sendall(octets)
        with contextlib.suppress(ConnectionResetError):
            while peer.recv(4096):
                pass


REFUSED = {
    "a link to nowhere": ATTACHED,
    "a transfer without credit": ATTACHED
    + encode_frame(0, encode_performative(Transfer(0, 0, b"t", 0)) + b"\0\x53\x75\xa0\x01x"),
    "a transfer on no link": BEGUN + encode_frame(0, encode_performative(Transfer(9, 0, b"t", 0))),
}


@pytest.mark.parametrize("octets", list(REFUSED.values()), ids=list(REFUSED))
def test_the_session_or_the_link_ends_and_the_connection_goes_on(attacked, octets):
    with socket.create_connection(("127.0.0.1", attacked.port), ANSWER_S) as peer:
        peer.sendall(octets)
        got = b""
        while b"amqp:" not in got[len(OPEN) :]:
            data = peer.recv(4096)
            assert data, f"the connection ended: {got!r}"
            got += data
        assert b"\0\x53\x18" not in got, "no Close"

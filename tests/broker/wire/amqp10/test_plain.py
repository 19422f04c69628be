"""The plain form of a transfer: what is recognised is what the general codec reads."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from tanist.wire.amqp10.codec import encode_performative
from tanist.wire.amqp10.composing import read_performative
from tanist.wire.amqp10.framing import FRAME_HEADER_SIZE, encode_frame
from tanist.wire.amqp10.performatives import Transfer
from tanist.wire.amqp10.plain import Form, read_form
from tanist.wire.amqp10.spec import PERFORMATIVE
from tanist.wire.amqp10.twins import encode_transfer

PROTON = "005314c01106520070 00000007 a00400000007 434242"
PROTON_SHORT = "005314c00905 43 5207 a00101 43 42"
JMS = "005314c00a06 43 5207 a00101 43 42 42"
RHEA = "005314d0 00000012 0000000b 43 5207 a00131 43 42 42 40 40 42 42 42"

TAILS = [b"", b"\x43", b"\x43\x42", b"\x43\x41", b"\x43\x42\x42", b"\x40\x40", b"\x43\x41\x42\x40"]
TAILS += [b"\x43\x42\x42\x40\x40\x42\x42\x42", b"\x43\x42\x42\x40\x40\x42\x42\x41"]


def plain_body(
    handle: int, number: int, tag: bytes, tail: bytes, long_list: bool = False, wide: bool = True
) -> bytes:
    """A transfer as clients write it; ``wide``: the delivery-id takes four octets in any case."""
    fields = bytes((0x52, handle)) if handle or long_list else b"\x43"
    if wide or number > 255:
        fields += b"\x70" + number.to_bytes(4, "big")
    else:
        fields += bytes((0x52, number))
    fields += b"\xa0" + bytes((len(tag),)) + tag + tail
    count = 3 + len(tail)
    if long_list:
        size = (len(fields) + 4).to_bytes(4, "big") + count.to_bytes(4, "big")
        return b"\x00\x53\x14\xd0" + size + fields
    return b"\x00\x53\x14\xc0" + bytes((len(fields) + 1, count)) + fields


def form_of(body: bytes, before: bytes = b"") -> Form | None:
    return read_form(before + encode_frame(3, body), len(before))


def cut(form: Form, frame: bytes) -> tuple[bytes, int, bytes]:
    """Payload, delivery-id and tag of a frame of that form."""
    _, front, number, mark, tag, tail = form.layout.unpack_from(frame, 0)
    assert (front, mark, tail) == (form.front, form.mark, form.tail)
    return frame[form.layout.size :], number, tag


@pytest.mark.parametrize(
    "text", [PROTON, PROTON_SHORT, JMS, RHEA], ids=["proton", "short", "jms", "rhea"]
)
def test_what_clients_write_is_plain(text: str) -> None:
    body = bytes.fromhex(text)
    form = form_of(body + b"payload", b"before it")
    assert form is not None
    payload, number, tag = cut(form, encode_frame(3, body + b"payload"))
    assert (payload, number) == (b"payload", 7)
    assert tag == read_performative(body, 0, PERFORMATIVE)[0].delivery_tag  # type: ignore[attr-defined]
    assert not form.settled


def test_what_we_write_is_plain() -> None:
    for number in (1, 255, 256, 0xFFFFFFFF):
        form = form_of(encode_transfer(0, number, b"tag", True))
        assert form is not None
        assert form.settled


def test_a_form_fits_its_like_and_no_other() -> None:
    frame = encode_frame(3, plain_body(0, 1, b"abcd", b"\x43\x42") + b"x")
    form = read_form(frame, 0)
    assert form is not None
    assert form.fits(frame, 0)
    assert form.fits(b"--" + encode_frame(3, plain_body(0, 9, b"wxyz", b"\x43\x42") + b"yyy"), 2)
    for other in (
        encode_frame(4, plain_body(0, 1, b"abcd", b"\x43\x42")),
        encode_frame(3, plain_body(1, 1, b"abcd", b"\x43\x42")),
        encode_frame(3, plain_body(0, 1, b"abcd", b"\x43\x41")),
        encode_frame(3, plain_body(0, 1, b"abc", b"\x43\x42")),
        encode_frame(3, plain_body(0, 1, b"abc", b"\x43\x42\x42")),
        encode_frame(3, plain_body(0, 1, b"abcd", b"\x43\x42", wide=False)),
        encode_frame(3, plain_body(0, 1, b"abcd", b"\x43\x42", long_list=True)),
    ):
        assert not form.fits(other, 0)


@pytest.mark.parametrize(
    "transfer",
    [
        Transfer(0, 1, b"t", 0, False, more=True),
        Transfer(0, 1, b"t", 0, False, aborted=True),
        Transfer(0, 1, b"t", 0, False, rcv_settle_mode=1),
        Transfer(0, 1, b"t", 7, False),
        Transfer(0),
        Transfer(300, 1, b"t", 0, False),
        Transfer(0, 1, b"t" * 33, 0, False),
    ],
)
def test_other_transfers_are_not_plain(transfer: Transfer) -> None:
    assert form_of(encode_performative(transfer)) is None


bodies = st.builds(
    plain_body,
    st.sampled_from([0, 1, 255]),
    st.integers(0, 0xFFFFFFFF) | st.integers(0, 300),
    st.binary(max_size=34),
    st.sampled_from(TAILS),
    st.booleans(),
    st.booleans(),
)


@given(bodies, st.lists(st.tuples(st.integers(0, 60), st.integers(0, 255)), max_size=2))
@example(bytes.fromhex(PROTON), [])
def test_what_is_taken_is_what_the_codec_reads(body: bytes, changes: list[tuple[int, int]]) -> None:
    """Also with octets changed: there may be forms that are not known, but no wrong ones."""
    octets = bytearray(body + b"payload")
    for at, value in changes:
        octets[at % len(octets)] = value
    frame = encode_frame(3, bytes(octets))
    form = read_form(frame, 0)
    if form is None:
        assert changes or _odd(body)
        return
    assert form.fits(frame, 0)
    payload, number, tag = cut(form, frame)
    transfer, at = read_performative(frame, FRAME_HEADER_SIZE, PERFORMATIVE)
    assert isinstance(transfer, Transfer)
    assert (transfer.delivery_id, transfer.delivery_tag) == (number, tag)
    assert (transfer.settled is True, transfer.message_format or 0) == (form.settled, 0)
    assert not transfer.more
    assert not transfer.aborted
    assert (transfer.state, transfer.rcv_settle_mode) == (None, None)
    assert frame[at:] == payload


def _odd(body: bytes) -> bool:
    """A tag that is too long, or nothing behind it."""
    transfer, _ = read_performative(body, 0, PERFORMATIVE)
    assert isinstance(transfer, Transfer)
    assert transfer.delivery_tag is not None
    return len(transfer.delivery_tag) > 32 or transfer.message_format is None


@given(bodies, st.integers(0, 60))
def test_octets_that_end_too_soon_are_left_alone(body: bytes, size: int) -> None:
    frame = encode_frame(3, body)
    form = read_form(frame[: min(size, len(frame) - 1)], 0)
    assert form is None


def test_a_list_that_ends_behind_the_octets_is_left_alone() -> None:
    body = bytearray(plain_body(0, 1, b"tag", b"\x43\x42"))
    body[4] += 1
    assert form_of(bytes(body)) is None


@pytest.mark.parametrize(("at", "value"), [(4, 3), (4, 1), (5, 1)])
def test_other_frame_headers_are_left_alone(at: int, value: int) -> None:
    frame = bytearray(encode_frame(0, plain_body(0, 1, b"tag", b"\x43\x42")))
    assert read_form(bytes(frame), 0) is not None
    frame[at] = value
    assert read_form(bytes(frame), 0) is None

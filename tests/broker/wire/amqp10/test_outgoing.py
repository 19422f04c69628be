"""The outgoing half of a session on its own: frames, their sizes, and the window."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanist.wire.amqp10.composites import TransactionalState
from tanist.wire.amqp10.connection import ConnectionSettings
from tanist.wire.amqp10.framing import FrameParser, encode_frame
from tanist.wire.amqp10.link_state import ATTACHED
from tanist.wire.amqp10.outgoing import HEAD_MAX, Outgoing, Waiting
from tanist.wire.amqp10.output import Output
from tanist.wire.amqp10.performatives import Transfer
from tanist.wire.amqp10.sender import Sender
from tanist.wire.amqp10.session import Session, Shared
from tanist.wire.amqp10.session_state import MAPPED
from tanist.wire.amqp10.twins import encode_transfer
from tests.broker.wire.amqp10.pair import frames


def sender(handle: int = 0) -> Sender:
    return Sender(Session(0, MAPPED, Shared(ConnectionSettings())), "link", handle, ATTACHED)


def outgoing(window: int, frame_max: int = 512) -> tuple[Outgoing, Output]:
    output = Output()
    output.frame_max = frame_max
    half = Outgoing(0, output)
    half.window = window
    return half, output


def transfers(output: Output) -> list[tuple[Transfer, bytes]]:
    data = output.take()
    parser = FrameParser(output.frame_max)
    parser.push(data)
    found = []
    for _, performative, payload in frames(data):
        assert isinstance(performative, Transfer)
        found.append((performative, payload))
        assert parser.next_frame() is not None, "no frame is larger than agreed"
    return found


def test_the_longest_head_has_its_room():
    assert len(encode_transfer(0xFFFFFFFF, 0xFFFFFFFF, b"t" * 32, False, True)) <= HEAD_MAX


@pytest.mark.parametrize("window", [0, 1, 2, 100])
@given(
    st.lists(st.tuples(st.integers(0, 1500), st.integers(1, 32), st.booleans()), max_size=6),
    st.lists(st.integers(0, 3), max_size=12),
)
def test_messages_arrive_whole_and_in_order(window, messages, openings):
    half, output = outgoing(window)
    link, sent = sender(), []
    for number, (size, tag_size, in_transaction) in enumerate(messages):
        tag, message = b"%d" % (number % 10) * tag_size, bytes([number]) * size
        state = TransactionalState(b"txn") if in_transaction else None
        sent.append((tag, message, state is not None))
        if state is None and half.transfer(link, number, tag, False, b"", message):
            continue
        link.waiting += 1
        half.put(Waiting(link, number, tag, message, False, state, 0))
        half.pump()
    allowed = window
    found = transfers(output)
    assert len(found) <= allowed
    for more in [*openings, 100_000]:
        half.window += more
        allowed += more
        half.pump()
        found += transfers(output)
        assert len(found) <= allowed
        assert half.next_transfer == len(found)
        assert half.window == allowed - len(found)
    assert link.waiting == 0
    assert not half.waiting
    joined, current = [], b""
    for transfer, payload in found:
        if not current and (transfer.delivery_tag is not None):
            assert transfer.delivery_id == len(joined)
            begin = transfer
        current += payload
        if not transfer.more:
            joined.append((begin.delivery_tag, current, begin.state is not None))
            current = b""
    assert joined == sent


@given(
    st.sampled_from([0, 1, 255, 256]),
    st.sampled_from([0, 254, 0xFFFFFFFD, (1 << 32) + 254]),
    st.lists(st.tuples(st.integers(1, 32), st.booleans()), min_size=1, max_size=4),
)
def test_the_form_of_a_link_is_filled_in_right(handle, first, kinds):
    """However ids and tags change, the octets are what the encoder gives."""
    half, output = outgoing(1000)
    half.numbering.travelled = first
    link, other, number = sender(handle), sender(handle + 7), first
    for tag_size, settled in kinds * 3:
        for each in (link, link, other):
            tag = b"%02d" % (number % 100) * 16
            assert half.transfer(each, number, tag[:tag_size], settled, b"head", b"payload")
            wire = number & 0xFFFFFFFF
            body = encode_transfer(each.handle, wire, tag[:tag_size], settled) + b"headpayload"
            assert output.take() == encode_frame(0, body)
            number += 1


def test_the_form_of_a_link_is_remembered():
    half, output = outgoing(1000)
    link = sender()
    for number in range(300):
        half.transfer(link, number, b"%04d" % number, False, b"", b"x")
    output.take()
    form = link.form
    assert form is not None
    half.transfer(link, 300, b"0300", False, b"", b"x")
    assert link.form is form
    assert form.fits(output.take(), 0)


def test_what_waits_goes_first():
    half, output = outgoing(1)
    link = sender()
    assert half.transfer(link, 0, b"a", False, b"", b"")
    assert not half.transfer(link, 1, b"b", False, b"", b"")
    link.waiting = 1
    half.put(Waiting(link, 1, b"b", b"", False, None, 0))
    half.window = 5
    assert not half.transfer(link, 2, b"c", False, b"", b"")
    assert half.pump() == [link]
    assert half.transfer(link, 2, b"c", False, b"", b"")
    assert [transfer.delivery_tag for transfer, _ in transfers(output)] == [b"a", b"b", b"c"]


def test_what_is_dropped_is_never_sent():
    half, output = outgoing(0)
    one, two = sender(1), sender(2)
    for number, link in enumerate((one, two, one)):
        half.put(Waiting(link, number, b"%d" % number, b"x", False, None, 0))
    half.drop(one)
    half.window = 9
    half.pump()
    ((transfer, _),) = transfers(output)
    assert (transfer.handle, transfer.delivery_id, transfer.delivery_tag) == (2, 0, b"1")
    half.put(Waiting(two, 5, b"5", b"x", False, None, 0))
    half.clear()
    assert half.pump() == []

"""The messages of a link come back as they were sent; what is malformed is refused."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.ha import messages
from tanist.ha.log import HISTORY_MAX, Batch, Epoch
from tanist.ha.membership import BrokerInfo, Membership
from tanist.ha.messages import (
    BATCH_HEAD_OCTETS,
    FILL_HEAD_OCTETS,
    FORMAT,
    RESUME,
    SNAPSHOT_HEAD_OCTETS,
    FillHead,
    Hello,
    batch_head,
    decode_batch_head,
    decode_batches,
    decode_commit,
    decode_fill_head,
    decode_hello,
    decode_members,
    decode_snapshot_head,
    encode_batches,
    encode_commit,
    encode_hello,
    encode_members,
    fill_head,
    message_kind,
    replication_head,
    snapshot_head,
)
from tanist.ha.roles import Status
from tanist.types import FramingError
from tanist.wire.amqp010.codec import encode_list
from tanist.wire.amqp010.transfer import decode_transfer
from tanist.wire.amqp010.values import Value

INDEX = st.integers(0, 2**64 - 1)
EPOCHS = st.lists(st.builds(Epoch, INDEX, st.uuids(), INDEX), max_size=HISTORY_MAX)


@given(st.integers(0, 2), INDEX, INDEX, EPOCHS)
@settings(max_examples=30, deadline=None)
def test_hello_comes_back(mode, index, end, history) -> None:
    data = encode_hello(Hello(mode, index, end, history))
    hello = decode_hello(data)
    assert message_kind(data) == messages.KIND_HELLO
    assert (hello.mode, hello.index, hello.end) == (mode, index, end)
    assert [(e.number, e.owner, e.begin) for e in hello.history] == [
        (e.number, e.owner, e.begin) for e in history
    ]


@given(st.booleans(), INDEX, st.integers(0, 2**32 - 1), INDEX, INDEX, INDEX)
@settings(max_examples=30, deadline=None)
def test_the_head_of_old_messages_comes_back(last, state_at, queue, position, done, total) -> None:
    data = fill_head(FillHead(last, state_at, queue, position, done, total, 7))
    head = decode_fill_head(data)
    assert len(data) == FILL_HEAD_OCTETS
    assert (head.last, head.state_at, head.queue, head.position) == (
        last,
        state_at,
        queue,
        position,
    )
    assert (head.done, head.total, head.count) == (done, total, 7)


def test_the_other_messages_come_back() -> None:
    data = batch_head(3, 9, 8, 5)
    assert len(data) == BATCH_HEAD_OCTETS
    head = decode_batch_head(data)
    assert (head.epoch, head.first, head.committed, head.count) == (3, 9, 8, 5)
    data = snapshot_head(True, 4)
    assert len(data) == SNAPSHOT_HEAD_OCTETS
    assert decode_snapshot_head(data) == (True, 4)
    assert decode_commit(encode_commit(77)) == 77
    membership = Membership()
    membership.version = 6
    membership.put(BrokerInfo(UUID(int=5), Status.READY, "tcp", "n1", 5672))
    membership.put(BrokerInfo(UUID(int=6), Status.CATCHUP), waited_for=True)
    assert decode_members(encode_members(membership)) == (6, membership.to_list(), [UUID(int=6)])


def test_batches_keep_their_bounds() -> None:
    batches = [Batch(1, 1, b"\1one"), Batch(2, 4, b""), Batch(5, 9, b"x" * 70_000)]
    assert decode_batches(encode_batches(batches)) == [batch.data for batch in batches]


@pytest.mark.parametrize("cut", [1, 4, 5, 7])
def test_batches_that_are_cut_short_are_refused(cut: int) -> None:
    data = encode_batches([Batch(1, 1, b"abc")])
    assert len(data) == 8
    if cut == 1:
        assert decode_batches(data[:cut]) == []
    else:
        with pytest.raises(FramingError, match="cut short"):
            decode_batches(data[:cut])


@pytest.mark.parametrize("lists", [[], [[]], [[], [], []], [[], "x"], ["x", []]])
def test_members_come_in_two_lists(lists: list[Value]) -> None:
    head = encode_members(Membership())[:9]
    with pytest.raises(FramingError, match="replication link: members"):
        decode_members(head + encode_list(lists))


def test_every_kind_is_told_by_its_first_octet() -> None:
    kinds = [
        batch_head(1, 1, 1, 1),
        encode_hello(Hello(RESUME, 0, 0, [])),
        snapshot_head(False, 0),
        fill_head(FillHead(True, 0, 0, 0, 0, 0, 0)),
        encode_members(Membership()),
        encode_commit(1),
        encode_batches([]),
    ]
    assert [message_kind(data) for data in kinds] == [1, 2, 3, 4, 5, 6, 7]
    assert message_kind(b"") == 0


def test_every_message_of_a_link_is_an_ordinary_transfer() -> None:
    head = decode_transfer(replication_head())
    assert (head.destination, head.accept_mode) == (messages.REPLICATION_SOURCE, 1)


@pytest.mark.parametrize(
    "decode",
    [
        decode_hello,
        decode_batch_head,
        decode_snapshot_head,
        decode_fill_head,
        decode_commit,
        decode_members,
    ],
)
def test_heads_of_the_wrong_length_are_refused(decode) -> None:
    for data in (b"\1", b"\1\2", bytes((1, FORMAT, 3))):
        with pytest.raises(FramingError, match="replication link"):
            decode(data)


def test_a_hello_of_another_format_names_the_remedy() -> None:
    data = bytearray(encode_hello(Hello(RESUME, 0, 0, [])))
    data[1] = FORMAT + 1
    with pytest.raises(
        FramingError,
        match=rf"format {FORMAT + 1}, this broker speaks {FORMAT}; run the same version",
    ):
        decode_hello(bytes(data))


def test_a_hello_whose_epochs_are_not_there_is_refused() -> None:
    data = encode_hello(Hello(RESUME, 0, 0, [Epoch(1, UUID(int=1), 0)]))
    with pytest.raises(FramingError, match="with 1 epochs"):
        decode_hello(data[:-1])
    many = encode_hello(Hello(RESUME, 0, 0, [Epoch(1, UUID(int=1), 0)] * (HISTORY_MAX + 1)))
    with pytest.raises(FramingError, match="with 65 epochs"):
        decode_hello(many)


def test_a_hello_of_an_unknown_mode_is_refused() -> None:
    with pytest.raises(FramingError, match="hello of mode 9"):
        decode_hello(encode_hello(Hello(9, 0, 0, [])))

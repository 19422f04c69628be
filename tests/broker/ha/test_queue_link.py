"""The protocol of copied queues: sets of ids, events, and what a stream of transfers means."""

from __future__ import annotations

import contextlib
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanist.core.follower import IdRanges
from tanist.ha.queue_link import (
    GONE,
    GONE_EVENT,
    ID_EVENT,
    ID_MAX,
    NOTHING,
    RANGES_MAX,
    SETS_MAX,
    STANDING,
    STANDING_EVENT,
    Standing,
    Stream,
    decode_ids,
    decode_lineage,
    encode_id,
    encode_ids,
    encode_standing,
    event_header,
)
from tanist.types import FramingError

LINEAGE = UUID(int=77)
ORDINARY = event_header("q")


# -- sets of ids -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "ranges"),
    [
        ("0000", []),
        ("0008 00000011 00000012", [(17, 18)]),
        ("0010 00000001 00000001 00000005 ffffffff", [(1, 1), (5, ID_MAX)]),
        ("0008 00000001 00000002 0000 0008 00000007 00000007", [(1, 2), (7, 7)]),
    ],
)
def test_known_sets(octets: str, ranges: IdRanges) -> None:
    assert decode_ids(bytes.fromhex(octets)) == ranges


@given(st.lists(st.tuples(st.integers(0, ID_MAX), st.integers(0, ID_MAX)), max_size=50))
def test_there_and_back(pairs: IdRanges) -> None:
    ranges = [(min(pair), max(pair)) for pair in pairs]
    assert decode_ids(encode_ids(ranges)) == ranges


def test_many_ranges_are_several_sets() -> None:
    ranges = [(2 * number, 2 * number) for number in range(RANGES_MAX * SETS_MAX)]
    data = encode_ids(ranges)
    assert len(data) == SETS_MAX * (2 + 8 * RANGES_MAX)
    assert decode_ids(data) == ranges
    with pytest.raises(FramingError, match="octets"):
        decode_ids(data + encode_ids([]))


@pytest.mark.parametrize(
    "octets",
    [
        "",
        "00",
        "0008",
        "0008 00000001",
        "0007 00000001 000000",
        "0008 00000002 00000001",
        "0000 00",
        "ffff",
    ],
)
def test_bad_sets(octets: str) -> None:
    with pytest.raises(FramingError):
        decode_ids(bytes.fromhex(octets))


@given(st.binary(max_size=40))
def test_any_octets_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(FramingError):
        assert all(first <= last for first, last in decode_ids(data))


def test_lineages() -> None:
    assert decode_lineage(LINEAGE.bytes) == LINEAGE
    assert decode_lineage(b"") is None
    assert decode_lineage("x" * 16) is None
    assert decode_lineage(b"x" * 17) is None


# -- the stream ------------------------------------------------------------------------------


def test_ids_are_announced_and_go_on_by_themselves() -> None:
    stream = Stream()
    assert stream.take(event_header(ID_EVENT), encode_id(7)) == NOTHING
    assert [stream.take(ORDINARY, b"x") for _ in range(3)] == [7, 8, 9]
    stream.take(event_header(ID_EVENT), encode_id(ID_MAX))
    assert [stream.take(b"", b"x") for _ in range(2)] == [ID_MAX, 0], "the original wraps"


def test_other_events_do_not_come_between_an_id_and_what_follows_upon_it() -> None:
    stream = Stream()
    stream.take(event_header(ID_EVENT), encode_id(7))
    assert stream.take(ORDINARY, b"x") == 7
    assert stream.take(event_header(GONE_EVENT), encode_ids([(1, 2)])) == GONE
    assert stream.gone == [(1, 2)]
    standing = encode_standing(Standing(LINEAGE, True, 5))
    assert stream.take(event_header(STANDING_EVENT), standing) == STANDING
    found = stream.standing
    assert found is not None
    assert (found.lineage, found.waited_for, found.behind) == (LINEAGE, True, 5)
    assert stream.take(event_header("qpid.ha-whatever"), b"") == NOTHING
    assert stream.take(ORDINARY, b"x") == 8


@pytest.mark.parametrize("key", [ID_EVENT, GONE_EVENT, "qpid.ha-mine"])
def test_a_message_that_looks_like_an_event(key: str) -> None:
    stream = Stream()
    stream.take(event_header(ID_EVENT), encode_id(7))
    assert stream.take(event_header(key), encode_id(1)) == 7
    assert stream.take(ORDINARY, b"x") == 8


@pytest.mark.parametrize(
    ("key", "body", "words"),
    [
        ("q", b"x", "before its id"),
        (ID_EVENT, b"123", "id event of 3"),
        (ID_EVENT, b"12345", "id event of 5"),
        (GONE_EVENT, b"", "set of ids"),
        (GONE_EVENT, bytes.fromhex("0008 00000002 00000001"), "range 2 to 1"),
        (STANDING_EVENT, b"x" * 24, "standing event of 24"),
    ],
)
def test_nonsense_on_the_stream(key: str, body: bytes, words: str) -> None:
    with pytest.raises(FramingError, match=words):
        Stream().take(event_header(key), body)


def test_a_header_that_is_none() -> None:
    with pytest.raises(FramingError):
        Stream().take(b"\0\0\0\x09rubbish", b"")

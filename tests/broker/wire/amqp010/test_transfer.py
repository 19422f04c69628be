"""Tests of the hand-written twin: equal to the codec on everything, and bounded."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.types import FramingError
from tanist.wire.amqp010 import codec, transfer
from tanist.wire.amqp010.values import Struct, Value

names = st.text(max_size=20)
octet = st.integers(0, 255)
time = st.integers(0, 2**64 - 1)

DELIVERY_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "discard_unroutable": st.booleans(),
    "immediate": st.booleans(),
    "redelivered": st.booleans(),
    "priority": octet,
    "delivery_mode": octet,
    "ttl": time,
    "timestamp": time,
    "expiration": time,
    "exchange": names,
    "routing_key": names,
    "resume_id": st.text(max_size=200),
    "resume_ttl": time,
}


@st.composite
def deliveries(draw: st.DrawFn) -> Struct:
    """delivery-properties with any of their fields."""
    some = {name: draw(st.none() | value) for name, value in DELIVERY_FIELDS.items()}
    return codec.make("message.delivery-properties", **some)


@st.composite
def headers(draw: st.DrawFn) -> list[Struct]:
    """The structs of a header segment in any order."""
    structs = [
        codec.make(
            "message.message-properties",
            content_type=draw(st.none() | names),
            application_headers=draw(st.none() | st.dictionaries(names, names, max_size=3)),
        ),
        codec.make("message.fragment-properties", first=True, fragment_size=draw(time)),
        draw(deliveries()),
    ]
    count = draw(st.integers(0, 3))
    return draw(st.permutations(structs))[:count]


def find(structs: list[Struct], name: str) -> Struct | None:
    return next((s for s in structs if s.name == f"message.{name}"), None)


# ------------------------------------------------------------------------------- the command


@settings(max_examples=60, deadline=None)
@given(
    destination=st.none() | names,
    accept_mode=st.none() | octet,
    acquire_mode=st.none() | octet,
    sync=st.booleans(),
)
def test_decode_transfer_is_the_codec(
    destination: str | None, accept_mode: int | None, acquire_mode: int | None, sync: bool
) -> None:
    command = codec.make(
        "message.transfer",
        destination=destination,
        accept_mode=accept_mode,
        acquire_mode=acquire_mode,
    )
    head = transfer.decode_transfer(codec.encode_command(command, sync))
    assert head.destination == (destination or "")
    assert head.accept_mode == (transfer.ACCEPT_UNSAID if accept_mode is None else accept_mode)
    assert head.acquire_mode == (acquire_mode or 0)
    assert head.sync is sync


@settings(max_examples=30, deadline=None)
@given(destination=names, accept_mode=octet, acquire_mode=octet, sync=st.booleans())
def test_encode_transfer_is_the_codec(
    destination: str, accept_mode: int, acquire_mode: int, sync: bool
) -> None:
    command = codec.make(
        "message.transfer",
        destination=destination,
        accept_mode=accept_mode,
        acquire_mode=acquire_mode,
    )
    encoded = transfer.encode_transfer(destination, accept_mode, acquire_mode, sync)
    assert encoded == codec.encode_command(command, sync)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_both_refuse_the_same_damaged_commands(data: st.DataObject) -> None:
    segment = bytearray(transfer.encode_transfer("name", 1, 0))
    position = data.draw(st.integers(2, len(segment) - 1))
    segment[position] = data.draw(octet)
    segment = segment[: data.draw(st.integers(2, len(segment)))]
    try:
        command, sync = codec.decode_command(bytes(segment))
    except FramingError:
        with pytest.raises(FramingError):
            transfer.decode_transfer(bytes(segment))
    else:
        head = transfer.decode_transfer(bytes(segment))
        assert head.destination == command.text("destination")
        assert head.accept_mode == command.number("accept_mode", transfer.ACCEPT_UNSAID)
        assert head.acquire_mode == command.number("acquire_mode")
        assert head.sync == sync


def test_another_command_is_refused() -> None:
    with pytest.raises(FramingError, match=r"no message\.transfer"):
        transfer.decode_transfer(codec.encode_command(codec.make("queue.purge", queue="q")))


def test_heads_are_remembered() -> None:
    segment = transfer.encode_transfer("remembered", 0, 0)
    assert transfer.decode_transfer(segment) is transfer.decode_transfer(bytes(bytearray(segment)))


def test_heads_are_not_remembered_without_bound() -> None:
    first = transfer.encode_transfer("first", 0, 0)
    head = transfer.decode_transfer(first)
    for number in range(transfer.CACHE_ENTRIES_MAX + 1):
        transfer.decode_transfer(transfer.encode_transfer(f"{number}", 0, 0))
    assert transfer.decode_transfer(first) is not head


# -------------------------------------------------------------------------------- the header


@settings(max_examples=80, deadline=None)
@given(structs=headers())
def test_scan_header_is_the_codec(structs: list[Struct]) -> None:
    properties = transfer.scan_header(codec.encode_header(structs))
    expected = find(structs, "delivery-properties") or codec.make("message.delivery-properties")
    assert properties.discard_unroutable == expected.flag("discard_unroutable")
    assert properties.immediate == expected.flag("immediate")
    assert properties.redelivered == expected.flag("redelivered")
    assert properties.priority == expected.number("priority", 4)
    assert properties.delivery_mode == expected.number("delivery_mode")
    assert properties.durable == (expected.number("delivery_mode") == 2)
    assert properties.ttl_ms == expected.number("ttl", transfer.NO_TIME)
    assert properties.timestamp == expected.number("timestamp", transfer.NO_TIME)
    assert properties.expiration == expected.number("expiration", transfer.NO_TIME)
    assert properties.exchange == expected.text("exchange")
    assert properties.routing_key == expected.text("routing_key")
    assert properties.resume_id == expected.text("resume_id")
    assert properties.resume_ttl_ms == expected.number("resume_ttl", transfer.NO_TIME)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_scan_header_refuses_damaged_delivery_properties(data: st.DataObject) -> None:
    header = bytearray(codec.encode_header([data.draw(deliveries())]))
    position = data.draw(st.integers(0, len(header) - 1))
    header[position] = data.draw(octet)
    header = header[: data.draw(st.integers(1, len(header)))]
    try:
        structs = codec.decode_header(bytes(header))
    except FramingError:
        with pytest.raises(FramingError):
            transfer.scan_header(bytes(header))
    else:
        expected = find(structs, "delivery-properties")
        properties = transfer.scan_header(bytes(header))
        assert expected is None or properties.routing_key == expected.text("routing_key")


@pytest.mark.parametrize(
    "header",
    [
        "00",
        "00000004 04",
        "00000004 0401",
        "00000003 0401 00",
        "00000004 0401 0010",
        "00000004 7777 0000",
        "00000004 0404 0000",
        "000000ff 0403 0000",
        "ffffffff 0403 0000",
        "00000004 0403 0000 00",
        "00000004 0401 0000 00000004 0401 0000",
        "00000004 0401 0000 00000004 0403 0000 00000004 0403 0000",
        "00000004 0401 0000 00000005 0403 0000",
        "00000004 0401 0000 00000002 0403 00000000",
    ],
)
def test_scan_header_refuses_lies(header: str) -> None:
    for decode in (codec.decode_header, transfer.scan_header):
        with pytest.raises(FramingError):
            decode(bytes.fromhex(header))


def test_the_same_delivery_properties_are_decoded_once() -> None:
    delivery = codec.make("message.delivery-properties", routing_key="once")
    both = [
        transfer.scan_header(
            codec.encode_header([delivery, codec.make("message.message-properties", app_id=app_id)])
        )
        for app_id in (b"a", b"b")
    ]
    assert both[0] is both[1]


def test_an_empty_header_has_the_defaults() -> None:
    assert transfer.scan_header(b"").priority == 4
    assert transfer.application_headers(b"") == {}
    assert transfer.message_properties(b"") is None


# ------------------------------------------------------------------------------- stamping


@settings(max_examples=100, deadline=None)
@given(
    structs=headers(),
    exchange=st.none() | st.just("") | names,
    redelivered=st.booleans(),
    ttl_ms=st.none() | time,
)
def test_stamp_header_changes_these_fields_only(
    structs: list[Struct], exchange: str | None, redelivered: bool, ttl_ms: int | None
) -> None:
    header = codec.encode_header(structs)
    stamped = transfer.stamp_header(header, exchange, redelivered, ttl_ms)
    old = find(structs, "delivery-properties") or codec.make("message.delivery-properties")
    fields = dict(old.fields)
    if exchange is not None and (exchange or "exchange" in fields):
        fields["exchange"] = exchange
    if ttl_ms is not None:
        fields["ttl"] = ttl_ms
    fields.pop("redelivered", None)
    if redelivered:
        fields["redelivered"] = True
    after = codec.decode_header(stamped)
    new = find(after, "delivery-properties") or codec.make("message.delivery-properties")
    assert new.fields == fields
    assert [s for s in after if s.name != new.name] == [s for s in structs if s.name != new.name]
    if fields == old.fields:
        assert stamped is header
    again = transfer.stamp_header(header, exchange, redelivered, ttl_ms)
    assert again == stamped


def test_stamping_an_empty_header_makes_one_when_needed() -> None:
    assert transfer.stamp_header(b"", None, False, None) == b""
    assert transfer.stamp_header(b"", "", False, None) == b""
    stamped = transfer.stamp_header(b"", "amq.topic", True, 5)
    properties = transfer.scan_header(stamped)
    assert properties.exchange == "amq.topic"
    assert properties.redelivered
    assert properties.ttl_ms == 5


# ---------------------------------------------------------------------- application headers


@settings(max_examples=40, deadline=None)
@given(structs=headers())
def test_application_headers_are_found_wherever_they_stand(structs: list[Struct]) -> None:
    header = codec.encode_header(structs)
    properties = find(structs, "message-properties")
    assert transfer.message_properties(header) == properties
    expected = properties.map("application_headers") if properties else {}
    assert transfer.application_headers(header) == expected


def test_bad_application_headers_are_refused() -> None:
    good: dict[str, Value] = {"key": "value"}
    header = codec.encode_header(
        [codec.make("message.message-properties", application_headers=good)]
    )
    with pytest.raises(FramingError):
        transfer.application_headers(header.replace(b"value", b"val\xffe"))

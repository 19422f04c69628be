from __future__ import annotations

from uuid import UUID

import pytest

from tanist.sessions.translation.identifiers import (
    correlation_octets,
    header_identifier,
    message_uuid,
    text_of,
    text_or_octets,
)
from tanist.wire.amqp010 import values as values010
from tanist.wire.amqp010.values import TypedInt, str8, vbin16
from tanist.wire.amqp10 import values as values10
from tanist.wire.amqp10.values import ULong
from tests.broker.wire.amqp10.random_values import exact

ID = UUID("4b4e96ae-2780-31fb-95dc-c05c1b7a9337")


@pytest.mark.parametrize(
    ("identifier", "uuid"),
    [
        (ID, ID),
        (str(ID), ID),
        (f"ID:{ID}", ID),
        (f"{{{ID}}}", None),
        (str(ID).replace("-", "+"), None),
        ("x" * 36, None),
        (ID.bytes, None),
        (ULong(1), None),
        (None, None),
    ],
    ids=str,
)
def test_the_uuid_in_a_message_id(identifier: values10.Value, uuid: UUID | None) -> None:
    assert message_uuid(identifier) == uuid


def test_a_correlation_id_is_octets() -> None:
    assert correlation_octets("ü") == "ü".encode()
    assert correlation_octets(b"\xff") == b"\xff"
    assert correlation_octets(ULong(7)) == b"7"
    assert correlation_octets(ID) == str(ID).encode()
    assert correlation_octets("x" * 65_535) == b"x" * 65_535
    assert correlation_octets("x" * 65_536) is None
    assert correlation_octets(None) is None


def test_octets_are_text_where_they_can_be() -> None:
    assert text_or_octets("ü".encode()) == "ü"
    assert text_or_octets(b"\xff") == b"\xff"


@pytest.mark.parametrize(
    ("header", "text"),
    [(str8("x"), "x"), ("x", "x"), (vbin16("x"), "x"), (vbin16(b"\xff"), None), (5, None)],
    ids=str,
)
def test_the_text_in_a_header(header: values010.Value, text: str | None) -> None:
    found = text_of(header)
    assert found == text
    assert found is None or type(found) is str


@pytest.mark.parametrize(
    ("header", "identifier"),
    [
        (ID, ID),
        (str8("x"), "x"),
        (vbin16("x"), b"x"),
        (TypedInt(5, 0x32), ULong(5)),
        (-5, None),
        (True, None),
        (None, None),
        ([1], None),
    ],
    ids=str,
)
def test_the_id_in_a_header(header: values010.Value, identifier: values10.Value) -> None:
    assert exact(header_identifier(header)) == exact(identifier)

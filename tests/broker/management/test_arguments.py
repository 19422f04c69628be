"""Arguments are read leniently, and refused with their names."""

from __future__ import annotations

import pytest

from tanist.management.arguments import (
    PROPERTIES_DEPTH_MAX,
    count,
    flag,
    header_filter,
    mapping,
    properties,
    text,
)
from tanist.management.managed import InvalidParameter
from tanist.wire.amqp010.codec import make
from tanist.wire.amqp010.values import Value, uint8, uint32, vbin16


@pytest.mark.parametrize(
    ("value", "read"), [("a", "a"), (vbin16("a"), "a"), (b"a", "a"), (None, ""), ("", "")]
)
def test_text(value: Value, read: str) -> None:
    assert text({"name": value}, "name") == read
    assert text({}, "name") == ""


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (True, True),
        (False, False),
        (1, True),
        (uint8(0), False),
        ("True", True),
        (b"yes", True),
        ("off", False),
        ("", False),
        (None, False),
    ],
)
def test_flag(value: Value, read: bool) -> None:
    assert flag({"name": value}, "name") is read


@pytest.mark.parametrize(("value", "read"), [(0, 0), (uint32(7), 7), (None, 0)])
def test_count(value: Value, read: int) -> None:
    assert count({"name": value}, "name") == read


def test_a_mapping_is_a_copy() -> None:
    inner: dict[str, Value] = {"a": 1}
    found = mapping({"name": inner}, "name")
    found["b"] = 2
    assert inner == {"a": 1}
    assert mapping({"name": None}, "name") == {}


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (text, 3),
        (text, {}),
        (flag, "perhaps"),
        (flag, b"\xff"),
        (flag, []),
        (count, -1),
        (count, "3"),
        (count, True),
        (mapping, "x"),
        (mapping, [1]),
    ],
)
def test_what_cannot_be_read_is_named(read, value: Value) -> None:
    with pytest.raises(InvalidParameter, match=r"^thing must be"):
        read({"thing": value}, "thing")


def nested(levels: int) -> Value:
    value: Value = 1
    for level in range(levels):
        value = {"x": value} if level % 2 else [value, 2]
    return value


def test_properties_are_not_nested_too_deeply() -> None:
    fits: Value = {"a": nested(PROPERTIES_DEPTH_MAX - 1), "b": {}, "c": []}
    assert properties({"name": fits}, "name") == fits
    inside = make("message.message-properties", application_headers={"a": nested(15)})
    with pytest.raises(InvalidParameter, match="nested"):
        properties({"name": {"a": inside}}, "name")
    with pytest.raises(InvalidParameter, match="name are nested more than 16 levels deep"):
        properties({"name": {"a": nested(PROPERTIES_DEPTH_MAX)}}, "name")


def test_header_filter() -> None:
    assert header_filter({}) is None
    assert header_filter({"filter": {}}) is None
    wanted = header_filter(
        {
            "filter": {
                "filter_type": "header_match_str",
                "filter_params": {"header_key": "colour", "header_value": b"red"},
            }
        }
    )
    assert wanted is not None
    assert (wanted.key, wanted.value) == ("colour", "red")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"filter_type": "moon"}, "filter_type 'moon' is unknown: use header_match_str"),
        ({"filter_type": "header_match_str"}, "header_key"),
        ("red", "filter must be a map"),
    ],
)
def test_filters_that_cannot_be_used(given: Value, says: str) -> None:
    with pytest.raises(InvalidParameter, match=says):
        header_filter({"filter": given})

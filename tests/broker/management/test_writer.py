"""Objects as octets: typed as the schema says, and readable by the general codec."""

from __future__ import annotations

from uuid import UUID

import pytest

from tanist.management.schema import BINDING, BROKER, CONNECTION, QUEUE, SYSTEM, ClassSchema
from tanist.management.writer import TEXT_BYTES_MAX, ObjectWriter, list_body
from tanist.types import LocalProtocolError
from tanist.wire.amqp010.codec import decode_list
from tanist.wire.amqp010.values import Value, type_code


def written(schema: ClassSchema, values: dict[str, Value], name: str = "p:c:k") -> dict[str, Value]:
    """The element as a reader sees it."""
    (element,) = decode_list(list_body([ObjectWriter(schema).element(name, values, 5, 6)]))
    assert isinstance(element, dict)
    return element


def values_of(schema: ClassSchema, values: dict[str, Value]) -> dict[str, Value]:
    found = written(schema, values)["_values"]
    assert isinstance(found, dict)
    return found


def test_an_element_has_its_six_entries() -> None:
    element = written(QUEUE, {"name": "q"}, QUEUE.object_name("q"))
    assert element == {
        "_values": {"name": "q"},
        "_object_id": {"_object_name": "org.apache.qpid.broker:queue:q", "_agent_epoch": 1},
        "_schema_id": QUEUE.schema_id(),
        "_create_ts": 5,
        "_update_ts": 6,
        "_delete_ts": 0,
    }
    assert [type_code(element[name]) for name in ("_create_ts", "_delete_ts")] == [0x32, 0x32]


@pytest.mark.parametrize(
    ("schema", "name", "value", "code"),
    [
        (BROKER, "port", 5672, 0x12),
        (BROKER, "stagingThreshold", 1, 0x22),
        (BROKER, "queueCount", 1, 0x32),
        (BROKER, "uptime", 1, 0x32),
        (BROKER, "mgmtPublish", True, 0x08),
        (BROKER, "mgmtPublish", False, 0x08),
        (BROKER, "version", "1", 0x95),
        (BROKER, "dataDir", None, 0xF0),
        (BROKER, "systemRef", {"_object_name": "x"}, 0xA8),
        (SYSTEM, "systemId", UUID(int=7), 0x48),
        (BINDING, "bindingKey", "a.#", 0x95),
        (BINDING, "arguments", {"x-match": "all", "n": 3}, 0xA8),
        (CONNECTION, "remotePid", None, 0xF0),
    ],
)
def test_values_have_the_types_of_the_schema(
    schema: ClassSchema, name: str, value: Value, code: int
) -> None:
    found = values_of(schema, {name: value})
    assert found == {name: value}
    assert type_code(found[name]) == code


@pytest.mark.parametrize(
    ("name", "value", "nearest"),
    [("port", 70000, 65535), ("port", -1, 0), ("queueCount", 1 << 70, (1 << 64) - 1)],
)
def test_a_number_that_does_not_fit_becomes_the_nearest(
    name: str, value: int, nearest: int
) -> None:
    assert values_of(BROKER, {name: value}) == {name: nearest}


def test_long_text_is_cut_between_characters() -> None:
    (text,) = values_of(QUEUE, {"name": "x" + "é" * TEXT_BYTES_MAX}).values()
    assert isinstance(text, str)
    assert text == "x" + "é" * (TEXT_BYTES_MAX // 2)


def test_fields_that_the_schema_has_not_are_written_as_they_are() -> None:
    values: dict[str, Value] = {"more": 1, "text": "x", "flag": True, "port": "text"}
    assert values_of(BROKER, values) == values
    assert values_of(ClassSchema("p", "c", UUID(int=1)), values) == values


def test_a_value_that_amqp_cannot_say_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        ObjectWriter(BINDING).element("x", {"arguments": {"n": 1 << 70}}, 0, 0)


def test_an_empty_list() -> None:
    assert decode_list(list_body([])) == []

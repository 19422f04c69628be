"""Tests of the declared specification: complete, unique, and the facts that others rely on."""

from __future__ import annotations

import pytest

from tanist.wire.amqp10 import spec


def test_counts_are_those_of_the_specification() -> None:
    groups = [definition.group for definition in spec.DEFINITIONS.values()]
    assert groups.count(spec.PERFORMATIVE) == 9
    assert groups.count(spec.SASL) == 5
    assert groups.count(spec.COMPOSITE) == 17
    assert groups.count(spec.SECTION) == 9
    assert len(spec.DEFINITIONS) == len(spec.BY_CODE) == len(spec.BY_SYMBOL) == 40


@pytest.mark.parametrize(
    ("name", "code", "symbol"),
    [
        ("open", 0x10, "amqp:open:list"),
        ("transfer", 0x14, "amqp:transfer:list"),
        ("close", 0x18, "amqp:close:list"),
        ("error", 0x1D, "amqp:error:list"),
        ("accepted", 0x24, "amqp:accepted:list"),
        ("delete-on-no-links-or-messages", 0x2E, "amqp:delete-on-no-links-or-messages:list"),
        ("transactional-state", 0x34, "amqp:transactional-state:list"),
        ("sasl-outcome", 0x44, "amqp:sasl-outcome:list"),
        ("application-properties", 0x74, "amqp:application-properties:map"),
        ("data", 0x75, "amqp:data:binary"),
        ("amqp-sequence", 0x76, "amqp:amqp-sequence:list"),
        ("amqp-value", 0x77, "amqp:amqp-value:*"),
        ("footer", 0x78, "amqp:footer:map"),
    ],
)
def test_descriptors(name: str, code: int, symbol: str) -> None:
    definition = spec.DEFINITIONS[name]
    assert (definition.code, definition.symbol) == (code, symbol)
    assert spec.BY_CODE[code] is spec.BY_SYMBOL[symbol] is definition


def test_a_field_has_a_default_or_is_mandatory_but_not_both() -> None:
    for definition in spec.DEFINITIONS.values():
        names = [field.name for field in definition.fields]
        assert len(names) == len(set(names))
        for field in definition.fields:
            assert not (field.mandatory and field.default is not None)
            assert not (field.multiple and field.type != "symbol")


@pytest.mark.parametrize(
    ("definition", "field", "expected"),
    [
        ("open", "max_frame_size", (4294967295, False, False)),
        ("open", "channel_max", (65535, False, False)),
        ("open", "container_id", (None, True, False)),
        ("open", "desired_capabilities", (None, False, True)),
        ("attach", "snd_settle_mode", (2, False, False)),
        ("source", "expiry_policy", ("session-end", False, False)),
        ("transfer", "settled", (None, False, False)),
        ("transfer", "more", (False, False, False)),
        ("header", "priority", (4, False, False)),
        ("sasl-mechanisms", "sasl_server_mechanisms", (None, True, True)),
    ],
)
def test_fields(definition: str, field: str, expected: tuple[object, bool, bool]) -> None:
    found = {f.name: f for f in spec.DEFINITIONS[definition].fields}[field]
    assert (found.default, found.mandatory, found.multiple) == expected


def test_archetypes_name_types_that_are_there() -> None:
    assert set(spec.ARCHETYPES) == {"source", "target", "delivery-state", "outcome", "error"}
    for providers in spec.ARCHETYPES.values():
        assert providers <= set(spec.DEFINITIONS)
    assert "coordinator" in spec.ARCHETYPES["target"]
    assert "received" not in spec.ARCHETYPES["outcome"]

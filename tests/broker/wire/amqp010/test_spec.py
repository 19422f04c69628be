"""Tests of the declared specification: complete, unique, and the facts that others rely on."""

from __future__ import annotations

import pytest

from tanist.types import Condition
from tanist.wire.amqp010 import spec


def test_counts_are_those_of_the_specification() -> None:
    assert len(spec.TYPES) == 45
    assert len(spec.CONTROLS) == 25
    assert len(spec.COMMANDS) == 59
    assert len(spec.STRUCTS) == 14
    assert len(spec.DEFINITIONS) == 25 + 59 + 14 + 3


def test_names_and_codes_are_unique() -> None:
    codes = [type_.code for type_ in spec.TYPES.values() if type_.code >= 0]
    assert len(codes) == len(set(codes)) == len(spec.TYPES_BY_CODE)
    assert len(spec.COMMANDS) == sum(d.kind == spec.COMMAND for d in spec.DEFINITIONS.values())


def test_the_code_of_a_type_tells_its_width() -> None:
    """II.3.2: the high digits of a code say how many octets follow, known or not."""
    for code, type_ in spec.TYPES_BY_CODE.items():
        group = code >> 4
        if group < 8:
            assert (type_.variable, type_.width) == (False, 1 << group)
        elif group < 0xB:
            assert (type_.variable, type_.width) == (True, 1 << (group - 8))
        else:
            assert (type_.variable, type_.width) == (False, {0xC: 5, 0xD: 9, 0xF: 0}[group])


def test_references_resolve_and_fields_fit_the_packing_flags() -> None:
    for definition in spec.DEFINITIONS.values():
        assert len(definition.fields) <= 8 * definition.pack or definition.pack == 0
        assert len(definition.index) == len(definition.fields)
        for name in (*definition.content, *([definition.result] if definition.result else [])):
            assert spec.DEFINITIONS[name].kind == spec.STRUCT
        for field in definition.fields:
            assert not field.compound or field.compound in spec.DEFINITIONS
            assert "-" not in field.name


@pytest.mark.parametrize(
    ("name", "key", "fields"),
    [
        ("connection.start-ok", 0x0102, "client_properties mechanism response locale"),
        ("session.completed", 0x020A, "commands timely_reply"),
        ("message.transfer", 0x0401, "destination accept_mode acquire_mode"),
        ("queue.query", 0x0804, "queue"),
        ("dtx.xid", 0x0604, "format global_id branch_id"),
        ("stream.deliver", 0x0A08, "consumer_tag delivery_tag exchange queue"),
    ],
)
def test_samples(name: str, key: int, fields: str) -> None:
    definition = spec.DEFINITIONS[name]
    assert definition.key == key
    assert [field.name for field in definition.fields] == fields.split()


def test_only_commands_with_content_name_header_structs() -> None:
    with_content = {d.name for d in spec.DEFINITIONS.values() if d.content}
    assert with_content == {
        "message.transfer",
        "file.stage",
        "file.return",
        "stream.publish",
        "stream.return",
        "stream.deliver",
    }


def test_errata_xid_is_a_coded_struct() -> None:
    assert spec.DEFINITIONS["dtx.xid"].size_width == 4
    assert spec.DEFINITIONS["message.reply-to"].key == -1


def test_a_field_may_be_required() -> None:
    index = spec.DEFINITIONS["message.subscribe"].index
    assert index["queue"].required
    assert not index["destination"].required


def test_codes_of_conditions_are_numbers_the_protocol_knows() -> None:
    assert Condition.FRAMING_ERROR.code == 501
    assert Condition.NOT_IMPLEMENTED.code == 540

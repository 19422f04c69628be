from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.wire.amqp10 import spec
from tanist.wire.amqp10.composites import Header, Source
from tests.broker.wire.amqp10.random_values import class_of, composite_definitions, field_values

DECLARED = [d for d in composite_definitions() if d.group in (spec.COMPOSITE, spec.SECTION)]


@pytest.mark.parametrize("definition", DECLARED, ids=lambda d: d.name)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_classes_have_the_fields_of_the_specification_in_its_order(
    definition: spec.Definition, data: st.DataObject
) -> None:
    arguments = [data.draw(field_values(field)) for field in definition.fields]
    made = class_of(definition)(*arguments)
    assert [getattr(made, field.name) for field in definition.fields] == arguments
    assert made.definition is definition


@pytest.mark.parametrize("definition", DECLARED, ids=lambda d: d.name)
@settings(max_examples=3, deadline=None)
@given(data=st.data())
def test_what_is_left_out_has_the_default_of_the_specification(
    definition: spec.Definition, data: st.DataObject
) -> None:
    needed = {f.name: data.draw(field_values(f)) for f in definition.fields if f.mandatory}
    made = class_of(definition)(**needed)
    for field in definition.fields:
        if not field.mandatory:
            assert getattr(made, field.name) == (() if field.multiple else field.default)


def test_examples_of_defaults() -> None:
    assert Source().expiry_policy == "session-end"
    assert Header().priority == 4

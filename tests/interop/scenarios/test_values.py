from __future__ import annotations

import pytest

from tanist_interop.protocol import Put, decode, encode
from tanist_interop.scenarios.values import CASES, COMPOUNDS, EXCHANGED, PLACES, legal

EVERY = (
    "null", "boolean", "ubyte", "ushort", "uint", "ulong", "byte", "short", "int", "long", "float",
    "double", "decimal32", "decimal64", "decimal128", "char", "timestamp", "uuid", "binary",
    "string", "symbol", "list", "map", "array", "described",
)  # fmt: skip
"""The primitive and compound types of AMQP 1.0, 1.6."""


def test_every_type_of_amqp_1_0_has_a_value():
    assert {value["type"] for value in CASES.values()} == set(EVERY)
    assert set(COMPOUNDS) < set(EVERY)


@pytest.mark.parametrize("name", CASES)
def test_values_travel_in_the_client_protocol(name):
    for place in PLACES:
        put = Put(1, "q", place, CASES[name])
        assert decode(encode(put)) == put


def test_integers_are_at_their_limits():
    assert CASES["ulong"]["value"] == str(2**64 - 1)
    assert CASES["long"]["value"] == str(-(2**63))
    assert CASES["uint"]["value"] == str(2**32 - 1)


def test_compounds_are_no_application_properties():
    illegal = {(place, value["type"]) for place in PLACES for value in CASES.values()
               if not legal(place, value)}  # fmt: skip
    assert illegal == {("property", kind) for kind in COMPOUNDS}


def test_every_legal_place_of_every_value_is_exchanged():
    assert len(EXCHANGED) == len(set(EXCHANGED)) == 3 * len(CASES) - len(COMPOUNDS)
    assert "property map" not in EXCHANGED
    assert {name.split(" ", 1)[1] for name in EXCHANGED} == set(CASES)

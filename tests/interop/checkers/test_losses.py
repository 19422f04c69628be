from __future__ import annotations

import pytest

from tanist_interop.checkers.losses import LOSSES, expect, normal, simple

LIST = {"type": "list", "value": [simple("ubyte", 255), simple("symbol", "s")]}
MAP = {"type": "map", "value": [[simple("symbol", "k"), simple("char", 233)]]}
ARRAY = {"type": "array", "value": [simple("int", 1)]}
DESCRIBED = {"type": "described", "value": [simple("symbol", "d"), simple("string", "x")]}
ANY = [simple("ulong", 2**64 - 1), simple("decimal64", "00" * 8), LIST, MAP, ARRAY, DESCRIBED]
C, P, J, Q = "cpp-proton", "python-proton", "js-rhea", "jms-1.0"
L, Y = "jms-0-10", "python-qpid"


@pytest.mark.parametrize("value", ANY, ids=lambda v: v["type"])
@pytest.mark.parametrize("place", ["body", "map"])
@pytest.mark.parametrize(("sender", "receiver"), [(C, P), (P, C), ("other", "another")])
def test_between_proton_and_proton_nothing_is_lost(sender, receiver, place, value):
    expected = expect(sender, receiver, place, value)
    assert (expected.answer, expected.value, expected.losses) == ("taken", value, [])


@pytest.mark.parametrize(
    ("sender", "place", "value", "reason"),
    [
        (L, "map", simple("uint", 1), "Java types"),
        (L, "body", simple("int", 1), "0-10 body"),
        (L, "property", simple("null", ""), "JMS properties"),
        (Q, "body", simple("int", 1), "JMS bodies"),
        (Q, "property", simple("uint", 1), "JMS properties"),
        (Q, "map", simple("char", 0x10000), "Java char"),
        (Q, "map", ARRAY, "JMS nested arrays"),
        (Y, "map", simple("int", 1), "Python 2 types"),
        (Y, "body", simple("long", 1), "0-10 body"),
    ],
)
def test_what_a_library_does_not_send(sender, place, value, reason):
    expected = expect(sender, P, place, value)
    assert expected.answer in ("unsupported", "failed")
    assert expected.losses == [reason]


@pytest.mark.parametrize(
    ("sender", "receiver", "place", "value", "got", "reasons"),
    [
        (C, Y, "map", simple("symbol", "s"), simple("string", "s"), {"0-10 text"}),
        (C, Y, "map", simple("float", "3dcccccd"), simple("double", "3fb99999a0000000"),
         {"Python integers"}),
        (C, L, "body", simple("ulong", 2**64 - 1), {"type": "list", "value": [simple("long", -1)]},
         {"0-10 one item", "Java unsigned"}),
        (C, L, "map", simple("timestamp", 5000), simple("long", 5), {"JMS 0-10 time"}),
        (C, L, "map", simple("timestamp", 5001), simple("long", 5001), {"0-10 seconds"}),
        (C, L, "body", simple("null", ""), simple("binary", ""), {"JMS no body"}),
        (P, Q, "body", simple("null", ""), simple("binary", ""),
         {"JMS no body", "Proton no body"}),
        (C, Q, "body", simple("null", ""), simple("null", ""), set()),
        (Y, P, "map", simple("timestamp", 5001), simple("timestamp", 5000), {"0-10 seconds"}),
        (L, L, "map", simple("char", 233), simple("char", 0xFFE9), {"0-10 char"}),
        (L, L, "map", simple("char", 65), simple("char", 65), {"0-10 char"}),
        (L, Y, "map", simple("char", 233), simple("binary", "e9"), {"0-10 char"}),
        (C, J, "map", simple("uuid", "00-11"), simple("octets", "0011"), {"rhea octets"}),
        (C, J, "map", simple("long", 2**53), simple("number", 2**53), {"JavaScript numbers"}),
        (C, J, "map", simple("long", -(2**63)), simple("octets", "8000000000000000"),
         {"JavaScript numbers"}),
        (C, J, "body", DESCRIBED, simple("text", "x"), {"rhea descriptors", "rhea text"}),
        (J, C, "body", DESCRIBED, simple("string", "x"), {"rhea descriptors"}),
        (J, C, "map", DESCRIBED, DESCRIBED, set()),
        (C, L, "map", ARRAY, {**ARRAY, "type": "list"}, {"0-10 arrays"}),
        (C, Q, "map", simple("char", 0x1F600), simple("char", 0xF600), {"Java char"}),
        (C, L, "body", LIST, {"type": "list", "value": [simple("short", 255),
                                                        simple("string", "s")]},
         {"Java unsigned", "0-10 text"}),
    ],
)  # fmt: skip
def test_what_is_changed_on_the_way(sender, receiver, place, value, got, reasons):
    expected = expect(sender, receiver, place, value)
    assert expected.answer == "taken"
    assert expected.value == got
    assert set(expected.losses) == reasons


@pytest.mark.parametrize(
    ("place", "value"), [("map", ARRAY), ("body", simple("symbol", "s")), ("body", DESCRIBED)]
)
def test_what_jms_cannot_hand_out(place, value):
    assert expect(C, Q, place, value).answer == "failed"


def test_maps_are_compared_without_their_order():
    entries = [[simple("string", "a"), simple("int", 1)], [simple("string", "b"), LIST]]
    one, other = ({"type": "map", "value": order} for order in (entries, entries[::-1]))
    assert normal(one) == normal(other)
    assert normal(one) != normal({"type": "map", "value": entries[:1]})
    assert normal(LIST) != normal({**LIST, "value": LIST["value"][::-1]})
    assert normal(None) is None


def test_reasons_are_sentences():
    assert all(text.endswith(".") for text in LOSSES.values())

from __future__ import annotations

import itertools

import pytest

from tanist.core.selector.conditions import (
    Between,
    In,
    InStrings,
    IsNull,
    Junction,
    Not,
    both,
    either,
)
from tanist.core.selector.nodes import Identifier, Literal
from tanist.core.selector.values import SelectorValue, compare
from tests.broker.core.selector.selector_model import like, written

T, F, U = True, False, None
AND_TABLE = {(T, T): T, (T, F): F, (T, U): U, (F, F): F, (F, U): F, (U, U): U}
OR_TABLE = {(T, T): T, (T, F): T, (T, U): T, (F, F): F, (F, U): U, (U, U): U}
"""Jakarta Messaging 3.1, tables 3-4 and 3-5; both are symmetric."""

SAMPLES: list[SelectorValue] = [None, True, False, 1, 2, 2.0, 3.5, "a", "b", ""]


@pytest.mark.parametrize("pair", AND_TABLE)
def test_and_or_are_the_tables(pair: tuple[bool | None, bool | None]) -> None:
    for left, right in (pair, pair[::-1]):
        assert both(left, right) is AND_TABLE[pair]
        assert either(left, right) is OR_TABLE[pair]
        operands = [Literal(left), Literal(right)]
        assert Junction(False, operands).evaluate({}.get) is AND_TABLE[pair]
        assert Junction(True, operands).evaluate({}.get) is OR_TABLE[pair]


@pytest.mark.parametrize("values", list(itertools.product((T, F, U), repeat=3)))
def test_longer_chains_are_pairs(values: tuple[bool | None, bool | None, bool | None]) -> None:
    operands = [Literal(value) for value in values]
    first, second, third = values
    assert Junction(False, operands).evaluate({}.get) is both(both(first, second), third)
    assert Junction(True, operands).evaluate({}.get) is either(either(first, second), third)


def test_not_and_null() -> None:
    assert [Not(Literal(value)).evaluate({}.get) for value in (T, F, U)] == [F, T, U]
    assert [IsNull(False, Literal(value)).evaluate({}.get) for value in (1, U)] == [F, T]
    assert [IsNull(True, Literal(value)).evaluate({}.get) for value in (1, U)] == [T, F]


@pytest.mark.parametrize("value", [0, 1, 2.5, "true", ""])
def test_what_is_no_boolean_is_unknown_as_a_condition(value: SelectorValue) -> None:
    assert Not(Literal(value)).evaluate({}.get) is None
    assert Junction(False, [Literal(value), Literal(True)]).evaluate({}.get) is None
    assert Junction(True, [Literal(value), Literal(False)]).evaluate({}.get) is None


def test_between_and_in_are_what_they_abbreviate() -> None:
    for value, low, high in itertools.product(SAMPLES, repeat=3):
        row = {"v": value, "l": low, "h": high}
        name, one, other = Identifier("v"), Identifier("l"), Identifier("h")
        inside = both(compare(">=", value, low), compare("<=", value, high))
        outside = either(compare("<", value, low), compare(">", value, high))
        assert Between(False, name, one, other).evaluate(row.get) is inside
        assert Between(True, name, one, other).evaluate(row.get) is outside
        equal = either(compare("=", value, low), compare("=", value, high))
        differ = both(compare("<>", value, low), compare("<>", value, high))
        assert In(False, name, [one, other]).evaluate(row.get) is equal
        assert In(True, name, [one, other]).evaluate(row.get) is differ


@pytest.mark.parametrize("negated", [False, True])
def test_constant_strings_become_a_set(negated: bool) -> None:
    origin = In(negated, Identifier("v"), [Literal("a"), Literal("b"), Literal("a")])
    folded = origin.folded()
    assert isinstance(folded, InStrings)
    assert folded.strings == {"a", "b"}
    assert folded.folded() is folded
    assert written(folded) == written(origin)
    for value in SAMPLES:
        assert folded.evaluate({"v": value}.get) is origin.evaluate({"v": value}.get)
    found: set[str] = set()
    folded.identify(found)
    assert found == {"v"}


@pytest.mark.parametrize("other", [Literal(1), Literal(None), Identifier("x")])
def test_other_lists_do_not(other: Literal | Identifier) -> None:
    assert isinstance(In(False, Identifier("v"), [Literal("a"), other]).folded(), In)


def test_like_knows_strings_only() -> None:
    node = like(False, Identifier("v"), "a%", "")
    outcomes = [node.evaluate({"v": value}.get) for value in ("ab", "b", 1, 1.5, True, None)]
    assert outcomes == [True, False, None, None, None, None]
    node = like(True, Identifier("v"), "a%", "")
    outcomes = [node.evaluate({"v": value}.get) for value in ("ab", "b", 1, 1.5, True, None)]
    assert outcomes == [False, True, None, None, None, None]

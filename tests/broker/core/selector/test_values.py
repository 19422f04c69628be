from __future__ import annotations

import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanist.core.selector.values import (
    LONG_MAX,
    LONG_MIN,
    SelectorValue,
    calculate,
    compare,
    signed,
)

COMPARE = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
longs = st.integers(LONG_MIN, LONG_MAX)
numbers = st.one_of(longs, st.floats())
others = st.one_of(st.booleans(), st.text(max_size=3))
anything = st.one_of(st.none(), numbers, others)


@given(st.sampled_from(sorted(COMPARE)), longs, longs)
def test_exact_numbers_compare_exactly(sign: str, left: int, right: int) -> None:
    assert compare(sign, left, right) is COMPARE[sign](left, right)
    assert compare(sign, left, left) is COMPARE[sign](0, 0)


@given(st.sampled_from(sorted(COMPARE)), numbers, st.floats())
def test_an_approximate_number_makes_both_approximate(sign: str, left: float, right: float) -> None:
    assert compare(sign, left, right) is COMPARE[sign](float(left), right)
    assert compare(sign, right, left) is COMPARE[sign](right, float(left))


@given(st.sampled_from(sorted(COMPARE)), anything)
def test_what_is_unknown_compares_unknown(sign: str, value: SelectorValue) -> None:
    assert compare(sign, value, None) is None
    assert compare(sign, None, value) is None


def kind(value: SelectorValue) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "string" if isinstance(value, str) else "number"


@given(st.sampled_from(sorted(COMPARE)), st.one_of(numbers, others), st.one_of(numbers, others))
def test_unlike_types_compare_false(sign: str, left: SelectorValue, right: SelectorValue) -> None:
    if kind(left) != kind(right):
        assert compare(sign, left, right) is False


@given(others, others)
def test_strings_and_booleans_have_no_order(left: SelectorValue, right: SelectorValue) -> None:
    assert compare("=", left, left) is True
    assert compare("<>", left, left) is False
    if kind(left) == kind(right):
        assert compare("<>", left, right) is (left != right)
    assert not any(compare(sign, left, right) for sign in ("<", "<=", ">", ">="))


CALCULATE = {"+": operator.add, "-": operator.sub, "*": operator.mul}


@given(st.sampled_from(sorted(CALCULATE)), longs, longs)
def test_exact_results_are_exact_or_approximate_beyond_a_long(
    sign: str, left: int, right: int
) -> None:
    exact = CALCULATE[sign](left, right)
    found = calculate(sign, left, right)
    if LONG_MIN <= exact <= LONG_MAX:
        assert isinstance(found, int) and found == exact
    else:
        assert isinstance(found, float) and found == float(exact)


@given(longs, longs.filter(bool))
def test_integers_divide_towards_zero(left: int, right: int) -> None:
    found = calculate("/", left, right)
    if isinstance(found, float):
        assert (left, right) == (LONG_MIN, -1)
        return
    assert isinstance(found, int)
    rest = left - found * right
    assert abs(rest) < abs(right)
    assert rest == 0 or (rest < 0) == (left < 0)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [(7, 2, 3), (-7, 2, -3), (7, -2, -3), (-7, -2, 3), (1, 3, 0), (-1, 3, 0), (0, -5, 0)],
)
def test_division(left: int, right: int, expected: int) -> None:
    assert calculate("/", left, right) == expected


@given(st.sampled_from(["+", "-", "*"]), numbers, st.floats())
def test_approximate_results(sign: str, left: float, right: float) -> None:
    assert repr(calculate(sign, left, right)) == repr(CALCULATE[sign](float(left), right))
    assert repr(calculate(sign, right, left)) == repr(CALCULATE[sign](right, float(left)))


@given(numbers, numbers)
def test_division_by_zero_is_unknown(left: float, right: float) -> None:
    zeros: list[SelectorValue] = [0, 0.0, -0.0]
    assert [calculate("/", left, zero) for zero in zeros] == [None, None, None]
    if right and not (isinstance(left, int) and isinstance(right, int)):
        assert repr(calculate("/", left, right)) == repr(float(left) / float(right))


@given(st.sampled_from("+-*/"), st.one_of(st.none(), others), anything)
def test_only_numbers_calculate(sign: str, value: SelectorValue, other: SelectorValue) -> None:
    assert calculate(sign, value, other) is None
    assert calculate(sign, other, value) is None
    assert signed(True, value) is None
    assert signed(False, value) is None


def test_signs() -> None:
    assert signed(True, 5) == -5
    assert signed(False, 5) == 5
    assert signed(True, 2.5) == -2.5
    assert repr(signed(True, 0.0)) == "-0.0"
    assert repr(signed(True, LONG_MIN)) == repr(float(2**63))

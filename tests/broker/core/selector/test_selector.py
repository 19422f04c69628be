from __future__ import annotations

import re
import sqlite3
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.core.selector import Selector
from tanist.core.selector.parser import SELECTOR_CHARS_MAX, SELECTOR_DEPTH_MAX
from tanist.core.selector.values import Lookup, SelectorValue
from tanist.types import BrokerError, Condition
from tests.broker.core.selector.selector_cases import MESSAGE, REFUSED, cases
from tests.broker.core.selector.selector_model import TYPED_ROW, typed_conditions, written


def test_there_are_enough_cases_of_each_outcome() -> None:
    outcomes = [expected for _, expected in cases()]
    assert len(set(cases())) == len(outcomes) >= 150
    assert min(outcomes.count(True), outcomes.count(False), outcomes.count(None)) >= 40


@pytest.mark.parametrize(("text", "expected"), cases())
def test_the_language(text: str, expected: bool | None) -> None:
    selector = Selector.parse(text)
    assert selector.evaluate(MESSAGE.get) is expected
    assert selector.matches(MESSAGE.get) is (expected is True)
    assert Selector.parse(str(selector)).evaluate(MESSAGE.get) is expected


@pytest.mark.parametrize(("text", "at", "problem"), REFUSED)
def test_what_is_no_selector_is_refused_with_place_and_reason(
    text: str, at: int, problem: str
) -> None:
    with pytest.raises(BrokerError) as refused:
        Selector.parse(text)
    assert refused.value.condition is Condition.INVALID_ARGUMENT
    assert refused.value.text.startswith("Invalid selector: ")
    assert problem in refused.value.text
    assert f" at character {at} " in refused.value.text + " "


@pytest.mark.parametrize("text", ["", " ", "\t\r\n\f\v "])
def test_an_empty_selector_lets_everything_pass(text: str) -> None:
    selector = Selector.parse(text)
    assert selector.matches(MESSAGE.get)
    assert str(selector) == ""
    assert selector.text == text
    assert selector.identifiers == frozenset()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("colour = 'red' AND size > 3", {"colour", "size"}),
        ("\"x-opt-a\" LIKE '%' OR amqp.priority IS NULL", {"x-opt-a", "amqp.priority"}),
        ("a + b * -c BETWEEN d AND e OR f IN (g, 'h') OR NOT i", set("abcdefgi")),
        ("a IN ('x', 'y')", {"a"}),
        ("FALSE AND a = 1 OR b", {"b"}),
        ("1 = 1", set()),
    ],
)
def test_identifiers_are_those_that_are_looked_up(text: str, names: set[str]) -> None:
    selector = Selector.parse(text)
    asked: set[str] = set()

    def lookup(name: str) -> SelectorValue:
        asked.add(name)
        return None

    selector.matches(lookup)
    assert selector.identifiers == names
    assert asked <= names
    assert selector.text == text


def test_what_the_lookup_raises_comes_out() -> None:
    def lookup(name: str) -> SelectorValue:
        raise KeyError(name)

    with pytest.raises(KeyError, match="colour"):
        Selector.parse("colour = 'red'").matches(lookup)


def test_a_decided_condition_looks_no_further() -> None:
    asked: list[str] = []

    def lookup(name: str) -> SelectorValue:
        asked.append(name)
        return MESSAGE.get(name)

    assert not Selector.parse("colour = 'blue' AND size = 5").matches(lookup)
    assert Selector.parse("flag OR size = 5").matches(lookup)
    assert asked == ["colour", "flag"]


@pytest.fixture(scope="module")
def sqlite() -> sqlite3.Connection:
    """A table of one row: ``TYPED_ROW``, in columns without a type and so without conversions."""
    database = sqlite3.connect(":memory:")
    database.execute("PRAGMA case_sensitive_like = ON")
    columns = ", ".join(TYPED_ROW)
    database.execute(f"CREATE TABLE message ({columns})")
    marks = ", ".join("?" * len(TYPED_ROW))
    database.execute(f"INSERT INTO message VALUES ({marks})", list(TYPED_ROW.values()))
    return database


@settings(max_examples=800, deadline=None)
@given(typed_conditions)
def test_sqlite_agrees(sqlite: sqlite3.Connection, tree) -> None:
    """Where the two languages mean the same: like types, no order of strings, no numbers as
    conditions, no integers that a double does not hold."""
    text = written(tree)
    (value,) = sqlite.execute(f"SELECT ({text}) FROM message").fetchone()
    expected = None if value is None else bool(value)
    assert Selector.parse(text).evaluate(TYPED_ROW.get) is expected, text


KEYWORDS = ["TRUE", "FALSE", "NULL", "NOT", "AND", "OR", "BETWEEN", "LIKE", "IN", "IS", "ESCAPE"]
OPERATORS = ["(", ")", ",", "+", "-", "*", "/", "=", "<>", "<", "<=", ">", ">="]
VALUES = ["a", "b", "amqp.x", '"q"', "'str'", "'%_'", "1", "-1", "2.5", "0x1F", "017", "1e3"]
JUNK = ["'", '"', "!", ".", "_", "\u00e9", "\u0131N", "\x00"]
WORDS = [*KEYWORDS, *OPERATORS, *VALUES, *JUNK]


@settings(max_examples=800, deadline=None)
@given(st.one_of(st.text(max_size=80), st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join)))
def test_garbage_is_a_selector_or_refused(text: str) -> None:
    try:
        selector = Selector.parse(text)
    except BrokerError as refused:
        place = re.search(r" at character (\d+)", refused.text)
        assert place and 1 <= int(place[1]) <= len(text) + 1
        assert refused.condition is Condition.INVALID_ARGUMENT
        assert len(refused.text) <= 255
        assert refused.text.isprintable()
    else:
        assert selector.evaluate(MESSAGE.get) in (True, False, None)


def repeated(unit: str, joint: str = "", head: str = "", tail: str = "") -> str:
    """The longest selector of this form."""
    room = SELECTOR_CHARS_MAX - len(head) - len(tail) - len(unit)
    return head + unit + (joint + unit) * (room // len(joint + unit)) + tail


LONG_ACCEPTED = [
    repeated("a"),
    repeated("x = 1", " OR "),
    repeated("x = y", " AND "),
    repeated("1", "+"),
    repeated("9223372036854775807", "*"),
    repeated("y", "*"),
    repeated("y", "-"),
    repeated("'a'", ",", "s IN (", ")"),
    repeated("s", ",", "s NOT IN (", ")"),
    repeated("a", "", "s LIKE '", "'"),
    repeated("%", "", "s LIKE '", "'"),
    repeated("_", "", "s LIKE '", "'"),
    repeated("a", "%", "s LIKE '%", "%b'"),
    repeated("a", "_", "s LIKE '", "%'"),
    repeated("''", "", "s = '", "'"),
    repeated('""', "", '"', '" = 1'),
    repeated("1", "", "1.", " = 1.2"),
    repeated("0", "", "0", " = 0"),
    repeated("(x)", " OR "),
    repeated("NOT (x = 1 AND y IS NULL)", " OR "),
    " " * SELECTOR_CHARS_MAX,
]
LONG_REFUSED = [
    repeated("("),
    repeated("NOT "),
    repeated("-"),
    repeated("- "),
    repeated("''", "", "'"),
    repeated('""', "", '"'),
    repeated("1"),
    repeated("x ", ""),
    repeated("(", "", "", "1"),
    repeated("a LIKE '%a_a%'", " OR "),
    repeated("a_", "", "s LIKE '%", "%'"),
    repeated("x IS NULL ", ""),
]
LONG_MESSAGE: dict[str, SelectorValue] = {"s": "a" * 65535, "y": 2**62, "x": 2}
BOUND_S = 10.0
"""Of processor time: far above what any of these takes, traced for coverage on a slow machine, and
far below what a squared length takes."""


@pytest.mark.parametrize("text", LONG_ACCEPTED, ids=lambda text: text[:12] + text[-4:])
def test_long_selectors_cost_their_length(text: str) -> None:
    assert len(text) > SELECTOR_CHARS_MAX - 30
    began = time.process_time()
    selector = Selector.parse(text)
    selector.evaluate(LONG_MESSAGE.get)
    str(selector)
    assert time.process_time() - began < BOUND_S


@pytest.mark.parametrize("text", LONG_REFUSED, ids=lambda text: text[:12] + text[-4:])
def test_long_nonsense_is_refused_soon(text: str) -> None:
    began = time.process_time()
    with pytest.raises(BrokerError):
        Selector.parse(text)
    assert time.process_time() - began < BOUND_S


def test_longer_selectors_are_refused() -> None:
    with pytest.raises(BrokerError, match="at most 65536 characters"):
        Selector.parse("a" * (SELECTOR_CHARS_MAX + 1))


def at_depth(frames: int, text: str, lookup: Lookup) -> tuple[bool | None, str]:
    """Parse, evaluate and write ``text`` so many calls deep."""
    if frames:
        return at_depth(frames - 1, text, lookup)
    selector = Selector.parse(text)
    return selector.evaluate(lookup), str(selector)


DEEPEST = {
    "parentheses": ("(", "x = 1", ")"),
    "not": ("NOT ", "x = 1", ""),
    "signs": ("- ", "x", ""),
    "the first operand": ("(", "x = 1", " OR y = 2)"),
    "all rules": ("x OR y AND z = y + z * (", "x", ")"),
    "lists": ("x IN (1, y * (", "x", "))"),
}


@pytest.mark.parametrize("shape", DEEPEST)
def test_the_deepest_selectors_leave_room_on_the_stack(shape: str) -> None:
    opening, middle, closing = DEEPEST[shape]
    levels = SELECTOR_DEPTH_MAX
    text = opening * levels + middle + closing * levels
    assert sys.getrecursionlimit() == 1000
    value, again = at_depth(300, text, MESSAGE.get)
    assert value in (True, False, None)
    assert str(Selector.parse(again)) == again
    deeper = opening * (levels + 1) + middle + closing * (levels + 1)
    with pytest.raises(BrokerError, match=f"at most {SELECTOR_DEPTH_MAX} parentheses"):
        Selector.parse(deeper)

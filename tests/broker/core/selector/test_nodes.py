from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tanist.core.selector.conditions import Comparison, Junction
from tanist.core.selector.nodes import (
    Arithmetic,
    Identifier,
    Literal,
    Node,
    Sign,
    are_literals,
    constant,
    is_plain,
    quoted,
)
from tanist.core.selector.parser import parse
from tests.broker.core.selector.selector_model import shape, trees, values, written


@settings(max_examples=500, deadline=None)
@given(trees)
@example(Sign(True, Literal(5)))
@example(Sign(True, Literal(-5)))
@example(Sign(True, Sign(True, Literal(-0.0))))
@example(Sign(False, Literal(True)))
@example(Arithmetic(Literal(-1), "--", [Literal(-1), Sign(True, Identifier("-"))]))
def test_a_tree_written_and_parsed_is_the_same_tree(tree: Node) -> None:
    text = written(tree)
    again = parse(text)
    assert again is not None
    assert shape(again) == shape(tree), text
    assert written(again) == text


rows = st.fixed_dictionaries(
    {
        name: st.one_of(st.none(), values, st.floats())
        for name in ("a", "b", "n", "amqp.to", "AND", "true", "x-y")
    }
)


@settings(max_examples=500, deadline=None)
@given(trees, rows)
def test_folding_changes_no_value(tree: Node, row) -> None:
    folded = tree.folded()
    assert repr(folded.evaluate(row.get)) == repr(tree.evaluate(row.get)), written(tree)
    assert written(folded.folded()) == written(folded)
    asked: set[str] = set()
    names: set[str] = set()
    folded.identify(names)
    folded.evaluate(lambda name: asked.add(name) or row.get(name))
    assert asked <= names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", "7"),
        ("-(5)", "-5"),
        ("x + (1 + 2)", "x + 3"),
        ("x = 'a' AND 1 = 1", "x = 'a'"),
        ("x = 'a' AND 1 = 2", "FALSE"),
        ("1 = 1 OR x", "TRUE"),
        ("x OR (y AND FALSE)", "x"),
        ("x IN (1, 1 + 1)", "x IN (1, 2)"),
        ("x BETWEEN 1 + 1 AND y", "x BETWEEN 2 AND y"),
        ("NOT (1 > 2)", "TRUE"),
        ("'abc' LIKE 'a%'", "TRUE"),
        ("1 / 0 IS NULL", "TRUE"),
        ("2 BETWEEN 1 AND 3 AND 'a' IN ('a', 'b')", "TRUE"),
        ("x IS NULL AND NOT y LIKE '%'", "x IS NULL AND NOT y LIKE '%'"),
    ],
)
def test_constants_are_folded(text: str, expected: str) -> None:
    tree = parse(text)
    assert tree is not None
    assert written(tree.folded()) == expected


def test_a_single_operand_that_is_left_is_still_a_condition() -> None:
    tree = parse("5 AND TRUE")
    assert tree is not None
    assert tree.folded().evaluate({}.get) is None
    tree = parse("(x AND TRUE) IS NULL")
    assert tree is not None
    assert tree.folded().evaluate({"x": 5}.get) is True


def test_plain_names_need_no_quotes() -> None:
    assert all(is_plain(name) for name in ("a", "_", "$x", "amqp.to", "nullable", "größe"))
    assert not any(is_plain(name) for name in ("", "1a", "a b", "a-b", ".a", "null", "In", "a'"))


def test_quotes_are_doubled() -> None:
    assert quoted("it's", "'") == "'it''s'"
    assert quoted("a\"b'", '"') == '"a""b\'"'


def test_only_literals_are_constant() -> None:
    assert are_literals([]) and are_literals([Literal(1), Literal(None)])
    assert not are_literals([Literal(1), Identifier("a")])
    value = constant(Comparison(Literal(1), "<", Literal(2)))
    assert isinstance(value, Literal) and value.value is True
    with pytest.raises(AssertionError, match="does not look up a"):
        constant(Junction(True, [Identifier("a")]))


def test_what_has_a_sign_of_its_own() -> None:
    assert Literal(0).is_unsigned() and Literal(1e300).is_unsigned()
    unsigned = [Literal(-1), Literal(-0.0), Literal("1"), Literal(True), Literal(None)]
    assert not any(literal.is_unsigned() for literal in unsigned)

from __future__ import annotations

import itertools
from collections.abc import Sequence
from importlib.resources import files
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.core.selector.nodes import Node
from tanist.core.selector.parser import (
    FLOATING_CHARS_MAX,
    SELECTOR_CHARS_MAX,
    SELECTOR_DEPTH_MAX,
    parse,
)
from tanist.core.selector.tokens import KEYWORDS, OPERATORS
from tanist.types import BrokerError
from tests.broker.core.selector.ebnf import Expression, Grammar, Language
from tests.broker.core.selector.selector_model import shape

GRAMMAR = Grammar(files("tanist.core.selector").joinpath("grammar.ebnf").read_text("utf-8"))
SAMPLES = {
    "identifier": "a",
    "string": "'bb'",
    "character": "'~'",
    "exact": "1",
    "approximate": "2.5",
}
"""One token for each rule of the grammar's second part that the first part uses."""


def terminal(name: str, symbol: str) -> bool | None:
    """Whether ``symbol`` is a token of this name; a character is a string as well."""
    if name not in SAMPLES:
        return None
    return symbol == SAMPLES[name] or (name == "string" and symbol == SAMPLES["character"])


LANGUAGE = Language(GRAMMAR, terminal)
ALPHABET = sorted([*KEYWORDS, *OPERATORS, *SAMPLES.values()])


def accepted(words: Sequence[str]) -> bool:
    """Whether the parser takes it, up to what the grammar leaves to words."""
    try:
        parse(" ".join(words))
    except BrokerError as refused:
        return "expected a character to escape" in refused.text
    return True


def words_of(rule: Expression) -> set[str]:
    """The keywords and operators of a rule."""
    return set().union({rule.name} if rule.kind == "word" else (), *map(words_of, rule.parts))


def test_the_grammar_names_all_keywords_and_operators() -> None:
    first = itertools.takewhile(lambda rule: rule[0] != "identifier", GRAMMAR.rules.items())
    assert set().union(*(words_of(rule) for _, rule in first)) == KEYWORDS | OPERATORS


def test_short_texts_are_accepted_as_the_grammar_says() -> None:
    count = 0
    for length in range(4):
        for words in itertools.product(ALPHABET, repeat=length):
            expected = LANGUAGE.has("selector", words)
            assert accepted(words) is expected, words
            count += expected
    assert count > 50


@settings(max_examples=800, deadline=None)
@given(st.lists(st.sampled_from(ALPHABET), min_size=4, max_size=12))
def test_random_tokens_are_accepted_as_the_grammar_says(words: list[str]) -> None:
    assert accepted(words) is LANGUAGE.has("selector", words)


@settings(max_examples=800, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(ALPHABET), st.integers(0, 10**6))
def test_sentences_of_the_grammar_are_accepted_and_their_neighbours_as_it_says(
    seed: int, word: str, place: int
) -> None:
    words = LANGUAGE.sentence("selector", Random(seed), SAMPLES, 200)
    assert accepted(words), words
    at = place % (len(words) + 1)
    for neighbour in ([*words[:at], word, *words[at:]], [*words[:at], *words[at + 1 :]]):
        assert accepted(neighbour) is LANGUAGE.has("selector", neighbour), neighbour


def tree(text: str) -> Node:
    node = parse(text)
    assert node is not None
    return node


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("a OR b AND c", "a OR (b AND c)"),
        ("NOT a AND b", "(NOT a) AND b"),
        ("NOT a = b", "NOT (a = b)"),
        ("NOT a IS NULL", "NOT (a IS NULL)"),
        ("a + b * c", "a + (b * c)"),
        ("-a * b", "(-a) * b"),
        ("a + b = c - d", "(a + b) = (c - d)"),
        ("a BETWEEN b AND c AND d", "(a BETWEEN b AND c) AND d"),
        ("a BETWEEN b + 1 AND c * 2 OR d", "(a BETWEEN (b + 1) AND (c * 2)) OR d"),
        ("a = b", "(a) = (b)"),
        ("+5", "5"),
        ("+ 5.0", "5.0"),
        ("- 5 * a", "(-5) * a"),
        ("'a''b' = \"c\"", "('a''b') = c"),
        ("x In ( a )", "x IN (a)"),
    ],
)
def test_precedence(text: str, meaning: str) -> None:
    assert shape(tree(text)) == shape(tree(meaning))


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("a - b - c", "a - (b - c)"),
        ("a / b / c", "a / (b / c)"),
        ("(a OR b) AND c", "a OR b AND c"),
        ("NOT (a AND b)", "NOT a AND b"),
        ("-(5)", "-5"),
        ("(a + b) + c", "a + b + c"),
        ("a = 'B'", "a = 'b'"),
        ("A = 1", "a = 1"),
        ("a = 1", "a = 1.0"),
    ],
)
def test_what_differs(text: str, other: str) -> None:
    assert shape(tree(text)) != shape(tree(other))


def test_nothing_is_no_tree() -> None:
    assert parse("") is None
    assert parse(" \n") is None


def test_the_length_is_limited() -> None:
    assert parse("a" * SELECTOR_CHARS_MAX) is not None
    with pytest.raises(BrokerError, match=f"at most {SELECTOR_CHARS_MAX} characters"):
        parse(" " * (SELECTOR_CHARS_MAX + 1))


@pytest.mark.parametrize(
    ("opening", "closing"), [("(", ")"), ("NOT ", ""), ("-", ""), ("+ ", ""), ("NOT (-(", "))")]
)
def test_the_depth_is_limited(opening: str, closing: str) -> None:
    levels = SELECTOR_DEPTH_MAX // len(opening.replace(" ", "").replace("NOT", "N"))
    parse(opening * levels + "a" + closing * levels)
    with pytest.raises(BrokerError, match=f"at most {SELECTOR_DEPTH_MAX} parentheses") as refused:
        parse(opening * (levels + 1) + "a" + closing * (levels + 1))
    assert f"at character {levels * len(opening) + 1} " in refused.value.text


def test_the_depth_counts_only_what_is_open() -> None:
    parse(" AND ".join(["NOT (-(a) = - - 1)"] * 500))


def test_floating_parts_of_patterns_are_limited_together() -> None:
    half = "a_" * (FLOATING_CHARS_MAX // 4 - 1) + "ab"
    parse(f"a LIKE '%{half}%' AND b LIKE '%{half}%' AND c LIKE '{half * 9}%{half * 9}'")
    with pytest.raises(BrokerError, match=f"at most {FLOATING_CHARS_MAX} characters beside an _"):
        parse(f"a LIKE '%{half}%' AND b LIKE '%{half}%' AND c LIKE '%a_b%'")

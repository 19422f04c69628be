from __future__ import annotations

from tanist.core.selector.errors import EXCERPT_CHARS, invalid, shown
from tanist.types import Condition


def test_an_error_says_what_and_where() -> None:
    error = invalid("a = )", 4, "expected a value")
    assert error.condition is Condition.INVALID_ARGUMENT
    assert error.text == "Invalid selector: expected a value at character 5 near 'a = )'"


def test_nothing_is_quoted_from_an_empty_text() -> None:
    assert invalid("", 0, "no").text == "Invalid selector: no at character 1"


def test_the_excerpt_is_cut_and_escaped() -> None:
    text = invalid("a" * 99 + "\n!\x00" + "b" * 99, 100, "no").text
    begin, end = "a" * (EXCERPT_CHARS - 1), "b" * (EXCERPT_CHARS - 2)
    assert text == f"Invalid selector: no at character 101 near '{begin}\\n!\\x00{end}'"


def test_words_are_cut_and_escaped() -> None:
    assert shown("a'b") == '"a\'b"'
    assert shown("\x1b[2J") == "'\\x1b[2J'"
    assert shown("x" * 24) == repr("x" * 24)
    assert shown("x" * 25) == repr("x" * 24 + "...")

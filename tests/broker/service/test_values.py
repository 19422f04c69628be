"""Words as values: every spelling users may write, and a clear refusal for the rest."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.service.values import is_flag, parse_flag, parse_number, parse_seconds


@pytest.mark.parametrize("word", ["yes", "true", "on", "1", "True", "YES", "oN", " yes "])
def test_words_for_yes(word):
    assert parse_flag(word) is True
    assert is_flag(word)


@pytest.mark.parametrize("word", ["no", "false", "off", "0", "False", "NO", "oFF"])
def test_words_for_no(word):
    assert parse_flag(word) is False
    assert is_flag(word)


@pytest.mark.parametrize("word", ["", "y", "2", "maybe", "yes no"])
def test_other_words_are_no_booleans(word):
    assert not is_flag(word)
    with pytest.raises(ValueError, match="yes or no"):
        parse_flag(word)


@given(st.integers(min_value=0, max_value=10**18 - 1))
@settings(max_examples=30, deadline=None)
def test_whole_numbers(number):
    assert parse_number(f" {number}") == number


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.5", "0x10", "1_000", "٣", "1" * 19])
def test_not_whole_numbers(text):
    with pytest.raises(ValueError, match="whole number"):
        parse_number(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2", 2.0),
        ("0.5", 0.5),
        ("0.5s", 0.5),
        ("100ms", 0.1),
        ("250us", 0.00025),
        ("1000000000ns", 1.0),
        ("10 s", 10.0),
        ("1e1", 10.0),
        ("0", 0.0),
    ],
)
def test_durations(text, seconds):
    assert parse_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "ten", "-1", "nan", "inf", "1e300", "5m", "5h"])
def test_not_durations(text):
    with pytest.raises(ValueError, match="not a duration"):
        parse_seconds(text)

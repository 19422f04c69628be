from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.core.selector.like import Part, compile_pattern
from tanist.core.selector.parser import FLOATING_CHARS_MAX


def fits(pattern: str, escape: str, value: str) -> bool:
    """The definition: the set of places in the value that each prefix of the pattern reaches."""
    reached = {0}
    at = 0
    while at < len(pattern):
        char = pattern[at]
        plain = char not in "%_"
        if char == escape:
            at += 1
            char = pattern[at]
            plain = True
        if plain:
            reached = {i + 1 for i in reached if value[i : i + 1] == char}
        elif char == "_":
            reached = {i + 1 for i in reached if i < len(value)}
        else:
            reached = set(range(min(reached), len(value) + 1)) if reached else set()
        at += 1
    return len(value) in reached


@settings(max_examples=1500, deadline=None)
@given(
    st.text(st.sampled_from("ab%%__~\u2603"), max_size=10),
    st.sampled_from(["", "~", "a", "%", "_"]),
    st.text(st.sampled_from("ab%_~\u2603"), max_size=12),
)
def test_matching_is_the_definition(pattern: str, escape: str, value: str) -> None:
    compiled = compile_pattern(pattern, escape)
    try:
        expected = fits(pattern, escape, value)
    except IndexError:
        assert compiled is None
        return
    assert compiled is not None
    assert compiled.matches(value) is expected


def test_all_short_patterns_are_the_definition() -> None:
    values = ["".join(chars) for size in range(5) for chars in itertools.product("ab", repeat=size)]
    for size in range(7):
        for chars in itertools.product("ab%_", repeat=size):
            pattern = "".join(chars)
            compiled = compile_pattern(pattern, "")
            assert compiled is not None
            found = [value for value in values if compiled.matches(value)]
            assert found == [value for value in values if fits(pattern, "", value)], pattern


def test_an_escape_character_at_the_end_is_refused() -> None:
    assert compile_pattern("a~", "~") is None
    assert compile_pattern("~", "~") is None
    assert compile_pattern("a~~", "~") is not None
    assert compile_pattern("a", "") is not None


@pytest.mark.parametrize(
    ("pattern", "floating", "shortest"),
    [
        ("", 0, 0),
        ("%", 0, 0),
        ("abc", 0, 3),
        ("a_c%d_f", 0, 6),
        ("%abc%", 0, 3),
        ("%a_c%", 3, 3),
        ("%_a_%", 0, 3),
        ("x%a_c%__%d_f_%y", 7, 11),
    ],
)
def test_what_has_to_be_looked_for_is_counted(pattern: str, floating: int, shortest: int) -> None:
    compiled = compile_pattern(pattern, "")
    assert compiled is not None
    assert (compiled.floating_chars, compiled.shortest) == (floating, shortest)


def test_a_part_is_found_where_all_its_runs_stand() -> None:
    part = Part([0, 3], ["a", "bc"], 5)
    assert part.find("axxbbaxxbc", 0, 10) == 5
    assert part.find("axxbbaxxbc", 0, 9) == -1
    assert part.find("axxbcaxxbc", 1, 10) == 5
    assert Part([], [], 2).find("abc", 1, 3) == 1
    assert Part([], [], 2).find("abc", 2, 3) == -1


BOUND_S = 10.0
"""Of processor time: the slowest takes 0.3 s; a squared length would take an hour."""
HOSTILE = [
    "%" + "a" * (FLOATING_CHARS_MAX - 2) + "_b%",
    "%" + "a_" * (FLOATING_CHARS_MAX // 2 - 1) + "b%",
    "%b_" + "a_" * (FLOATING_CHARS_MAX // 2 - 2) + "b%",
    "%" + "a%" * 20000 + "b",
    "%" + "a" * 30000 + "b%",
    "%b" + "a" * 30000 + "%",
    "a_" * 32000 + "%b",
    "%_" * 30000 + "b%",
]


@pytest.mark.parametrize("pattern", HOSTILE, ids=lambda pattern: pattern[:6])
def test_no_pattern_takes_long(pattern: str) -> None:
    compiled = compile_pattern(pattern, "")
    assert compiled is not None
    assert compiled.floating_chars <= FLOATING_CHARS_MAX
    began = time.process_time()
    assert not compiled.matches("a" * 65535)
    assert time.process_time() - began < BOUND_S

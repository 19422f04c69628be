from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.core.topics import TopicIndex, is_plain, normal


def fits(pattern: list[str], key: list[str]) -> bool:
    """The textbook definition (exponential, for short inputs)."""
    if not pattern:
        return not key
    if pattern[0] == "#":
        return fits(pattern[1:], key) or (bool(key) and fits(pattern, key[1:]))
    return bool(key) and pattern[0] in ("*", key[0]) and fits(pattern[1:], key[1:])


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a.b", "a.b"),
        ("#.#.#", "#"),
        ("#.*", "*.#"),
        ("#.*.#.*.a.#.#", "*.*.#.a.#"),
        ("#a.#b", "#a.#b"),
        ("", ""),
    ],
)
def test_normal_form(pattern: str, expected: str) -> None:
    assert normal(pattern) == expected
    assert normal(expected) == expected


def test_plain_patterns() -> None:
    assert all(is_plain(pattern) for pattern in ("", "a", "a.b", "a*", "#b.c#", "a..b"))
    assert not any(is_plain(pattern) for pattern in ("*", "#", "a.*", "#.b", "a.#.b"))


words = st.lists(st.sampled_from(["a", "b", ""]), min_size=1, max_size=5)
patterns = st.lists(st.sampled_from(["a", "b", "", "*", "#"]), min_size=1, max_size=5)


@settings(max_examples=300, deadline=None)
@given(st.lists(patterns, max_size=5), st.lists(patterns, max_size=3), words)
def test_match_is_the_definition(
    kept: list[list[str]], removed: list[list[str]], key: list[str]
) -> None:
    index = TopicIndex()
    wanted = {normal(".".join(pattern)) for pattern in kept}
    gone = {normal(".".join(pattern)) for pattern in removed} - wanted
    wanted = {pattern for pattern in wanted if not is_plain(pattern)}
    for pattern in sorted(wanted | gone):
        index.add(pattern)
    for pattern in sorted(gone):
        index.remove(pattern)
    found = index.match(".".join(key))
    assert sorted(found) == sorted(pattern for pattern in wanted if fits(pattern.split("."), key))
    for pattern in wanted:
        index.remove(pattern)
    assert index.match(".".join(key)) == []
    assert index.empty


@settings(max_examples=100, deadline=None)
@given(patterns, words)
def test_normal_form_means_the_same(pattern: list[str], key: list[str]) -> None:
    assert fits(pattern, key) == fits(normal(".".join(pattern)).split("."), key)


def test_adversarial_patterns_are_linear() -> None:
    index = TopicIndex()
    index.add(normal(".".join(["#"] * 128)))
    index.add(normal(".".join(["#", "a"] * 63)))
    index.add(normal(".".join(["#", "*", "b"] * 42)))
    key = ".".join(["a"] * 127) + ".c"
    started = time.perf_counter()
    for _ in range(10):
        assert index.match(key) == ["#"]
    assert time.perf_counter() - started < 2


def test_many_patterns_cost_only_their_prefix() -> None:
    index = TopicIndex()
    for first, second in itertools.product(range(30), range(30)):
        index.add(f"{first}.*.{second}")
    assert index.match("7.x.8") == ["7.*.8"]
    assert index.match("x.y.z") == []

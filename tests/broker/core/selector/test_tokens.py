from __future__ import annotations

import pytest

from tanist.core.selector.tokens import END, KEYWORDS, OPERATORS, keyword, tokens
from tanist.types import BrokerError


def seen(text: str) -> list[tuple[str, str]]:
    return [(token.kind, token.text) for token in tokens(text)]


def test_all_kinds() -> None:
    assert seen("a.b = 'x''y' AND \"in\" >= -1.5") == [
        ("identifier", "a.b"),
        ("=", "="),
        ("string", "x'y"),
        ("AND", "AND"),
        ("identifier", "in"),
        (">=", ">="),
        ("-", "-"),
        ("approximate number", "1.5"),
        ("end", ""),
    ]


def test_numbers_have_their_values() -> None:
    exact, approximate, end = tokens("0x1F 1e3")
    assert (exact.kind, exact.exact) == ("exact number", 31)
    assert (approximate.kind, approximate.approximate) == ("approximate number", 1000.0)
    assert (end.kind, end.at) == (END, 8)


def test_places() -> None:
    assert [(token.at, token.end) for token in tokens(" a  <>'' ")] == [
        (1, 2),
        (4, 6),
        (6, 8),
        (9, 9),
    ]


def test_the_longest_operator_wins() -> None:
    assert [kind for kind, _ in seen("<=><>=<<>")] == ["<=", ">", "<>", "=", "<", "<>", END]
    assert {kind for kind, _ in seen(" ".join(sorted(OPERATORS)))} == OPERATORS | {END}


def test_the_longest_number_wins_and_words_may_touch_it() -> None:
    words = ["1", "and", "2.5", ".5", "3.e50", "easy", "0", "kill", ""]
    assert [text for _, text in seen("1and 2.5.5 3.e50easy 0kill")] == words


@pytest.mark.parametrize("word", sorted(KEYWORDS))
def test_keywords_in_any_case(word: str) -> None:
    assert [kind for kind, _ in seen(f"{word} {word.lower()} {word.title()}")] == [word] * 3 + [END]
    assert keyword(word + "x") == keyword("_" + word) == keyword(word + ".") == ""


def test_only_ascii_makes_a_keyword() -> None:
    assert "\u0131n".upper() == "IN" and "i\u017f".upper() == "IS"
    assert seen("\u0131n i\u017f") == [
        ("identifier", "\u0131n"),
        ("identifier", "i\u017f"),
        ("end", ""),
    ]


@pytest.mark.parametrize("char", ["!", "#", "%", "&", ";", "?", "@", "[", "`", "{", "|", "~", "."])
def test_other_characters_are_refused(char: str) -> None:
    with pytest.raises(BrokerError, match="at character 3"):
        tokens(f"a {char}")

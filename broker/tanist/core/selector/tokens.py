"""A selector's text to tokens. Keywords in any case; white space is Java's, between tokens only."""

from __future__ import annotations

from typing import Final

from tanist.core.selector.errors import invalid, shown
from tanist.core.selector.literals import (
    DECIMAL,
    NumberReader,
    identifier_end,
    quoted_end,
    starts_identifier,
    unquoted,
)

END: Final = "end"
IDENTIFIER: Final = "identifier"
STRING: Final = "string"
EXACT: Final = "exact number"
APPROXIMATE: Final = "approximate number"
"""Kinds of tokens. That of a keyword or an operator is the word itself, as in the grammar."""

KEYWORDS: Final = frozenset(
    ("AND", "BETWEEN", "ESCAPE", "FALSE", "IN", "IS", "LIKE", "NOT", "NULL", "OR", "TRUE")
)

OPERATORS: Final = frozenset(("(", ")", ",", "+", "-", "*", "/", "=", "<>", "<", "<=", ">", ">="))

WHITE_SPACE: Final = " \t\n\r\f\v"
"""Java has no vertical tab; the original takes it."""


class Token:
    """One token: ``text`` is the name of an identifier or the content of a string, unquoted.

    ``exact`` and ``approximate`` are the values of the two kinds of numbers; ``at`` and ``end``
    are the indexes where the token begins and behind it.
    """

    __slots__ = ("approximate", "at", "end", "exact", "kind", "text")

    def __init__(self, kind: str, text: str, at: int, end: int) -> None:
        self.kind = kind
        self.text = text
        self.at = at
        self.end = end
        self.exact = 0
        self.approximate = 0.0


def keyword(word: str) -> str:
    """The keyword that ``word`` is, in upper case; empty if it is none.

    Only ASCII letters count: ``upper`` would make keywords of words with a dotless i or a long s.
    """
    if word.isascii() and (upper := word.upper()) in KEYWORDS:
        return upper
    return ""


def tokens(text: str) -> list[Token]:
    """All tokens of ``text``, then one END. Raises: BrokerError (INVALID_ARGUMENT)."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        if text[at] in WHITE_SPACE:
            at += 1
        else:
            found.append(_token(text, at))
            at = found[-1].end
    found.append(Token(END, "", len(text), len(text)))
    return found


def _token(text: str, at: int) -> Token:
    char = text[at]
    if starts_identifier(char):
        end = identifier_end(text, at)
        word = text[at:end]
        return Token(keyword(word) or IDENTIFIER, word, at, end)
    if char in DECIMAL or (char == "." and text[at + 1 : at + 2] in tuple(DECIMAL)):
        return _number(text, at)
    if char in ("'", '"'):
        end = quoted_end(text, at)
        return Token(STRING if char == "'" else IDENTIFIER, unquoted(text, at, end), at, end)
    for length in (2, 1):
        operator = text[at : at + length]
        if operator in OPERATORS:
            return Token(operator, operator, at, at + length)
    hint = " (not equal is written <>)" if char == "!" else ""
    raise invalid(text, at, f"unexpected {shown(char)}{hint}")


def _number(text: str, at: int) -> Token:
    reader = NumberReader(text, at)
    reader.read()
    token = Token(EXACT if reader.is_exact else APPROXIMATE, text[at : reader.end], at, reader.end)
    token.exact = reader.exact
    token.approximate = reader.approximate
    return token

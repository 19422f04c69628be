"""Literals and identifiers of a selector: where one ends, and what it means.

Numbers are those of the Java Language Specification, 3.10.1 and 3.10.2: decimal, hexadecimal,
octal and binary integers of 64 bits with an optional ``L``, decimal and hexadecimal floating-point
numbers with an optional ``F`` or ``D``, and underscores between digits. Identifiers are Java's
(``Character.isJavaIdentifierStart`` and ``isJavaIdentifierPart``, by the Unicode tables of this
Python), and may hold dots, as in ``amqp.priority``.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from tanist.core.selector.errors import invalid, shown
from tanist.core.selector.values import LONG_MAX
from tanist.types import BrokerError

DECIMAL: Final = "0123456789"
HEXADECIMAL: Final = "0123456789abcdefABCDEF"
OCTAL: Final = "01234567"
BINARY: Final = "01"

LONG_DIGITS_MAX: Final = 19
"""The largest Java long has 19 digits. Longer ones are refused before they become a number: that
takes the square of their length, and Python refuses more than 4,300 digits."""

_START_CATEGORIES: Final = frozenset(("Lu", "Ll", "Lt", "Lm", "Lo", "Nl", "Sc", "Pc"))
_PART_CATEGORIES: Final = _START_CATEGORIES | {"Nd", "Mn", "Mc", "Cf"}


def starts_identifier(char: str) -> bool:
    """Whether an identifier may begin with ``char``."""
    if char.isascii():
        return char.isalpha() or char in "_$"
    return unicodedata.category(char) in _START_CATEGORIES


def continues_identifier(char: str) -> bool:
    """Whether an identifier may go on with ``char``."""
    if char.isascii():
        return char.isalnum() or char in "_$." or _ignorable(char)
    return unicodedata.category(char) in _PART_CATEGORIES or _ignorable(char)


def _ignorable(char: str) -> bool:
    """The control characters of ``Character.isIdentifierIgnorable``; the rest of it is Cf."""
    return char < "\t" or "\x0e" <= char <= "\x1b" or "\x7f" <= char <= "\x9f"


def identifier_end(text: str, start: int) -> int:
    """The index behind the identifier at ``start``."""
    end = start + 1
    while end < len(text) and continues_identifier(text[end]):
        end += 1
    return end


def quoted_end(text: str, start: int) -> int:
    """The index behind what is quoted at ``start``; a doubled quote does not end it.

    Raises: BrokerError (INVALID_ARGUMENT) if nothing ends it.
    """
    quote = text[start]
    at = start + 1
    while True:
        at = text.find(quote, at)
        if at < 0:
            raise invalid(text, start, f"expected {quote} to end what begins")
        if not text.startswith(quote, at + 1):
            return at + 1
        at += 2


def unquoted(text: str, start: int, end: int) -> str:
    """What stands between the quotes at ``start`` and before ``end``."""
    quote = text[start]
    return text[start + 1 : end - 1].replace(quote + quote, quote)


class NumberReader:
    """Reads the number at ``start`` of ``text``; ``end`` is the index behind it.

    ``exact`` is its value if ``is_exact``, else ``approximate`` is. The decimal 2^63, which Java
    has behind a minus only, is let through: the parser knows of the minus.
    """

    __slots__ = ("approximate", "end", "exact", "is_exact", "start", "text")

    def __init__(self, text: str, start: int) -> None:
        self.text = text
        self.start = start
        self.end = start
        self.is_exact = False
        self.exact = 0
        self.approximate = 0.0

    def read(self) -> None:
        """Read it. Raises: BrokerError (INVALID_ARGUMENT) for what is no number of Java."""
        prefix = self.text[self.start : self.start + 2].lower()
        if prefix == "0x":
            self.end += 2
            self._hexadecimal()
        elif prefix == "0b":
            self.end += 2
            self._based(2, self._digits(BINARY, "a binary digit"))
        else:
            self._decimal()

    def _peek(self, chars: str) -> bool:
        return self.end < len(self.text) and self.text[self.end] in chars

    def _skip(self, chars: str) -> bool:
        """Whether one of ``chars`` was there; it is passed over."""
        if self._peek(chars):
            self.end += 1
            return True
        return False

    def _digits(self, allowed: str, name: str) -> str:
        """One digit or more, without their underscores, which stand between digits only."""
        begin = self.end
        while True:
            if not self._skip(allowed):
                raise invalid(self.text, self.end, f"expected {name}")
            while self._skip(allowed):
                pass
            if not self._skip("_"):
                return self.text[begin : self.end].replace("_", "")
            while self._skip("_"):
                pass

    def _decimal(self) -> None:
        digits = "" if self._peek(".") else self._digits(DECIMAL, "a digit")
        point = self._skip(".")
        if point and (not digits or self._peek(DECIMAL)):
            self._digits(DECIMAL, "a digit")
        exponent = self._exponent("eE")
        if self._skip("fFdD") or point or exponent:
            literal = self.text[self.start : self.end].replace("_", "").rstrip("fFdD")
            self._approximate(literal.lower().partition("e")[0], float(literal))
        elif len(digits) > 1 and digits[0] == "0":
            if digits.strip(OCTAL):
                raise invalid(self.text, self.start, "expected octal digits after 0")
            self._based(8, digits)
        else:
            if len(digits) > LONG_DIGITS_MAX or int(digits) > LONG_MAX + 1:
                raise self._too_large()
            self._exact(int(digits))

    def _exponent(self, marks: str) -> bool:
        if not self._skip(marks):
            return False
        self._skip("+-")
        self._digits(DECIMAL, "a digit of the exponent")
        return True

    def _hexadecimal(self) -> None:
        digits = "" if self._peek(".") else self._digits(HEXADECIMAL, "a hexadecimal digit")
        point = self._skip(".")
        if point and (not digits or self._peek(HEXADECIMAL)):
            self._digits(HEXADECIMAL, "a hexadecimal digit")
        if self._exponent("pP"):
            literal = self.text[self.start : self.end].replace("_", "")
            self._skip("fFdD")
            try:
                value = float.fromhex(literal)
            except OverflowError:
                raise self._too_large() from None
            mantissa = literal.lower().partition("p")[0]
            self._approximate(mantissa[2:], value)
        elif point:
            raise invalid(self.text, self.end, "expected p and an exponent of two")
        else:
            self._based(16, digits)

    def _based(self, base: int, digits: str) -> None:
        """An integer of 64 bits, the highest of which is its sign."""
        significant = digits.lstrip("0")
        if len(significant) > 64 or (value := int(significant or "0", base)) >= 2**64:
            raise self._too_large()
        self._exact(value if value <= LONG_MAX else value - 2**64)

    def _exact(self, value: int) -> None:
        self._skip("lL")
        self.is_exact = True
        self.exact = value

    def _approximate(self, mantissa: str, value: float) -> None:
        """As in Java, a number may be neither too large nor, unless it is 0, too small."""
        if value == float("inf") or (value == 0.0 and mantissa.strip("0.")):
            raise self._too_large()
        self.approximate = value

    def _too_large(self) -> BrokerError:
        literal = shown(self.text[self.start : self.end])
        return invalid(self.text, self.start, f"{literal} is beyond the range of numbers")

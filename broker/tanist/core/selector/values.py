"""Values in selectors: comparing them and calculating with them.

A value is a bool, an int (exact number), a float (approximate number), a str, or None: NULL and
unknown are the same. The rules are those of Jakarta Messaging 3.1, 3.8.1.1 and 3.8.1.2:

* With an unknown value everything is unknown.
* Only like types compare: numbers with numbers, strings with strings, booleans with booleans. Else
  the comparison is *false*, whatever its operator; not unknown, so that ``NOT`` makes it true.
* Strings and booleans know ``=`` and ``<>`` only; the other comparisons of them are false.
* If one of two numbers is approximate, both become approximate first.

Where Java and SQL go apart: exact results are exact in the 64 bits of a Java long and become
approximate beyond (Java would wrap), and division by zero is unknown, approximate or not (Java
has Infinity). Integers divide as in Java, towards zero. NaN is as in Java: unequal to everything.

No value grows: the result of a calculation is 64 bits wide, so each costs the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

SelectorValue = bool | int | float | str | None
"""What an identifier may stand for. Exact numbers have at most 64 bits, signed or unsigned."""

Lookup = Callable[[str], SelectorValue]
"""Finds the value of an identifier; None for one that the message does not have, and for values
of other types (lists, bytes), which no operator takes and compiled code would refuse."""

LONG_MIN: Final = -(2**63)
LONG_MAX: Final = 2**63 - 1


def compare(operator: str, left: SelectorValue, right: SelectorValue) -> bool | None:
    """``left operator right`` with ``=``, ``<>``, ``<``, ``<=``, ``>`` or ``>=``."""
    if left is None or right is None:
        return None
    if isinstance(left, str):
        if not isinstance(right, str):
            return False
        if operator == "=":
            return left == right
        return operator == "<>" and left != right
    if isinstance(left, bool) or isinstance(right, bool):
        if not (isinstance(left, bool) and isinstance(right, bool)):
            return False
        if operator == "=":
            return left is right
        return operator == "<>" and left is not right
    if isinstance(right, str):
        return False
    if isinstance(left, float) or isinstance(right, float):
        return _compare_approximate(operator, float(left), float(right))
    return _compare_exact(operator, left, right)


def _compare_exact(operator: str, left: int, right: int) -> bool:
    if operator == "=":
        return left == right
    if operator == "<>":
        return left != right
    if operator == "<":
        return left < right
    if operator == "<=":
        return left <= right
    if operator == ">":
        return left > right
    return left >= right


def _compare_approximate(operator: str, left: float, right: float) -> bool:
    if operator == "=":
        return left == right
    if operator == "<>":
        return left != right
    if operator == "<":
        return left < right
    if operator == "<=":
        return left <= right
    if operator == ">":
        return left > right
    return left >= right


def calculate(operator: str, left: SelectorValue, right: SelectorValue) -> SelectorValue:
    """``left operator right`` with ``+``, ``-``, ``*`` or ``/``; None unless both are numbers."""
    if left is None or right is None:
        return None
    if isinstance(left, (str, bool)) or isinstance(right, (str, bool)):
        return None
    if isinstance(left, float) or isinstance(right, float):
        return _calculate_approximate(operator, float(left), float(right))
    return _calculate_exact(operator, left, right)


def _calculate_exact(operator: str, left: int, right: int) -> SelectorValue:
    if operator == "+":
        return _in_range(left + right)
    if operator == "-":
        return _in_range(left - right)
    if operator == "*":
        return _in_range(left * right)
    if right == 0:
        return None
    quotient = abs(left) // abs(right)
    return _in_range(quotient if (left < 0) == (right < 0) else -quotient)


def _in_range(number: int) -> SelectorValue:
    """``number``, as an approximate one if it is no Java long."""
    if LONG_MIN <= number <= LONG_MAX:
        return number
    return float(number)


def _calculate_approximate(operator: str, left: float, right: float) -> SelectorValue:
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    if right == 0.0:
        return None
    return left / right


def signed(minus: bool, value: SelectorValue) -> SelectorValue:
    """``+value`` or ``-value``; None unless it is a number."""
    if value is None or isinstance(value, (str, bool)):
        return None
    if not minus:
        return value
    if isinstance(value, float):
        return -value
    return _in_range(-value)

"""The expression tree of a selector: each node evaluates itself, folds itself, writes itself.

A value is a ``SelectorValue``; of conditions it is True, False or None (unknown), and whatever is
no boolean is unknown where a condition is asked for. Chains (``a AND b AND c``, ``a + b - c``) are
one node with many operands, so that only what is nested makes the tree deep. The parser limits
that depth, and so the recursion here.

``folded`` gives the tree that is evaluated: constants calculated, what cannot change a result left
out. ``write`` gives back the text, with no more parentheses than needed; parsed again, it is the
same tree. Nodes never change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tanist.core.selector.literals import continues_identifier, starts_identifier
from tanist.core.selector.tokens import keyword
from tanist.core.selector.values import Lookup, SelectorValue, calculate, signed

OR: Final = 1
AND: Final = 2
NOT: Final = 3
PREDICATE: Final = 4
SUM: Final = 5
PRODUCT: Final = 6
OPERAND: Final = 7
"""How tightly a node binds: the rules of the grammar, from the outside in."""


class Node:
    """Any part of a selector. ``level``: how tightly it binds."""

    __slots__ = ("level",)

    def __init__(self, level: int) -> None:
        self.level = level

    def evaluate(self, lookup: Lookup) -> SelectorValue:
        """The value for the message that ``lookup`` looks into; None is unknown."""
        raise NotImplementedError

    def folded(self) -> Node:
        """A node with the same value for every message, which costs less."""
        raise NotImplementedError

    def identify(self, found: set[str]) -> None:
        """Add to ``found`` the identifiers that ``evaluate`` may look up."""
        raise NotImplementedError

    def write(self, out: list[str], level: int) -> None:
        """Append this node's text to ``out``, for a place where ``level`` binds."""
        raise NotImplementedError

    def open(self, out: list[str], level: int) -> str:
        """Begin the text: with a parenthesis if this node binds less tightly than ``level``.

        Returns what ``write`` appends at its end.
        """
        if self.level >= level:
            return ""
        out.append("(")
        return ")"


class Literal(Node):
    """A constant. Folding also makes ones that no text has: unknown, infinity."""

    __slots__ = ("value",)

    def __init__(self, value: SelectorValue) -> None:
        super().__init__(OPERAND)
        self.value = value

    def evaluate(self, lookup: Lookup) -> SelectorValue:
        return self.value

    def is_unsigned(self) -> bool:
        """Whether this is a number whose text begins with a digit."""
        value = self.value
        if value is None or isinstance(value, (str, bool)):
            return False
        return not repr(value).startswith("-")

    def folded(self) -> Node:
        return self

    def identify(self, found: set[str]) -> None:
        pass

    def write(self, out: list[str], level: int) -> None:
        value = self.value
        if isinstance(value, str):
            out.append(quoted(value, "'"))
        elif isinstance(value, bool):
            out.append("TRUE" if value else "FALSE")
        else:
            out.append(repr(value))


def quoted(text: str, quote: str) -> str:
    """``text`` between quotes, those inside doubled."""
    return quote + text.replace(quote, quote + quote) + quote


class Identifier(Node):
    """A header field or property of the message."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        super().__init__(OPERAND)
        self.name = name

    def evaluate(self, lookup: Lookup) -> SelectorValue:
        return lookup(self.name)

    def folded(self) -> Node:
        return self

    def identify(self, found: set[str]) -> None:
        found.add(self.name)

    def write(self, out: list[str], level: int) -> None:
        out.append(self.name if is_plain(self.name) else quoted(self.name, '"'))


def is_plain(name: str) -> bool:
    """Whether an identifier needs no quotes."""
    if not name or keyword(name) or not starts_identifier(name[0]):
        return False
    return all(continues_identifier(char) for char in name)


class Sign(Node):
    """Unary plus or minus; of a literal number the sign is a part."""

    __slots__ = ("minus", "operand")

    def __init__(self, minus: bool, operand: Node) -> None:
        super().__init__(OPERAND)
        self.minus = minus
        self.operand = operand

    def evaluate(self, lookup: Lookup) -> SelectorValue:
        return signed(self.minus, self.operand.evaluate(lookup))

    def folded(self) -> Node:
        operand = self.operand.folded()
        if isinstance(operand, Literal):
            return Literal(signed(self.minus, operand.value))
        return Sign(self.minus, operand)

    def identify(self, found: set[str]) -> None:
        self.operand.identify(found)

    def write(self, out: list[str], level: int) -> None:
        out.append("-" if self.minus else "+")
        operand = self.operand
        if isinstance(operand, Literal) and operand.is_unsigned():
            # Else the sign would become a part of the number.
            out.append("(")
            operand.write(out, OPERAND)
            out.append(")")
        else:
            if isinstance(operand, (Literal, Sign)):
                # Two signs without a space would begin a comment of SQL, for readers.
                out.append(" ")
            operand.write(out, OPERAND)


class Arithmetic(Node):
    """``first`` and then, from left to right, each operator with its operand.

    ``operators``: one character each, either all of ``+-`` or all of ``*/``.
    """

    __slots__ = ("first", "operands", "operators")

    def __init__(self, first: Node, operators: str, operands: Sequence[Node]) -> None:
        super().__init__(SUM if operators[0] in "+-" else PRODUCT)
        self.first = first
        self.operators = operators
        self.operands = operands

    def evaluate(self, lookup: Lookup) -> SelectorValue:
        value = self.first.evaluate(lookup)
        for index, operand in enumerate(self.operands):
            value = calculate(self.operators[index], value, operand.evaluate(lookup))
            if value is None:
                return None
        return value

    def folded(self) -> Node:
        first = self.first.folded()
        operands = [operand.folded() for operand in self.operands]
        node = Arithmetic(first, self.operators, operands)
        return constant(node) if are_literals([first, *operands]) else node

    def identify(self, found: set[str]) -> None:
        self.first.identify(found)
        for operand in self.operands:
            operand.identify(found)

    def write(self, out: list[str], level: int) -> None:
        closing = self.open(out, level)
        self.first.write(out, self.level + 1)
        for index, operand in enumerate(self.operands):
            out.append(f" {self.operators[index]} ")
            operand.write(out, self.level + 1)
        out.append(closing)


def are_literals(nodes: Sequence[Node]) -> bool:
    """Whether all of ``nodes`` are constant."""
    return all(isinstance(node, Literal) for node in nodes)


def constant(node: Node) -> Node:
    """The value of a node whose operands are all constant, as a literal."""
    return Literal(node.evaluate(_nothing))


def _nothing(name: str) -> SelectorValue:
    raise AssertionError(f"a constant does not look up {name}")

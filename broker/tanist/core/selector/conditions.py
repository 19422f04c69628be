"""The conditions of a selector: comparisons, BETWEEN, IN, LIKE, IS NULL, NOT, AND and OR.

Each is True, False or None (unknown), by the tables of Jakarta Messaging 3.1, 3.8.1.2. BETWEEN and
IN, and their negations, are what they abbreviate: comparisons, joined.
"""

from __future__ import annotations

from collections.abc import Sequence

from tanist.core.selector.like import Pattern
from tanist.core.selector.nodes import (
    AND,
    NOT,
    OR,
    PREDICATE,
    SUM,
    Literal,
    Node,
    are_literals,
    constant,
    quoted,
)
from tanist.core.selector.values import Lookup, SelectorValue, compare


class Comparison(Node):
    """Two operands and ``=``, ``<>``, ``<``, ``<=``, ``>`` or ``>=``."""

    __slots__ = ("left", "operator", "right")

    def __init__(self, left: Node, operator: str, right: Node) -> None:
        super().__init__(PREDICATE)
        self.left = left
        self.operator = operator
        self.right = right

    def evaluate(self, lookup: Lookup) -> SelectorValue:
        return compare(self.operator, self.left.evaluate(lookup), self.right.evaluate(lookup))

    def folded(self) -> Node:
        left = self.left.folded()
        right = self.right.folded()
        node = Comparison(left, self.operator, right)
        return constant(node) if are_literals([left, right]) else node

    def identify(self, found: set[str]) -> None:
        self.left.identify(found)
        self.right.identify(found)

    def write(self, out: list[str], level: int) -> None:
        closing = self.open(out, level)
        self.left.write(out, SUM)
        out.append(f" {self.operator} ")
        self.right.write(out, SUM)
        out.append(closing)


class Between(Node):
    """``value >= low AND value <= high``; negated, ``value < low OR value > high``."""

    __slots__ = ("high", "low", "negated", "value")

    def __init__(self, negated: bool, value: Node, low: Node, high: Node) -> None:
        super().__init__(PREDICATE)
        self.negated = negated
        self.value = value
        self.low = low
        self.high = high

    def evaluate(self, lookup: Lookup) -> SelectorValue:
        value = self.value.evaluate(lookup)
        low = self.low.evaluate(lookup)
        high = self.high.evaluate(lookup)
        if self.negated:
            return either(compare("<", value, low), compare(">", value, high))
        return both(compare(">=", value, low), compare("<=", value, high))

    def folded(self) -> Node:
        value = self.value.folded()
        low = self.low.folded()
        high = self.high.folded()
        node = Between(self.negated, value, low, high)
        return constant(node) if are_literals([value, low, high]) else node

    def identify(self, found: set[str]) -> None:
        self.value.identify(found)
        self.low.identify(found)
        self.high.identify(found)

    def write(self, out: list[str], level: int) -> None:
        closing = self.open(out, level)
        self.value.write(out, SUM)
        out.append(" NOT BETWEEN " if self.negated else " BETWEEN ")
        self.low.write(out, SUM)
        out.append(" AND ")
        self.high.write(out, SUM)
        out.append(closing)


class In(Node):
    """``value`` equals one of ``choices``; negated, it differs (``<>``) from all of them."""

    __slots__ = ("choices", "negated", "value")

    def __init__(self, negated: bool, value: Node, choices: Sequence[Node]) -> None:
        super().__init__(PREDICATE)
        self.negated = negated
        self.value = value
        self.choices = choices

    def evaluate(self, lookup: Lookup) -> SelectorValue:
        value = self.value.evaluate(lookup)
        if value is None:
            return None
        operator = "<>" if self.negated else "="
        result: bool | None = self.negated
        for choice in self.choices:
            one = compare(operator, value, choice.evaluate(lookup))
            if one is None:
                result = None
            elif one is not self.negated:
                return one
        return result

    def folded(self) -> Node:
        value = self.value.folded()
        choices = [choice.folded() for choice in self.choices]
        node = In(self.negated, value, choices)
        if not are_literals(choices):
            return node
        if isinstance(value, Literal):
            return constant(node)
        strings: set[str] = set()
        for choice in choices:
            if isinstance(choice, Literal) and isinstance(choice.value, str):
                strings.add(choice.value)
            else:
                return node
        return InStrings(node, value, frozenset(strings))

    def identify(self, found: set[str]) -> None:
        self.value.identify(found)
        for choice in self.choices:
            choice.identify(found)

    def write(self, out: list[str], level: int) -> None:
        closing = self.open(out, level)
        self.value.write(out, SUM)
        out.append(" NOT IN (" if self.negated else " IN (")
        for index, choice in enumerate(self.choices):
            if index:
                out.append(", ")
            choice.write(out, SUM)
        out.append(")")
        out.append(closing)


class InStrings(Node):
    """What ``origin``, an ``In`` with constant strings only, becomes: one look into a set."""

    __slots__ = ("origin", "strings", "value")

    def __init__(self, origin: In, value: Node, strings: frozenset[str]) -> None:
        super().__init__(PREDICATE)
        self.origin = origin
        self.value = value
        self.strings = strings

    def evaluate(self, lookup: Lookup) -> SelectorValue:
        value = self.value.evaluate(lookup)
        if value is None:
            return None
        if isinstance(value, str):
            return (value in self.strings) is not self.origin.negated
        return False

    def folded(self) -> Node:
        return self

    def identify(self, found: set[str]) -> None:
        self.value.identify(found)

    def write(self, out: list[str], level: int) -> None:
        self.origin.write(out, level)


class Like(Node):
    """``value`` fits ``pattern``, which is the text ``source`` compiled with ``escape``.

    A value that is no string is unknown, as in the original.
    """

    __slots__ = ("escape", "negated", "pattern", "source", "value")

    def __init__(
        self, negated: bool, value: Node, pattern: Pattern, source: str, escape: str
    ) -> None:
        super().__init__(PREDICATE)
        self.negated = negated
        self.value = value
        self.pattern = pattern
        self.source = source
        self.escape = escape

    def evaluate(self, lookup: Lookup) -> SelectorValue:
        value = self.value.evaluate(lookup)
        if isinstance(value, str):
            return self.pattern.matches(value) is not self.negated
        return None

    def folded(self) -> Node:
        value = self.value.folded()
        node = Like(self.negated, value, self.pattern, self.source, self.escape)
        return constant(node) if isinstance(value, Literal) else node

    def identify(self, found: set[str]) -> None:
        self.value.identify(found)

    def write(self, out: list[str], level: int) -> None:
        closing = self.open(out, level)
        self.value.write(out, SUM)
        out.append(" NOT LIKE " if self.negated else " LIKE ")
        out.append(quoted(self.source, "'"))
        if self.escape:
            out.append(" ESCAPE ")
            out.append(quoted(self.escape, "'"))
        out.append(closing)


class IsNull(Node):
    """``value`` is unknown; negated, it is known. Itself it is never unknown."""

    __slots__ = ("negated", "value")

    def __init__(self, negated: bool, value: Node) -> None:
        super().__init__(PREDICATE)
        self.negated = negated
        self.value = value

    def evaluate(self, lookup: Lookup) -> SelectorValue:
        return (self.value.evaluate(lookup) is None) is not self.negated

    def folded(self) -> Node:
        value = self.value.folded()
        node = IsNull(self.negated, value)
        return constant(node) if isinstance(value, Literal) else node

    def identify(self, found: set[str]) -> None:
        self.value.identify(found)

    def write(self, out: list[str], level: int) -> None:
        closing = self.open(out, level)
        self.value.write(out, SUM)
        out.append(" IS NOT NULL" if self.negated else " IS NULL")
        out.append(closing)


class Not(Node):
    """The opposite of a condition; unknown stays unknown."""

    __slots__ = ("operand",)

    def __init__(self, operand: Node) -> None:
        super().__init__(NOT)
        self.operand = operand

    def evaluate(self, lookup: Lookup) -> SelectorValue:
        value = self.operand.evaluate(lookup)
        if isinstance(value, bool):
            return not value
        return None

    def folded(self) -> Node:
        operand = self.operand.folded()
        node = Not(operand)
        return constant(node) if isinstance(operand, Literal) else node

    def identify(self, found: set[str]) -> None:
        self.operand.identify(found)

    def write(self, out: list[str], level: int) -> None:
        closing = self.open(out, level)
        out.append("NOT ")
        self.operand.write(out, NOT)
        out.append(closing)


class Junction(Node):
    """Conditions joined by AND (``decisive`` is False) or by OR (it is True).

    One operand with the decisive value decides; else one that is unknown makes it unknown.
    """

    __slots__ = ("decisive", "operands")

    def __init__(self, decisive: bool, operands: Sequence[Node]) -> None:
        super().__init__(OR if decisive else AND)
        self.decisive = decisive
        self.operands = operands

    def evaluate(self, lookup: Lookup) -> SelectorValue:
        decisive = self.decisive
        result: bool | None = not decisive
        for operand in self.operands:
            value = operand.evaluate(lookup)
            if value is decisive:
                return decisive
            if not isinstance(value, bool):
                result = None
        return result

    def folded(self) -> Node:
        kept: list[Node] = []
        for operand in self.operands:
            node = operand.folded()
            if isinstance(node, Literal):
                if node.value is self.decisive:
                    return Literal(self.decisive)
                if isinstance(node.value, bool):
                    continue
            kept.append(node)
        node = Junction(self.decisive, kept)
        return constant(node) if are_literals(kept) else node

    def identify(self, found: set[str]) -> None:
        for operand in self.operands:
            operand.identify(found)

    def write(self, out: list[str], level: int) -> None:
        closing = self.open(out, level)
        for index, operand in enumerate(self.operands):
            if index:
                out.append(" OR " if self.decisive else " AND ")
            operand.write(out, self.level + 1)
        out.append(closing)


def both(left: bool | None, right: bool | None) -> bool | None:
    """AND in three-valued logic."""
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def either(left: bool | None, right: bool | None) -> bool | None:
    """OR in three-valued logic."""
    if left is True or right is True:
        return True
    return None if left is None or right is None else False

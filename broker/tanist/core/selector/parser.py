"""Recursive descent over the tokens of a selector: one method for each rule of ``grammar.ebnf``.

Chains are loops, so only parentheses, NOT and signs nest. Their depth is limited, and with it the
recursion of the parser and of everything that walks the tree.
"""

from __future__ import annotations

from typing import Final

from tanist.core.selector.conditions import (
    Between,
    Comparison,
    In,
    IsNull,
    Junction,
    Like,
    Not,
)
from tanist.core.selector.errors import invalid, shown
from tanist.core.selector.like import compile_pattern
from tanist.core.selector.nodes import Arithmetic, Identifier, Literal, Node, Sign
from tanist.core.selector.tokens import (
    APPROXIMATE,
    END,
    EXACT,
    IDENTIFIER,
    STRING,
    Token,
    tokens,
)
from tanist.core.selector.values import LONG_MAX
from tanist.types import BrokerError

SELECTOR_CHARS_MAX: Final = 65536
"""Longest selector. Subscribe arguments of 0-10 are 64 KiB at most, and clients of 1.0 need no more
than those; evaluating one costs its length for each message."""

SELECTOR_DEPTH_MAX: Final = 64
"""Parentheses, NOTs and signs within one another: eight calls each in the parser, up to five in the
tree, which keeps nearly half of Python's recursion limit for those who call."""

FLOATING_CHARS_MAX: Final = 64
"""Characters, in all patterns of a selector together, of parts that have ``_`` between two ``%``:
the only thing that costs the length of a value times its own, for each message."""

COMPARISONS: Final = frozenset(("=", "<>", "<", "<=", ">", ">="))


def parse(text: str) -> Node | None:
    """The expression tree of ``text``; None if there is nothing but white space.

    Raises: BrokerError (INVALID_ARGUMENT) that says what was expected, and where, if it is no
    selector, or if it is beyond one of the limits above.
    """
    if len(text) > SELECTOR_CHARS_MAX:
        raise invalid(
            text,
            SELECTOR_CHARS_MAX,
            f"expected at most {SELECTOR_CHARS_MAX} characters, and it goes on",
        )
    parser = _Parser(text)
    if parser.token.kind == END:
        return None
    tree = parser.condition()
    if parser.token.kind != END:
        raise parser.expected("an operator or the end")
    return tree


class _Parser:
    """The tokens of one selector, and which is next."""

    __slots__ = ("_depth", "_floating", "_next", "_text", "_tokens", "token")

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._next = 0
        self._depth = 0
        self._floating = 0
        self.token: Token = self._tokens[0]

    def expected(self, what: str) -> BrokerError:
        """The error for the next token, which should have been ``what``."""
        token = self.token
        found = "the end" if token.kind == END else shown(self._text[token.at : token.end])
        return invalid(self._text, token.at, f"expected {what}, found {found}")

    def _take(self) -> Token:
        token = self.token
        self._next += 1
        self.token = self._tokens[self._next]
        return token

    def _accept(self, kind: str) -> bool:
        """Whether the next token was of this kind; it is taken."""
        if self.token.kind != kind:
            return False
        self._take()
        return True

    def _demand(self, kind: str, what: str) -> Token:
        if self.token.kind != kind:
            raise self.expected(what)
        return self._take()

    def _deeper(self, token: Token) -> None:
        self._depth += 1
        if self._depth > SELECTOR_DEPTH_MAX:
            raise invalid(
                self._text,
                token.at,
                f"expected at most {SELECTOR_DEPTH_MAX} parentheses, NOTs and signs "
                "within one another",
            )

    def condition(self) -> Node:
        """``condition``."""
        operands = [self._conjunction()]
        while self._accept("OR"):
            operands.append(self._conjunction())
        return operands[0] if len(operands) == 1 else Junction(True, operands)

    def _conjunction(self) -> Node:
        operands = [self._factor()]
        while self._accept("AND"):
            operands.append(self._factor())
        return operands[0] if len(operands) == 1 else Junction(False, operands)

    def _factor(self) -> Node:
        negations = 0
        while self.token.kind == "NOT":
            self._deeper(self._take())
            negations += 1
        node = self._predicate()
        self._depth -= negations
        for _ in range(negations):
            node = Not(node)
        return node

    def _predicate(self) -> Node:
        left = self._sum()
        kind = self.token.kind
        if kind in COMPARISONS:
            self._take()
            return Comparison(left, kind, self._sum())
        if self._accept("IS"):
            negated = self._accept("NOT")
            self._demand("NULL", "NULL" if negated else "NULL or NOT NULL")
            return IsNull(negated, left)
        negated = self._accept("NOT")
        if self._accept("BETWEEN"):
            low = self._sum()
            self._demand("AND", "AND and the upper bound")
            return Between(negated, left, low, self._sum())
        if self._accept("IN"):
            return In(negated, left, self._choices())
        if self._accept("LIKE"):
            return self._like(negated, left)
        if negated:
            raise self.expected("BETWEEN, IN or LIKE")
        return left

    def _choices(self) -> list[Node]:
        self._demand("(", "( and a list")
        choices = [self._sum()]
        while self._accept(","):
            choices.append(self._sum())
        self._demand(")", ", or )")
        return choices

    def _like(self, negated: bool, value: Node) -> Node:
        source = self._demand(STRING, "a string with the pattern")
        escape = ""
        if self._accept("ESCAPE"):
            if len(self.token.text) != 1:
                raise self.expected("a string of one character to escape with")
            escape = self._demand(STRING, "a string of one character to escape with").text
        pattern = compile_pattern(source.text, escape)
        if pattern is None:
            raise invalid(
                self._text,
                source.at,
                f"expected a character to escape at the end of the pattern {shown(source.text)}",
            )
        self._floating += pattern.floating_chars
        if self._floating > FLOATING_CHARS_MAX:
            raise invalid(
                self._text,
                source.at,
                f"expected at most {FLOATING_CHARS_MAX} characters beside an _ between two %",
            )
        return Like(negated, value, pattern, source.text, escape)

    def _sum(self) -> Node:
        first = self._product()
        operators: list[str] = []
        operands: list[Node] = []
        while self.token.kind in ("+", "-"):
            operators.append(self._take().kind)
            operands.append(self._product())
        return Arithmetic(first, "".join(operators), operands) if operands else first

    def _product(self) -> Node:
        first = self._operand()
        operators: list[str] = []
        operands: list[Node] = []
        while self.token.kind in ("*", "/"):
            operators.append(self._take().kind)
            operands.append(self._operand())
        return Arithmetic(first, "".join(operators), operands) if operands else first

    def _operand(self) -> Node:
        signs: list[bool] = []
        while self.token.kind in ("+", "-"):
            self._deeper(self.token)
            signs.append(self._take().kind == "-")
        depth = len(signs)
        if signs and self.token.kind in (EXACT, APPROXIMATE):
            node = self._number(signs.pop())
        else:
            node = self._primary()
        self._depth -= depth
        for minus in reversed(signs):
            node = Sign(minus, node)
        return node

    def _number(self, minus: bool) -> Node:
        token = self._take()
        if token.kind == APPROXIMATE:
            return Literal(-token.approximate if minus else token.approximate)
        value = -token.exact if minus else token.exact
        if value > LONG_MAX:
            raise invalid(
                self._text, token.at, f"{shown(token.text)} is beyond the range of numbers"
            )
        return Literal(value)

    def _primary(self) -> Node:
        token = self.token
        kind = token.kind
        if kind in (EXACT, APPROXIMATE):
            return self._number(False)
        if kind == IDENTIFIER:
            return Identifier(self._take().text)
        if kind == STRING:
            return Literal(self._take().text)
        if kind in ("TRUE", "FALSE"):
            self._take()
            return Literal(kind == "TRUE")
        if kind == "(":
            self._deeper(self._take())
            node = self.condition()
            self._demand(")", "an operator or )")
            self._depth -= 1
            return node
        raise self.expected("a name, a value or (")

"""What the tests of selectors share: random trees, their shape, and a row for an oracle."""

from __future__ import annotations

from hypothesis import strategies as st

from tanist.core.selector.conditions import (
    Between,
    Comparison,
    In,
    IsNull,
    Junction,
    Like,
    Not,
)
from tanist.core.selector.like import compile_pattern
from tanist.core.selector.nodes import OR, Arithmetic, Identifier, Literal, Node, Sign
from tanist.core.selector.values import LONG_MAX, LONG_MIN, SelectorValue

COMPARISONS = ["=", "<>", "<", "<=", ">", ">="]


def written(tree: Node) -> str:
    """The text of a tree."""
    out: list[str] = []
    tree.write(out, OR)
    return "".join(out)


def shape(node: Node) -> tuple[object, ...]:
    """A tree as nested tuples: equal for equal trees only, numbers by type and sign as well."""
    match node:
        case Literal():
            return ("literal", type(node.value).__name__, repr(node.value))
        case Identifier():
            return ("identifier", node.name)
        case Sign():
            return ("sign", node.minus, shape(node.operand))
        case Arithmetic():
            operands = tuple(map(shape, node.operands))
            return ("arithmetic", shape(node.first), node.operators, operands)
        case Comparison():
            return ("comparison", node.operator, shape(node.left), shape(node.right))
        case Between():
            bounds = (shape(node.low), shape(node.high))
            return ("between", node.negated, shape(node.value), bounds)
        case In():
            return ("in", node.negated, shape(node.value), tuple(map(shape, node.choices)))
        case Like():
            return ("like", node.negated, shape(node.value), node.source, node.escape)
        case IsNull():
            return ("null", node.negated, shape(node.value))
        case Not():
            return ("not", shape(node.operand))
        case Junction():
            return ("junction", node.decisive, tuple(map(shape, node.operands)))
    raise TypeError(type(node))


def like(negated: bool, value: Node, source: str, escape: str) -> Node:
    """A Like; a pattern that ends with its escape character gets something to escape."""
    pattern = compile_pattern(source, escape)
    if pattern is None:
        return like(negated, value, source + "%", escape)
    return Like(negated, value, pattern, source, escape)


def arithmetic(first: Node, rest: list[tuple[str, Node]]) -> Node:
    """A chain of operators with their operands."""
    operators = "".join(operator for operator, _ in rest)
    return Arithmetic(first, operators, [operand for _, operand in rest])


def chains(operands: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    """Sums and products."""
    rests = [
        st.lists(st.tuples(st.sampled_from(operators), operands), min_size=1, max_size=3)
        for operators in ("+-", "*/")
    ]
    return st.builds(arithmetic, operands, st.one_of(rests))


def junctions(operands: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    """AND and OR."""
    return st.builds(Junction, st.booleans(), st.lists(operands, min_size=2, max_size=3))


texts = st.text(st.sampled_from("ab'\"_%~.\n\u00e9\u2603"), max_size=4)
names = st.one_of(
    st.sampled_from(
        ["a", "b", "n", "amqp.to", "$_1", "AND", "true", "x-y", "1a", "", '"', "größe"]
    ),
    texts,
)
values: st.SearchStrategy[SelectorValue] = st.one_of(
    st.booleans(),
    st.integers(-9, 9),
    st.sampled_from([LONG_MIN, LONG_MAX, LONG_MIN + 1]),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
)
leaves: st.SearchStrategy[Node] = st.one_of(
    st.builds(Literal, values), st.builds(Identifier, names)
)


def _branches(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    flags = st.booleans()
    return st.one_of(
        st.builds(Sign, flags, children),
        chains(children),
        st.builds(Comparison, children, st.sampled_from(COMPARISONS), children),
        st.builds(Between, flags, children, children, children),
        st.builds(In, flags, children, st.lists(children, min_size=1, max_size=3)),
        st.builds(like, flags, children, texts, st.sampled_from(["", "~", "_", "%", "'"])),
        st.builds(IsNull, flags, children),
        st.builds(Not, children),
        junctions(children),
    )


trees = st.recursive(leaves, _branches, max_leaves=12)
"""Any tree that the parser can make, whether it makes sense or not."""

TYPED_ROW: dict[str, SelectorValue] = {
    "i": 7,
    "j": -3,
    "z": 0,
    "f": 2.5,
    "s": "red",
    "t": "a_b%",
    "e": "",
    "b": True,
    "c": False,
    "n": None,
}
"""A message, and a row of a table: ``n`` is NULL."""


def _identifiers(row_names: str) -> st.SearchStrategy[Node]:
    return st.builds(Identifier, st.sampled_from(row_names))


_numbers = st.recursive(
    st.one_of(
        _identifiers("ijzfn"),
        st.builds(Literal, st.integers(-9, 9)),
        st.builds(Literal, st.integers(-18, 18).map(lambda n: n / 2)),
    ),
    lambda children: st.one_of(chains(children), st.builds(Sign, st.booleans(), children)),
    max_leaves=4,
)
_strings = st.one_of(
    _identifiers("sten"),
    st.builds(Literal, st.sampled_from(["red", "Red", "a_b%", "", "it's", "%"])),
)
_patterns = st.text(st.sampled_from("redab_%~"), max_size=6)


def _typed(kind: st.SearchStrategy[Node], operators: list[str]) -> st.SearchStrategy[Node]:
    flags = st.booleans()
    return st.one_of(
        st.builds(Comparison, kind, st.sampled_from(operators), kind),
        st.builds(In, flags, kind, st.lists(kind, min_size=1, max_size=3)),
        st.builds(IsNull, flags, kind),
    )


_booleans = st.one_of(_identifiers("bcn"), st.builds(Literal, st.booleans()))

typed_conditions = st.recursive(
    st.one_of(
        _booleans,
        _typed(_numbers, COMPARISONS),
        st.builds(Between, st.booleans(), _numbers, _numbers, _numbers),
        _typed(_strings, ["=", "<>"]),
        st.builds(like, st.booleans(), _strings, _patterns, st.sampled_from(["", "~", "a", "_"])),
        _typed(_booleans, ["=", "<>"]),
    ),
    lambda children: st.one_of(
        st.builds(Not, children), junctions(children), _typed(children, ["=", "<>"])
    ),
    max_leaves=6,
)
"""Conditions over ``TYPED_ROW`` that compare like with like: what SQL and JMS mean the same by."""

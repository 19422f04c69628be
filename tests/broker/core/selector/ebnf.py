"""Reads an EBNF grammar (ISO/IEC 14977) and answers what belongs to its language.

A test oracle: slow, without errors, without limits, and without any code of the parser it judges.
It works over any symbols, characters or tokens: a quoted terminal of the grammar is one symbol, and
so is a rule whose name the caller declares to be terminal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Expression:
    """``or``, ``and``, ``many``, ``maybe`` of ``parts``; or ``rule``, ``word``, ``special``."""

    kind: str
    name: str = ""
    parts: tuple[Expression, ...] = ()


LEXEME = re.compile(
    r"""\s+|\(\*.*?\*\)|\?([^?]*)\?|'([^']*)'|"([^"]*)"|([a-z]+)|([=|,;()\[\]{}])""", re.S
)
CLOSING = {"(": ")", "[": "]", "{": "}"}


class Grammar:
    """The rules of one grammar, by name."""

    def __init__(self, text: str) -> None:
        self.rules: dict[str, Expression] = {}
        self._lexemes: list[tuple[str, str]] = []
        at = 0
        while at < len(text):
            found = LEXEME.match(text, at)
            assert found, f"no EBNF: {text[at : at + 30]!r}"
            at = found.end()
            special, single, double, name, sign = found.groups()
            for kind, value in (("special", special), ("word", single), ("word", double)):
                if value is not None:
                    self._lexemes.append((kind, value.strip() if kind == "special" else value))
            if name or sign:
                self._lexemes.append(("rule", name) if name else ("sign", sign))
        while self._lexemes:
            kind, name = self._lexemes.pop(0)
            assert kind == "rule" and name not in self.rules
            self._sign("=")
            self.rules[name] = self._alternatives()
            self._sign(";")

    def _sign(self, sign: str) -> None:
        assert self._lexemes.pop(0) == ("sign", sign)

    def _alternatives(self) -> Expression:
        parts = [self._sequence()]
        while self._lexemes[0] == ("sign", "|"):
            self._lexemes.pop(0)
            parts.append(self._sequence())
        return Expression("or", parts=tuple(parts))

    def _sequence(self) -> Expression:
        parts = [self._part()]
        while self._lexemes[0] == ("sign", ","):
            self._lexemes.pop(0)
            parts.append(self._part())
        return Expression("and", parts=tuple(parts))

    def _part(self) -> Expression:
        kind, value = self._lexemes.pop(0)
        if kind != "sign":
            return Expression(kind, value)
        inner = self._alternatives()
        self._sign(CLOSING[value])
        if value == "(":
            return inner
        return Expression("maybe" if value == "[" else "many", parts=(inner,))


class Language:
    """What ``grammar`` derives, with ``terminal(name, symbol)`` for rules that are terminals.

    ``terminal`` says whether the symbol is one of that name, or None if the name is an ordinary
    rule. Special sequences (``? ... ?``) are asked for as well.
    """

    def __init__(self, grammar: Grammar, terminal: Callable[[str, str], bool | None]) -> None:
        self.grammar = grammar
        self.terminal = terminal

    def has(self, rule: str, symbols: Sequence[str]) -> bool:
        """Whether the whole of ``symbols`` can be derived from ``rule``."""
        return len(symbols) in _Ends(self, symbols).of(Expression("rule", rule), 0)

    def sentence(self, rule: str, dice: Random, terminals: dict[str, str], room: int) -> list[str]:
        """A random sentence; beyond ``room`` expressions nothing optional is chosen any more."""
        return _Sentence(self.grammar, dice, terminals, room).derive(Expression("rule", rule))


class _Ends:
    """Where derivations of expressions may end in one sequence of symbols."""

    def __init__(self, language: Language, symbols: Sequence[str]) -> None:
        self.language = language
        self.symbols = symbols
        self.memory: dict[tuple[str, int], frozenset[int]] = {}

    def of(self, expression: Expression, start: int) -> frozenset[int]:
        """The ends of derivations of ``expression`` that begin at ``start``."""
        kind, parts = expression.kind, expression.parts
        if kind in ("rule", "word", "special"):
            return self._of_name(kind, expression.name, start)
        if kind == "or":
            return frozenset().union(*(self.of(part, start) for part in parts))
        reached = frozenset({start})
        if kind == "and":
            for part in parts:
                reached = frozenset().union(*(self.of(part, at) for at in reached))
            return reached
        fresh = reached
        while fresh:
            fresh = frozenset().union(*(self.of(parts[0], at) for at in fresh)) - reached
            reached |= fresh
            if kind == "maybe":
                break
        return reached

    def _of_name(self, kind: str, name: str, start: int) -> frozenset[int]:
        here = self.symbols[start] if start < len(self.symbols) else None
        known = None if here is None else self.language.terminal(name, here)
        if kind == "word":
            known = here == name
        if known is not None or kind != "rule":
            return frozenset({start + 1} if known else ())
        if (name, start) not in self.memory:
            ends = self.of(self.language.grammar.rules[name], start)
            self.memory[name, start] = ends
        return self.memory[name, start]


class _Sentence:
    """Derives one random sentence."""

    def __init__(
        self, grammar: Grammar, dice: Random, terminals: dict[str, str], room: int
    ) -> None:
        self.grammar = grammar
        self.dice = dice
        self.terminals = terminals
        self.room = room

    def derive(self, expression: Expression) -> list[str]:
        """The symbols of a derivation. Of alternatives the last is the one that ends."""
        self.room -= 1
        kind, name, parts = expression.kind, expression.name, expression.parts
        if kind == "word":
            return [name]
        if kind == "rule":
            if name in self.terminals:
                return [self.terminals[name]]
            return self.derive(self.grammar.rules[name])
        if kind == "or":
            return self.derive(self.dice.choice(parts) if self.room > 0 else parts[-1])
        times = 1
        if kind != "and":
            times = self.dice.randrange(3 if kind == "many" else 2) if self.room > 0 else 0
        return [word for _ in range(times) for part in parts for word in self.derive(part)]

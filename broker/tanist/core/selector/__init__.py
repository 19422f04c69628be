"""Message selectors: which messages a consumer wants, as a condition on their headers.

``Selector`` is all that others need: text in, one answer per message out. From the bottom:
``errors`` (what is wrong, and where), ``values`` (comparing, calculating), ``like`` (patterns),
``literals`` and ``tokens`` (characters to tokens), ``nodes`` and ``conditions`` (the expression,
and its evaluation), ``parser`` (tokens to nodes), ``selector``. ``grammar.ebnf`` is the grammar;
the tests hold the parser to it, and docs/selectors.md explains it to users.

Rule: whatever a client writes costs a bounded time, and is refused with a ``BrokerError`` if it is
no selector. Nothing is evaluated by Python itself, and no pattern becomes a regular expression.
"""

from tanist.core.selector.selector import Selector

__all__ = ["Selector"]

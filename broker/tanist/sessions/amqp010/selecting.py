"""What a 0-10 consumer wants: the argument ``x-apache-selector`` of ``message.subscribe``.

The original's extension to AMQP 0-10: a selector (``core.selector``) as text. Messages that it does
not match stay on the queue for others. docs/selectors.md says what its identifiers stand for, in
messages of either protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tanist.core.interest import Interest
from tanist.core.records import Entry
from tanist.core.selector import Selector
from tanist.core.selector.values import Lookup
from tanist.types import BrokerError, Condition

SELECTOR_ARGUMENT: Final = "x-apache-selector"


class Selecting(Interest):
    """Wants what ``selector`` matches. ``lookup``: how it reads a message (``Broker.lookup``)."""

    __slots__ = ("lookup", "selector")

    def __init__(self, selector: Selector, lookup: Callable[[Entry], Lookup]) -> None:
        self.selector = selector
        self.lookup = lookup

    def wants(self, entry: Entry) -> bool:
        """See ``Interest``."""
        return self.selector.matches(self.lookup(entry))


def interest_of(
    arguments: Mapping[str, object], lookup: Callable[[Entry], Lookup]
) -> Selecting | None:
    """What the arguments of ``message.subscribe`` ask for, None for everything.

    A selector of nothing but white space matches everything.
    Raises: BrokerError (INVALID_ARGUMENT, 542): no selector; it says what is wrong with it.
    """
    value = arguments.get(SELECTOR_ARGUMENT)
    if value is None:
        return None
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            value = None
    if not isinstance(value, str):
        raise BrokerError(
            Condition.INVALID_ARGUMENT, f"{SELECTOR_ARGUMENT} must be text, encoded as UTF-8"
        )
    selector = Selector.parse(value)
    return Selecting(selector, lookup) if str(selector) else None

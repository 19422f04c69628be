"""The filters of a source: a selector, no-local, and the bindings of AMQP 0-10.

A filter is known by its descriptor, whatever its name in the map. Those that we know are told back
in the attach that answers; others are left out there, which says that they are not applied (AMQP
1.0, 3.5.8). Descriptors are those registered by Apache.
"""

from __future__ import annotations

from typing import Final

from tanist.core.arguments import X_MATCH
from tanist.core.selector import Selector
from tanist.sessions.amqp10.node_properties import plain
from tanist.types import BrokerError, Condition
from tanist.wire.amqp10.values import Described, Fields, Value

DIRECT: Final = 0x0000468C00000000
TOPIC: Final = 0x0000468C00000001
HEADERS: Final = 0x0000468C00000002
NO_LOCAL: Final = 0x0000468C00000003
SELECTOR: Final = 0x0000468C00000004

_SYMBOLS: Final[dict[str, int]] = {
    "apache.org:legacy-amqp-direct-binding:string": DIRECT,
    "apache.org:legacy-amqp-topic-binding:string": TOPIC,
    "apache.org:legacy-amqp-headers-binding:map": HEADERS,
    "apache.org:no-local-filter:list": NO_LOCAL,
    "apache.org:selector-filter:string": SELECTOR,
}
_CODES: Final = frozenset(_SYMBOLS.values())

FILTERS_MAX: Final = 64
"""Filters of one source: there are five kinds."""

HEADERS_MAX: Final = 256
"""Headers in one filter: they are kept with the binding, and compared with each message."""


class Filters:
    """``selector`` None: of none. ``direct``, ``topic``: a key; None: not asked for. ``headers``:
    arguments of a binding. ``applied``: to be told to the client.
    """

    __slots__ = ("applied", "direct", "headers", "no_local", "selector", "topic")

    def __init__(self) -> None:
        self.selector: Selector | None = None
        self.no_local = False
        self.direct: str | None = None
        self.topic: str | None = None
        self.headers: dict[str, object] | None = None
        self.applied: Fields = {}

    def ignore_headers(self) -> None:
        """They cannot be applied: the client must not be told that they are."""
        self.headers = None
        for name, given in list(self.applied.items()):
            if _kind(given) == HEADERS:
                del self.applied[name]

    @property
    def subject(self) -> str | None:
        """The key that is asked for, one way or the other; None: none is."""
        return self.topic if self.direct is None else self.direct

    @property
    def selector_text(self) -> str:
        """The selector, "" if there is none."""
        return "" if self.selector is None else self.selector.text


def read_filters(filter_set: Fields | None) -> Filters:
    """Understand the map of a source.

    Raises: BrokerError (ILLEGAL_ARGUMENT: a filter that we know has a value that is none;
    INVALID_ARGUMENT: its selector is none).
    """
    filters = Filters()
    if not filter_set:
        return filters
    if len(filter_set) > FILTERS_MAX:
        raise BrokerError(Condition.ILLEGAL_ARGUMENT, f"more than {FILTERS_MAX} filters")
    for name, given in filter_set.items():
        kind = _kind(given)
        if kind >= 0:
            assert isinstance(given, Described)
            _apply(filters, kind, given.value)
            filters.applied[name] = given
    return filters


def _kind(given: Value) -> int:
    if not isinstance(given, Described):
        return -1
    descriptor = given.descriptor
    if isinstance(descriptor, str):
        return _SYMBOLS.get(str(descriptor), -1)
    if isinstance(descriptor, int) and int(descriptor) in _CODES:
        return int(descriptor)
    return -1


def _apply(filters: Filters, kind: int, value: Value) -> None:
    if kind == NO_LOCAL:
        filters.no_local = True
    elif kind == SELECTOR:
        filters.selector = Selector.parse(_text("selector", value))
    elif kind == DIRECT:
        filters.direct = _text("direct binding", value)
    elif kind == TOPIC:
        filters.topic = _text("topic binding", value)
    else:
        filters.headers = _headers(value)


def _text(what: str, value: Value) -> str:
    if not isinstance(value, str):
        raise BrokerError(Condition.ILLEGAL_ARGUMENT, f"The {what} of a filter must be a string")
    return str(value)


def _headers(value: Value) -> dict[str, object]:
    if not isinstance(value, dict) or len(value) > HEADERS_MAX:
        raise BrokerError(
            Condition.ILLEGAL_ARGUMENT,
            f"The headers of a filter must be a map of at most {HEADERS_MAX} entries",
        )
    headers: dict[str, object] = {X_MATCH: "all"}
    for name, wanted in value.items():
        if not isinstance(name, str):
            raise BrokerError(Condition.ILLEGAL_ARGUMENT, "The headers of a filter have names")
        headers[str(name)] = plain(str(name), wanted)
    return headers

"""Filters of a source."""

from __future__ import annotations

import pytest

from tanist.sessions.amqp10.filters import FILTERS_MAX, HEADERS_MAX, read_filters
from tanist.types import BrokerError, Condition
from tanist.wire.amqp10.values import Described, Symbol, UInt, ULong

CODE = 0x0000468C00000000


def described(number: int, value: object) -> Described:
    return Described(ULong(CODE + number), value)  # type: ignore[arg-type]


def test_none() -> None:
    for given in (None, {}):
        filters = read_filters(given)
        assert filters.selector is None
        assert filters.subject is None
        assert filters.headers is None
        assert not filters.no_local
        assert filters.applied == {}
        assert filters.selector_text == ""


@pytest.mark.parametrize("symbolic", [False, True])
def test_each_is_known_by_its_descriptor(symbolic: bool) -> None:
    names = (
        "apache.org:legacy-amqp-direct-binding:string",
        "apache.org:legacy-amqp-topic-binding:string",
        "apache.org:legacy-amqp-headers-binding:map",
        "apache.org:no-local-filter:list",
        "apache.org:selector-filter:string",
    )

    def one(number: int, value: object) -> dict[str, Described]:
        descriptor = Symbol(names[number]) if symbolic else ULong(CODE + number)
        return {"any name": Described(descriptor, value)}  # type: ignore[arg-type]

    direct = read_filters(one(0, "key"))
    assert (direct.direct, direct.topic, direct.subject) == ("key", None, "key")
    topic = read_filters(one(1, "a.*"))
    assert (topic.direct, topic.topic, topic.subject) == (None, "a.*", "a.*")
    headers = read_filters(one(2, {Symbol("x-match"): "any", "n": UInt(1)}))
    assert headers.headers == {"x-match": "any", "n": 1}
    assert read_filters(one(2, {"n": 1})).headers == {"x-match": "all", "n": 1}
    assert read_filters(one(3, [])).no_local
    selector = read_filters(one(4, "a = 1"))
    assert selector.selector_text == "a = 1"
    for filters in (direct, topic, headers, selector):
        assert list(filters.applied) == ["any name"]


def test_what_is_not_known_is_left_out() -> None:
    given = {
        "plain": "a = 1",
        "other": Described(Symbol("com.example:filter"), "x"),
        "number": Described(ULong(7), "x"),
        "text": Described(b"x", "x"),
        "jms-selector": described(4, "a = 1"),
    }
    filters = read_filters(given)  # type: ignore[arg-type]
    assert list(filters.applied) == ["jms-selector"]


def test_headers_that_cannot_be_applied_are_not_told() -> None:
    filters = read_filters({"h": described(2, {"n": 1}), "s": described(4, "a = 1")})
    filters.ignore_headers()
    assert filters.headers is None
    assert list(filters.applied) == ["s"]


@pytest.mark.parametrize(
    ("given", "condition"),
    [
        ({"s": described(4, 7)}, Condition.ILLEGAL_ARGUMENT),
        ({"s": described(4, "a =")}, Condition.INVALID_ARGUMENT),
        ({"s": described(0, None)}, Condition.ILLEGAL_ARGUMENT),
        ({"s": described(1, b"a")}, Condition.ILLEGAL_ARGUMENT),
        ({"s": described(2, "a")}, Condition.ILLEGAL_ARGUMENT),
        ({"s": described(2, {1: 2})}, Condition.ILLEGAL_ARGUMENT),
        ({"s": described(2, {"a": [1]})}, Condition.ILLEGAL_ARGUMENT),
        (
            {"s": described(2, {f"{n}": 1 for n in range(HEADERS_MAX + 1)})},
            Condition.ILLEGAL_ARGUMENT,
        ),
        ({f"{n}": None for n in range(FILTERS_MAX + 1)}, Condition.ILLEGAL_ARGUMENT),
    ],
)
def test_what_is_known_must_make_sense(given, condition: Condition) -> None:
    with pytest.raises(BrokerError) as caught:
        read_filters(given)
    assert caught.value.condition is condition
    assert caught.value.condition.symbol == "amqp:invalid-field"

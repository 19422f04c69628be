from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.core.broker import Broker
from tanist.core.exchange import CONSUMED, COPIED, FORWARDED, HASHES_MAX, ROUTES_MAX, fits
from tanist.core.message import Message
from tanist.types import Condition
from tests.broker.core.core_model import actor, make_broker, message, refused


def routed(broker: Broker, exchange: str, key: str, header: bytes = b"") -> list[str]:
    found = broker.exchanges[exchange].route(message(key=key, exchange=exchange, header=header))
    return [queue.name for queue in found]


def with_queues(*names: str) -> Broker:
    broker = make_broker()
    for name in names:
        broker.declare_queue(name, actor())
    return broker


def test_default_exchange() -> None:
    broker = with_queues("a", "b")
    assert routed(broker, "", "a") == ["a"]
    assert routed(broker, "", "c") == []
    broker.delete_queue("a", actor())
    assert routed(broker, "", "a") == []
    exchange = broker.exchanges[""]
    b = broker.queues["b"]
    assert exchange.is_bound(b, "", {})
    assert exchange.is_bound(b, "b", {})
    assert not exchange.is_bound(b, "a", {})
    assert exchange.is_bound(None, "b", {})
    assert exchange.is_bound(None, "", {})
    assert not exchange.is_bound(None, "a", {})


def test_direct() -> None:
    broker = with_queues("a", "b")
    broker.bind("amq.direct", "a", "k", None, actor())
    assert routed(broker, "amq.direct", "k") == ["a"]
    assert routed(broker, "amq.direct", "k") == ["a"]
    broker.bind("amq.direct", "b", "k", None, actor())
    assert routed(broker, "amq.direct", "k") == ["a", "b"]
    broker.unbind("amq.direct", "a", "k", actor())
    assert routed(broker, "amq.direct", "k") == ["b"]
    broker.unbind("amq.direct", "b", "k", actor())
    assert routed(broker, "amq.direct", "k") == []
    assert not broker.exchanges["amq.direct"].by_key


def test_the_route_cache_is_bounded() -> None:
    broker = with_queues("a")
    broker.bind("amq.fanout", "a", "", None, actor())
    exchange = broker.exchanges["amq.fanout"]
    for number in range(ROUTES_MAX + 10):
        assert routed(broker, "amq.fanout", str(number)) == ["a"]
    assert len(exchange.routes) == 10
    for number in range(10):
        routed(broker, "amq.direct", str(number))
    assert not broker.exchanges["amq.direct"].routes


def test_topic_delivers_once_per_queue() -> None:
    broker = with_queues("a", "b")
    for key in ("x.*", "x.y", "#", "#.y", "x.y"):
        broker.bind("amq.topic", "a", key, None, actor())
    broker.bind("amq.topic", "b", "x.#", None, actor())
    assert sorted(routed(broker, "amq.topic", "x.y")) == ["a", "b"]
    assert routed(broker, "amq.topic", "z") == ["a"]
    assert sorted(routed(broker, "amq.topic", "x")) == ["a", "b"]
    assert len(broker.queues["a"].bindings) == 4
    broker.delete_queue("a", actor())
    assert routed(broker, "amq.topic", "z") == []
    assert routed(broker, "amq.topic", "x.*") == ["b"]


def test_topic_patterns_of_the_same_meaning_are_one_binding() -> None:
    broker = with_queues("a", "b")
    assert broker.bind("amq.topic", "a", "#.*", None, actor())
    assert not broker.bind("amq.topic", "a", "*.#", None, actor())
    assert broker.bind("amq.topic", "b", "*.#.#", None, actor())
    assert broker.unbind("amq.topic", "a", "#.#.*", actor())
    assert routed(broker, "amq.topic", "x") == ["b"]


def test_a_key_that_looks_like_a_pattern() -> None:
    broker = with_queues("a", "b")
    broker.bind("amq.topic", "a", "x.*.*", None, actor())
    assert routed(broker, "amq.topic", "x.*") == []
    assert routed(broker, "amq.topic", "x.*.*") == ["a"]


def test_fanout() -> None:
    broker = with_queues("a", "b")
    assert routed(broker, "amq.fanout", "") == []
    assert broker.bind("amq.fanout", "a", "one", None, actor())
    assert not broker.bind("amq.fanout", "a", "two", None, actor())
    broker.bind("amq.fanout", "b", "", None, actor())
    assert routed(broker, "amq.fanout", "any") == ["a", "b"]
    broker.unbind("amq.fanout", "a", "three", actor())
    assert routed(broker, "amq.fanout", "any") == ["b"]


def test_headers() -> None:
    broker = with_queues("all", "any", "some")
    who = actor()
    broker.bind("amq.match", "all", "1", {"x-match": "all", "a": "1", "b": "2"}, who)
    broker.bind("amq.match", "any", "1", {"x-match": b"any", "a": "1", "b": "2"}, who)
    broker.bind("amq.match", "some", "1", {"x-match": "all", "a": None}, who)
    broker.bind("amq.match", "some", "2", {"x-match": "any", "a": "1"}, who)
    assert routed(broker, "amq.match", "", b"a=1;b=2") == ["all", "any", "some"]
    assert routed(broker, "amq.match", "", b"a=9") == ["some"]
    assert routed(broker, "amq.match", "", b"b=2") == ["any"]
    assert routed(broker, "amq.match", "", b"") == []
    known = message(header=b"", exchange="amq.match")
    known.headers = {"b": b"2"}
    assert [queue.name for queue in broker.exchanges["amq.match"].route(known)] == ["any"]


def test_nothing_is_decoded_without_bindings() -> None:
    broker = make_broker()
    sent = Message(b"not headers at all", b"", "amq.match", "")
    assert broker.exchanges["amq.match"].route(sent) == []
    assert sent.headers is None


@pytest.mark.parametrize("arguments", [{}, {"x-match": "some"}, {"x-match": 1}])
def test_headers_need_x_match(arguments: dict[str, object]) -> None:
    with refused(Condition.INTERNAL_ERROR):
        with_queues("q").bind("amq.match", "q", "", arguments, actor())


def test_a_headers_key_has_one_set_of_arguments() -> None:
    broker = with_queues("q", "r")
    who = actor()
    assert broker.bind("amq.match", "q", "k", {"x-match": "all", "a": 1}, who)
    assert not broker.bind("amq.match", "q", "k", {"x-match": "all", "a": 1}, who)
    assert broker.bind("amq.match", "r", "k", {"x-match": "all", "a": 2}, who)
    with refused(Condition.INTERNAL_ERROR):
        broker.bind("amq.match", "q", "k", {"x-match": "all", "a": 2}, who)


def test_arguments_of_the_broker_do_not_match() -> None:
    ours = {"qpid.replicate": "none", "qpid.exclusive-binding": 1, "qpid.fed.origin": "x"}
    assert fits({"x-match": "all", **ours}, {})
    assert not fits({"x-match": "any", **ours}, {})
    assert not fits({"x-match": "all", "qpid.subject": "s", **ours}, {"qpid.subject": "t"})


headers = st.dictionaries(st.sampled_from("abcd"), st.sampled_from([None, 1, "x", b"x", 2]))


@settings(max_examples=200, deadline=None)
@given(headers, headers)
def test_fits_is_all_or_any(wanted: dict[str, object], given_headers: dict[str, object]) -> None:
    def same(name: str) -> bool:
        if name not in given_headers:
            return False
        one, other = wanted[name], given_headers[name]
        return one is None or one == other or {one, other} == {"x", b"x"}

    each = [same(name) for name in wanted]
    assert fits({**wanted, "x-match": "all"}, given_headers) is all(each)
    assert fits({**wanted, "x-match": "any"}, given_headers) is any(each)


@pytest.mark.parametrize(
    ("exchange", "key", "seen"),
    [
        ("qmf.default.direct", "broker", CONSUMED),
        ("qmf.default.direct", "agent:1", CONSUMED),
        ("qmf.default.direct", "reply", FORWARDED),
        ("qmf.default.direct", "", FORWARDED),
        ("qmf.default.topic", "console.request.agent_locate", COPIED),
        ("qmf.default.topic", "broker", FORWARDED),
        ("qpid.management", "broker", CONSUMED),
        ("qpid.management", "agent.1.0.x", CONSUMED),
        ("qpid.management", "schema.package", COPIED),
        ("qpid.management", "mgmt.x", FORWARDED),
        ("amq.topic", "broker", FORWARDED),
    ],
)
def test_what_the_agent_sees(exchange: str, key: str, seen: int) -> None:
    broker = with_queues("q")
    pattern = "#" if broker.exchanges[exchange].type.endswith("topic") else key
    broker.bind(exchange, "q", pattern, None, actor())
    for _ in range(2):  # no cache may hide the second
        sent = message(key=key, exchange=exchange)
        assert broker.exchanges[exchange].observe(sent) == seen
        assert broker.publish(sent, exchange) == 1 + (seen == COPIED)
        assert broker.agent_inbox == ([] if seen == FORWARDED else [sent])
        broker.agent_inbox = []
    assert broker.queues["q"].count == (0 if seen == CONSUMED else 2)


def test_is_bound() -> None:
    broker = with_queues("a", "b")
    who = actor()
    exchange = broker.exchanges["amq.topic"]
    a, b = broker.queues["a"], broker.queues["b"]
    assert not exchange.is_bound(None, "", {})
    broker.bind("amq.topic", "a", "x.#.#", None, who)
    assert exchange.is_bound(None, "", {})
    assert exchange.is_bound(a, "", {})
    assert exchange.is_bound(a, "x.#", {"ignored": 1})
    assert exchange.is_bound(None, "x.#", {})
    assert not exchange.is_bound(b, "x.#", {})
    assert not exchange.is_bound(b, "", {})
    assert not exchange.is_bound(a, "x", {})
    broker.bind("amq.fanout", "a", "k", None, who)
    assert broker.exchanges["amq.fanout"].is_bound(a, "other", {})
    match = broker.exchanges["amq.match"]
    arguments = {"x-match": "all", "h": 1}
    broker.bind("amq.match", "a", "k", arguments, who)
    assert match.is_bound(a, "k", arguments)
    assert match.is_bound(None, "", {})
    assert not match.is_bound(b, "k", arguments)
    assert not match.is_bound(a, "l", arguments)
    assert not match.is_bound(a, "k", {"x-match": "all"})


def test_a_pattern_made_to_be_slow_is_refused() -> None:
    broker = with_queues("q")
    slow = ".".join(["#", "a"] * (HASHES_MAX + 1))
    with refused(Condition.INVALID_ARGUMENT):
        broker.bind("amq.topic", "q", slow, {}, actor())
    assert routed(broker, "amq.topic", ".".join("a" * 20)) == []
    broker.bind("amq.topic", "q", slow.removesuffix(".#.a"), {}, actor())
    assert routed(broker, "amq.topic", ".".join("a" * 20)) == ["q"]
    broker.bind("amq.topic", "q", ".".join("#" * 50), {}, actor())
    broker.bind("amq.direct", "q", slow, {}, actor())

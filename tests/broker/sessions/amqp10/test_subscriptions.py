"""Subscriptions to topics: whose queue it is, what is on it, how long it stays."""

from __future__ import annotations

import pytest
from session_peer import Client
from session_peer10 import Client10, Node10, Session10, message

from tanist.core.notices import Actor
from tanist.wire.amqp10.composites import Modified, Properties
from tanist.wire.amqp10.receiver import Receiver
from tanist.wire.amqp10.values import Described, ULong

NOBODY = Actor("", "")
CODE = 0x0000468C00000000
DURABLE = {"durable": 2, "expiry_policy": "never"}


def filters(**kinds: object) -> dict[str, Described]:
    order = ("direct", "topic", "headers", "no_local", "selector")
    return {name: Described(ULong(CODE + order.index(name)), kinds[name]) for name in kinds}  # type: ignore[arg-type]


@pytest.fixture(name="shop")
def a_client_called_shop(node: Node10) -> Session10:
    return Client10(node, container="shop").begin()


def tell(node: Node10, *subjects: str, exchange: str = "amq.topic") -> None:
    """Somebody else publishes a message for each subject."""
    session = Client10(node).begin()
    link = session.sender(exchange)
    for subject in subjects:
        octets = message(
            subject.encode(),
            properties=Properties(subject=subject),
            application={"size": len(subject)},
        )
        session.send(link, octets)


def subscribed(session: Session10, address: str = "amq.topic", **source: object) -> Receiver:
    return session.receiver(address, str(source.pop("name", "sub")), credit=100, **source)  # type: ignore[arg-type]


def test_a_volatile_subscription_begins_and_ends_with_its_link(
    node: Node10, shop: Session10
) -> None:
    tell(node, "before")
    link = subscribed(shop)
    queue = node.broker.queues["shop_sub|volatile"]
    assert queue.number == 0, "nobody else will ever have it"
    tell(node, "a", "b.c")
    shop.client.pump()
    assert shop.bodies == [b"a", b"b.c"]
    shop.close(link, closed=False)
    assert "shop_sub|volatile" not in node.broker.queues
    assert not node.broker.exchanges["amq.topic"].bindings


@pytest.mark.parametrize("end", ["session", "connection"])
def test_it_ends_with_session_and_connection(node: Node10, shop: Session10, end: str) -> None:
    subscribed(shop)
    tell(node, "a")
    if end == "session":
        shop.session.end()
        shop.client.pump()
    else:
        shop.client.drop()
    assert "shop_sub|volatile" not in node.broker.queues


@pytest.mark.parametrize(
    ("address", "source", "wanted"),
    [
        ("amq.topic", {}, ["a.b", "a.c", "b"]),
        ("amq.topic/a.*", {}, ["a.b", "a.c"]),
        ("amq.topic", {"filter": filters(topic="#.b")}, ["a.b", "b"]),
        ("amq.topic", {"filter": filters(direct="b")}, ["b"]),
        ("amq.topic", {"filter": filters(selector="size < 3")}, ["b"]),
        ("amq.topic/a.*", {"filter": filters(selector="JMSType = 'a.c'")}, ["a.c"]),
        ("amq.direct/b", {}, ["b"]),
        ("amq.direct", {"filter": filters(direct="a.b")}, ["a.b"]),
        ("amq.fanout", {}, ["a.b", "a.c", "b"]),
        ("amq.match", {}, ["a.b", "a.c", "b"]),
        ("amq.match", {"filter": filters(headers={"size": 3, "x-match": "all"})}, ["a.b", "a.c"]),
    ],
)
def test_what_a_subscription_gets(
    node: Node10, shop: Session10, address: str, source: dict[str, object], wanted: list[str]
) -> None:
    link = subscribed(shop, address, **source)
    assert shop.source(link).filter == (source.get("filter") or None)
    tell(node, "a.b", "a.c", "b", exchange=address.partition("/")[0])
    shop.client.pump()
    assert shop.bodies == [subject.encode() for subject in wanted]
    assert node.broker.queues["shop_sub|volatile"].count == len(wanted), "the others are not kept"


def test_headers_mean_nothing_to_other_exchanges_and_that_is_told(shop: Session10) -> None:
    link = subscribed(shop, "amq.topic", filter=filters(headers={"size": 3}, topic="a"))
    assert list(shop.source(link).filter or {}) == ["topic"]


def test_no_local(node: Node10, shop: Session10) -> None:
    subscribed(shop, filter=filters(no_local=[]))
    shop.send(shop.sender("amq.topic/x"), message(b"ours"))
    tell(node, "theirs")
    shop.client.pump()
    assert shop.bodies == [b"theirs"]
    assert node.broker.queues["shop_sub|volatile"].count == 1


def test_a_durable_subscription_waits_for_its_link(node: Node10, shop: Session10) -> None:
    link = subscribed(shop, **DURABLE)
    answer = shop.source(link)
    assert (answer.durable, answer.expiry_policy) == (2, "never")
    queue = node.broker.queues["shop_sub"]
    assert queue.durable
    assert queue.number > 0
    shop.close(link, closed=False)
    tell(node, "meanwhile")
    shop.client.drop()
    again = Client10(node, container="shop").begin()
    link = subscribed(again, **DURABLE)
    assert again.bodies == [b"meanwhile"]
    assert node.broker.queues["shop_sub"] is queue
    again.close(link, closed=True)
    assert "shop_sub" not in node.broker.queues


def test_unsubscribing_is_confirmed_when_it_is_safe(slow: Node10) -> None:
    session = Client10(slow, container="shop").begin()
    link = subscribed(session, **DURABLE)
    assert "sub" not in session.attached
    slow.open_gate()
    session.client.pump()
    assert "sub" in session.attached
    session.close(link)
    assert "sub" not in session.detached
    slow.open_gate()
    session.client.pump()
    assert session.detached == {"sub": None}


@pytest.mark.parametrize(
    "changed",
    [
        {"filter": filters(selector="size = 1")},
        {"filter": filters(topic="a")},
        {"filter": filters(no_local=[])},
        {"address": "amq.fanout"},
    ],
)
def test_another_topic_or_filter_is_another_subscription(
    node: Node10, shop: Session10, changed: dict[str, object]
) -> None:
    link = subscribed(shop, **DURABLE)
    shop.close(link, closed=False)
    tell(node, "old")
    subscribed(shop, **{**DURABLE, **changed})
    assert not shop.bodies
    queue = node.broker.queues["shop_sub"]
    assert len(queue.bindings) == 1


def test_how_jms_unsubscribes(node: Node10, shop: Session10) -> None:
    link = subscribed(shop, **DURABLE)
    shop.close(link, closed=False)
    link = shop.session.receiver("sub", None, None)
    shop.client.pump()
    source = shop.source(link)
    assert (source.address, source.durable) == ("amq.topic", 2)
    shop.close(link)
    assert "shop_sub" not in node.broker.queues
    link = shop.session.receiver("sub", None, None)
    shop.client.pump()
    assert shop.refused(link) == "amqp:not-found"


def test_not_unsubscribed_is_confirmed_when_it_is_safe(slow: Node10) -> None:
    session = Client10(slow, container="shop").begin()
    link = session.session.receiver("sub", None, None)
    slow.broker.declare_queue("other", NOBODY)
    session.client.pump()
    assert not session.attached
    slow.open_gate()
    session.client.pump()
    assert session.refused(link) == "amqp:not-found"


def test_a_null_source_means_no_queue_that_is_no_subscription(
    node: Node10, shop: Session10
) -> None:
    node.broker.declare_queue("shop_q", NOBODY)
    link = shop.session.receiver("q", None, None)
    shop.client.pump()
    assert shop.refused(link) == "amqp:not-found"


@pytest.mark.parametrize("durable", [{}, DURABLE])
def test_a_shared_subscription_shares(node: Node10, durable: dict[str, object]) -> None:
    sessions = [Client10(node, container="shop").begin() for _ in range(2)]
    links = [
        subscribed(session, name=name, capabilities=("topic", "shared"), **durable)
        for session, name in zip(sessions, ("sub", "sub|2"), strict=True)
    ]
    assert sessions[0].source(links[0]).capabilities == ("topic", "shared")
    tell(node, "a", "b", "c", "d")
    for session in sessions:
        session.client.pump()
    assert len(sessions[0].got) == len(sessions[1].got) == 2
    name = "shop_sub" if durable else "shop_sub|volatile"
    assert len(node.broker.queues[name].consumers) == 2
    for session, link in zip(sessions, links, strict=True):
        assert name in node.broker.queues
        session.close(link)
    assert name not in node.broker.queues


def test_volatile_and_durable_shared_ones_of_a_name_are_two(node: Node10, shop: Session10) -> None:
    subscribed(shop, name="sub", capabilities=("shared",), **DURABLE)
    subscribed(shop, name="sub|volatile1", capabilities=("shared",))
    tell(node, "a")
    shop.client.pump()
    assert len(shop.got) == 2


def test_a_global_one_is_shared_by_all_containers(node: Node10) -> None:
    sessions = [Client10(node).begin() for _ in range(2)]
    for session in sessions:
        subscribed(session, name="sub|global", capabilities=("shared", "global"), **DURABLE)
    tell(node, "a", "b")
    for session in sessions:
        session.client.pump()
    assert len(sessions[0].got) == len(sessions[1].got) == 1
    assert "sub" in node.broker.queues
    last = sessions[0]
    for session in sessions:
        (link,) = session.session.links.values()
        session.close(link, closed=False)
    link = last.session.receiver("sub|global", None, None)
    last.client.pump()
    last.close(link)
    assert "sub" not in node.broker.queues


def test_a_shared_one_that_is_in_use_cannot_be_changed(node: Node10) -> None:
    sessions = [Client10(node, container="shop").begin() for _ in range(2)]
    subscribed(sessions[0], capabilities=("shared",))
    link = subscribed(
        sessions[1], name="sub|2", capabilities=("shared",), filter=filters(topic="other")
    )
    assert sessions[1].refused(link) == "amqp:resource-locked"


def test_one_that_is_not_shared_has_one_link(node: Node10, shop: Session10) -> None:
    subscribed(shop, **DURABLE)
    link = subscribed(shop, name="sub|2", capabilities=("shared",), **DURABLE)
    assert shop.refused(link) == "amqp:resource-locked"


def test_a_queue_that_is_no_subscription_is_not_taken(node: Node10) -> None:
    node.broker.declare_queue("sub", NOBODY)
    session = Client10(node).begin()
    link = subscribed(session, capabilities=("shared", "global"), **DURABLE)
    assert session.refused(link) == "amqp:not-allowed"
    assert node.broker.queues["sub"].consumers == []


def test_a_timeout_keeps_a_volatile_one_for_a_while(node: Node10, shop: Session10) -> None:
    link = subscribed(shop, timeout=10)
    shop.close(link, closed=False)
    tell(node, "meanwhile")
    node.tick(5)
    subscribed(shop, timeout=10)
    assert shop.bodies == [b"meanwhile"]
    shop.client.drop()
    node.tick(11)
    assert "shop_sub" not in node.broker.queues


def test_a_binding_that_is_refused_leaves_no_queue(node: Node10, shop: Session10) -> None:
    pattern = ".".join(["#", "x"] * 40)
    link = subscribed(shop, filter=filters(topic=pattern))
    assert shop.refused(link) == "amqp:invalid-field"
    assert "shop_sub" not in node.broker.queues


def test_names_that_are_too_long_are_refused(shop: Session10) -> None:
    link = subscribed(shop, name="x" * 300)
    assert shop.refused(link) == "amqp:invalid-field"


def test_0_10_publishers_reach_subscribers(node: Node10, shop: Session10) -> None:
    subscribed(shop, filter=filters(selector="size = 3"))
    old = Client(node).attach()
    for size in (2, 3):
        properties = {"application_headers": {"size": size}}
        old.publish("any", b"old", exchange="amq.topic", properties=properties)
    shop.client.pump()
    assert len(shop.got) == 1


def test_what_a_durable_link_had_not_settled_comes_again(node: Node10, shop: Session10) -> None:
    link = subscribed(shop, default_outcome=Modified(True), **DURABLE)
    tell(node, "a")
    shop.client.pump()
    shop.close(link, closed=False)
    subscribed(shop, **DURABLE)
    assert [got.count for got in shop.got] == [0, 1]


def test_a_subscription_outlives_its_client_in_what_backups_know(node: Node10, shop) -> None:
    subscribed(shop, filter=filters(selector="size = 1"), **DURABLE)
    queue = node.broker.queues["shop_sub"]
    assert queue.arguments["tanist.topic"] == "amq.topic"
    assert queue.arguments["qpid.filter"] == "size = 1"


def test_a_volatile_and_a_durable_one_of_a_link_are_two(node: Node10, shop: Session10) -> None:
    link = subscribed(shop, timeout=60)
    shop.close(link, closed=False)
    link = subscribed(shop, **DURABLE)
    queue = node.broker.queues["shop_sub"]
    assert queue.durable
    assert not queue.auto_delete
    shop.close(link, closed=False)
    node.tick(61.0)
    assert "shop_sub" in node.broker.queues
    assert "shop_sub|volatile" not in node.broker.queues

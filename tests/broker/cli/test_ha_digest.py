"""qpid-ha digest: what brokers are asked, how they are compared, and how it ends."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest

from tanist.cli import ha_digest
from tanist.cli.ha_digest import Difference, QueueDigest, Replicas, differences, report, verdict
from tanist.cli.ha_report import QUEUES_NAMED_MAX
from tanist.cli.qmf_client import QmfError
from tanist.core.message import Message
from tanist.core.notices import Actor
from tanist.core.queue import Queue
from tanist.core.records import Entry
from tanist.ha.roles import Status
from tanist.management import digest
from tanist.management.schema import HA_BROKER
from tanist.wire.amqp010.values import Value
from tests.broker.cli.loopback import LoopbackBroker, Original, cluster_url, free_address

ACTOR = Actor("", "")
DIGITS = "[0-9a-f]{16}"


def fill(broker: LoopbackBroker) -> None:
    """Two replicated queues and one that is not; the same on every broker."""
    core = broker.node.broker
    for name in ("orders", "audit"):
        core.declare_queue(name, ACTOR)
    core.declare_queue("local", ACTOR, arguments={"qpid.replicate": "none"})
    for name, body in (("orders", b"one"), ("local", b"two"), ("orders", b"three")):
        core.publish(Message(b"", body, "", name), "")


@pytest.fixture(name="pair")
def two_equal_brokers(run) -> Iterator[tuple[LoopbackBroker, LoopbackBroker]]:
    """Both are primaries, so that both have queues; the first one knows of both."""
    with LoopbackBroker(1, ha_replicate="all") as one, LoopbackBroker(2, ha_replicate="all") as two:
        for broker in (one, two):
            assert run("promote", "-b", broker.address)[0] == 0
            fill(broker)
        one.node.cluster.ha_set_brokers_url(cluster_url(one, two))
        yield one, two


# -- one broker ------------------------------------------------------------------------------


def test_a_line_for_each_replicated_queue(pair, run) -> None:
    one, _ = pair
    status, out, err = run("digest", "-b", one.address)
    assert (status, err) == (0, "")
    audit, orders = out.splitlines()
    assert re.fullmatch(f"audit 0 {DIGITS}", audit)
    assert re.fullmatch(f"orders 2 {DIGITS}", orders)
    assert run("digest", "orders", "-b", one.address) == (0, f"{orders}\n", "")


def test_one_line_of_json(pair, run) -> None:
    one, _ = pair
    lines = run("digest", "-b", one.address)[1].splitlines()
    status, out, err = run("digest", "--json", "-b", one.address)
    assert (status, err, out.count("\n")) == (0, "", 1)
    found = json.loads(out)
    queues = found.pop("queues")
    assert [f"{name} {q['messages']} {q['digest']}" for name, q in queues.items()] == lines
    assert found == {
        "address": one.address,
        "status": "active",
        "epoch": 1,
        "index": 4,
        "applied": 4,
        "quiet": True,
    }


def test_a_broker_that_is_no_primary_is_asked_as_well(run) -> None:
    with LoopbackBroker() as broker:
        status, out, _ = run("digest", "--json", "-b", broker.address)
        assert status == 0
        assert (json.loads(out)["status"], json.loads(out)["queues"]) == ("joining", {})
        assert run("digest", "-b", broker.address) == (0, "", "")


@pytest.mark.parametrize(
    ("queue", "why"),
    [
        ("nowhere", "Queue not found: nowhere"),
        ("local", "The messages of queue local are not replicated"),
    ],
)
def test_a_queue_that_has_none(pair, run, queue: str, why: str) -> None:
    status, out, err = run("digest", queue, "-b", pair[0].address)
    assert (status, out) == (1, "")
    assert err.startswith(f"qpid-ha: {why}")


def test_a_broker_that_is_not_there(run) -> None:
    status, out, err = run("digest", "-b", free_address())
    assert (status, out) == (1, "")
    assert err.startswith("qpid-ha: cannot connect to ")


def test_a_broker_that_has_no_such_method(run) -> None:
    with LoopbackBroker(ha_cluster=False) as broker:
        broker.node.agent.register(Original(HA_BROKER, "ha-broker", 0))
        status, out, err = run("digest", "-b", broker.address)
        assert (status, out) == (1, "")
        assert "has no method 'digest'" in err


def test_more_queues_than_one_answer_holds() -> None:
    asked: list[dict[str, Value]] = []

    def call(arguments: dict[str, Value]) -> dict[str, Value]:
        asked.append(arguments)
        after = arguments.get("after", 0)
        assert isinstance(after, int)
        return {
            "status": "active",
            "epoch": 1,
            "index": 7,
            "applied": 7 if after < 2 else 8,
            "quiet": True,
            "queues": {f"q{after}": {"messages": after, "digest": b"d"}},
            "next": after + 1 if after < 2 else 0,
        }

    found = ha_digest.ask("a:1", "", call)
    assert asked == [{}, {"after": 1}, {"after": 2}]
    assert found.queues == {f"q{n}": QueueDigest(n, "d") for n in range(3)}
    assert found.place == {"epoch": 1, "index": 7, "applied": 7}
    assert not found.quiet, "it went on between the calls"


def test_a_call_for_every_thousand_queues_of_a_real_broker(run) -> None:
    count = digest.QUEUES_PER_ANSWER + 1
    with LoopbackBroker(ha_replicate="all") as broker:
        run("promote", "-b", broker.address)
        for number in range(count):
            broker.node.broker.declare_queue(f"q{number:04}", ACTOR)
        status, out, _ = run("digest", "-b", broker.address)
        assert status == 0
        assert [line.split()[0] for line in out.splitlines()] == [f"q{n:04}" for n in range(count)]


@pytest.mark.parametrize(
    ("out", "why"),
    [
        ({}, "a:1: the answer to digest has no status"),
        ({"status": "ready", "queues": {"q": 7}}, "is no digest of queue q"),
        ({"status": "ready", "queues": {"q": {"messages": 1}}}, "is no digest of queue q"),
        ({"status": "ready", "queues": {"q": {"digest": "d"}}}, "is no digest of queue q"),
    ],
)
def test_an_answer_that_is_none(out: dict[str, Value], why: str) -> None:
    with pytest.raises(QmfError, match=why):
        ha_digest.ask("a:1", "", lambda arguments: out)


# -- all brokers -----------------------------------------------------------------------------


def test_equal_brokers(pair, run) -> None:
    one, two = pair
    status, out, err = run("digest", "--all", "-b", one.address)
    assert (status, err) == (0, "")
    first, second, title, heads, rule, audit, orders, verdict_line = out.splitlines()
    assert first == f"{one.address} active (epoch 1, index 4, applied 4)"
    assert second == f"{two.address} active (epoch 1, index 4, applied 4)"
    assert title == "Queues that are replicated with their messages: messages and digest"
    assert heads.split() == ["queue", one.address, two.address]
    assert set(rule.strip()) == {"="}
    for line, name, count in ((audit, "audit", "0"), (orders, "orders", "2")):
        words = line.split()
        assert words[:2] == [name, count]
        assert words[1:3] == words[3:5]
    assert verdict_line == "equal: 2 queues on 2 brokers"


def change_a_body(queue: Queue) -> None:
    queue.entries()[0].message.body = b"eno"


def change_the_order(queue: Queue) -> None:
    first, second = queue.entries()
    first.message, second.message = second.message, first.message


def change_a_position(queue: Queue) -> None:
    last = queue.entries()[-1]
    queue.remove([last.position])
    queue.insert(Entry(last.message, queue, last.position + 1))


def lose_one(queue: Queue) -> None:
    queue.remove([1])


@pytest.mark.parametrize(
    ("damage", "differs"),
    [
        (change_a_body, "content"),
        (change_the_order, "content"),
        (change_a_position, "content"),
        (lose_one, "count"),
    ],
)
def test_a_damaged_broker_is_told(pair, run, damage: Callable[[Queue], None], differs: str) -> None:
    one, two = pair
    damage(two.node.broker.queues["orders"])
    status, out, err = run("digest", "--all", "-b", one.address)
    assert (status, err) == (1, "")
    assert out.splitlines()[-1] == f"not equal: 1 of 2 queues on 2 brokers: orders ({differs})"
    status, out, _ = run("digest", "--all", "--json", "-b", one.address)
    assert (status, out.count("\n")) == (1, 1)
    found = json.loads(out)
    assert found["equal"] is False
    assert found["differences"] == [{"queue": "orders", "differs": differs}]
    assert run("digest", "audit", "--all", "-b", one.address)[0] == 0, "that one is equal"


def test_a_queue_that_one_broker_has_not(pair, run) -> None:
    one, two = pair
    one.node.broker.declare_queue("new", ACTOR)
    status, out, _ = run("digest", "--all", "-b", one.address)
    assert status == 1
    row = next(line.split() for line in out.splitlines() if line.split()[0] == "new")
    assert row[1] == "0"
    assert row[3] == "-"
    assert out.splitlines()[-1] == "not equal: 1 of 3 queues on 2 brokers: new (missing)"
    status, out, _ = run("digest", "new", "--all", "-b", one.address)
    assert status == 1
    assert f"{two.address} Queue not found: new" in out


def test_a_broker_that_cannot_be_asked(pair, run) -> None:
    one, two = pair
    gone = free_address()
    one.node.cluster.ha_set_brokers_url(f"{cluster_url(one, two)},{gone}")
    status, out, err = run("digest", "--all", "-b", one.address)
    assert (status, err) == (1, "")
    lines = out.splitlines()
    assert lines[2].startswith(f"{gone} cannot connect to {gone}")
    assert lines[-1] == f"not known: 2 queues equal on 2 brokers; no digest from {gone}"
    status, out, _ = run("digest", "--all", "--json", "-b", one.address)
    found = json.loads(out)
    assert (status, found["equal"], found["differences"]) == (1, False, [])
    rows = found["brokers"]
    assert [row["status"] for row in rows] == ["active", "active", "error"]
    assert rows[0]["queues"] == rows[1]["queues"]
    assert set(rows[2]) == {"address", "status", "error"}


def test_a_broker_that_catches_up_need_not_have_everything(pair, run) -> None:
    one, two = pair
    two.node.cluster.role.status = Status.CATCHUP
    _, _, err = run("digest", "--all", "-b", one.address)
    assert err == f"qpid-ha: {two.address} is catchup: it need not have everything yet\n"


# -- the comparison by itself ------------------------------------------------------------------


def broker(address: str, **queues: tuple[int, str]) -> Replicas:
    found = {name: QueueDigest(*digest) for name, digest in queues.items()}
    return Replicas(address, "ready", {}, True, found)


def test_differences_of_three_brokers() -> None:
    brokers = [
        broker("a", same=(1, "x"), less=(2, "x"), other=(3, "x"), gone=(1, "x")),
        broker("b", same=(1, "x"), less=(2, "x"), other=(3, "x"), gone=(1, "x")),
        broker("c", same=(1, "x"), less=(1, "y"), other=(3, "z")),
        Replicas("d", error="no answer"),
    ]
    assert differences(brokers) == [
        Difference("gone", "missing"),
        Difference("less", "count"),
        Difference("other", "content"),
    ]
    assert verdict(brokers) == (
        "not equal: 3 of 4 queues on 3 brokers: gone (missing), less (count), other (content); "
        "no digest from d"
    )


def test_a_verdict_names_some_queues_only() -> None:
    names = [f"q{number:03}" for number in range(QUEUES_NAMED_MAX + 2)]
    one = broker("a", **{name: (1, "x") for name in names})
    line = verdict([one, broker("b", **{name: (1, "y") for name in names})])
    assert line.startswith("not equal: 22 of 22 queues on 2 brokers: q000 (content), ")
    assert line.endswith("q019 (content), and 2 more")


def test_brokers_without_queues_are_equal() -> None:
    brokers = [broker("a"), broker("b")]
    assert report(brokers)[-1] == "equal: 0 queues on 2 brokers"
    assert ha_digest.equal(brokers)
    assert not ha_digest.equal([*brokers, Replicas("c", error="no answer")])


def test_a_broker_in_use_is_told() -> None:
    busy = Replicas("a:1", "active", {}, False, {})
    assert ha_digest.cautions([busy, broker("b"), Replicas("c", error="gone")]) == [
        "a:1 was in use while it was asked: ask again when nobody sends or consumes"
    ]

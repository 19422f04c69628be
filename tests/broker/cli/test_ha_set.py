"""What qpid-ha set changes, and on which brokers."""

from __future__ import annotations

import json

import pytest

from tanist.cli.ha_set import changes, targets
from tanist.cli.qmf_client import QmfError
from tanist.ha.url import Url, parse_url
from tanist.management.schema import HA_BROKER
from tanist.types import BrokerError, Condition
from tanist.wire.amqp010.values import Value
from tests.broker.cli.loopback import LoopbackBroker, Original, cluster_url, free_address


def each(text: str) -> list[Url]:
    """A URL for every address, as the tool has them."""
    return [Url([address]) for address in parse_url(text).addresses]


def told(known: str, brokers_url: str | None, public_url: str | None) -> list[str]:
    """Whom the tool turns to."""
    login = Url([], "user", "secret")
    return [
        url.canonical() for url in targets(each(known), changes(brokers_url, public_url), login)
    ]


def test_the_members_come_first_and_the_text_stays_as_it_was_given() -> None:
    found = changes("u/p@a,b:1", "")
    assert [(change.option, change.method, change.text) for change in found] == [
        ("--brokers-url", "setBrokersUrl", "u/p@a,b:1"),
        ("--public-url", "setPublicUrl", ""),
    ]
    assert found[0].url.canonical() == "amqp:u/p@tcp:a:5672,tcp:b:1"


@pytest.mark.parametrize(
    ("brokers_url", "public_url", "why"),
    [
        (None, None, "set: nothing to set; give --brokers-url URL, --public-url URL or both"),
        ("a:x", "b", "--brokers-url: Invalid URL: a:x: bad port 'x'; write "),
        ("a", "b,", "--public-url: Invalid URL: b,: an address without a host; write "),
        ("a", ",".join(["b"] * 257), "more than 256 addresses"),
        ("", "b", "--brokers-url: no address in ''; write host"),
        ("none", None, "--brokers-url: no address in 'none'; write host"),
        (None, "a\udcff", r"--public-url: Invalid URL: 'a\udcff': unprintable characters"),
        ("a\n", None, r"--brokers-url: Invalid URL: 'a\n': unprintable characters"),
    ],
)
def test_what_cannot_be_set_is_said(
    brokers_url: str | None, public_url: str | None, why: str
) -> None:
    with pytest.raises(QmfError) as caught:
        changes(brokers_url, public_url)
    assert why in str(caught.value)


def test_each_broker_of_the_old_and_the_new_list_is_told_once() -> None:
    assert told("a:1,b:1,a:1", "c:1,b:1,b:2,c:1", "d:1") == [
        f"amqp:user/secret@tcp:{address}" for address in ("a:1", "b:1", "c:1", "b:2")
    ]


def test_clients_addresses_are_not_told() -> None:
    assert told("a:1", None, "d:1") == ["amqp:user/secret@tcp:a:1"]


# -- the command ---------------------------------------------------------------------------


def test_set_gives_one_broker_other_urls(broker: LoopbackBroker, run) -> None:
    at = ("-b", broker.address)
    assert run("set", "--public-url", "n1:7000,n2", *at) == (0, "", "")
    assert "Public URL:          amqp:tcp:n1:7000,tcp:n2:5672" in run("query", *at)[1]
    assert run("set", "--brokers-url", broker.address, *at) == (0, "", "")
    url = f"amqp:tcp:{broker.address}"
    assert f"Brokers URL:         {url}" in run("query", *at)[1]
    status, out, _ = run("set", "--public-url", "vip", "--brokers-url", "a,b", "--json", *at)
    assert (status, json.loads(out)) == (0, {"address": broker.address, "ok": True})
    told = json.loads(run("query", "--json", *at)[1])
    assert told["brokersUrl"] == "amqp:tcp:a:5672,tcp:b:5672"
    assert told["publicUrl"] == "amqp:tcp:vip:5672"


@pytest.mark.parametrize("empty", ["", "none"])
def test_an_empty_public_url_tells_clients_nothing(broker: LoopbackBroker, run, empty: str) -> None:
    assert run("set", f"--public-url={empty}", "-b", broker.address) == (0, "", "")
    assert json.loads(run("query", "--json", "-b", broker.address)[1])["publicUrl"] == ""
    assert broker.node.cluster.known_hosts() == []


def test_set_all_tells_old_and_new_members(run) -> None:
    gone = free_address()
    with LoopbackBroker(1) as one, LoopbackBroker(2) as two, LoopbackBroker(3) as three:
        one.node.cluster.ha_set_brokers_url(cluster_url(one, two))
        new = f"{gone},{cluster_url(two, three)}"
        wanted = ("set", "--all", "--brokers-url", new, "-b", one.address)
        status, out, err = run(*wanted)
        lines = out.splitlines()
        assert lines[:2] == [f"{one.address} changed", f"{two.address} changed"]
        assert lines[2].startswith(f"{gone} cannot connect to {gone}")
        assert lines[3:] == [f"{three.address} changed"]
        assert status == 1
        assert err == "qpid-ha: 1 of 4 brokers failed; set them with -b when they answer\n"
        for broker in (one, two, three):
            told = broker.node.cluster.ha_brokers_url()
            assert told == "amqp:" + ",".join(f"tcp:{each}" for each in new.split(","))
        status, out, err = run(*wanted, "--json")
        rows = json.loads(out)
        assert [row.pop("address") for row in rows] == new.split(","), "the first one left the list"
        assert rows[0].pop("error").startswith("cannot connect")
        assert rows == [{"ok": False}, {"ok": True}, {"ok": True}]
        assert (status, err.count("\n")) == (1, 1)


def test_set_all_of_the_public_url_stays_with_the_members(run) -> None:
    with LoopbackBroker(1) as one, LoopbackBroker(2) as two, LoopbackBroker(3) as three:
        one.node.cluster.ha_set_brokers_url(cluster_url(one, two))
        words = ("set", "--all", "--public-url", three.address, "-b", one.address)
        assert run(*words) == (0, f"{one.address} changed\n{two.address} changed\n", "")
        shown = [broker.node.cluster.ha_public_url() for broker in (one, two, three)]
        assert shown == [f"amqp:tcp:{three.address}"] * 2 + [""]


def test_the_login_is_used_on_new_members(run) -> None:
    secure = {"auth": True, "passwords": "guest:secret\n"}
    with LoopbackBroker(1, **secure) as one, LoopbackBroker(2, **secure) as two:
        one.node.cluster.ha_set_brokers_url(one.address)
        words = ("set", "--all", "--brokers-url", cluster_url(one, two))
        status, out, _ = run(*words, "-b", f"guest/secret@{one.address}")
        assert (status, out) == (0, f"{one.address} changed\n{two.address} changed\n")


@pytest.mark.parametrize("also", [(), ("--all",)])
def test_a_bad_url_changes_nothing_anywhere(
    broker: LoopbackBroker, run, also: tuple[str, ...]
) -> None:
    words = ("set", "--brokers-url", "a", "--public-url", "n1:port", "-b", broker.address, *also)
    status, out, err = run(*words)
    assert (status, out) == (1, "")
    assert err.startswith("qpid-ha: --public-url: Invalid URL: n1:port: bad port 'port'; write ")
    told = json.loads(run("query", "--json", "-b", broker.address)[1])
    assert (told["brokersUrl"], told["publicUrl"]) == ("", "amqp:tcp:vip:5672")


def test_set_needs_something_to_set(run) -> None:
    status, out, err = run("set", "-b", free_address())
    assert (status, out) == (1, "")
    assert err == "qpid-ha: set: nothing to set; give --brokers-url URL, --public-url URL or both\n"


def test_set_all_fails_as_a_whole_if_the_broker_that_knows_the_others_is_gone(run) -> None:
    gone = free_address()
    status, out, err = run("set", "--all", "--public-url", "vip", "-b", gone)
    assert (status, out) == (1, "")
    assert err.startswith(f"qpid-ha: cannot connect to {gone}")


def test_what_was_set_before_a_refusal_is_said(run) -> None:
    """A broker may know fewer protocols than the tool."""

    class Half(Original):
        def methods(self) -> tuple[str, ...]:
            return ("setBrokersUrl", "setPublicUrl")

        def invoke(self, method: str, arguments: dict[str, Value]) -> dict[str, Value]:
            if method == "setPublicUrl":
                raise BrokerError(Condition.INVALID_ARGUMENT, "Invalid URL: rdma:x")
            return {}

    with LoopbackBroker(ha_cluster=False) as broker:
        broker.node.agent.register(Half(HA_BROKER, "ha-broker", 0))
        words = ("--public-url", "rdma:x", "-b", broker.address)
        status, _, err = run("set", *words)
        assert (status, err) == (1, "qpid-ha: Invalid URL: rdma:x\n")
        status, out, _ = run("set", "--all", "--brokers-url", broker.address, *words)
        why = "Invalid URL: rdma:x; --brokers-url was changed before"
        assert (status, out) == (1, f"{broker.address} {why}\n")


def test_set_without_ha(run) -> None:
    with LoopbackBroker(ha_cluster=False) as broker:
        status, _, err = run("set", "--public-url", "vip", "-b", broker.address)
        assert status == 1
        assert err == "qpid-ha: No object found with ID=org.apache.qpid.ha:habroker:ha-broker\n"

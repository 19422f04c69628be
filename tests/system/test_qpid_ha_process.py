"""Three broker processes, and both tools on them: our qpid-ha and the genuine one of qpid-tools.

The genuine tool is a Python 2 program; ``broker_processes`` says where it is looked for.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.broker_processes import (
    SETTLE_S,
    BrokerProcess,
    Tool,
    cluster,
    genuine_or_skip,
    our_tool,
    statuses,
    wait_for,
    wait_until,
)


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[list[BrokerProcess]]:
    """Three members, joining."""
    with cluster(tmp_path, 3, "--auth=no") as processes:
        yield processes


@pytest.fixture(params=["ours", "genuine"])
def qpid_ha(request: pytest.FixtureRequest) -> Tool:
    """Each of the two tools."""
    return our_tool("qpid_ha") if request.param == "ours" else genuine_or_skip("qpid-ha")


def test_the_life_of_a_cluster(qpid_ha: Tool, brokers: list[BrokerProcess]) -> None:
    one, two, three = brokers
    for broker in brokers:
        assert qpid_ha("ping", "-b", broker.address)[0] == 0
        assert qpid_ha("status", "-b", broker.address) == (0, "joining\n")
        assert qpid_ha("status", "--is-primary", "-b", broker.address) == (1, "")
    assert qpid_ha("promote", "--cluster-manager", "-b", one.address)[0] == 0
    assert qpid_ha("status", "--expect", "active", "-b", one.address) == (0, "")
    assert qpid_ha("promote", "--cluster-manager", "-b", one.address)[0] == 0, "once more: nothing"
    wait_for(qpid_ha, brokers, "active", "ready", "ready")
    assert qpid_ha("status", "--is-primary", "-b", one.address) == (0, "")
    assert qpid_ha("status", "--is-primary", "-b", two.address) == (1, "")
    assert qpid_ha("status", "--expect", "ready", "-b", two.address) == (0, "")
    listed = f"{one.address} active\n{two.address} ready\n{three.address} ready\n"
    assert qpid_ha("status", "--all", "-b", three.address) == (0, listed)

    one.stop(signal.SIGKILL)
    assert qpid_ha("ping", "-b", one.address)[0] == 1
    assert qpid_ha("promote", "--cluster-manager", "-b", two.address)[0] == 0
    wait_for(qpid_ha, [two, three], "active", "ready")
    one.start()
    wait_for(qpid_ha, brokers, "ready", "active", "ready")
    assert one.stop() == 0


def test_query_says_the_same_in_both(qpid_ha: Tool, brokers: list[BrokerProcess]) -> None:
    one, two, three = brokers
    status, out = qpid_ha("query", "-b", two.address)
    assert status == 0
    told = json.loads(our_tool("qpid_ha")("query", "--json", "-b", two.address)[1])
    url = f"amqp:tcp:{one.address},tcp:{two.address},tcp:{three.address}"
    assert told["brokersUrl"] == url
    assert out.splitlines() == [
        "Status:              joining",
        f"Broker ID:           {told['systemId']}",
        f"Brokers URL:         {url}",
        "Public URL:          ",
        "Replicate:           all",
    ]
    status, out = qpid_ha("query", "--all", "-b", two.address)
    addresses = [line.split()[1] for line in out.splitlines() if line.startswith("Address:")]
    assert (status, addresses) == (0, [broker.address for broker in brokers])


def test_a_stopped_broker_does_not_hang_the_tool(
    qpid_ha: Tool, brokers: list[BrokerProcess]
) -> None:
    stopped = brokers[0]
    stopped.kick(signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert qpid_ha("ping", "--timeout", "1", "-b", stopped.address)[0] == 1
        assert qpid_ha("status", "--timeout", "1", "-b", stopped.address)[0] == 1
        assert time.monotonic() - began < 15
    finally:
        stopped.kick(signal.SIGCONT)
    wait_until("it answers", lambda: qpid_ha("ping", "-b", stopped.address)[0] == 0, SETTLE_S)


def test_a_joining_broker_is_not_promoted_beside_a_primary(
    qpid_ha: Tool, brokers: list[BrokerProcess]
) -> None:
    one, two, three = brokers
    assert qpid_ha("promote", "--cluster-manager", "-b", one.address)[0] == 0
    wait_for(qpid_ha, brokers, "active", "ready", "ready")
    one.stop(signal.SIGKILL)
    one.start()
    status, out = qpid_ha("promote", "--cluster-manager", "-b", one.address)
    assert status == 1
    assert "Joining active cluster, cannot be promoted." in out or out == ""
    assert statuses(qpid_ha, brokers) == ["joining", "ready", "ready"]
    three.stop()
    two.stop()


def test_urls_are_changed_at_run_time_and_last_until_a_restart(
    brokers: list[BrokerProcess],
) -> None:
    qpid_ha = our_tool("qpid_ha")
    one, two, three = brokers
    assert qpid_ha("promote", "-b", one.address)[0] == 0
    wait_for(qpid_ha, brokers, "active", "ready", "ready")
    three.stop()
    three.options.append(f"--ha-brokers-url={three.address}")  # it knows nobody but itself
    three.start()
    assert statuses(qpid_ha, [three]) == ["joining"]

    url = ",".join(broker.address for broker in brokers)
    words = ("set", "--all", "--brokers-url", url, "--public-url", url, "-b", three.address)
    changed = "".join(f"{broker.address} changed\n" for broker in (three, one, two))
    assert qpid_ha(*words) == (0, changed)
    wait_for(qpid_ha, brokers, "active", "ready", "ready")
    assert (
        public_urls(qpid_ha, brokers)
        == ["amqp:" + ",".join(f"tcp:{b.address}" for b in brokers)] * 3
    )

    two.stop(signal.SIGKILL)
    status, out = qpid_ha("set", "--all", "--public-url", "", "-b", one.address)
    lines = out.splitlines()
    assert status == 1
    assert [lines[0], lines[2]] == [f"{one.address} changed", f"{three.address} changed"]
    assert lines[1].startswith(f"{two.address} cannot connect to {two.address}: ")
    assert "1 of 3 brokers failed" in qpid_ha.errors
    two.options.append("--ha-public-url=vip")
    two.start()
    wait_for(qpid_ha, brokers, "active", "ready", "ready")
    assert public_urls(qpid_ha, brokers) == ["", "amqp:tcp:vip:5672", ""], "its option counts again"


def public_urls(qpid_ha: Tool, brokers: list[BrokerProcess]) -> list[str]:
    """What each broker tells clients, in the order of its own list."""
    rows = json.loads(qpid_ha("query", "--all", "--json", "-b", brokers[0].address)[1])
    return [row["publicUrl"] for row in rows]

"""What all hosts have in common, on a host that only notes what it is asked."""

from __future__ import annotations

import sys

import pytest

from tanist_interop.hosts.cluster import Cluster, Settings
from tanist_interop.hosts.operator import HostError

ANSWERS = """
import json, sys
address, verb = sys.argv[2], sys.argv[5]
print({"status": "ready", "query": json.dumps({"status": "active", "members": [
    {"host-name": "inside-2", "port": 2, "status": 2},
    {"host-name": "inside-1", "port": 1, "status": 4},
]})}.get(verb, ""))
sys.exit(0 if address.startswith("inside") else "asked from outside: " + address)
"""


class Noted(Cluster):
    """Clients and brokers use other addresses; ``qpid-ha`` answers those of the brokers only."""

    def __init__(self, folder, **more) -> None:
        super().__init__(folder, Settings(("qpidd",), (sys.executable, "-c", ANSWERS), 2, **more))
        self.dead = ""

    def addresses(self):
        return ["outside:1", "outside:2"]

    def peer_addresses(self):
        return ["inside-1:1", "inside-2:2"]

    def check_alive(self):
        if self.dead:
            raise HostError(self.dead)

    def logs(self):
        return [("n1", self.folder / "n1.log"), ("n2", self.folder / "never-written.log")]


Noted.__abstractmethods__ = frozenset()


def test_an_operator_uses_the_addresses_of_the_brokers(tmp_path):
    cluster = Noted(tmp_path)
    cluster.promote(0)
    assert cluster.statuses([0, 1]) == ["ready", "ready"]
    assert cluster.in_sync(0) == [1]
    cluster.form(5)
    cluster.tell_all(1)
    assert cluster.told == ["outside:1", "outside:2"]
    log = (tmp_path / "qpid-ha.log").read_text()
    assert "outside" not in log
    assert "inside-2:2 set -> 0" in log


def test_forming_ends_when_a_broker_died(tmp_path):
    cluster = Noted(tmp_path)
    cluster.dead = "n2 ended by itself with code 3"
    with pytest.raises(HostError, match="n2 ended by itself"):
        cluster.form(5)


def test_options_name_brokers_as_brokers_and_clients_as_clients_reach_them(tmp_path):
    cluster = Noted(tmp_path, tell_first=True, options=("--trace",))
    cluster.tell_clients()
    options = cluster.options(0, "/data", "/log")
    assert "--ha-brokers-url=inside-1:1,inside-2:2" in options
    assert "--ha-public-url=outside:1" in options
    assert "--data-dir=/data" in options
    assert options[-1] == "--trace"


def test_trouble_names_the_node_and_leaves_out_logs_that_never_were(tmp_path):
    (tmp_path / "n1.log").write_text("[HA] critical Shutting down\n")
    assert Noted(tmp_path).trouble() == [("n1", "[HA] critical Shutting down")]


def test_our_brokers_need_nothing_that_others_need(tmp_path):
    cluster = Noted(tmp_path)
    assert (cluster.elects, cluster.patience_s, cluster.leader()) == (False, 0.0, None)
    assert cluster.address_of("drill.1") == "drill.1"
    assert cluster.options_of("jms-1.0") == {}
    assert not cluster.declare(["drill.1"])

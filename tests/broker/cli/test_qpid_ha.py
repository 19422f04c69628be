"""qpid-ha: what it prints and how it ends, against real brokers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import ANY
from uuid import UUID

import pytest

from tanist.cli import qpid_ha
from tanist.cli.ha_report import DETAILS
from tanist.cli.qmf_client import QmfClient, QmfError
from tanist.core.notices import Actor
from tanist.ha.log import NO_OWNER, Epoch
from tanist.ha.roles import Status
from tanist.management.schema import HA_BROKER
from tanist.wire.amqp010.values import Value
from tests.broker.cli.loopback import (
    DeafServer,
    LoopbackBroker,
    Original,
    cluster_url,
    free_address,
)

ID = str(UUID(int=1, version=4))


# -- status --------------------------------------------------------------------------------


def test_status_and_promote(broker: LoopbackBroker, run) -> None:
    at = ("-b", broker.address)
    assert run("status", *at) == (0, "joining\n", "")
    assert run("promote", *at) == (0, "", "")
    assert run("status", *at) == (0, "active\n", "")
    assert run(*at, "promote", "--cluster-manager") == (0, "", ""), "harmless on a primary"


@pytest.mark.parametrize(
    ("test", "joining", "active"),
    [
        (("--is-primary",), 1, 0),
        (("--expect", "primary"), 1, 0),
        (("--expect=backup",), 0, 1),
        (("--expect", "joining"), 0, 1),
        (("--expect", "active"), 1, 0),
        (("--expect", "recovering"), 1, 1),
    ],
)
def test_tests_of_status_are_silent(
    broker: LoopbackBroker, run, test: tuple[str, ...], joining: int, active: int
) -> None:
    at = ("-b", broker.address)
    assert run("status", *test, *at) == (joining, "", "")
    run("promote", *at)
    assert run(*test, "status", *at) == (active, "", "")


def test_a_broker_that_is_not_there_is_no_primary(run) -> None:
    status, out, err = run("status", "--expect=primary", "-b", free_address())
    assert (status, out) == (1, "")
    assert err.startswith("qpid-ha: cannot connect to ")


def test_a_status_that_does_not_exist_cannot_be_expected(broker: LoopbackBroker, run) -> None:
    status, out, err = run("status", "--expect", "activ", "-b", broker.address)
    assert (status, out) == (1, "")
    assert err == (
        "qpid-ha: --expect activ: no such status; it is one of primary, backup, joining, catchup, "
        "ready, recovering, active, standalone\n"
    )


def test_status_of_all(run) -> None:
    gone = free_address()
    with LoopbackBroker(1) as one, LoopbackBroker(2) as two:
        run("promote", "-b", two.address)
        url = f"{cluster_url(one, two)},{gone}"
        one.node.cluster.ha_set_brokers_url(url)
        status, out, err = run("status", "--all", "-b", one.address)
        assert (status, err) == (0, "")
        lines = out.splitlines()
        assert lines[:2] == [f"{one.address} joining", f"{two.address} active"]
        assert lines[2].startswith(f"{gone} cannot connect to {gone}")
        status, out, _ = run("status", "--all", "--json", "-b", one.address)
        rows = json.loads(out)
        assert [(row["address"], row["status"]) for row in rows[:2]] == [
            (one.address, "joining"),
            (two.address, "active"),
        ]
        assert [(row["epoch"], row["index"]) for row in rows[:2]] == [(0, 0), (1, 0)]
        assert (rows[2]["address"], rows[2]["status"]) == (gone, "error")
        assert "cannot connect" in rows[2]["error"]


def test_status_of_all_without_a_list_is_that_of_one(broker: LoopbackBroker, run) -> None:
    assert run("status", "--all", "-b", broker.address) == (0, f"{broker.address} joining\n", "")


def test_status_as_json(broker: LoopbackBroker, run) -> None:
    status, out, _ = run("status", "--json", "-b", broker.address)
    assert (status, json.loads(out)) == (0, {"status": "joining"})


# -- query ---------------------------------------------------------------------------------


def test_query(broker: LoopbackBroker, run) -> None:
    status, out, _ = run("query", "-b", broker.address)
    assert status == 0
    assert out.splitlines() == [
        "Status:              joining",
        f"Broker ID:           {ID}",
        "Brokers URL:         ",
        "Public URL:          amqp:tcp:vip:5672",
        "Replicate:           all",
    ]


def test_query_as_json(broker: LoopbackBroker, run) -> None:
    _, out, _ = run("query", "--json", "-b", broker.address)
    found = json.loads(out)
    assert {name: found.pop(name) for name in DETAILS} == {
        "epoch": 0,
        "index": 0,
        "applied": 0,
        "messages": 0,
        "inSync": [],
        "statusSince": ANY,
        "stuckSince": 0,
        "reason": "no link to a primary",
        "catchUp": {},
        "backups": [],
        "problems": [],
    }
    assert found == {
        "address": broker.address,
        "name": "ha-broker",
        "status": "joining",
        "systemId": ID,
        "brokersUrl": "",
        "publicUrl": "amqp:tcp:vip:5672",
        "replicateDefault": "all",
        "members": [
            {"system-id": ID, "protocol": "", "host-name": "", "port": 0, "status": 0},
        ],
        "replicas": [],
        "followers": [],
    }


def test_query_of_all(run) -> None:
    with LoopbackBroker(1) as one, LoopbackBroker(2) as two:
        one.node.cluster.ha_set_brokers_url(cluster_url(one, two))
        status, out, _ = run("query", "--all", "-b", one.address)
        assert status == 0
        addresses = [line for line in out.splitlines() if line.startswith("Address:")]
        assert addresses == [f"Address:             {b.address}" for b in (one, two)]
        _, out, _ = run("query", "--all", "--json", "-b", one.address)
        assert [row["address"] for row in json.loads(out)] == [one.address, two.address]


def test_the_login_is_used_for_all(run) -> None:
    secure = {"auth": True, "passwords": "guest:secret\n"}
    with LoopbackBroker(1, **secure) as one, LoopbackBroker(2, **secure) as two:
        one.node.cluster.ha_set_brokers_url(cluster_url(one, two))
        status, out, _ = run("status", "--all", "-b", f"guest/secret@{one.address}")
        assert (status, out) == (0, f"{one.address} joining\n{two.address} joining\n")


# -- a cluster without a primary -----------------------------------------------------------


@pytest.fixture(name="leaderless")
def two_brokers_that_lost_their_primary():
    """The second one has more; nobody serves."""
    with LoopbackBroker(1) as one, LoopbackBroker(2) as two:
        url = cluster_url(one, two)
        for broker, index in ((one, 5), (two, 9)):
            cluster = broker.node.cluster
            cluster.ha_set_brokers_url(url)
            cluster.log.follow([Epoch(0, NO_OWNER, 0), Epoch(3, NO_OWNER, 0)])
            cluster.log.restart(index)
            cluster.backup.floor = index
            cluster.role.status = Status.CATCHUP
        yield one, two


def test_without_a_primary_status_says_who_has_the_newest_state(leaderless, run) -> None:
    one, two = leaderless
    status, out, err = run("status", "--all", "-b", one.address)
    assert status == 0
    first, second = out.splitlines()
    assert first.startswith(f"{one.address} catchup (epoch 3, index 5, 0 messages; ")
    assert second.startswith(f"{two.address} catchup (epoch 3, index 9, 0 messages; ")
    assert err == (
        f"qpid-ha: no broker is primary; {two.address} has the newest state (catchup, epoch 3, "
        f"index 9, 0 messages). Promote it: qpid-ha promote -b {two.address}\n"
    )


def test_force_prints_what_is_lost_before_it_does_it(leaderless, run) -> None:
    one, two = leaderless
    status, _, err = run("promote", "-b", one.address)
    assert (status, err) == (1, "qpid-ha: Still catching up, cannot be promoted.\n")
    status, out, err = run("promote", "--force", "--dry-run", "-b", one.address)
    assert (status, out) == (0, "")
    lines = err.splitlines()
    assert lines[0] == (
        f"qpid-ha: {one.address} is catchup, epoch 3, index 5, 0 messages. Promoted now, this is "
        "lost:"
    )
    assert (
        f"qpid-ha:   {two.address} (catchup, epoch 3, index 9, 0 messages) has 4 newer records"
        in (lines)
    )
    assert run("status", "-b", one.address)[1] == "catchup\n", "nothing was done"
    assert run("promote", "--force", "-b", one.address) == (0, "", err)
    assert run("status", "--is-primary", "-b", one.address)[0] == 0


def test_force_on_a_broker_that_is_not_in_its_own_list(run) -> None:
    with LoopbackBroker(1) as one:
        status, _, err = run("promote", "--force", "-b", one.address)
        assert status == 0
        assert "nothing that any broker tells of" in err


def test_the_depths_of_replicated_queues_are_compared(run, monkeypatch) -> None:
    """What brokers say of their queues, as QMF objects of class queue."""

    def query(client: QmfClient, class_name: str) -> list[dict[str, Value]]:
        found = genuine(client, class_name)
        if class_name != "queue":
            return found
        depth = 5 if client.broker == one.address else 7
        rows: list[tuple[object, ...]] = [
            ("q", "all", depth),
            ("elsewhere", "none", 99),
            ("x", None, 9),
        ]
        return [
            {"_values": {"name": name, "arguments": {"qpid.replicate": level}, "msgDepth": count}}
            for name, level, count in rows
        ]

    genuine = QmfClient.query
    monkeypatch.setattr(QmfClient, "query", query)
    with LoopbackBroker(1) as one, LoopbackBroker(2) as two:
        one.node.cluster.ha_set_brokers_url(cluster_url(one, two))
        _, _, err = run("promote", "--force", "--dry-run", "-b", one.address)
        assert (
            f"{two.address} (joining, epoch 0, index 0, 0 messages) has messages: 2 more on q"
            in err
        )
        assert "elsewhere" not in err


# -- promote, ping, replicate --------------------------------------------------------------


def test_a_refused_promote_says_why(broker: LoopbackBroker, run) -> None:
    broker.node.cluster.backup.saw_active_member = True
    status, out, err = run("promote", "-b", broker.address)
    assert (status, out) == (1, "")
    assert err == "qpid-ha: Joining active cluster, cannot be promoted.\n"


def test_a_dry_run_promotes_nobody(broker: LoopbackBroker, run) -> None:
    status, _, err = run("promote", "--dry-run", "-b", broker.address)
    assert (status, err) == (
        1,
        "qpid-ha: --dry-run goes with --force: without it nothing is lost\n",
    )
    assert run("status", "-b", broker.address)[1] == "joining\n"


def test_promote_as_json(broker: LoopbackBroker, run) -> None:
    status, out, _ = run("promote", "--json", "-b", broker.address)
    assert (status, json.loads(out)) == (0, {"method": "promote", "ok": True})


def test_ping(broker: LoopbackBroker, run) -> None:
    assert run("ping", "-b", broker.address) == (0, "", "")
    status, out, err = run("ping", "-b", free_address())
    assert (status, out) == (1, "")
    assert err.startswith("qpid-ha: cannot connect to 127.0.0.1:")
    with DeafServer() as deaf:
        status, _, err = run("ping", "--timeout", "0.2", "-b", deaf.address)
    assert status == 1
    assert "within 0.2 seconds" in err


@pytest.fixture(name="copying")
def a_broker_that_copies() -> Iterator[LoopbackBroker]:
    with LoopbackBroker(ha_cluster=False, ha_queue_replication=True) as running:
        for name in ("q", "twin", "127.0.0.1:9999"):
            running.node.broker.declare_queue(name, Actor("", ""))
        yield running


@pytest.mark.parametrize("words", [("remote:5672", "q"), ("q", "remote:5672")])
def test_replicate_finds_out_which_is_the_queue(
    copying: LoopbackBroker, run, words: tuple[str, str]
) -> None:
    at = ("-b", copying.address)
    assert run("replicate", *words, *at) == (0, "", "")
    (row,) = json.loads(run("query", "--json", *at)[1])["replicas"]
    assert row["queue"] == "q"
    assert row["source"] == "amqp:tcp:remote:5672"
    assert row["state"] == "connecting"
    assert run("unreplicate", "q", *at) == (0, "", "")
    assert json.loads(run("query", "--json", *at)[1])["replicas"] == []
    assert run("unreplicate", "q", *at) == (
        1,
        "",
        "qpid-ha: Queue q is not copied from anywhere\n",
    )


def test_replicate_says_when_it_cannot_know(copying: LoopbackBroker, run) -> None:
    at = ("-b", copying.address)
    status, _, err = run("replicate", "twin", "q", *at)
    assert status == 0
    assert "of twin and q, both are queues of this broker: taking q as the queue" in err
    status, _, err = run("replicate", "remote:5672", "nowhere", *at)
    assert status == 1
    assert "neither is a queue of this broker" in err
    assert "Queue not found: nowhere. Create it here first" in err


# -- other brokers ------------------------------------------------------------------------


def test_the_original_broker_is_understood(run) -> None:
    with LoopbackBroker(ha_cluster=False) as broker:
        broker.node.agent.register(Original(HA_BROKER, "ha-broker", 0))
        at = ("-b", broker.address)
        assert run("status", *at) == (0, "active\n", "")
        assert run("status", "--is-primary", *at)[0] == 0
        assert run("status", "--all", *at) == (0, f"{broker.address} active\n", "")
        assert "Replicate:           all" in run("query", *at)[1]
        told = json.loads(run("query", "--json", *at)[1])
        assert (told["status"], told["members"]) == ("active", [{"host-name": "node1"}])


def test_a_method_that_works_is_silent(run) -> None:
    class Willing(Original):
        def methods(self) -> tuple[str, ...]:
            return ("replicate",)

        def invoke(self, method: str, arguments: dict[str, Value]) -> dict[str, Value]:
            asked.append((method, arguments))
            return {}

    asked: list[tuple[str, dict[str, Value]]] = []
    with LoopbackBroker(ha_cluster=False) as broker:
        broker.node.agent.register(Willing(HA_BROKER, "ha-broker", 0))
        broker.node.broker.declare_queue("q", Actor("", ""))
        assert run("replicate", "remote:1", "q", "-b", broker.address) == (0, "", "")
    assert asked == [("replicate", {"broker": "remote:1", "queue": "q"})]


def test_without_ha(run) -> None:
    with LoopbackBroker(ha_cluster=False) as broker:
        status, _, err = run("status", "-b", broker.address)
        assert status == 1
        assert err == f"qpid-ha: HA module is not loaded on broker at {broker.address}\n"
        assert run("ping", "-b", broker.address)[0] == 0


# -- words ---------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("help",), ("help-all",), ("--help",), ("-h",)])
def test_help(run, words: tuple[str, ...]) -> None:
    status, out, _ = run(*words)
    assert status == 0
    for word in (
        "status",
        "query",
        "promote",
        "set",
        "digest [QUEUE]",
        "ping",
        "replicate QUEUE REMOTE-BROKER",
    ):
        assert word in out


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("dance",),
        ("status", "extra"),
        ("set", "n1,n2"),
        ("digest", "one", "too-many"),
        ("replicate", "only-one"),
        ("unreplicate", "one", "too-many"),
        ("status", "--wrong"),
        ("status", "--timeout", "soon"),
    ],
)
def test_wrong_words_end_with_one(run, words: tuple[str, ...]) -> None:
    status, out, err = run(*words)
    assert (status, out) == (1, "")
    assert "usage: qpid-ha" in err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("-b", "host:port"), "bad port 'port'"),
        (("-b", "x", "--timeout", "nan"), "timeout nan: it must be a number of seconds"),
        (("-b", "x", "--timeout", "inf"), "timeout inf"),
        (("-b", "x", "--timeout", "-3"), "timeout -3"),
        (("-b", "x", "--ssl-key", "file"), "TLS is not available"),
        (("--config", "/nonexistent/qpidd.conf"), "/nonexistent/qpidd.conf"),
    ],
)
def test_what_cannot_be_done_is_said(run, words: tuple[str, ...], why: str) -> None:
    status, _, err = run("ping", *words)
    assert status == 1
    assert err.startswith("qpid-ha: ")
    assert why in err


# -- configuration -------------------------------------------------------------------------


def write_config(path: Path, broker: LoopbackBroker, more: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"# the broker's own\nport = {broker.port}\n\nha-username=ha\nha-password=secret#1\n"
        f"ha-mechanism=PLAIN\nauth\n{more}",
        encoding="utf-8",
    )
    return path


def test_address_and_login_from_the_configuration_of_the_broker(run, tmp_path: Path) -> None:
    with LoopbackBroker(auth=True, passwords="ha:secret#1\n") as broker:
        config = write_config(tmp_path / "qpidd.conf", broker)
        assert run("status", "--config", str(config)) == (0, "joining\n", "")
        assert run("status", "--config", str(config), "-b", "127.0.0.1") == (0, "joining\n", "")
        other = run("status", "--config", str(config), "-b", f"ha/wrong@127.0.0.1:{broker.port}")
        assert other[0] == 1


def test_the_installed_configuration_is_found(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LoopbackBroker(auth=True, passwords="ha:secret#1\n") as broker:
        write_config(tmp_path / "etc" / "qpid" / "qpidd.conf", broker)
        monkeypatch.setattr("sys.argv", [str(tmp_path / "bin" / "qpid-ha")])
        assert run("status") == (0, "joining\n", "")
        assert run("status", "-b", broker.address)[0] == 1, "an address was given: no login"
    assert qpid_ha.installed_config(tmp_path / "sbin" / "qpid-ha") is None
    assert qpid_ha.installed_config(tmp_path / "sub" / "bin" / "qpid-ha") is None


@pytest.mark.parametrize("name", ["link-heartbeat-interval", "ha-heartbeat-interval"])
def test_the_timeout_follows_the_heartbeat(run, tmp_path: Path, name: str) -> None:
    with LoopbackBroker() as broker, DeafServer() as deaf:
        config = write_config(tmp_path / "qpidd.conf", broker, f"{name}=0.3\n")
        _, _, err = run("ping", "--config", str(config), "-b", deaf.address)
        assert "within 0.3 seconds" in err
        _, _, err = run("ping", "--config", str(config), "-b", deaf.address, "--timeout", "0.2")
        assert "within 0.2 seconds" in err


@pytest.mark.parametrize(
    ("command", "heartbeat", "seconds"),
    [
        ("status", "3", 3.0),
        ("promote", "3", 10.0),
        ("promote", "120", 120.0),
        ("status", "0", 10.0),
        ("digest", "3", 60.0),
        ("digest", "0", 60.0),
        ("digest", "120", 120.0),
    ],
)
def test_promotions_and_digests_take_their_time(
    tmp_path: Path, command: str, heartbeat: str, seconds: float
) -> None:
    config = tmp_path / "qpidd.conf"
    config.write_text(f"link-heartbeat-interval={heartbeat}\n", encoding="utf-8")
    arguments = qpid_ha.make_parser().parse_args([command, "--config", str(config)])
    tool = qpid_ha.Tool(arguments, print, print, Path("qpid-ha"))
    assert tool.options.timeout_s == seconds


def test_a_timeout_must_be_a_number() -> None:
    assert qpid_ha.read_timeout("2.5") == 2.5
    with pytest.raises(QmfError, match="timeout often"):
        qpid_ha.read_timeout("often")

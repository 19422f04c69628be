from __future__ import annotations

import socket
import sys
import time

import pytest

from tanist_interop.hosts.cluster import Settings
from tanist_interop.hosts.local import LocalCluster
from tanist_interop.hosts.operator import HostError
from tests.interop.fake_broker import ask


@pytest.fixture
def cluster(tmp_path, fake_qpidd, fake_qpid_ha):
    subject = LocalCluster(tmp_path, Settings(fake_qpidd, fake_qpid_ha))
    yield subject
    subject.stop()


def refused(address):
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_cluster_forms_and_survives(cluster):
    cluster.start()
    cluster.form(10)
    assert cluster.statuses([0, 1, 2]) == ["active", "ready", "ready"]
    assert cluster.memory_bytes(0) > 1_000_000

    cluster.kill(0)
    assert refused(cluster.addresses()[0])
    assert cluster.memory_bytes(0) == 0
    cluster.check_alive()
    cluster.promote(2)
    assert cluster.statuses([0, 2]) == ["", "active"]

    cluster.restart(0)
    cluster.wait_ready(0, 10)
    with pytest.raises(HostError, match="still running"):
        cluster.restart(0)
    assert cluster.stop() == [("n1", 0, True), ("n2", 0, True), ("n3", 0, True)]
    assert cluster.trouble() == []
    assert (cluster.folder / "n1.2.log").exists()


def test_brokers_tell_clients_one_address_until_they_tell_all(tmp_path, fake_qpidd, fake_qpid_ha):
    cluster = LocalCluster(tmp_path, Settings(fake_qpidd, fake_qpid_ha, tell_first=True))
    try:
        cluster.start()
        cluster.form(10)
        every = cluster.addresses()
        assert ask(every[0], "addresses", 1) == every[:1]
        cluster.tell_all(0)
        assert ask(every[0], "addresses", 1) == every
        cluster.kill(0)
        cluster.promote(1)
        assert ask(every[1], "addresses", 1) == every, "a backup was told, too"
        cluster.restart(0)
        cluster.wait_ready(0, 10)
        cluster.kill(1)
        cluster.promote(0)
        assert ask(every[0], "addresses", 1) == every, "it started with the new one"
    finally:
        cluster.stop()


def test_queues_are_configured_as_an_operator_does(
    tmp_path, fake_qpidd, fake_qpid_ha, fake_qpid_config
):
    settings = Settings(fake_qpidd, fake_qpid_ha, qpid_config=fake_qpid_config)
    cluster = LocalCluster(tmp_path, settings)
    try:
        cluster.start()
        cluster.form(10)
        cluster.configure(0, [["add", "queue", "q"], ["bind", "x", "q", "k"]])
        assert "bind x q k -> 0" in (tmp_path / "qpid-config.log").read_text()
        with pytest.raises(HostError, match="no such command"):
            cluster.configure(0, [["jump"]])
    finally:
        cluster.stop()


def test_a_suspended_broker_takes_connections_and_says_nothing(cluster):
    cluster.start()
    cluster.form(10)
    cluster.suspend(1)
    assert not refused(cluster.addresses()[1])
    assert cluster.statuses([1], timeout_s=1) == [""]
    with pytest.raises(HostError, match="n2 is silent, not ready"):
        cluster.wait_ready(1, 0)
    cluster.resume(1)
    cluster.wait_ready(1, 10)


def test_a_restart_is_polite(cluster):
    cluster.start()
    cluster.form(10)
    assert cluster.in_sync(0) == [1, 2]
    assert cluster.in_sync(1) is None
    assert cluster.terminate(2) == 0
    cluster.check_alive()
    assert cluster.in_sync(0) == [1]
    cluster.restart(2)
    cluster.wait_ready(2, 10)
    assert cluster.in_sync(0) == [1, 2]
    assert [cluster.life(node) for node in (0, 2)] == [1, 2]


def test_a_broker_that_dies_by_itself_is_noticed(tmp_path, fake_qpid_ha):
    dying = (sys.executable, "-c", "import sys; sys.exit(3)")
    cluster = LocalCluster(tmp_path, Settings(dying, fake_qpid_ha, nodes=1))
    cluster.start()
    with pytest.raises(HostError, match="n1 ended by itself with code 3"):
        cluster.form(10)
    assert cluster.stop() == [("n1", 3, False)]


def test_a_broker_that_ignores_sigterm_is_killed(tmp_path, fake_qpid_ha, monkeypatch):
    monkeypatch.setattr("tanist_interop.hosts.local.STOP_S", 0.3)
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up'); time.sleep(60)"
    stubborn = (sys.executable, "-uc", code)
    cluster = LocalCluster(tmp_path, Settings(stubborn, fake_qpid_ha, nodes=1))
    cluster.start()
    while "up" not in (tmp_path / "n1.err").read_text():
        time.sleep(0.02)
    with pytest.raises(HostError, match=r"n1 did not end 0\.3 s after SIGTERM"):
        cluster.terminate(0)
    cluster.restart(0)
    (tmp_path / "n1.err").write_text("")
    while "up" not in (tmp_path / "n1.2.err").read_text():
        time.sleep(0.02)
    assert cluster.stop() == [("n1", -9, False)]


def test_a_broker_that_ends_politely_too_early_is_not_expected(tmp_path, fake_qpid_ha):
    brief = (sys.executable, "-c", "pass")
    cluster = LocalCluster(tmp_path, Settings(brief, fake_qpid_ha, nodes=1))
    cluster.start()
    cluster.nodes[0].process.wait()
    assert cluster.stop() == [("n1", 0, False)]


def test_promotion_that_never_works_ends_at_the_deadline(tmp_path, fake_qpidd):
    refusing = (sys.executable, "-c", "import sys; sys.exit('no')")
    cluster = LocalCluster(tmp_path, Settings(fake_qpidd, refusing, nodes=1))
    cluster.start()
    with pytest.raises(HostError, match=r"promote of .* failed"):
        cluster.form(0)
    cluster.stop()


def test_options_of_the_broker(tmp_path):
    cluster = LocalCluster(tmp_path, Settings(("qpidd",), ("qpid-ha",), options=("--trace",)))
    with pytest.raises(IndexError):
        cluster.kill(0)
    cluster.start = None
    from tanist_interop.hosts.local import Node  # noqa: PLC0415

    cluster.nodes = [Node("n1", 5001), Node("n2", 5002)]
    with pytest.raises(HostError, match="never started"):
        cluster.kill(0)
    command = cluster.command(cluster.nodes[1], 7, tmp_path / "log")
    assert command[0] == "qpidd"
    assert command[-1] == "--trace"
    for option in (
        "--socket-fd=7",
        "--listen-disable=tcp",
        "--port=5002",
        "--ha-cluster=yes",
        "--ha-brokers-url=127.0.0.1:5001,127.0.0.1:5002",
        "--ha-replicate=all",
        "--link-heartbeat-interval=1",
    ):
        assert option in command

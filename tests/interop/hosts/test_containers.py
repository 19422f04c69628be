"""Brokers as containers: what the engine is asked. With a real one: ``tests/containers``."""

from __future__ import annotations

import os

import pytest

from tanist_interop.hosts.cluster import Settings
from tanist_interop.hosts.containers import IMAGE, ContainerCluster
from tanist_interop.hosts.operator import HostError
from tests.interop.fake_docker import FakeDocker


@pytest.fixture
def engine():
    return FakeDocker(IMAGE)


@pytest.fixture
def cluster(tmp_path, engine):
    subject = ContainerCluster(tmp_path, Settings(("qpidd",), ("qpid-ha",), nodes=2), engine)
    subject.start()
    return subject


def asked(engine, cluster):
    """What was asked of whom, by short names."""
    return [(name.removeprefix(cluster.group + "-"), what) for name, what in engine.asked]


def test_a_node_is_an_address_and_a_broker_inside_of_it(cluster, engine, tmp_path):
    assert cluster.addresses() == ["172.20.7.10:5672", "172.20.7.11:5672"]
    holder, broker = (engine.wishes[engine.named(name)] for name in ("-n1-address", "-n1"))
    assert (holder.image, holder.address) == (IMAGE, "172.20.7.10")
    assert (broker.image, broker.inside_of) == (IMAGE, engine.named("-n1-address"))
    assert broker.user == f"{os.getuid()}:{os.getgid()}"
    assert broker.folder == tmp_path
    assert not broker.init, "signals are for the broker"
    assert "--ha-brokers-url=172.20.7.10:5672,172.20.7.11:5672" in broker.command
    assert f"--log-to-file={tmp_path}/n1.log" in broker.command
    assert (tmp_path / "n1").is_dir()


def test_a_missing_image_is_named_with_the_remedy(tmp_path, engine):
    engine.images = set()
    cluster = ContainerCluster(tmp_path, Settings(("qpidd",), ("qpid-ha",)), engine)
    with pytest.raises(HostError, match=r"tanist-broker; run interop/images\.sh broker"):
        cluster.start()


def test_killed_and_started_again(cluster, engine, tmp_path):
    with pytest.raises(HostError, match="n1 is still running"):
        cluster.restart(0)
    cluster.kill(0)
    cluster.check_alive()
    assert cluster.memory_bytes(0) == 0
    assert (tmp_path / "n1.err").read_bytes() == b"printed\n"
    cluster.restart(0)
    assert cluster.memory_bytes(0) == 7_000_000
    assert (cluster.life(0), cluster.life(1)) == (2, 1)
    again = list(engine.wishes.values())[-1]
    assert again.inside_of == engine.named("-n1-address"), "on the old address"
    assert f"--log-to-file={tmp_path}/n1.2.log" in again.command
    assert ("n1", tmp_path / "n1.2.log") in cluster.logs()
    assert cluster.stop() == [("n1", 0, True), ("n2", 0, True)]
    assert engine.swept == [cluster.group]


def test_a_polite_end_and_a_stubborn_broker(cluster, engine):
    assert cluster.terminate(1) == 0
    engine.stubborn = {f"{cluster.group}-n1"}
    with pytest.raises(HostError, match="n1 did not end 5 s after SIGTERM"):
        cluster.terminate(0)
    assert cluster.stop() == [("n1", -9, True), ("n2", 0, True)]


def test_a_hanging_broker_gets_the_signals_of_the_local_host(cluster, engine):
    cluster.suspend(1)
    cluster.resume(1)
    cluster.suspend(1)
    cluster.stop()
    expected = ["SIGSTOP", "SIGCONT", "SIGSTOP", "SIGCONT", "SIGTERM"]
    assert [what for name, what in asked(engine, cluster) if name == "n2"] == expected


def test_who_dies_by_itself_is_noticed(cluster, engine):
    engine.codes[engine.named("-n1")] = 3
    with pytest.raises(HostError, match="n1 ended by itself with code 3"):
        cluster.check_alive()
    assert cluster.stop() == [("n1", 3, False), ("n2", 0, True)]


def test_a_broker_that_ignores_the_end_is_killed(cluster, engine):
    engine.stubborn = {f"{cluster.group}-n2"}
    assert cluster.stop() == [("n1", 0, True), ("n2", -9, False)]


def test_what_the_engine_cannot_do_is_an_error_of_the_host(tmp_path, engine):
    engine.broken = "n2"
    cluster = ContainerCluster(tmp_path, Settings(("qpidd",), ("qpid-ha",), nodes=2), engine)
    with pytest.raises(HostError, match="no space left"):
        cluster.start()
    cluster.stop()
    assert engine.swept == [cluster.group], "what was begun is taken away"


def test_nothing_is_done_to_who_was_never_started(tmp_path, engine):
    engine.broken = "n1"
    cluster = ContainerCluster(tmp_path, Settings(("qpidd",), ("qpid-ha",), nodes=1), engine)
    with pytest.raises(HostError):
        cluster.start()
    with pytest.raises(HostError, match="n1 was never started"):
        cluster.kill(0)
    cluster.check_alive()

"""The drill's host of containers with a real engine: links that are cut, and a whole run."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tanist_interop.docker_api import LABEL, connect
from tanist_interop.hosts.cluster import Settings
from tanist_interop.hosts.containers import ContainerCluster
from tanist_interop.hosts.operator import HostError
from tests.containers.conftest import PATIENCE_S, ROOT, run

QPID_HA = (sys.executable, "-m", "tanist.cli.qpid_ha")


@pytest.fixture
def cluster(images, tmp_path):
    subject = ContainerCluster(tmp_path, Settings(("qpidd",), QPID_HA), connect())
    subject.start()
    subject.form(PATIENCE_S)
    yield subject
    subject.stop()
    assert subject.trouble() == []
    assert nothing_left()


def nothing_left() -> bool:
    label = f"label={LABEL}"
    everything = run("docker", "ps", "-aq", "--filter", label)
    return not everything + run("docker", "network", "ls", "-q", "--filter", label)


def until(condition) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_a_cut_link_and_a_mended_one(cluster) -> None:
    assert cluster.in_sync(0) == [1, 2]
    cluster.cut(0, 1)
    until(lambda: cluster.in_sync(0) == [2])
    cluster.kill(1)
    cluster.restart(1)
    with pytest.raises(HostError, match="n2 is joining, not ready"):
        cluster.wait_ready(1, 3)  # it is cut off still, although it is a new container
    cluster.mend()
    cluster.wait_ready(1, PATIENCE_S)
    assert cluster.in_sync(0) == [1, 2]


def test_one_way_is_enough_to_lose_a_backup(cluster) -> None:
    cluster.cut(2, 0, one_way=True)
    until(lambda: cluster.in_sync(0) == [1])
    cluster.mend()
    cluster.wait_ready(2, PATIENCE_S)


def test_a_hung_broker_takes_connections_and_dies_at_once(cluster) -> None:
    cluster.suspend(2)
    assert cluster.statuses([2], timeout_s=1) == [""]
    cluster.kill(2)
    assert cluster.memory_bytes(0) > 10_000_000
    assert cluster.memory_bytes(2) == 0
    cluster.restart(2)
    cluster.wait_ready(2, PATIENCE_S)
    assert cluster.terminate(2) == 0


def test_kill_primary_in_containers(images, tmp_path) -> None:
    drill = [sys.executable, "-m", "tanist_interop.cli", "--hosts", "docker", "--out", tmp_path]
    done = subprocess.run(
        [*drill, "--clients", "python-proton", "--messages", "1000"],
        cwd=ROOT, capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "VALID" in done.stdout
    assert nothing_left()

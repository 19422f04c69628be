"""The drill's host of containers with a real engine: links that are cut, and a whole run."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from tanist_interop.docker_api import LABEL, connect
from tanist_interop.hosts.cluster import Settings
from tanist_interop.hosts.linked import LinkedContainers
from tanist_interop.hosts.operator import HostError
from tests.containers.conftest import PATIENCE_S, ROOT, run

LOOKS_S = 1.5
"""libfaketime looks at the file of the clock once a second (FAKETIME_CACHE_DURATION)."""

QPID_HA = (sys.executable, "-m", "tanist.cli.qpid_ha")


@pytest.fixture
def cluster(images, tmp_path):
    settings = Settings(("qpidd",), QPID_HA, options=("--ha-backup-timeout=4",))
    subject = LinkedContainers(tmp_path, settings, connect(), clients=True, clock=True)
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


def test_a_blocked_link_and_an_open_one(cluster) -> None:
    assert cluster.in_sync(0) == [1, 2]
    cluster.links.block(0, 1)
    until(lambda: cluster.in_sync(0) == [2])
    cluster.kill(1)
    cluster.restart(1)
    with pytest.raises(HostError, match="n2 is joining, not ready"):
        cluster.wait_ready(1, 3)  # it is cut off still, although it is a new container
    cluster.links.unblock(0, 1)
    cluster.wait_ready(1, PATIENCE_S)
    assert cluster.in_sync(0) == [1, 2]


def test_one_way_is_enough_to_lose_a_backup(cluster) -> None:
    cluster.links.block(2, 0)
    until(lambda: cluster.in_sync(0) == [1])
    cluster.links.unblock(2, 0)
    cluster.wait_ready(2, PATIENCE_S)


def test_a_deposed_primary_ends_by_itself(cluster) -> None:
    for node in (1, 2):
        cluster.links.block(0, node)
        cluster.links.block(node, 0)
    cluster.promote(1)
    for node in (1, 2):
        cluster.links.unblock(0, node)
        cluster.links.unblock(node, 0)
    assert cluster.ends(0, PATIENCE_S)
    assert cluster.refusal(1) == "", "it is the primary already"


def test_clocks_jump_in_the_log_of_each_broker(cluster) -> None:
    def hour(node: int) -> float:
        """How far the last line of its log is ahead of this machine."""
        log = [path for name, path in cluster.logs() if path.suffix == ".log"][node]
        stamp = log.read_text().splitlines()[-1][:19]
        said = datetime.fromisoformat(stamp).replace(tzinfo=UTC)
        return (said - datetime.now(UTC)).total_seconds() / 3600

    cluster.jump(3600.0)
    time.sleep(LOOKS_S)
    cluster.kill(2)
    until(lambda: cluster.in_sync(0) == [1])
    assert 0.9 < hour(0) < 1.1
    cluster.jump(0.0)
    time.sleep(LOOKS_S)
    cluster.restart(2)
    cluster.wait_ready(2, PATIENCE_S)
    assert abs(hour(0)) < 0.1


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

"""Clusters of real processes: who decides over the in-sync set, identities, total failure."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.broker_processes import (
    SETTLE_S,
    BrokerProcess,
    Tool,
    cluster,
    our_environment,
    our_tool,
    statuses,
    wait_for,
    wait_until,
)

PUBLISH = """
import sys
from tanist.cli.qmf_client import ClientOptions, QmfClient
from tanist.ha.url import parse_url
from tanist.wire.amqp010.codec import encode_header, make
from tanist.wire.amqp010.events import Completed
from tanist.wire.amqp010.transfer import encode_transfer

address, count, timeout_s = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
with QmfClient(parse_url(address), ClientOptions(timeout_s=timeout_s)) as client:
    session = client._session
    session.send(make("queue.declare", queue="q"))
    header = encode_header([make("message.delivery-properties", routing_key="q")])
    for number in range(count):
        session.send_transfer(encode_transfer("", 1, 0), header, b"%d" % number)
    last = session.send(make("execution.sync"), sync=True)
    while not any(end >= last for _, end in client._wait_for(Completed).ranges):
        pass
"""


def publish(broker: BrokerProcess, count: int, timeout_s: float = 10.0) -> bool:
    """Publish and wait for the confirmation; whether it came."""
    words = [sys.executable, "-c", PUBLISH, broker.address, str(count), str(timeout_s)]
    done = subprocess.run(
        words, env=our_environment(), capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0 or b"QmfError" in done.stderr, done.stderr
    return done.returncode == 0


def described(tool: Tool, broker: BrokerProcess) -> dict[str, object]:
    """What ``qpid-ha query --json`` prints."""
    found = json.loads(tool("query", "--json", "-b", broker.address)[1])
    assert isinstance(found, dict)
    return found


# -- ha-insync-command ---------------------------------------------------------------------


@pytest.fixture(name="record")
def path_of_the_record(tmp_path: Path) -> Path:
    return tmp_path / "in-sync.json"


def insync_options(record: Path) -> list[str]:
    words = [sys.executable, "-m", "tanist.cli.insync_file", str(record)]
    return ["--auth=no", f"--ha-insync-command={shlex.join(words)}"]


def recorded(record: Path) -> tuple[int, int]:
    """Epoch and size of the recorded set."""
    found = json.loads(record.read_text())
    return found["epoch"], len(found["in_sync"])


def test_the_file_decides_who_is_promoted(tmp_path: Path, record: Path) -> None:
    tool = our_tool()
    with cluster(tmp_path, 3, *insync_options(record)) as (one, two, three):
        assert tool("promote", "-b", one.address)[0] == 0
        wait_for(tool, [one, two, three], "active", "ready", "ready")
        wait_until("all are recorded", lambda: recorded(record) == (1, 3), SETTLE_S)
        assert publish(one, 10)
        three.stop(signal.SIGKILL)
        wait_until("one is dropped", lambda: recorded(record) == (1, 2), SETTLE_S)
        assert publish(one, 10)
        one.stop(signal.SIGKILL)
        two.stop(signal.SIGKILL)
        two.start()
        three.start()
        status, _ = tool("promote", "-b", three.address)
        assert status == 1
        assert "it is not in the in-sync set of epoch 1" in tool.errors
        status, _ = tool("promote", "-b", two.address)
        assert status == 1
        assert "it was restarted and has nothing" in tool.errors
        assert tool("promote", "--force", "-b", two.address)[0] == 0
        wait_for(tool, [two, three], "active", "ready")
        assert recorded(record)[0] == 2


def test_a_primary_that_may_not_shrink_the_set_confirms_nothing(
    tmp_path: Path, record: Path
) -> None:
    tool = our_tool()
    with cluster(tmp_path, 2, *insync_options(record)) as (one, two):
        assert tool("promote", "-b", one.address)[0] == 0
        wait_for(tool, [one, two], "active", "ready")
        wait_until("both are recorded", lambda: recorded(record) == (1, 2), SETTLE_S)
        whole = record.read_text()
        record.write_text("out of reach")
        two.stop(signal.SIGKILL)
        assert not publish(one, 1, timeout_s=5.0)
        (problem,) = described(tool, one)["problems"]  # type: ignore[misc]
        assert str(problem).startswith("ha-insync-command does not agree to shrink")
        record.write_text(whole)
        assert publish(one, 1)
        assert recorded(record) == (1, 1)


def test_a_primary_that_another_replaced_in_the_record_stops(tmp_path: Path, record: Path) -> None:
    tool = our_tool()
    with cluster(tmp_path, 2, *insync_options(record)) as (one, two):
        assert tool("promote", "-b", one.address)[0] == 0
        wait_for(tool, [one, two], "active", "ready")
        wait_until("both are recorded", lambda: recorded(record) == (1, 2), SETTLE_S)
        another = {"epoch": 7, "primary": "another", "in_sync": ["another"], "run": ""}
        record.write_text(json.dumps(another))
        two.stop(signal.SIGKILL)
        assert one.wait() == 1
        (line,) = one.lines("Shutting down")
        assert "deposed; ha-insync-command says: another is primary of epoch 7" in line


# -- identities ----------------------------------------------------------------------------


def secured(folder: Path, password: str = "secret", mechanism: str = "PLAIN") -> list[str]:
    passwords = folder / "passwords"
    passwords.write_text("ha:secret\nguest:guest\n")
    passwords.chmod(0o600)
    return [
        *("--auth=yes", f"--password-file={passwords}", "--realm=QPID"),
        *("--ha-username=ha", f"--ha-password={password}", f"--ha-mechanism={mechanism}"),
    ]


def test_a_cluster_with_passwords_lives_and_fails_over(tmp_path: Path) -> None:
    tool = our_tool()
    with cluster(tmp_path, 3, *secured(tmp_path)) as brokers:
        for broker in brokers:
            broker.address = f"ha/secret@{broker.address}"
        one, two, three = brokers
        assert tool("promote", "-b", one.address)[0] == 0
        wait_for(tool, brokers, "active", "ready", "ready")
        one.stop(signal.SIGKILL)
        assert tool("promote", "-b", two.address)[0] == 0
        wait_for(tool, [two, three], "active", "ready")
        status, listed = tool("status", "--all", "-b", two.address)
        assert status == 0
        assert [line.split()[1] for line in listed.splitlines()[1:]] == ["active", "ready"]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"password": "wrong"}, "Authentication failed"),
        ({"mechanism": "ANONYMOUS"}, "the server offers"),
    ],
)
def test_a_wrong_identity_is_one_line_on_both_sides(
    tmp_path: Path, wrong: dict[str, str], why: str
) -> None:
    tool = our_tool()
    with cluster(tmp_path, 2, *secured(tmp_path)) as (one, two):
        at = f"ha/secret@{one.address}"
        assert tool("promote", "-b", at)[0] == 0
        wait_until(
            "the other is ready",
            lambda: tool("status", "-b", f"ha/secret@{two.address}")[1] == "ready\n",
            SETTLE_S,
        )
        two.stop()
        two.options = secured(tmp_path, **wrong)
        two.launch()
        assert two.wait() == 1
        (line,) = two.lines("Shutting down")
        assert "refuses our link as user ha" in line
        assert why in line
        assert "Check ha-username, ha-password and ha-mechanism" in line
        told = one.lines("a broker that wants to be a backup: Authentication failed")
        assert len(told) == (1 if "password" in wrong else 0), "the other case is seen here only"
        assert tool("status", "-b", at) == (0, "active\n")


def test_the_tool_takes_the_identity_from_the_configuration(tmp_path: Path) -> None:
    tool = our_tool()
    with cluster(tmp_path, 1, *secured(tmp_path)) as (one,):
        config = tmp_path / "qpidd.conf"
        config.write_text(
            f"port={one.port}\nha-username=ha\nha-password=secret\nha-mechanism=PLAIN\n"
        )
        assert tool("--config", str(config), "status") == (0, "joining\n")
        config.write_text(config.read_text().replace("secret", "wrong"))
        assert tool("--config", str(config), "status")[0] == 1
        assert "Authentication failed" in tool.errors


# -- total failure -------------------------------------------------------------------------


def test_the_drill_of_a_total_failure(tmp_path: Path) -> None:
    """docs/total-failure.md, step by step."""
    tool = our_tool()
    with cluster(tmp_path, 3, "--auth=no") as (one, two, three):
        assert tool("promote", "-b", one.address)[0] == 0
        wait_for(tool, [one, two, three], "active", "ready", "ready")
        assert publish(one, 20)
        wait_until("all is applied", lambda: described(tool, three)["messages"] == 20, SETTLE_S)
        three.kick(signal.SIGSTOP)
        wait_until("one is dropped", lambda: _members(tool, one) == 2, SETTLE_S)
        assert publish(one, 5)
        one.stop(signal.SIGKILL)
        two.stop(signal.SIGKILL)
        three.kick(signal.SIGCONT)
        two.start()
        assert statuses(tool, [two, three]) == ["joining", "ready"]
        status, listed = tool("status", "--all", "-b", three.address)
        assert status == 0
        assert f"{three.address} ready (epoch 1, index 21, 20 messages" in listed
        assert f"no broker is primary; {three.address} has the newest state" in tool.errors
        assert tool("promote", "-b", two.address)[0] == 1
        status, _ = tool("promote", "--force", "--dry-run", "-b", two.address)
        assert status == 0
        assert f"{three.address} (ready, epoch 1, index 21, 20 messages) has" in tool.errors
        assert f"{one.address} does not answer: what only it has is lost" in tool.errors
        assert tool("promote", "-b", three.address)[0] == 0
        one.start()
        wait_for(tool, [one, two, three], "ready", "ready", "active")
        assert described(tool, one)["messages"] == 20


def _members(tool: Tool, broker: BrokerProcess) -> int:
    members = described(tool, broker)["members"]
    assert isinstance(members, list)
    return len(members)


def test_environment_is_clean() -> None:
    """No variable of the caller configures these brokers."""
    assert not [name for name in os.environ if name.startswith("QPID_")]

"""Three broker processes, and both tools on them: our qpid-ha and the genuine one of qpid-tools.

The genuine tool is a Python 2 program. It is looked for where ``clients/setup`` puts it
(``$TANIST_CACHE``, by default ``~/.cache/tanist``), else as ``TANIST_PYTHON27`` with the packages
in ``TANIST_PY2LIB``. In CI (``CI=true``) its absence is a failure.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

START_S = 20.0
SETTLE_S = 20.0
TOOL_S = 40.0
REMEDY = "no genuine qpid-ha (Python 2.7 with qpid-tools) here: run clients/setup"

Run = Callable[..., tuple[int, str]]


class Tool:
    """A qpid-ha: the words that start it, and its environment."""

    def __init__(self, words: list[str], environment: dict[str, str]) -> None:
        self.words = words
        self.environment = environment

    def __call__(self, *words: str) -> tuple[int, str]:
        """Run it; returns exit status and what it printed."""
        done = subprocess.run(
            [*self.words, *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=TOOL_S,
            check=False,
        )
        return done.returncode, done.stdout


def our_environment() -> dict[str, str]:
    """The environment in which this test can import the broker."""
    paths = [path for path in sys.path if path]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}


def our_tool() -> Tool:
    return Tool([sys.executable, "-m", "tanist.cli.qpid_ha"], our_environment())


def genuine_tool() -> Tool | None:
    """The genuine qpid-ha of this machine."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPATH", None)
    cache = os.environ.get("TANIST_CACHE") or Path.home() / ".cache" / "tanist"
    script = Path(cache) / "py27" / "bin" / "qpid-ha"
    if script.exists():
        return Tool([str(script)], environment)
    python, library = os.environ.get("TANIST_PYTHON27"), os.environ.get("TANIST_PY2LIB")
    if python and library:
        environment["PYTHONPATH"] = library
        return Tool([python, str(Path(library) / "bin" / "qpid-ha")], environment)
    return None


class BrokerProcess:
    """One qpidd in the foreground, its log in a file."""

    def __init__(self, port: int, ports: list[int], folder: Path) -> None:
        self.port = port
        self.address = f"127.0.0.1:{port}"
        self._folder = folder
        self._words = [
            *(sys.executable, "-m", "tanist.cli.qpidd"),
            *("--port", str(port), "--interface", "127.0.0.1"),
            *("--no-data-dir", "--auth", "no", "--config", os.devnull),
            *("--ha-cluster", "yes", "--ha-replicate", "all"),
            *("--ha-brokers-url", ",".join(f"127.0.0.1:{each}" for each in ports)),
            *("--link-heartbeat-interval", "2", "--link-maintenance-interval", "0.2"),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log_path(self) -> Path:
        return self._folder / f"{self.port}.log"

    def start(self) -> None:
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self._words, env=our_environment(), stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        wait_until(f"{self.address} listens", self._listens, START_S)

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log_path.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kick(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Signal it and wait; returns the exit status."""
        assert self._process is not None
        self.kick(number)
        return self._process.wait(10)

    def end(self) -> None:
        """Make sure that it is gone."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)


def wait_until(what: str, done: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.1)


def free_ports(count: int) -> list[int]:
    """Ports where nobody listens now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[list[BrokerProcess]]:
    """Three members, joining; at the end no log may show a traceback."""
    ports = free_ports(3)
    processes = [BrokerProcess(port, ports, tmp_path) for port in ports]
    try:
        for process in processes:
            process.start()
        yield processes
    finally:
        for process in processes:
            process.end()
    for process in processes:
        log = process.log_path.read_text()
        assert "Traceback" not in log
        assert "Unhandled" not in log


@pytest.fixture(params=["ours", "genuine"])
def qpid_ha(request: pytest.FixtureRequest) -> Tool:
    """Each of the two tools."""
    tool = our_tool() if request.param == "ours" else genuine_tool()
    if tool is None:
        if os.environ.get("CI") == "true":
            pytest.fail(REMEDY)
        pytest.skip(REMEDY)
    return tool


def statuses(qpid_ha: Tool, brokers: list[BrokerProcess]) -> list[str]:
    """The status of each broker as the tool prints it."""
    return [qpid_ha("status", "-b", broker.address)[1].strip() for broker in brokers]


def wait_for(qpid_ha: Tool, brokers: list[BrokerProcess], *wanted: str) -> None:
    wait_until(f"statuses {wanted}", lambda: statuses(qpid_ha, brokers) == list(wanted), SETTLE_S)


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
    told = json.loads(our_tool()("query", "--json", "-b", two.address)[1])
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

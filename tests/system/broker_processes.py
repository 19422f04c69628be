"""Broker processes of a cluster, and the tools to run on them: ours, and the genuine ones.

The genuine tools are Python 2 programs. They are looked for where ``clients/setup`` puts them
(``$TANIST_CACHE``, by default ``~/.cache/tanist``), else as ``TANIST_PYTHON27`` with the packages
in ``TANIST_PY2LIB``. In CI (``CI=true``) their absence is a failure.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

START_S = 20.0
SETTLE_S = 20.0
TOOL_S = 40.0
REMEDY = "no genuine qpid-tools (Python 2.7) here: run clients/setup"


class Tool:
    """A tool: the words that start it, and its environment."""

    def __init__(self, words: list[str], environment: dict[str, str]) -> None:
        self.words = words
        self.environment = environment
        self.errors = ""
        """What the last run wrote to standard error."""

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start it; the caller waits for it."""
        return subprocess.Popen(
            [*self.words, *words], env=self.environment, stdout=subprocess.PIPE, text=True
        )

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
        self.errors = done.stderr
        return done.returncode, done.stdout


def our_environment() -> dict[str, str]:
    """The environment in which this test can import the broker."""
    paths = [path for path in sys.path if path]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}


def our_tool(module: str = "qpid_ha") -> Tool:
    """The tool of ours in module ``tanist.cli.<module>``."""
    return Tool([sys.executable, "-m", f"tanist.cli.{module}"], our_environment())


def genuine_tool(name: str) -> Tool | None:
    """The genuine tool called ``name`` of this machine."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8"}
    environment.pop("PYTHONPATH", None)
    cache = os.environ.get("TANIST_CACHE") or Path.home() / ".cache" / "tanist"
    script = Path(cache) / "py27" / "bin" / name
    if script.exists():
        return Tool([str(script)], environment)
    python, library = os.environ.get("TANIST_PYTHON27"), os.environ.get("TANIST_PY2LIB")
    if python and library:
        environment["PYTHONPATH"] = library
        return Tool([python, str(Path(library) / "bin" / name)], environment)
    return None


def genuine_or_skip(name: str) -> Tool:
    """The genuine tool; without one the test is skipped, and fails in CI."""
    tool = genuine_tool(name)
    if tool is None:
        if os.environ.get("CI") == "true":
            pytest.fail(REMEDY)
        pytest.skip(REMEDY)
    return tool


class BrokerProcess:
    """One qpidd in the foreground, its log in a file."""

    def __init__(self, port: int, ports: list[int], folder: Path, *options: str) -> None:
        """``options`` come last; they may be changed between two starts."""
        self.options = list(options)
        self.port = port
        self.address = f"127.0.0.1:{port}"
        self._folder = folder
        self._words = [
            *(sys.executable, "-m", "tanist.cli.qpidd"),
            *("--port", str(port), "--interface", "127.0.0.1"),
            *("--data-dir", str(folder / str(port)), "--config", os.devnull),
            *("--ha-cluster", "yes", "--ha-replicate", "all"),
            *("--ha-brokers-url", ",".join(f"127.0.0.1:{each}" for each in ports)),
            *("--link-heartbeat-interval", "2", "--link-maintenance-interval", "0.2"),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log_path(self) -> Path:
        """Its log, and whatever it wrote to standard error."""
        return self._folder / f"{self.port}.log"

    def lines(self, part: str) -> list[str]:
        """Lines of the log with this text."""
        return [line for line in self.log_path.read_text().splitlines() if part in line]

    def start(self) -> None:
        """Start it and wait until it listens."""
        self.launch()
        wait_until(f"{self.address} listens", self._listens, START_S)

    def launch(self) -> None:
        """Start it; it may end at once."""
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._words, *self.options],
                env=our_environment(),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log_path.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kick(self, number: int) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Signal it and wait; returns the exit status."""
        assert self._process is not None
        self.kick(number)
        return self._process.wait(10)

    def wait(self) -> int:
        """Wait until it ends by itself; returns the exit status."""
        assert self._process is not None
        return self._process.wait(SETTLE_S)

    def end(self) -> None:
        """Make sure that it is gone."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)


def wait_until(what: str, done: Callable[[], bool], seconds: float) -> None:
    """Look ten times a second until it is so."""
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


@contextmanager
def cluster(folder: Path, count: int, *options: str) -> Iterator[list[BrokerProcess]]:
    """Members of a cluster, joining; at the end no log may show a traceback."""
    ports = free_ports(count)
    processes = [BrokerProcess(port, ports, folder, *options) for port in ports]
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


def statuses(qpid_ha: Tool, brokers: list[BrokerProcess]) -> list[str]:
    """The status of each broker as the tool prints it."""
    return [qpid_ha("status", "-b", broker.address)[1].strip() for broker in brokers]


def wait_for(qpid_ha: Tool, brokers: list[BrokerProcess], *wanted: str) -> None:
    """Wait until the brokers have these statuses."""
    wait_until(f"statuses {wanted}", lambda: statuses(qpid_ha, brokers) == list(wanted), SETTLE_S)

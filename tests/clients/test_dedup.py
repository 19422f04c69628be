"""The consumers of clients/dedup against real brokers: each message is handled once, whatever dies."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tanist_interop import protocol
from tanist_interop.hosts.linked import LinkedCluster
from tanist_interop.hosts.local import Settings
from tests.clients.harness import ROOT, Driven, built_python, missing

FOLDER = ROOT / "clients" / "dedup"
OURS = (sys.executable, "-m")
COUNT = 1_500
IDLE_S = 6
WAIT_S = 60.0


def cache(name: str) -> Path:
    """Where clients/setup put what this program needs."""
    root = Path(os.environ.get("TANIST_CACHE") or Path.home() / ".cache/tanist")
    key = subprocess.run(
        [str(ROOT / "clients/key"), name], capture_output=True, text=True, check=True
    ).stdout.strip()
    return root / name / key


def needs(path: Path, name: str) -> Path:
    """The path, or the end of the test."""
    if not path.exists():
        missing(f"no {path}: run clients/setup {name}")
    return path


def python(_: Path) -> list[str]:
    return [str(needs(built_python(), "python-proton")), str(FOLDER / "dedup.py")]


def java(_: Path) -> list[str]:
    jars = needs(cache("jms-1.0") / "lib", "jms-1.0")
    home = os.environ.get("JAVA_HOME")
    command = f"{home}/bin/java" if home else "java"
    return [command, "-cp", f"{jars}/*", str(FOLDER / "Dedup.java")]


def cpp(folder: Path) -> list[str]:
    needs(cache("cpp-proton") / "client", "cpp-proton")
    built = folder / "dedup"
    core = next(iter(sorted(Path("/usr/lib").glob("*/libqpid-proton-core.so*"))), None)
    compiler = shutil.which("c++")
    assert compiler is not None
    words = [compiler, "-std=c++17", "-Wall", "-Wextra", "-Werror", "-o", str(built)]
    words += [str(FOLDER / "dedup.cpp"), "-lqpid-proton-cpp", *([str(core)] if core else [])]
    subprocess.run(words, check=True)
    return [str(built)]


def js(_: Path) -> list[str]:
    modules = needs(cache("js-rhea") / "node_modules", "js-rhea")
    return ["env", f"NODE_PATH={modules}", "node", str(FOLDER / "dedup.js")]


class Ledger:
    """What a consumer noted."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self) -> list[str]:
        return self.path.read_text().splitlines() if self.path.exists() else []

    def reaches(self, count: int) -> None:
        """Wait until so many are noted."""
        until = time.monotonic() + WAIT_S
        while len(self.lines()) < count:
            assert time.monotonic() < until, f"{len(self.lines())} of {count} noted"
            time.sleep(0.005)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[LinkedCluster]:
    settings = Settings((*OURS, "tanist.cli.qpidd"), (*OURS, "tanist.cli.qpid_ha"), 3, 2)
    subject = LinkedCluster(tmp_path, settings, clients=False)
    try:
        subject.start()
        subject.form(30)
        yield subject
    finally:
        subject.stop()


def replace_primary(cluster: LinkedCluster, more: Callable[[], None]) -> None:
    """Kill the primary when the backups have not heard of its last acknowledgements."""
    for node in (1, 2):
        cluster.links.block(0, node)
    more()
    cluster.kill(0)
    for node in (1, 2):
        cluster.links.sever(0, node)
        cluster.links.unblock(0, node)
    cluster.promote(1)


@pytest.mark.parametrize("build", [python, java, cpp, js], ids=lambda build: build.__name__)
def test_each_message_is_handled_once(
    build: Callable[[Path], list[str]],
    cluster: LinkedCluster,
    client: Callable[[str], Driven],
    tmp_path: Path,
) -> None:
    command = build(tmp_path)
    sender = client("python-proton")
    sender.connect(*cluster.addresses())
    sender.do(protocol.Declare, "drill.dedup")
    task = sender.do(protocol.Send, "drill.dedup", "p", 1, COUNT)
    sender.ended(task)
    ledger = Ledger(tmp_path / "ledger")
    words = [*command, ",".join(cluster.addresses()), "drill.dedup", str(ledger.path), str(IDLE_S)]

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)

    consumer = start()
    try:
        ledger.reaches(COUNT // 10)
        consumer.kill()
        consumer.wait()
        consumer = start()
        ledger.reaches(COUNT // 5)
        replace_primary(cluster, lambda: ledger.reaches(len(ledger.lines()) + 20))
        said, _ = consumer.communicate(timeout=WAIT_S)
    finally:
        consumer.kill()
        consumer.wait()
    lines = ledger.lines()
    assert sorted(lines) == sorted(f"p {sn}" for sn in range(1, COUNT + 1))
    match = re.search(r"handled (\d+), duplicates (\d+)", said)
    assert match is not None, said
    assert 0 < int(match[1]) < COUNT
    assert int(match[2]) >= 20, "the failover brought none again: this test shows nothing"

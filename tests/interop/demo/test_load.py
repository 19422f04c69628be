"""The load, with the stand-ins for client and broker of the drill's own tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tanist_interop import protocol
from tanist_interop.demo import load as subject
from tanist_interop.demo.load import Load, Options, parse
from tanist_interop.hosts.cluster import Settings
from tanist_interop.hosts.local import LocalCluster

CLIENT = [sys.executable, str(Path(__file__).parents[1] / "fake_client.py")]


@pytest.fixture
def cluster(tmp_path, fake_qpidd, fake_qpid_ha):
    cluster = LocalCluster(tmp_path, Settings(fake_qpidd, fake_qpid_ha))
    cluster.start()
    cluster.form(20)
    yield cluster
    cluster.stop()


class Running:
    """A load in a thread of its own, and what it said."""

    def __init__(self, addresses) -> None:
        self.lines = []
        self.load = Load(Options(addresses, CLIENT, rate_per_s=300), self.lines.append)
        self.status = None
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        self.status = self.load.run()

    def wait(self, condition):
        until = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < until, self.lines
            assert self.thread.is_alive(), self.lines
            time.sleep(0.02)

    def confirmed(self):
        return len(self.load.tally.confirmed)

    def end(self):
        self.load.stop()
        self.thread.join(30)
        return self.status


@pytest.fixture
def running(cluster, monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    started = []

    def start():
        started.append(Running(cluster.addresses()))
        return started[-1]

    yield start
    for one in started:
        one.end()


def test_the_counters_go_on_after_a_failover(cluster, running):
    load = running()
    load.wait(lambda: load.confirmed() > 100)
    cluster.kill(0)
    cluster.promote(1)
    before = load.load.tally.sent
    load.wait(lambda: load.confirmed() > before + 100)
    assert load.end() == 0
    text = "\n".join(load.lines)
    assert "the sender lost its connection" in text
    assert "the receiver is connected again, to " in text
    assert load.lines[-1] == f"in all  {load.load.tally}"
    assert load.load.tally.missing() == 0


@pytest.fixture
def losing(monkeypatch):
    monkeypatch.setenv("FAKE_FAULT", "lose")


def test_a_lost_message_is_seen_while_all_goes_on(losing, running):
    load = running()
    load.wait(lambda: load.load.tally.lost)
    assert load.end() == 1
    assert "lost 0" not in load.lines[-1]


def test_messages_of_another_load_are_not_counted():
    load = Load(Options([], CLIENT), print)
    load._count(protocol.Received(0, 3, "load-of-yesterday", [[1, 7]], False))
    assert len(load.tally.received) == 0
    load._count(protocol.Received(0, 3, load.producer, [[1, 7]], False))
    assert len(load.tally.received) == 7
    assert Load(Options([], CLIENT), print).producer != load.producer


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("missing", "ended with code 127"),
        ("crash", "ended with code"),
        ("babble", "said nonsense"),
    ],
)
def test_a_program_that_fails_ends_the_load(cluster, running, monkeypatch, fault, said):
    monkeypatch.setenv("FAKE_CLIENT", fault)
    load = running()
    load.thread.join(30)
    assert load.status == 2
    assert said in load.lines[-1]


def test_without_a_primary_nothing_is_shown(cluster, running, monkeypatch):
    monkeypatch.setattr(subject, "START_S", 0.5)
    cluster.kill(0)
    load = running()
    load.thread.join(30)
    assert load.status == 2
    assert "is there a primary?" in load.lines[-1]


def test_a_sender_that_cannot_end_leaves_the_question_open(cluster, running, monkeypatch):
    monkeypatch.setattr(subject, "EMPTY_S", 0.5)
    load = running()
    load.wait(lambda: load.confirmed() > 20)
    cluster.kill(0)
    load.wait(lambda: any("lost its connection" in line for line in load.lines))
    assert load.end() == 2
    assert any("could not end" in line or "no broker" in line for line in load.lines)


def test_the_command_line():
    options = parse(["--addresses", "a:1,b:2", "--client", "run 'x y'", "--rate", "7"])
    assert options.addresses == ["a:1", "b:2"]
    assert options.client == ["run", "x y"]
    assert (options.rate_per_s, options.window, options.queue) == (7.0, 100, "demo")
    with pytest.raises(SystemExit):
        parse([])


def test_a_signal_ends_the_load(cluster, tmp_path):
    command = [sys.executable, "-m", "tanist_interop.demo.load", "--client", " ".join(CLIENT)]
    process = subprocess.Popen(
        [*command, "--addresses", ",".join(cluster.addresses())],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    for line in process.stdout:
        if "confirmed" in line:
            process.send_signal(signal.SIGTERM)
            break
    rest = process.stdout.read()
    assert process.wait(30) == 0
    assert "lost 0" in rest.splitlines()[-1]

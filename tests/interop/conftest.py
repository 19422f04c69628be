"""Fixtures: histories told in a few words, and the stand-ins for broker, ``qpid-ha`` and client."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tanist_interop import protocol
from tanist_interop.checkers.judge import judge
from tanist_interop.history import DRILL, Record
from tanist_interop.hosts.profile import VERBS
from tanist_interop.scenarios.catalogue import CATALOGUE
from tanist_interop.scenarios.scenario import as_json

HERE = Path(__file__).parent


class Story:
    """A history, told step by step; each step is one millisecond after the last one."""

    def __init__(self) -> None:
        self.records = []
        self.ms = 1000

    def add(self, source, event, t=None):
        self.ms += 1
        now = self.ms * 1_000_000
        self.records.append(Record(now, now if t is None else t, source, event))

    def note(self, kind, /, **more):
        self.add(DRILL, {"type": kind, **more})

    def say(self, source, message):
        self.add(source, {"type": message.TYPE, **asdict(message)})

    def told(self, source, request):
        event = {"type": request.TYPE, **asdict(request)}
        self.add(source, {"type": "request", "request": event})

    def run(self, name="kill-primary", **changes):
        small = {"acknowledged_min": 1, "flow_min": 1}
        scenario = replace(CATALOGUE[name], **{**small, **changes})
        self.note("run", scenario=as_json(scenario), seed=7, command="again")
        for source in ("s", "r", "d"):
            self.program(source, "c")
        self.replicas(n2="active", n3="ready")

    def replicas(self, **statuses):
        """These brokers hold the same."""
        told = {"queues": {"q": {"messages": 0, "digest": "00"}}}
        nodes = {name: {"status": status, **told} for name, status in statuses.items()}
        self.note("replicas", nodes=nodes)

    def program(self, source, client):
        """A process of a client program is up."""
        self.add(source, {"type": "client", "init_ok": {"client": client}, "offset_ns": 0})

    def sender(self, source="s", task=3, queue="q", producer="p", window=10):
        self.told(source, protocol.Send(task, queue, producer, 1, 0, window=window))

    def receiver(self, source="r", task=3, queue="q", prefetch=10, ack_every=1):
        self.told(source, protocol.Receive(task, queue, prefetch, ack_every))

    def drainer(self, source="d", task=3, queue="q"):
        self.told(source, protocol.Drain(task, queue, 0.5))

    def batch(self, kind, sns, source, producer="p", task=3, **more):
        ranges = [[sn, sn] if isinstance(sn, int) else list(sn) for sn in sns]
        self.say(source, kind(self.ms * 1_000_000, task, producer, ranges, **more))

    def sent(self, *sns, source="s", producer="p", ok=True):
        self.batch(protocol.Invoke, sns, source, producer)
        if ok:
            self.batch(protocol.Ok, sns, source, producer)

    def got(self, *sns, source="r", producer="p", redelivered=False, acked=True):
        self.batch(protocol.Received, sns, source, producer, redelivered=redelivered)
        if acked:
            self.batch(protocol.Acked, sns, source, producer)

    def ended(self, source, count, reason="stopped", task=3):
        self.say(source, protocol.Ended(self.ms * 1_000_000, task, reason, count))

    def fault(self, phase="begin", failover=True, node="n1"):
        self.note("fault", name="kill", node=node, phase=phase, failover=failover)

    def mark(self, name, **more):
        self.note("mark", name=name, **more)

    def good(self, **changes):
        """A complete valid run with one failover."""
        self.run(**changes)
        self.sender()
        self.receiver()
        self.sent((1, 10))
        self.got((1, 8))
        self.fault()
        self.say("s", protocol.Disconnected(self.ms * 1_000_000))
        self.mark("promote_begin", node="n2")
        self.mark("promoted", node="n2")
        self.sent((11, 20))
        self.got((7, 10), redelivered=True)
        self.fault("end")
        self.mark("rejoined", node="n1")
        self.got((11, 18))
        self.ended("s", 20)
        self.ended("r", 20)
        self.drained((19, 20))
        self.mark("finished")
        return self

    def drained(self, *sns, count=None):
        self.drainer()
        if sns:
            self.got(*sns, source="d")
        total = sum(1 if isinstance(sn, int) else sn[1] - sn[0] + 1 for sn in sns)
        self.ended("d", total if count is None else count, "empty")

    def verdict(self):
        return judge(self.records)


@pytest.fixture
def story():
    return Story()


@pytest.fixture(scope="session")
def new_story():
    return Story


@pytest.fixture
def results(story):
    """The JSON values of a good run's verdict."""
    return story.good().verdict().as_json()


def _write_client(folder, name, **more):
    (folder / name).mkdir(parents=True)
    command = [sys.executable, str(HERE / "fake_client.py")]
    spec = {"name": name, "command": command, "library": "none", **more}
    (folder / name / "client.json").write_text(json.dumps(spec))


@pytest.fixture
def clients_dir(tmp_path):
    """Two client programs, one of them with one process for both roles."""
    folder = tmp_path / "clients"
    _write_client(folder, "a")
    _write_client(folder, "b", shared=True)
    return folder


@pytest.fixture
def standin(tmp_path):
    """Writes the profile of stand-in brokers, but for some commands or with some lines more."""

    def write(without=(), more="", nodes=3):
        program = f"{sys.executable} {HERE / 'fake_cluster.py'}"
        verbs = [verb for verb in VERBS if verb not in ("promote", *without)]
        lines = [
            'name = "Stand-in"', 'remedy = "get-standins"', 'clients = ["amqp0-10"]',
            'address = "queues/{queue}"', 'ports = ["amqp"]', 'shared-ports = ["shared"]',
            'bad-lines = ["Traceback"]', more, "[commands]",
            *(f"{verb} = '{program} {verb}'" for verb in verbs),
        ]  # fmt: skip
        for number in range(1, nodes + 1):
            lines += ["[[brokers]]", 'address = "127.0.0.1:{amqp}"', f'logs = ["n{number}.log"]']
        path = tmp_path / "standin.toml"
        path.write_text("\n".join(lines))
        return path

    return write


@pytest.fixture
def fake_qpidd():
    return (sys.executable, str(HERE / "fake_broker.py"))


@pytest.fixture
def fake_qpid_ha():
    return (sys.executable, str(HERE / "fake_qpid_ha.py"))


@pytest.fixture
def fake_qpid_config():
    return (sys.executable, str(HERE / "fake_qpid_config.py"))

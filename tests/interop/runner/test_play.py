"""Whole runs with the stand-ins: real processes, real signals, no AMQP."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from tanist_interop import history, protocol
from tanist_interop.checkers.finding import Valid
from tanist_interop.drivers.program import Program
from tanist_interop.drivers.registry import discover
from tanist_interop.hosts.cluster import Settings
from tanist_interop.hosts.local import LocalCluster
from tanist_interop.report import terminal
from tanist_interop.runner.crew import QUIET_S
from tanist_interop.runner.play import Plan, Play
from tanist_interop.scenarios import strikes
from tanist_interop.scenarios.catalogue import CATALOGUE
from tanist_interop.scenarios.scenario import scaled, soaked


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setattr("tanist_interop.runner.play.CATCH_UP_S", 0.5)
    monkeypatch.setattr("tanist_interop.runner.play.AGAIN_S", 0.6)


@pytest.fixture
def play(tmp_path, clients_dir, fake_qpidd, fake_qpid_ha):
    def run(name="kill-primary", messages=600, options=(), quiet_s=QUIET_S, scenario=None):
        scenario = scenario or scaled(CATALOGUE[name], messages)
        folder = tmp_path / "run"
        folder.mkdir()
        plan = Plan(scenario, 3, list(discover(clients_dir).values()), folder, {"command": "x"})
        settings = Settings(
            fake_qpidd, fake_qpid_ha, options=options, tell_first=scenario.change_urls
        )
        cluster = LocalCluster(folder, settings)
        subject = Play(plan, cluster, Program, lambda _: None)
        subject.crew.quiet_s = quiet_s
        return subject.run(), subject

    return run


def connects(subject):
    """The requests to connect that the programs got."""
    records = history.load(subject.journal.path)
    return [request for _, request in history.requests(records, protocol.Connect)]


def marks(subject):
    """The moments that the drill noted, in their order."""
    notes = history.notes(history.load(subject.journal.path), "mark")
    return [note.event["name"] for note in notes]


def told(subject):
    """The different ways in which programs were told to connect."""
    return {(tuple(c.addresses), c.failover) for c in connects(subject)}


def how_exchange_is_told(subject):
    """The first primary's address; the drainer gets all, and asks nobody."""
    addresses = tuple(subject.cluster.addresses())
    return {(addresses[:1], "exchange"), (addresses, "addresses")}


def only(verdict, checker):
    """The problems of this checker, which must be the only ones."""
    problems = verdict.as_json()["problems"]
    assert problems, "no problems"
    assert all(text.startswith(checker) for text in problems), problems
    return problems


def test_kill_primary(play):
    verdict, subject = play()
    assert verdict.as_json()["problems"] == []
    assert verdict.valid is Valid.TRUE
    figures = verdict.as_json()["figures"]
    assert figures["total-queue"]["acknowledged"] >= 600
    assert len(figures["failover"]["first_ack_ms"]) == 4
    cells = figures["matrix"]["cells"]
    assert [(cell["sender"], cell["receiver"]) for cell in cells] == [("fake", "fake")]
    assert cells[0]["received"] >= 240
    folder = subject.plan.folder
    for name in ("n1.log", "n1.2.log", "a.send.log", "a.drain.log", "b.log", "qpid-ha.log"):
        assert (folder / name).exists(), name


def test_the_fault_waits_for_receivers_to_have_begun(play, monkeypatch):
    monkeypatch.setenv("FAKE_CLIENT", "late")
    scenario = replace(scaled(CATALOGUE["kill-primary"], 600), fault_after=(1, 1), each_min=1)
    verdict, subject = play(scenario=scenario)
    assert verdict.valid is Valid.TRUE, verdict.as_json()["problems"]
    records = history.load(subject.journal.path)
    first = {}
    for record, received in history.messages(records, protocol.Received):
        first.setdefault(received.producer, record.at)
    assert len(first) == 4
    assert max(first.values()) < history.fault_time(records)


def test_replicas_that_differ_are_found(play, monkeypatch):
    monkeypatch.setenv("FAKE_FAULT", "differ")
    monkeypatch.setattr("tanist_interop.runner.play.AGREE_S", 0.2)
    verdict, _ = play("no-fault", messages=200)
    assert verdict.valid is Valid.FALSE
    problems = only(verdict, "replicas")
    assert "replicas: q: n1 has 3 messages, n2 as many with other content" in problems


def test_brokers_that_do_not_tell_what_they_hold_show_nothing(play, monkeypatch):
    monkeypatch.setattr(LocalCluster, "digests", lambda self: [None] * 3)
    verdict, _ = play("no-fault", messages=200)
    assert verdict.valid is Valid.UNKNOWN
    assert only(verdict, "replicas") == [
        "replicas: nothing to compare: n1 is active, n2 is ready, n3 is ready"
    ]


def test_what_is_going_on_is_told_apart_from_what_was_done(tmp_path):
    class Shown(terminal.Screen):
        passing = ()

        def now(self, text):
            self.passing += (text,)

    done = []
    screen = Shown(done.append)
    subject = Play(Plan(CATALOGUE["no-fault"], 1, [], tmp_path), None, Program, screen)
    subject._progress("promoted n2")
    subject._progress("strike", passing=True)
    subject.journal.close()
    assert [text.split()[-2:] for text in done] == [["promoted", "n2"]]
    assert [text.split()[-1] for text in screen.passing] == ["strike"]


def test_no_fault(play):
    verdict, _ = play("no-fault")
    assert verdict.valid is Valid.TRUE
    figures = verdict.as_json()["figures"]["duplicates"]
    assert figures["duplicated"] == figures["bound"] == 0
    assert figures["per_queue"] == {"drill.1": [0, 0], "drill.2": [0, 0]}


def test_backup_address_first(play):
    verdict, subject = play("backup-address-first", 200)
    assert verdict.valid is Valid.TRUE
    addresses = subject.cluster.addresses()
    assert told(subject) == {((addresses[1], addresses[2], addresses[0]), "addresses")}


def test_failover_exchange(play):
    verdict, subject = play("failover-exchange")
    assert verdict.valid is Valid.TRUE
    assert told(subject) == how_exchange_is_told(subject)


def test_clients_that_learn_no_other_address_do_not_fail_over(play):
    verdict, _ = play("failover-exchange", options=("--ha-public-url=none",), quiet_s=2.0)
    assert verdict.valid is Valid.FALSE
    problems = [text for text in verdict.as_json()["problems"] if text.startswith("failover")]
    assert problems[0] == "failover: a.send: no acknowledgement after the promotion"


def test_changed_urls(play):
    verdict, subject = play("changed-urls")
    assert verdict.as_json()["problems"] == []
    assert verdict.valid is Valid.TRUE
    assert told(subject) == how_exchange_is_told(subject)
    moments = [marks(subject).index(name) for name in ("streaming", "urls_changed", "promoted")]
    assert moments == sorted(moments)
    addresses = subject.cluster.addresses()
    command = subject.cluster.command(subject.cluster.nodes[0], 3, subject.plan.folder / "log")
    assert f"--ha-public-url={','.join(addresses)}" in command, "whoever restarts says so, too"


def test_if_the_change_of_urls_is_left_out_clients_do_not_fail_over(play, monkeypatch):
    monkeypatch.setenv("FAKE_FAULT", "keep")
    verdict, subject = play("changed-urls", quiet_s=2.0)
    assert verdict.valid is Valid.FALSE
    problems = [text for text in verdict.as_json()["problems"] if text.startswith("failover")]
    assert problems[0] == "failover: a.send: no acknowledgement after the promotion"
    assert "urls_changed" in marks(subject), "the brokers had said that they changed it"


def make_simple(clients_dir, name):
    """This client knows no failover but from the addresses that it is given."""
    path = clients_dir / name / "client.json"
    spec = json.loads(path.read_text())
    spec["command"] = ["env", "FAKE_CLIENT=simple", *spec["command"]]
    path.write_text(json.dumps(spec))


def test_a_client_that_cannot_ask_the_exchange_is_given_all_addresses(play, clients_dir):
    make_simple(clients_dir, "a")
    verdict, subject = play("failover-exchange")
    assert verdict.valid is Valid.TRUE
    records = history.load(subject.journal.path)
    ways = {
        record.source: (len(connect.addresses), connect.failover)
        for record, connect in history.requests(records, protocol.Connect)
    }
    assert ways.pop("a.drain") == (3, "addresses")
    every, one = (3, "addresses"), (1, "exchange")
    assert ways == {"a.send": every, "a.receive": every, "b": one}


def test_if_no_client_can_ask_the_exchange_nothing_is_shown(play, monkeypatch):
    monkeypatch.setenv("FAKE_CLIENT", "simple")
    verdict, _ = play("failover-exchange")
    assert verdict.valid is Valid.UNKNOWN
    problem = verdict.as_json()["problems"][0]
    assert problem == "course: connect: no client here can ask amq.failover for addresses"


def test_a_stopped_backup_that_holds_nothing_up_is_wrong(play):
    verdict, _ = play("stopped-backup", 500)  # the stand-in never waits for its backups
    assert verdict.valid is Valid.FALSE
    only(verdict, "stall")


@pytest.mark.parametrize(
    ("fault", "checker", "word"),
    [
        ("lose", "total-queue", "lost"),
        ("invent", "total-queue", "unexpected"),
        ("again", "redelivery", "without the mark"),
        ("traceback", "brokers", "KeyError"),
    ],
)
def test_a_broker_that_breaks_its_promise_is_found_out(play, monkeypatch, fault, checker, word):
    monkeypatch.setenv("FAKE_FAULT", fault)
    verdict, _ = play()
    assert verdict.valid is Valid.FALSE
    problems = [text for text in verdict.as_json()["problems"] if text.startswith(checker)]
    assert word in problems[0]


def test_a_drain_that_comes_too_early_is_done_again(play, monkeypatch):
    monkeypatch.setenv("FAKE_CLIENT", "drowsy")
    verdict, subject = play("no-fault")
    assert verdict.valid is Valid.TRUE
    records = history.load(subject.journal.path)
    patience = [drain.empty_s for _, drain in history.requests(records, protocol.Drain)]
    assert patience == [0.5, 0.5, 0.6, 0.6]


def test_if_no_drain_looks_again_what_it_left_is_lost(play, monkeypatch):
    monkeypatch.setenv("FAKE_CLIENT", "drowsy")
    monkeypatch.setattr(Play, "_lacks", lambda *_: False)
    verdict, _ = play("no-fault")
    assert verdict.valid is Valid.FALSE
    assert "lost" in only(verdict, "total-queue")[0]


def test_a_broker_that_dies_ends_the_run_soon(play, monkeypatch):
    monkeypatch.setenv("FAKE_FAULT", "crash")
    began = time.monotonic()
    verdict, _ = play(messages=6000)
    assert time.monotonic() - began < 15
    assert verdict.valid is Valid.FALSE
    assert any("ended by itself" in text for text in verdict.as_json()["problems"])


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("liar", "cannot be believed"),
        ("babble", "not JSON"),
        ("crash", "ended with code 3"),
        ("missing", "no client can run here"),
    ],
)
def test_a_bad_client_gives_no_verdict(play, monkeypatch, fault, word):
    monkeypatch.setenv("FAKE_CLIENT", fault)
    verdict, _ = play()
    assert verdict.valid is Valid.UNKNOWN
    assert any(word in text for text in verdict.as_json()["problems"])


def test_a_missing_client_is_left_out(play, clients_dir):
    spec = clients_dir / "a" / "client.json"
    spec.write_text('{"name": "a", "command": ["./nothing"], "needs": "x", "setup": "do y"}')
    verdict, _ = play()
    assert verdict.valid is Valid.TRUE
    results = verdict.as_json()
    assert {flow["sender"] for flow in results["flows"]} == {"b"}
    assert results["context"]["not_run"][0]["client"] == "a"
    assert results["context"]["not_run"][0]["remedy"] == "do y"


@pytest.fixture
def soak(play, monkeypatch):
    """A soak of a few seconds that strikes often."""
    for name, value in (("REST_S", (0, 0.2)), ("HANG_S", (0.1, 0.5)), ("DOWN_S", (0, 0.2))):
        monkeypatch.setattr(strikes, name, value)
    monkeypatch.setattr("tanist_interop.runner.soak.LOOK_S", 0.1)
    monkeypatch.setattr("tanist_interop.runner.soak.TRUST_S", 0.1)

    def run(seconds=6.0):
        scenario = soaked(CATALOGUE["soak"], seconds)
        scenario = replace(scenario, acknowledged_min=300, failovers_min=1, each_min=1)
        return play(scenario=scenario)

    return run


def test_a_soak(soak):
    verdict, subject = soak()
    assert verdict.as_json()["problems"] == []
    assert verdict.valid is Valid.TRUE
    figures = verdict.as_json()["figures"]
    assert figures["failover"]["count"] == subject.soak.failovers >= 1
    assert sum(figures["failover"]["faults"].values()) == subject.soak.strikes
    assert figures["rejoin"]["count"] >= 1
    assert len(verdict.flows) == 4


@pytest.mark.parametrize(("fault", "checker"), [("lose", "total-queue"), ("again", "redelivery")])
def test_a_soak_finds_broken_promises(soak, monkeypatch, fault, checker):
    monkeypatch.setenv("FAKE_FAULT", fault)
    verdict, _ = soak(4.0)
    assert verdict.valid is Valid.FALSE
    assert any(text.startswith(checker) for text in verdict.as_json()["problems"])


def test_a_library_that_gives_up_does_not_end_a_soak(soak, monkeypatch):
    monkeypatch.setenv("FAKE_CLIENT", "give-up")
    verdict, _ = soak(4.0)
    assert verdict.as_json()["problems"] == []
    assert verdict.as_json()["figures"]["course"]["reopened"] == {"a.send": 2, "b": 2}


def test_a_library_that_gives_up_ends_other_runs(play, monkeypatch):
    monkeypatch.setenv("FAKE_CLIENT", "give-up")
    verdict, _ = play("no-fault", 2000)
    assert verdict.valid is Valid.UNKNOWN
    assert any("GaveUp" in text for text in verdict.as_json()["problems"])

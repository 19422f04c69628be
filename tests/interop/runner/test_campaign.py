from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from tanist_interop.drivers.registry import ClientSpec, Retry, discover
from tanist_interop.hosts import linked
from tanist_interop.runner import campaign
from tanist_interop.scenarios.catalogue import CATALOGUE
from tanist_interop.scenarios.proofs import chosen
from tanist_interop.scenarios.scenario import scaled


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setattr("tanist_interop.runner.play.CATCH_UP_S", 0.5)


@pytest.fixture
def options(tmp_path, clients_dir, fake_qpidd, fake_qpid_ha):
    def make(**changes):
        values = {
            "scenarios": [scaled(CATALOGUE["no-fault"], 100)],
            "clients": list(discover(clients_dir).values()),
            "seed": 1,
            "repeat": 1,
            "out": tmp_path / "runs",
            "qpidd": fake_qpidd,
            "qpid_ha": fake_qpid_ha,
            "arguments": ("--messages", "100"),
        }
        return campaign.Options(**(values | changes))

    return make


def test_kills_that_are_repeated_have_one_table_of_failover_times(options, tmp_path):
    kill, said = scaled(CATALOGUE["kill-primary"], 100), []
    retry = Retry(5.0, 60_000.0, "5 ms")
    clients = [replace(spec, retry=retry) for spec in options().clients]
    assert campaign.run(options(scenarios=[kill], clients=clients, repeat=2), said.append) == 0
    summary = (tmp_path / "runs" / "summary.txt").read_text()
    assert any(summary in text for text in said)
    (row,) = (line.split() for line in summary.splitlines() if line.startswith("fake "))
    assert row[1] == "2", "failovers"
    (first, *_) = sorted(tmp_path.glob("runs/kill-primary-*/results.json"))
    noted = json.loads(first.read_text())["context"]["retries"]
    assert noted["a"] == {"least_ms": 5.0, "most_ms": 60_000.0, "because": "5 ms"}
    quiet = scaled(CATALOGUE["no-fault"], 100)
    campaign.run(options(scenarios=[quiet], out=tmp_path / "quiet"), said.append)
    assert "failovers" not in (tmp_path / "quiet" / "summary.txt").read_text()


def test_runs_leave_their_folders(options, tmp_path):
    said = []
    assert campaign.run(options(repeat=2), said.append) == 0
    folders = sorted(path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    assert len(folders) == 2
    results = json.loads((folders[1] / "results.json").read_text())
    assert results["valid"] == "true"
    assert results["seed"] == 2
    again = "tanist-interop --scenario no-fault --seed 2 --clients a,b --messages 100 --hosts local"
    assert results["context"]["command"] == again
    for name in ("history.jsonl", "report.txt", "report.html", "junit.xml"):
        assert (folders[0] / name).stat().st_size, name
    suite = ET.fromstring((tmp_path / "runs" / "junit.xml").read_bytes())
    assert suite.get("tests") == "2"
    assert "2 runs in" in (tmp_path / "runs" / "summary.txt").read_text()
    assert any("2 VALID" in text for text in said)
    assert results["began"].startswith("20")
    assert results["versions"]["drill"].startswith("tanist-interop ")
    assert set(results["versions"]["clients"]) == {"fake"}


def test_a_client_that_cannot_run_fails_only_in_ci(options, clients_dir):
    (clients_dir / "b" / "client.json").write_text('{"name": "b", "command": ["./nothing"]}')
    clients = list(discover(clients_dir).values())
    assert campaign.run(options(clients=clients), lambda _: None) == 0
    said = []
    assert campaign.run(options(clients=clients, not_run_fails=True), said.append) == 1
    assert said[-1] == "not run, which is a failure here: b"


def test_an_optional_client_may_be_missing_anywhere(options, clients_dir):
    (clients_dir / "b" / "client.json").write_text(
        '{"name": "b", "command": ["./nothing"], "optional": true}'
    )
    clients = list(discover(clients_dir).values())
    said = []
    assert campaign.run(options(clients=clients, not_run_fails=True), said.append) == 0
    assert "not run: b" in said[-1]


def test_an_invalid_run_and_an_unknown_one(options, monkeypatch):
    monkeypatch.setenv("FAKE_FAULT", "lose")
    assert campaign.run(options(), lambda _: None) == 1
    monkeypatch.setenv("FAKE_FAULT", "")
    monkeypatch.setenv("FAKE_CLIENT", "missing")
    assert campaign.run(options(), lambda _: None) == 2


def test_brokers_are_as_the_scenario_wants_them(options):
    wanted = options(broker_options=("--trace",))
    found = campaign.settings(wanted, CATALOGUE["changed-urls"])
    assert (found.nodes, found.options, found.tell_first) == (3, ("--trace",), True)
    assert not campaign.settings(wanted, CATALOGUE["failover-exchange"]).tell_first


def test_folders_have_their_own_names(tmp_path):
    assert campaign.make_folder(tmp_path, "x").name == "x"
    assert campaign.make_folder(tmp_path, "x").name == "x.2"


def test_the_broker_tells_its_version(options):
    assert campaign.versions(options(qpidd=("echo", "a 1.2")))["broker"] == "a 1.2 --version"
    assert campaign.versions(options(qpidd=("false",)))["broker"] == ""
    assert campaign.versions(options(qpidd=("/no/such/broker",)))["broker"] == ""


def specs(*words):
    """Clients of these names, with the protocol behind the name; ``?`` = optional."""
    pairs = [word.rstrip("?").split("/") for word in words]
    return [
        ClientSpec(name, Path("/"), ("x",), protocol, optional=word.endswith("?"))
        for (name, protocol), word in zip(pairs, words, strict=True)
    ]


def test_drawn_clients_speak_every_protocol():
    clients = specs("a/x", "b/x", "c/y", "d/y", "e/y", "f/y?")
    every = set()
    for seed in range(200):
        names = [spec.name for spec in campaign.drawn(clients, 3, seed)]
        assert len(names) == 3
        assert names == sorted(names), "in their order"
        assert set(names) & {"a", "b"}
        assert set(names) & {"c", "d", "e"}
        assert "f" not in names, "an optional one is drawn only when the others do not suffice"
        assert campaign.drawn(clients, 3, seed) == campaign.drawn(clients, 3, seed)
        every.add(tuple(names))
    assert len(every) == 9, "two of three and one of two, or the other way round"


def test_an_optional_client_stands_for_its_protocol_if_no_other_does():
    assert len(campaign.drawn(specs("a/x", "f/y?"), 2, 1)) == 2


def test_each_run_draws_its_clients(options, tmp_path, clients_dir):
    assert campaign.run(options(draw=1, repeat=6), lambda _: None) == 0
    results = [json.loads(path.read_text()) for path in tmp_path.glob("runs/*/results.json")]
    commands = {run["context"]["command"].split()[6] for run in results}
    assert commands == {"a", "b"}


def test_a_matrix_leaves_its_cells(options, tmp_path, monkeypatch):
    monkeypatch.setattr("tanist_interop.runner.proofs.FREEZE_MAX_S", 0.6)
    monkeypatch.delenv("TANIST_LIBFAKETIME", raising=False)
    monkeypatch.setattr(linked, "LIBFAKETIME", (str(tmp_path), "faketime/libfaketime.so.1"))
    scenarios = [scaled(scenario, 60) for scenario in chosen("kill-backup,clock-jump")]
    said = []
    code = campaign.run(options(scenarios=scenarios, clients=options().clients[:1]), said.append)
    assert code == 1, "the stand-in confirms what no backup has"
    cells = json.loads((tmp_path / "runs" / "matrix.json").read_text())
    assert len(cells) == 8
    verdicts = {(cell["fault"], cell["proof"]): cell["verdict"] for cell in cells}
    assert verdicts["kill-backup", "requeue"] == "valid"
    assert verdicts["clock-jump", "requeue"] == "unsupported"
    assert any("clock-jump not run: no libfaketime here" in text for text in said)
    assert "8 proofs: " in said[-1]
    assert "the client cannot: a: no libfaketime here" in said[-1]


def test_brokers_get_the_options_of_the_scenario_first(options):
    scenario = replace(CATALOGUE["no-fault"], broker_options=("--a=1",))
    assert campaign.settings(options(broker_options=("--b=2",)), scenario).options == (
        "--a=1", "--b=2",
    )  # fmt: skip


def test_a_scenario_about_one_client_takes_no_other(options):
    first, second = options().clients
    only = replace(CATALOGUE["jms-singlebroker"], only="a")
    assert campaign.suits(first, only)
    assert not campaign.suits(second, only)


@pytest.mark.parametrize(("name", "taken"), [("no-fault", ["a"]), ("crowd", ["b"])])
def test_a_crowd_is_for_its_scenario_and_for_no_other(options, monkeypatch, name, taken):
    first, second = options().clients
    seen = []

    def note(_options, _scenario, clients, *_):
        seen.extend(spec.name for spec in clients)
        raise StopIteration

    monkeypatch.setattr(campaign, "run_once", note)
    changed = options(scenarios=[CATALOGUE[name]], clients=[first, replace(second, crowd=True)])
    with pytest.raises(StopIteration):
        campaign.run(changed, print)
    assert seen == taken


def test_a_scenario_that_none_of_the_clients_is_for_shows_nothing(options):
    said = []
    assert campaign.run(options(scenarios=[CATALOGUE["crowd"]]), said.append) == 2
    assert said == ["crowd not run: none of these clients is for it"]

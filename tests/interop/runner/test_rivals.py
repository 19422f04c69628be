"""What can be played against brokers of a profile; and whole runs against stand-ins."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tanist_interop.checkers.finding import Valid
from tanist_interop.drivers.registry import discover
from tanist_interop.hosts.profile import find
from tanist_interop.report.columns import Results
from tanist_interop.runner import campaign, rivals
from tanist_interop.runner.hosting import Place
from tanist_interop.scenarios.catalogue import CATALOGUE
from tanist_interop.scenarios.proofs import BY_NAME
from tanist_interop.scenarios.scenario import scaled

ALL = {**CATALOGUE, **BY_NAME}


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setattr("tanist_interop.runner.play.CATCH_UP_S", 0.5)


def test_scenarios_that_any_cluster_can_be_put_through(standin):
    profile = find(str(standin()))
    able = [name for name, scenario in ALL.items() if not rivals.missing(profile, scenario)]
    assert able == [
        "kill-primary", "no-fault", "stopped-backup", "backup-address-first", "crowd",
        "transactions", "selectors",
        "proofs-none", "proofs-kill-primary", "proofs-kill-backup", "proofs-hang-primary",
        "proofs-hang-backup", "proofs-stop-primary", "proofs-stop-backup",
        "proofs-restart-primary", "proofs-kill-in-transaction", "proofs-kill-in-large-message",
        "proofs-kill-client", "proofs-pause-client",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "without", "word"),
    [
        ("kill-primary", ("kill",), "has no command kill"),
        ("stopped-backup", ("suspend", "resume"), "has no command suspend, resume"),
        ("kill-primary", ("leader",), "neither leader nor promote"),
        ("proofs-none", ("suspend", "resume"), "has no command suspend, resume"),
        ("redelivered", (), "only our own brokers"),
        ("soak", (), "in sync"),
        ("virtual-address", (), "only our own|proxies"),
        ("subscriptions", (), "topics"),
        ("proofs-partition", (), "needs proxies"),
        ("proofs-clock-jump", (), "their clocks"),
        ("proofs-kill-two", (), "cannot make kill-two"),
    ],
)
def test_why_a_scenario_is_not_run(standin, name, without, word):
    profile = find(str(standin(without=without)))
    text = rivals.missing(profile, ALL[name])
    assert any(part in text for part in word.split("|")), text
    assert not rivals.missing(profile, ALL["no-fault"])


def test_a_single_broker_has_nobody_to_fail_over_to(standin):
    profile = find(str(standin(nodes=1)))
    assert "one broker only" in rivals.missing(profile, ALL["kill-primary"])
    assert not rivals.missing(profile, ALL["no-fault"])


def test_what_is_not_on_this_machine_is_told_with_its_remedy(standin, monkeypatch):
    profile = find(str(standin()))
    monkeypatch.setenv("FAKE_CLUSTER", "absent")
    told = rivals.missing(profile, ALL["no-fault"])
    assert told == "no stand-ins here; to get it: get-standins"
    assert rivals.without(replace(profile, commands={"needs": "exit 3"}, remedy="")) == (
        "its command needs failed (3)"
    )
    assert rivals.without(replace(profile, commands={})) == ""


def test_a_scenario_is_taken_as_it_is_but_for_what_is_ours(standin):
    profile = find(str(standin(nodes=2, more="durable = true")))
    subject = replace(ALL["stopped-backup"], broker_options=("--ours",))
    played = rivals.adapted(profile, subject)
    assert (played.nodes, played.durable, played.broker_options) == (2, True, ())
    assert "stall" in subject.checks
    ours = ("stall", "replicas")
    assert played.checks == tuple(name for name in subject.checks if name not in ours)
    told = rivals.unjudged(profile, subject)
    assert [text.split(": ")[0] for text in told[:2]] == list(ours)


def test_what_nobody_can_judge_depends_on_the_profile(standin):
    subject = ALL["kill-primary"]
    replicas, memory = rivals.unjudged(find(str(standin())), subject)
    assert replicas.startswith("replicas: ")
    assert "memory" in memory
    profile = find(str(standin(without=("pid", "ready"))))
    told = rivals.unjudged(replace(profile, bad_lines=()), subject)
    assert [text.split(" (")[0] for text in told[2:]] == [
        "brokers: logs",
        "brokers: whether one ended by itself",
        "rejoin: more than that a broker takes connections",
    ]
    assert rivals.unjudged(profile, replace(subject, checks=("course",))) == []


def test_versions(standin):
    profile = find(str(standin()))
    assert rivals.version(profile) == "Stand-in 1.2.3"
    for commands in ({}, {"version": "false"}, {"version": "true"}):
        assert rivals.version(replace(profile, commands=commands)) == "Stand-in"


@pytest.fixture
def played(tmp_path, clients_dir, standin):
    """Plays a scenario against stand-ins; the exit code, the results, and what was said."""

    def play(name, messages=300, **changes) -> tuple[int, Results, str]:
        said: list[str] = []
        options = campaign.Options(
            scenarios=[scaled(ALL[name], messages)],
            clients=list(discover(clients_dir).values()),
            seed=3,
            repeat=1,
            out=tmp_path / "runs",
            qpidd=("false",),
            qpid_ha=("false",),
            place=Place("external", profile=find(str(standin(**changes)))),
        )
        code = campaign.run(options, said.append)
        files = list((tmp_path / "runs").glob("*/results.json"))
        results = json.loads(files[0].read_text()) if files else {}
        return code, results, "\n".join(said)

    return play


def test_a_leader_is_killed_and_another_one_elected(played):
    code, results, said = played("kill-primary")
    assert results["problems"] == []
    assert code == 0
    assert results["broker"] == {"product": "Stand-in", "version": "1.2.3"}
    assert results["scenario"]["nodes"] == 3
    (failover,) = results["failovers"]
    assert failover["promoted"] in ("n2", "n3")
    assert len(failover["first_ack_ms"]) == 4
    assert all(flow["lost"] == 0 for flow in results["flows"])
    assert "not judged: brokers: memory" in said
    assert "they chose a primary" in said


@pytest.mark.parametrize("name", ["transactions", "selectors"])
def test_queues_have_their_own_addresses_in_every_course(played, name):
    code, results, _ = played(name, 300)
    assert results["problems"] == []
    assert code == 0
    assert all(flow["lost"] == 0 for flow in results["flows"])


def test_the_proofs_of_a_killed_leader(played):
    """The stand-ins confirm although all others hang, and that is found out."""
    code, results, _ = played("proofs-kill-primary", 120)
    cells = [c for c in results["figures"]["proofs"]["cells"] if c["client"] == "a"]
    assert {cell["proof"]: cell["verdict"] for cell in cells} == {
        "resend": "invalid", "requeue": "valid", "heartbeat": "unsupported", "duplicates": "valid",
    }  # fmt: skip
    assert "confirmations went on although no backup was told of anything" in cells[0]["findings"]
    assert code == 1


def test_a_leader_that_hangs_is_replaced_by_those_that_were_frozen(played):
    _, results, _ = played("proofs-hang-primary", 120)
    assert results["verdicts"]["course"] == "true"
    (failover,) = results["failovers"]
    assert (failover["fault"], failover["promoted"]) == ("hang-primary", "n2")
    assert all(flow["lost"] == 0 for flow in results["flows"])


def test_a_backup_that_hangs_is_not_judged_by_our_promise(played):
    code, results, _ = played("stopped-backup", 200)
    assert code == 0
    assert "stall" not in results["verdicts"]
    assert results["unjudged"][0].startswith("stall: ")


def test_brokers_that_lose_messages_are_found_out(played, monkeypatch):
    monkeypatch.setenv("FAKE_FAULT", "lose")
    code, results, _ = played("no-fault")
    assert (code, results["valid"]) == (1, "false")
    assert results["verdicts"]["total-queue"] == "false"


def test_a_line_that_must_not_be_there_is_found_out(played, monkeypatch):
    monkeypatch.setenv("FAKE_FAULT", "traceback")
    code, results, _ = played("no-fault")
    assert (code, results["verdicts"]["brokers"]) == (1, "false")


def test_brokers_that_elect_nobody_show_nothing(played, monkeypatch):
    monkeypatch.setenv("FAKE_CLUSTER", "stuck")
    code, results, _ = played("kill-primary", more="limits = {elect = 1, ready = 1}")
    assert (code, results["valid"]) == (2, Valid.UNKNOWN.value)
    assert any("nobody else leads" in text for text in results["problems"])


def test_programs_that_do_not_speak_to_them_are_left_out(played, clients_dir):
    path = clients_dir / "a" / "client.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "protocol": "amqp1.0"}))
    code, results, said = played("no-fault")
    assert code == 0
    assert {flow["sender"] for flow in results["flows"]} == {"b"}
    assert "a not run: these brokers do not speak amqp1.0" in said


def test_what_cannot_be_played_is_said(played):
    code, results, said = played("soak")
    assert (code, results) == (2, {})
    assert "soak not run: a soak asks our own brokers" in said

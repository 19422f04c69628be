from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tanist_interop import cli
from tanist_interop.docker_api import DockerError
from tanist_interop.history import Journal
from tanist_interop.scenarios.catalogue import CATALOGUE


def run(capsys, *arguments):
    code = cli.main([str(argument) for argument in arguments])
    return code, capsys.readouterr()


def test_the_list(capsys, clients_dir):
    code, out = run(capsys, "--list", "--clients-dir", clients_dir)
    assert code == 0
    for word in ("kill-primary", "no-fault", "stopped-backup", "backup-address-first", "  a "):
        assert word in out.out


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--scenario", "nonsense"], "'nonsense'"),
        (["--clients", "a,zzz"], "'zzz'"),
        (["run", "--scenario", "nonsense"], "'nonsense'"),
        (["--repeat", "many"], "many"),
        (["--soak", "30s", "--messages", "9"], "--soak is a scenario of its own"),
        (["--soak", "30s", "--scenario", "no-fault"], "--soak is a scenario of its own"),
        (["--quiet", "30s", "--messages", "9"], "--quiet is a scenario of its own"),
        (["--quiet", "30s", "--scenario", "soak"], "--quiet is a scenario of its own"),
        (["--quiet", "30s", "--soak", "30s"], "not allowed with argument"),
        (["--matrix", "--quiet", "30s"], "--matrix is a set of scenarios of its own"),
        (["--draw", "3"], "--draw 3: not one of each protocol, or more than there are"),
        (["--matrix", "ci,nonsense"], "'ci'"),
        (["--matrix", "--scenario", "no-fault"], "--matrix is a set of scenarios of its own"),
        (["--matrix", "--soak", "30s"], "--matrix is a set of scenarios of its own"),
        (["--soak", "30"], "like 90s, 30m, 1h"),
        (["--soak", "1s"], "from 10s"),
        (["--soak", "99h"], "to 24h"),
    ],
)
def test_wrong_usage_is_told_apart_from_a_verdict(capsys, clients_dir, arguments, word):
    code, out = run(capsys, *arguments, "--clients-dir", clients_dir)
    assert code == cli.USAGE_ERROR
    assert word in out.err


def test_a_folder_without_clients(capsys, tmp_path):
    code, out = run(capsys, "--clients-dir", tmp_path)
    assert code == cli.USAGE_ERROR
    assert "no clients" in out.err


@pytest.mark.parametrize("hosts", ["auto", "local"])
def test_the_matrix_is_played_where_it_was_asked_for(capsys, clients_dir, monkeypatch, hosts):
    def choose(name, *_, **__):
        raise DockerError(f"asked for {name}")

    monkeypatch.setattr(cli.hosting, "choose", choose)
    _, out = run(capsys, "--matrix", "--hosts", hosts, "--clients-dir", clients_dir)
    assert f"asked for {hosts}" in out.err


def test_containers_that_cannot_be_had(capsys, clients_dir, monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    code, out = run(capsys, "--hosts", "docker", "--clients-dir", clients_dir)
    assert code == cli.USAGE_ERROR
    assert "--hosts docker: no container engine answers" in out.err


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (["--hosts", "external"], "--hosts external and --profile belong together"),
        (["--profile", "rabbitmq"], "--hosts external and --profile belong together"),
        (["--hosts", "external", "--profile", "pulsar"], "no profile pulsar"),
    ],
)
def test_brokers_of_others_need_their_profile(capsys, clients_dir, words, word):
    code, out = run(capsys, *words, "--clients-dir", clients_dir)
    assert code == cli.USAGE_ERROR
    assert word in out.err


def test_brokers_of_others_from_the_command_line(capsys, tmp_path, clients_dir, standin):
    profile = str(standin())
    code, out = run(
        capsys, "--hosts", "external", "--profile", profile, "--scenario", "no-fault",
        "--messages", "50", "--out", tmp_path / "runs", "--clients-dir", clients_dir,
    )  # fmt: skip
    assert code == 0
    assert f"--messages 50 --profile {profile} --hosts external" in out.out


def test_help_is_no_error(capsys):
    for words in (["--help"], ["run", "--help"], ["check", "-h"]):
        code, out = run(capsys, *words)
        assert code == 0
        assert "usage: tanist-interop" in out.out


def test_a_reader_who_leaves_gets_no_verdict(tmp_path):
    for number in range(2000):
        (tmp_path / f"run-{number:04}-{'x' * 100}").mkdir()
        (tmp_path / f"run-{number:04}-{'x' * 100}" / "history.jsonl").touch()
    command = [sys.executable, "-m", "tanist_interop.cli", "list", "--out", str(tmp_path)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as process:
        process.stdout.close()
        errors = process.stderr.read()
    assert (process.returncode, errors) == (cli.CLOSED, b"")


def test_a_bad_client_is_wrong_usage(capsys, clients_dir):
    (clients_dir / "a" / "client.json").write_text("{")
    for words in ([], ["--list"], ["clients"]):
        code, out = run(capsys, *words, "--clients-dir", clients_dir)
        assert code == cli.USAGE_ERROR
        assert "client.json" in out.err


def test_what_only_the_drill_needs_may_be_missing():
    code = "import sys; sys.modules['matplotlib'] = None; import tanist_interop.cli"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "tanist-interop needs matplotlib: pip install 'tanist[interop]'\n"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["check", "/nowhere/at/all"], "no run /nowhere/at/all"),
        (["report", "nothing"], "no run nothing"),
        (["compare", "nothing", "else"], "no run nothing"),
        (["list", "--out", "/nowhere"], "/nowhere"),
        (["check"], "RUN"),
        (["nonsense"], "nonsense"),
    ],
)
def test_commands_about_runs_that_are_not_there(capsys, arguments, word):
    code, out = run(capsys, *arguments)
    assert code == cli.USAGE_ERROR
    assert word in out.err


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("1h", 3600)])
def test_durations(text, seconds):
    assert cli.parser().parse_args(["run", "--soak", text]).soak == seconds


@pytest.mark.parametrize(
    ("words", "count"), [(["--matrix"], 26), (["--matrix", "ci"], 12), (["--matrix", "none"], 1)]
)
def test_the_matrix_from_the_command_line(capsys, clients_dir, monkeypatch, words, count):
    taken = []

    def note(options, _):
        taken.append(options)
        return 0

    monkeypatch.setattr(cli.campaign, "run", note)
    code, _ = run(capsys, *words, "--messages", "300", "--clients-dir", clients_dir)
    assert code == 0
    assert len(taken[0].scenarios) == count
    assert {scenario.acknowledged_min for scenario in taken[0].scenarios} == {300}


def test_a_soak_from_the_command_line(capsys, clients_dir, monkeypatch):
    seen = []
    monkeypatch.setattr("tanist_interop.cli.campaign.run", lambda o, _: seen.append(o) or 0)
    words = ["--soak", "30m", "--scenario", "soak", "--seed", "7", "--broker-option=--trace"]
    assert run(capsys, *words, "--clients-dir", clients_dir)[0] == 0
    (options,) = seen
    (scenario,) = options.scenarios
    assert (scenario.name, scenario.soak_s) == ("soak", 1800)
    assert options.broker_options == ("--trace",)
    assert options.arguments == ("--soak", "1800s", "--broker-option=--trace")


def test_a_quiet_hour_from_the_command_line(capsys, clients_dir, monkeypatch):
    seen = []
    monkeypatch.setattr("tanist_interop.cli.campaign.run", lambda o, _: seen.append(o) or 0)
    assert run(capsys, "--quiet", "1h", "--clients-dir", clients_dir)[0] == 0
    (options,) = seen
    (scenario,) = options.scenarios
    assert (scenario.name, scenario.quiet_s) == ("quiet", 3600)
    assert options.arguments == ("--quiet", "3600s")


def test_all_clients_run_unless_some_are_named(clients_dir):
    (clients_dir / "a" / "client.json").write_text(
        '{"name": "a", "command": ["x"], "protocol": "amqp1.0"}'
    )
    there = cli.discover(clients_dir)
    assert [spec.name for spec in cli.choose_clients("", there)] == ["a", "b"]
    assert [spec.name for spec in cli.choose_clients("b,a", there)] == ["b", "a"]
    assert [spec.name for spec in cli.choose_clients("b", there)] == ["b"]
    assert "a                      amqp1.0, " in cli.listing(there)


def test_clients_are_drawn_in_each_run(capsys, clients_dir, monkeypatch):
    seen = []
    monkeypatch.setattr("tanist_interop.cli.campaign.run", lambda o, _: seen.append(o) or 0)
    assert run(capsys, "--draw", "1", "--clients-dir", clients_dir)[0] == 0
    assert run(capsys, "--clients-dir", clients_dir)[0] == 0
    assert [options.draw for options in seen] == [1, 0]


def test_all_scenarios():
    assert cli.choose_scenarios("all") == list(CATALOGUE.values())
    names = [scenario.name for scenario in cli.choose_scenarios("no-fault,kill-primary")]
    assert names == ["no-fault", "kill-primary"]


@pytest.mark.parametrize(("bad", "code", "word"), [(False, 0, "VALID"), (True, 1, "INVALID")])
def test_a_history_is_judged_again(capsys, tmp_path, story, bad, code, word):
    story.good()
    if bad:
        story.got(99, source="d")
    journal = Journal(tmp_path / "h")
    for record in story.records:
        journal.add(record.at, record.source, record.event, record.t)
    journal.close()
    for words in (["check", tmp_path / "h"], ["check", "h", "--out", tmp_path]):
        status, out = run(capsys, *words)
        assert status == code
        assert f"seed 7: {word}" in out.out


def test_the_roll_from_the_command_line(capsys, clients_dir):
    (clients_dir / "a" / "client.json").write_text('{"name": "a", "command": ["./nothing"]}')
    status, out = run(capsys, "clients", "--clients-dir", clients_dir)
    assert status == 1
    assert "to get it: clients/setup" in out.out


def test_old_runs_from_the_command_line(capsys, tmp_path, story):
    (tmp_path / "old").mkdir()
    journal = Journal(tmp_path / "old" / "history.jsonl")
    for record in story.good().records:
        journal.add(record.at, record.source, record.event, record.t)
    journal.close()
    assert run(capsys, "report", "old", "--out", tmp_path)[0] == 0
    status, out = run(capsys, "list", "--out", tmp_path)
    assert (status, out.out.splitlines()[1].split()[0]) == (0, "old")
    status, out = run(capsys, "compare", "old", tmp_path / "old", "--out", tmp_path)
    assert (status, out.out.splitlines()[1].split()) == (0, ["verdict", "valid", "valid"])


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
def test_a_run_from_the_command_line(
    capsys, tmp_path, clients_dir, fake_qpidd, fake_qpid_ha, monkeypatch, ci, code
):
    monkeypatch.setenv("CI", ci)
    (clients_dir / "a" / "client.json").write_text('{"name": "a", "command": ["./nothing"]}')
    status, out = run(
        capsys, "--scenario", "no-fault", "--messages", "50", "--out", tmp_path / "runs",
        "--clients-dir", clients_dir, "--qpidd", shlex.join(fake_qpidd),
        "--qpid-ha", shlex.join(fake_qpid_ha),
    )  # fmt: skip
    assert status == code
    assert "again: tanist-interop --scenario no-fault --seed 1 --clients a,b" in out.out
    assert "not run: a" in out.out


def living(folder):
    """Processes with this folder among their arguments."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        if str(folder).encode() in words:
            found.append(words)
    return found


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc to look for them")
def test_sigterm_takes_brokers_and_clients_down(
    clients_dir, tmp_path, fake_qpidd, fake_qpid_ha, fake_qpid_config
):
    command = [sys.executable, "-m", "tanist_interop.cli", "--hosts", "local", "--soak", "60s"]
    command += ["--clients-dir", str(clients_dir), "--out", str(tmp_path / "runs")]
    command += ["--qpidd", shlex.join(fake_qpidd), "--qpid-ha", shlex.join(fake_qpid_ha)]
    command += ["--qpid-config", shlex.join(fake_qpid_config)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if "brokers, n1 is primary" in line:
            break
    assert len(living(tmp_path / "runs")) > 3
    process.send_signal(signal.SIGTERM)
    process.stdout.read()
    assert process.wait(60) == 143
    assert living(tmp_path / "runs") == []

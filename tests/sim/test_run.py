"""The command line: campaigns, single seeds, plans, shrinking, mutants."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from tests.sim import run as cli
from tests.sim.draw import draw
from tests.sim.mutants import MUTANTS, Mutant
from tests.sim.plan import Fault, Plan
from tests.sim.quiet import QuietTime, quiet_plan
from tests.sim.run import Outcome, main, play, summary
from tests.sim.simulation import Simulation
from tests.sim.watch import Violation


def broken(plan: Plan) -> Outcome:
    """As ``run.play``; seeds that end in 3 fail if there is a fault."""
    bad = plan.seed % 10 == 3 and plan.faults
    counts = Counter({"fault kill": 2, "0-10 sent": 10, "promotions": 1})
    return Outcome(plan.seed, "lost" if bad else "", "7 messages" if bad else "", counts)


class OneProcess:
    """``multiprocessing.Pool`` without processes, so that tests can replace what is called."""

    def __init__(self, jobs: int) -> None:
        pass

    def __enter__(self) -> OneProcess:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def imap(
        self, function: Callable[[str], object], names: list[str], chunk: int
    ) -> Iterator[object]:
        return map(function, names)

    def imap_unordered(
        self, function: Callable[[int], Outcome], items: Iterable[int], chunk: int
    ) -> Iterator[Outcome]:
        return map(function, items)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(cli, "play", broken)
    monkeypatch.setattr(multiprocessing, "Pool", OneProcess)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_campaign_prints_failures_counts_and_a_smaller_plan(
    failing: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--seeds", "10", "--start", "11", "--jobs", "1"]) == 1
    printed = capsys.readouterr().out
    assert "FAILED seed 13: lost: 7 messages\n" in printed
    assert "again: tox -e sim -- --seed 13\n" in printed
    assert "faults: 20 kill\n0-10: 100 sent\nbrokers: 10 promotions\n" in printed
    assert "10 seeds in 0 s: 1 failed" in printed
    assert "again: tox -e sim -- --plan runs/sim/seed-13.json" in printed
    plan = Plan.from_json((failing / "runs/sim/seed-13.json").read_text(encoding="utf-8"))
    assert (plan.seed, len(plan.faults), plan.works) == (13, 1, [])


def test_a_campaign_without_failures_is_quiet(
    failing: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--seeds", "2", "--start", "4"]) == 0
    printed = capsys.readouterr().out
    assert "FAILED" not in printed
    assert "2 seeds in 0 s: 0 failed" in printed


def test_progress_is_shown(
    failing: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "PROGRESS_S", -1.0)
    main(["--seeds", "2", "--start", "4"])
    assert "... 1 of 2 seeds, 0 failed\n... 2 of 2 seeds, 0 failed\n" in capsys.readouterr().out


def test_real_processes_play_real_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "4", "--jobs", "2"]) == 0
    printed = capsys.readouterr().out
    assert "4 seeds in" in printed
    assert " acknowledged" in printed


def test_one_seed_comes_with_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "n1 [HA] notice Promoted to primary, epoch 1" in "\n".join(lines)
    assert lines[-2].startswith("seed 4: history ")
    assert lines[-1] == "seed 4: no rule was broken"


def test_a_plan_is_played_from_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "plan.json"
    path.write_text(Plan(9, faults=[Fault("kill", 2.0, 1.0)], faults_end_s=4.0).to_json())
    assert main(["--plan", str(path)]) == 0
    assert f"{path}: no rule was broken" in capsys.readouterr().out


def test_a_failing_seed_says_why(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def violate(self: Simulation) -> None:
        raise Violation("lost", "everything")

    monkeypatch.setattr(Simulation, "play", violate)
    assert main(["--seed", "4"]) == 1
    assert "seed 4: FAILED lost: everything" in capsys.readouterr().out


def test_a_bug_that_raises_fails_the_seed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(self: Simulation) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(Simulation, "play", crash)
    outcome = play(draw(4))
    assert outcome.check == "ZeroDivisionError"
    assert "oops (at " in outcome.text
    assert main(["--seed", "4"]) == 1
    assert "ZeroDivisionError: oops" in capsys.readouterr().out


def test_a_plan_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--show", "4"]) == 0
    assert Plan.from_json(capsys.readouterr().out) == draw(4)


def test_digests_name_histories(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--digests", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["seed 1", "seed 2"]


def test_a_quiet_hour_is_told_by_client_and_broker(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "quiet_plan", lambda: quiet_plan(150.0))
    assert main(["--quiet-hour"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6 + 3 + 1
    assert lines[-1] == "quiet hour: 150 s, no connection lost, no rule was broken"
    monkeypatch.setattr(QuietTime, "stepped", lambda *_: lose("n2"))
    assert main(["--quiet-hour"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "    0.0000 n1 start"
    assert lines[-1] == "quiet hour: FAILED backup dropped: n2"


def lose(name: str) -> None:
    """What a violation looks like."""
    raise Violation("backup dropped", name)


def test_shrinking_a_seed_that_does_not_fail_says_so(
    failing: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--shrink", "4"]) == 0
    assert "nothing to make smaller" in capsys.readouterr().out
    assert main(["--shrink", "13"]) == 1
    assert "1 of " in capsys.readouterr().out


def test_mutants_are_noticed_or_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multiprocessing, "Pool", OneProcess)
    early = MUTANTS["confirm early"]
    tried = {"confirm early": early}
    monkeypatch.setattr(cli, "MUTANTS", tried)
    assert main(["--mutants"]) == 0
    out = capsys.readouterr().out
    assert "confirm early: seed 1 (1 seeds played, " in out
    assert "    confirmed early: n1 confirmed" in out
    tried["whatever"] = Mutant(early.make, (), "no such work")
    tried["patched"] = Mutant(early.make, ("confirmed early",), interpreted=True)
    monkeypatch.setattr(cli, "COMPILED", True)
    assert main(["--mutants"]) == 1
    out = capsys.readouterr().out
    assert "whatever: NOT NOTICED in 500 seeds (0 seeds played, " in out
    assert "2 mutants, 1 not noticed\n1 not tried: they need the interpreted broker\n" in out


def test_the_summary_has_faults_first_and_a_line_for_each_protocol() -> None:
    counts = {"1.0 sent": 3, "fault kill": 1, "fault cut": 2, "0-10 sent": 4, "promotions": 5}
    assert list(summary(Counter(counts))) == [
        "faults: 2 cut, 1 kill",
        "0-10: 4 sent",
        "1.0: 3 sent",
        "brokers: 5 promotions",
    ]
    assert list(summary(Counter({"1.0 sent": 3}))) == ["1.0: 3 sent"]

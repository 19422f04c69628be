from __future__ import annotations

import json
import shutil

import pytest

from tanist_interop import history
from tanist_interop.history import Journal
from tanist_interop.runner import archive


@pytest.fixture
def runs(tmp_path, story, new_story):
    """A folder of two runs: a good one, and one that got what nobody sent."""
    bad = new_story().good()
    bad.got(99, source="d")
    for name, told in (("good", story.good()), ("bad", bad)):
        folder = tmp_path / name
        folder.mkdir()
        journal = Journal(folder / "history.jsonl")
        for record in told.records:
            journal.add(record.at, record.source, record.event, record.t)
        journal.close()
    return tmp_path


def said(function, *arguments):
    out = []
    return function(*arguments, out.append), "\n".join(out)


@pytest.mark.parametrize(("name", "code", "word"), [("good", 0, "VALID"), ("bad", 1, "INVALID")])
def test_a_run_is_judged_again(runs, name, code, word):
    for run in (runs / name, runs / name / "history.jsonl"):
        status, text = said(archive.check, run)
        assert status == code
        assert f"seed 7: {word}" in text
    assert {path.name for path in (runs / name).iterdir()} == {"history.jsonl"}, "wrote nothing"


def test_an_empty_history_is_unknown_and_a_damaged_one_is_told(runs):
    (runs / "good" / "history.jsonl").write_text("")
    assert said(archive.check, runs / "good")[0] == 2
    (runs / "good" / "history.jsonl").write_text("x\n")
    with pytest.raises(history.DamagedHistory):
        archive.check(runs / "good", lambda _: None)


def test_reports_are_written_anew(runs):
    status, text = said(archive.report, runs / "bad")
    assert status == 0
    assert text.startswith("false: ")
    results = json.loads((runs / "bad" / "results.json").read_text())
    assert results["valid"] == "false"
    assert results["command"] == "again"
    assert ": INVALID" in (runs / "bad" / "report.txt").read_text()


def test_the_index_of_a_folder_says_how_brokers_stand(runs):
    status, text = said(archive.report, runs)
    assert status == 0
    assert text.splitlines()[0].split()[:3] == ["scenario", "broker", "version"]
    assert text.splitlines()[1].startswith("kill-primary")
    assert "2 " in text.splitlines()[1]
    assert text.splitlines()[-1] == str(runs / "index.html")
    assert (runs / "index.html").exists()


def test_runs_are_found_by_path_and_by_name(runs):
    assert archive.find(runs / "good", runs / "nowhere") == runs / "good"
    assert archive.find(archive.Path("good"), runs) == runs / "good"
    with pytest.raises(archive.NoRun, match="no run other"):
        archive.find(archive.Path("other"), runs)
    (runs / "empty").mkdir()
    with pytest.raises(archive.NoRun, match="no run folder"):
        archive.check(runs / "empty", lambda _: None)
    with pytest.raises(archive.NoRun, match="no run folder"):
        archive.report(runs / "good" / "history.jsonl", lambda _: None)


def test_runs_are_listed(runs):
    archive.report(runs / "bad", lambda _: None)
    (runs / "empty").mkdir()
    status, text = said(archive.show, runs)
    lines = {line.split()[0]: line.split() for line in text.splitlines()}
    assert status == 0
    assert lines["bad"] == ["bad", "-", "kill-primary", "7", "INVALID", "0.0", "c"]
    assert lines["good"] == ["good", "-", "-", "-", "no", "results", "-", "-"]
    assert "empty" not in lines
    assert said(archive.show, runs / "empty")[1] == f"there are no runs in {runs / 'empty'}"


def test_runs_are_compared_with_and_without_their_histories(runs):
    archive.report(runs / "bad", lambda _: None)
    shutil.copy(runs / "bad" / "results.json", runs / "alone.json")
    (runs / "bad" / "history.jsonl").unlink()
    for second in (runs / "bad", runs / "alone.json"):
        status, text = said(archive.compare, [runs / "good", second])
        assert status == 0
        assert ["verdict", "valid", "INVALID"] in [line.split() for line in text.splitlines()]
    with pytest.raises(archive.NoRun, match="no results of a run"):
        (runs / "other.json").write_text("{}")
        archive.compare([runs / "good", runs / "other.json"], lambda _: None)
    with pytest.raises(archive.NoRun, match="two runs or more"):
        archive.compare([runs / "good"], lambda _: None)


def test_results_of_another_schema_are_judged_anew(runs):
    (runs / "good" / "results.json").write_text('{"valid": "false"}')
    assert archive.known(runs / "good")["valid"] == "true"

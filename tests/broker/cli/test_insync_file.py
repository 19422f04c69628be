from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tanist.cli.insync_file import Question, Record, decide, main, read, write

A, B, C = "a", "b", "c"


def ask(record: Record, action: str, primary: str, epoch: int, *in_sync: str, leaving=()):
    return decide(record, Question(action, epoch, primary, in_sync, tuple(leaving)))


THREE = Record(4, A, (A, B, C))


def test_the_first_promotion_is_anybodys() -> None:
    assert ask(Record(), "promote", A, 1, A) == (0, "1", Record(1, A, (A,)))


def test_a_member_of_the_set_may_be_promoted_and_keeps_whom_it_waits_for() -> None:
    code, text, after = ask(THREE, "promote", B, 5, B, C, "stranger")
    assert (code, text) == (0, "5")
    assert after == Record(5, B, (B, C)), "the old primary is out, the stranger never was in"


def test_a_member_that_was_restarted_has_nothing() -> None:
    question = Question("promote", 5, B, (B,), (), "joining")
    code, text, after = decide(THREE, question)
    assert (code, after) == (1, THREE)
    assert text == "it was restarted and has nothing; the in-sync set of epoch 4: a, b, c"
    assert decide(THREE, replace(question, status="ready"))[0] == 0
    assert decide(THREE, replace(question, action="force-promote"))[0] == 0
    assert decide(Record(), question)[0] == 0, "the very first start"


def test_the_run_that_was_promoted_and_did_not_hear_of_it_may_ask_again() -> None:
    question = Question("promote", 1, A, (A,), (), "joining", "run 1")
    code, _, record = decide(Record(), question)
    assert (code, record) == (0, Record(1, A, (A,), "run 1"))
    assert decide(record, question)[:2] == (0, "2")
    code, text, _ = decide(record, replace(question, run="run 2"))
    assert (code, text[:16]) == (1, "it was restarted")


def test_the_epoch_is_newer_than_the_last_whatever_the_broker_knows() -> None:
    assert ask(THREE, "promote", B, 2, B)[1] == "5"
    assert ask(THREE, "promote", B, 9, B)[1] == "9"


def test_nobody_else_may_unless_by_force() -> None:
    code, text, after = ask(THREE, "promote", "d", 5, "d")
    assert (code, text, after) == (1, "it is not in the in-sync set of epoch 4: a, b, c", THREE)
    assert ask(THREE, "force-promote", "d", 5, "d", B) == (0, "5", Record(5, "d", (B, "d")))


def test_the_primary_grows_and_shrinks_the_set() -> None:
    assert ask(THREE, "grow", A, 4, A, "d")[2].in_sync == (A, B, C, "d")
    assert ask(THREE, "shrink", A, 4, A, B, leaving=[C]) == (0, "", Record(4, A, (A, B)))


@pytest.mark.parametrize(("primary", "epoch"), [(B, 4), (A, 3), (A, 5)])
def test_any_other_is_deposed(primary: str, epoch: int) -> None:
    for action in ("grow", "shrink"):
        code, text, after = ask(THREE, action, primary, epoch, primary, leaving=[C])
        assert (code, text, after) == (3, "a is primary of epoch 4", THREE)


# -- the program ---------------------------------------------------------------------------


@pytest.fixture(name="run")
def fixture_run(tmp_path: Path, monkeypatch, capsys):
    """Run it on one file; returns exit status and output."""

    def run(*words: str, **document: object) -> tuple[int, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(document)))
        code = main([str(tmp_path / "set"), *words])
        return code, capsys.readouterr().out.strip()

    return run


def test_the_file_remembers(run, tmp_path: Path) -> None:
    assert run("promote", "1", A, A) == (0, "1")
    assert run("grow", "1", A, f"{A},{B}") == (0, "")
    assert run("shrink", "1", A, A, leaving=[B]) == (0, "")
    assert run("promote", "2", B, B)[0] == 1
    assert read(tmp_path / "set") == Record(1, A, (A,))


@pytest.mark.parametrize(
    "words", [(), ("promote", "1", A), ("forget", "1", A, A), ("promote", "one", A, A)]
)
def test_wrong_usage(run, words: tuple[str, ...]) -> None:
    code, text = run(*words)
    assert code == 2
    assert text.startswith("usage: ")


def test_a_damaged_file_is_a_no(run, tmp_path: Path) -> None:
    for text in ("{", "{}", "[]"):
        (tmp_path / "set").write_text(text)
        code, said = run("promote", "1", A, A)
        assert code == 1
        assert said.startswith(str(tmp_path / "set"))


def test_a_place_that_cannot_be_written_is_a_no(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("{}"))
    assert main([str(tmp_path / "none" / "set"), "promote", "1", A, A]) == 1
    assert "No such file" in capsys.readouterr().out


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write(tmp_path / "set", THREE)
    assert read(tmp_path / "set") == THREE
    assert [path.name for path in tmp_path.iterdir()] == ["set"]

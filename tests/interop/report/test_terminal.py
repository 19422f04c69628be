from __future__ import annotations

import io

import pytest
from rich.console import Console

from tanist_interop.report import terminal
from tanist_interop.report.proofs import Cell, matrix


class Tty(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def table():
    return matrix([
        Cell("a", "kill", "resend", "valid"),
        Cell("a", "kill", "duplicates", "known", ["its library"]),
        Cell("b", "kill", "resend", "invalid", ["3 lost"]),
        Cell("b", "hang", "resend", "invalid", ["3 lost"]),
        Cell("b", "hang", "heartbeat", "unknown"),
    ])  # fmt: skip


@pytest.fixture
def live():
    out = io.StringIO()
    return terminal.Live(Console(file=out, force_terminal=True, width=100)), out


def test_plain_lines_come_one_after_the_other(table):
    said = []
    screen = terminal.Screen(said.append)
    with screen:
        screen.begin(1, 2, "kill-primary")
        screen("one")
        screen.now("two")
        screen.matrix(table)
        screen.matrix(matrix([]))
    assert said[:2] == ["one", "two"]
    assert len(said) == 3, "nothing is said of an empty matrix"
    lines = said[2].splitlines()
    assert [line.split() for line in lines[1:4]] == [
        ["proofs", "a", "b"], ["kill", "+.k", "X.."], ["hang", "...", "X?."],
    ]  # fmt: skip
    assert lines[-3:] == [
        "VIOLATED: b: 3 lost (hang resend, kill resend)"
        if "hang resend, kill" in lines[-3]
        else "VIOLATED: b: 3 lost (kill resend, hang resend)",
        "not shown: b: nobody says why (hang heartbeat)",
        "fails, as is known: a: its library (kill duplicates)",
    ]


def test_many_reasons_are_cut_short():
    cells = [Cell(f"c{n}", "kill", "resend", "unknown", [f"why {n}"]) for n in range(30)]
    reasons = terminal.reasons(matrix(cells))
    assert len(reasons) == terminal.REASONS_MAX + 1
    assert reasons[-1] == "and 10 more"


def test_a_terminal_has_a_line_that_moves_and_goes(live):
    screen, out = live
    with screen:
        screen.now("nothing runs yet")
        screen.begin(1, 3, "kill-primary, seed 1")
        screen("[bold]as it is[/bold]")
        screen("a word " * 30)
        screen.now("  9.1 s  10 acknowledged  strike")
        screen._progress.refresh()
        shown = out.getvalue()
    assert "[bold]as it is[/bold]" in shown, "what brokers say is no markup"
    assert "a word " * 30 in shown, "and is not broken"
    for text in ("kill-primary, seed 1", "0/3", "10 acknowledged  strike"):
        assert text in shown
    assert screen._progress is None
    assert "nothing runs yet" not in shown


def test_one_run_has_no_bar(live):
    screen, out = live
    with screen:
        screen.begin(1, 1, "x")
        screen._progress.refresh()
    assert "0/1" not in out.getvalue()


def test_the_line_goes_on_with_the_next_run(live):
    screen, out = live
    with screen:
        screen.begin(1, 2, "first")
        screen.begin(2, 2, "second")
        screen._progress.refresh()
        assert len(screen._progress.tasks) == 1
    assert "1/2" in out.getvalue()


def test_the_matrix_has_a_sign_for_each_proof(live, table):
    screen, out = live
    with screen:
        screen.begin(1, 1, "x")
        screen.matrix(table)
        screen.matrix(matrix([]))
    shown = out.getvalue()
    assert "Proofs: resend, heartbeat, duplicates" in shown
    for text in ("✓", "✗", "?", "k", "·", "2 VIOLATED", "3 lost"):
        assert text in shown
    assert "\x1b[1;31m✗" in shown, "in colour"


def test_which_screen_somebody_gets(monkeypatch, capsys):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert isinstance(terminal.screen(Tty()), terminal.Live)
    assert not isinstance(terminal.screen(io.StringIO()), terminal.Live)
    monkeypatch.setenv("TERM", "dumb")
    assert not isinstance(terminal.screen(Tty()), terminal.Live)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    out = Tty()
    terminal.screen(out)("plain")
    assert out.getvalue() == "plain\n"
    terminal.screen()("to standard output")
    assert capsys.readouterr().out == "to standard output\n"


def test_a_screen_stays_what_it_is():
    screen = terminal.Screen(print)
    assert terminal.of(screen) is screen
    said = []
    terminal.of(said.append)("x")
    assert said == ["x"]


def test_a_proof_that_was_not_to_be_given_is_told():
    cells = [Cell("a", "kill", "resend", "valid", ["listed as a known failure, and passes"])]
    assert terminal.reasons(matrix(cells)) == [
        "proved: a: listed as a known failure, and passes (kill resend)"
    ]

"""The shape of lines, where they go, and how repetition is held back."""

from __future__ import annotations

import io
import re

import pytest

from tanist.service.config import log_options
from tanist.service.logs import (
    LINE_CHARS_MAX,
    REPEAT_KINDS_MAX,
    REPEAT_WINDOW_S,
    REPEATS_MAX,
    Log,
    StreamDestination,
    SyslogDestination,
    open_log,
)
from tanist.service.sources import UsageError, from_arguments


class Page:
    """A log in memory under a clock that the test moves."""

    def __init__(self, *words) -> None:
        self.now = 1_700_000_000.25
        self.stream = io.StringIO()
        options = log_options(from_arguments(words))
        self.log = Log(options, [StreamDestination(self.stream)], lambda: self.now)

    @property
    def lines(self):
        return self.stream.getvalue().splitlines()


def test_the_line_that_checkers_look_for():
    page = Page()
    page.log.line("error", "HA", "oh")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[HA\] error oh", page.lines[0])


@pytest.mark.parametrize(
    ("words", "pattern"),
    [
        (["--log-time=no"], r"\[HA\] notice x"),
        (["--log-time=no", "--log-category=no"], r"notice x"),
        (["--log-time=no", "--log-level=no"], r"\[HA\] x"),
        (["--log-time=no", "--log-prefix=b1"], r"b1: \[HA\] notice x"),
        (["--log-hires-timestamp"], r"\S+ \d\d:\d\d:\d\d\.250000 \[HA\] notice x"),
    ],
)
def test_shape_options(words, pattern):
    page = Page(*words)
    page.log.line("notice", "HA", "x")
    assert re.fullmatch(pattern, page.lines[0])


def test_unwanted_lines_are_not_written():
    page = Page("--log-enable=info+", "--log-enable=debug+:ha::", "--log-disable=info:net")
    for level, category in [("debug", "HA"), ("debug", "Broker"), ("info", "Network")]:
        page.log.line(level, category, "x")
    assert page.log.enabled("info", "Broker")
    assert [line.split(" ", 2)[2] for line in page.lines] == ["[HA] debug x"]


def test_a_line_stays_one_line_of_bounded_length():
    page = Page("--log-time=no")
    page.log.line("notice", "HA", "a\nb\x1b[31m\x9b" + "y" * 2 * LINE_CHARS_MAX)
    assert len(page.lines) == 1
    assert "a\\x0ab\\x1b[31m\\x9b" in page.lines[0]
    assert len(page.lines[0]) < LINE_CHARS_MAX + 100


def test_repetition_is_counted_instead_of_written():
    page = Page("--log-time=no")
    for port in range(1000):
        page.log.line("warning", "Security", f"bad header from 10.0.0.1:{port}")
    assert len(page.lines) == REPEATS_MAX
    page.now += REPEAT_WINDOW_S
    page.log.line("notice", "HA", "next")
    held = f"[Security] warning {1000 - REPEATS_MAX} more lines like: bad header from ...:"
    assert page.lines[REPEATS_MAX:] == [held, "[HA] notice next"]
    page.log.line("warning", "Security", "bad header from 10.0.0.1:1")
    assert len(page.lines) == REPEATS_MAX + 3


@pytest.mark.parametrize("level", ["info", "warning", "error"])
def test_what_a_peer_can_cause_is_limited(level):
    page = Page("--log-enable=info+")
    for port in range(3 * REPEATS_MAX):
        page.log.line(level, "Security", f"client 10.0.0.1:{port}: wrong password")
    assert len(page.lines) == REPEATS_MAX


def test_close_reports_what_was_held_back():
    page = Page()
    for _ in range(REPEATS_MAX + 2):
        page.log.line("error", "HA", "x")
    page.log.close()
    assert page.lines[-1].endswith("[HA] error 2 more lines like: x")


@pytest.mark.parametrize("level", ["notice", "critical"])
def test_other_levels_are_never_held_back(level):
    page = Page()
    for _ in range(3 * REPEATS_MAX):
        page.log.line(level, "HA", "x")
    assert len(page.lines) == 3 * REPEATS_MAX


def test_the_table_of_repetitions_is_bounded():
    page = Page()
    for number in range(3 * REPEAT_KINDS_MAX):
        page.log.line("error", "HA", "x" * number)
    assert len(page.log._repeats) <= REPEAT_KINDS_MAX
    assert len(page.lines) == 3 * REPEAT_KINDS_MAX


def test_a_clock_set_back_does_not_silence_the_log():
    page = Page()
    for _ in range(REPEATS_MAX):
        page.log.line("error", "HA", "x")
    page.now -= 3600
    page.log.line("error", "HA", "x")
    assert len(page.lines) == REPEATS_MAX + 1


def test_a_failing_destination_loses_lines_only():
    class Full:
        def write(self, level, line):
            raise OSError(28, "No space left on device")

    page = Page()
    log = Log(log_options({}), [Full(), StreamDestination(page.stream)], lambda: page.now)
    log.line("error", "HA", "x")
    assert len(page.lines) == 1


def test_destinations_by_option(tmp_path, capsys):
    file = tmp_path / "log"
    file.write_text("before\n")
    words = ["--log-to-stderr=no", "--log-to-stdout", f"--log-to-file={file}", "--log-time=no"]
    open_log(log_options(from_arguments(words))).line("notice", "HA", "ü")
    assert file.read_text("utf-8") == "before\n[HA] notice ü\n"
    out, err = capsys.readouterr()
    assert (out, err) == ("[HA] notice ü\n", "")
    open_log(log_options({})).line("error", "HA", "x")
    assert "] error x" in capsys.readouterr().err


def test_a_log_file_that_cannot_be_opened(tmp_path):
    words = [f"--log-to-file={tmp_path / 'no' / 'log'}"]
    with pytest.raises(UsageError, match="Cannot open log file"):
        open_log(log_options(from_arguments(words)))


def test_syslog(monkeypatch):
    sent = []
    monkeypatch.setattr("tanist.service.logs.syslog.openlog", lambda *a: sent.append(a))
    monkeypatch.setattr("tanist.service.logs.syslog.syslog", lambda *a: sent.append(a))
    words = ["--log-to-stderr=no", "--log-to-syslog", "--syslog-name=b1", "--log-time=no"]
    open_log(log_options(from_arguments(words))).line("critical", "HA", "x")
    assert sent[0][0] == "b1"
    assert sent[1] == (2, "[HA] critical x")
    with pytest.raises(UsageError, match="syslog-facility"):
        SyslogDestination("b", "nowhere")

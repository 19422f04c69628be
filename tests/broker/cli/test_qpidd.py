"""What the program does with its words; running brokers are in ``tests/system``."""

from __future__ import annotations

import os

import pytest

from tanist.cli.qpidd import run
from tanist.service.daemon import PidFile
from tanist.types import BrokerError, Condition


def no_node(options, system_id, port):
    raise BrokerError(Condition.INVALID_ARGUMENT, f"no node for port {port}")


@pytest.fixture
def qpidd(tmp_path, capsys):
    """Runs the program; gives exit code, stdout and stderr."""

    def call(*words, **environment):
        surroundings = {"HOME": str(tmp_path), **environment}
        code = run(words, surroundings, tmp_path / "qpidd.conf", no_node)
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_help(qpidd):
    code, out, err = qpidd("--help")
    assert (code, err) == (0, "")
    assert "--ha-brokers-url" in out


def test_version(qpidd):
    code, out, err = qpidd("-v")
    assert (code, err) == (0, "")
    assert out.startswith("qpidd (tanist) version ")
    assert out.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--nope"], "Unexpected error: Unknown option '--nope'"),
        (["--port=x"], "Unexpected error: Option port"),
        (["--config=/nonexistent"], "Unexpected error: Cannot read config file"),
        (["--ha-replicate=x"], "Unexpected error: Invalid replication value: x"),
        (["--listen-disable=tcp"], "Unexpected error: no transports listening"),
        (["--no-data-dir", "--port=0", "--interface=127.0.0.1"], "Unexpected error: no node for"),
    ],
)
def test_a_failed_start_is_one_critical_line_and_exit_1(qpidd, words, text):
    code, out, err = qpidd(*words)
    assert (code, out) == (1, "")
    assert err.count("] critical") == 1
    assert f"[Broker] critical {text}" in err


def test_a_fault_of_the_system_is_told_in_its_words(qpidd, monkeypatch):
    def full(self, ready):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("tanist.service.service.Service.run", full)
    code, _, err = qpidd("--no-data-dir")
    assert code == 1
    assert "] critical Unexpected error: [Errno 24] Too many open files" in err


def test_a_bad_line_of_the_file(qpidd, tmp_path):
    (tmp_path / "qpidd.conf").write_text("port=1\nunknown=2\n")
    code, _, err = qpidd()
    assert code == 1
    assert "[Broker] critical Bad argument: |unknown=2|\n" in err


def test_the_log_of_a_failed_start_goes_where_it_was_told(qpidd, tmp_path):
    code, _, err = qpidd("--auth=yes", QPID_LOG_TO_FILE=str(tmp_path / "log"))
    assert code == 1
    assert "auth=yes needs a password-file" in err
    assert "auth=yes needs a password-file" in (tmp_path / "log").read_text()


def test_check_of_a_running_and_of_no_daemon(qpidd, tmp_path):
    words = ("--check", f"--pid-dir={tmp_path}", "--port=99")
    code, out, err = qpidd(*words)
    assert (code, out) == (1, "")
    assert "[Broker] notice Broker is not running" in err
    pid_file = PidFile(tmp_path / "qpidd.99.pid")
    code, out, err = qpidd(*words)
    assert (code, out, err) == (0, f"{os.getpid()}\n", "")
    pid_file.close()

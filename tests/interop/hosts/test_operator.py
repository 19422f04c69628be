from __future__ import annotations

import json
import sys
import time

import pytest

from tanist_interop.hosts.operator import HostError, Operator


def operator(tmp_path, code):
    """An operator whose command is this Python code; sys.argv[1:] is what qpid-ha would get."""
    return Operator((sys.executable, "-c", code), tmp_path / "log")


def test_statuses_are_the_words_printed_or_empty(tmp_path):
    code = "import sys; a = sys.argv[2]; print('ready') if a == 'x:1' else sys.exit(1)"
    subject = operator(tmp_path, code)
    assert subject.statuses(["x:1", "x:2"]) == ["ready", ""]
    log = (tmp_path / "log").read_text()
    assert "x:1 status -> 0 ready" in log
    assert "x:2 status -> 1" in log


def test_statuses_are_asked_at_the_same_time(tmp_path):
    subject = operator(tmp_path, "import time; time.sleep(0.4); print('ready')")
    began = time.monotonic()
    assert subject.statuses(["a", "b", "c"]) == ["ready"] * 3
    assert time.monotonic() - began < 1.1


def answer(tmp_path, text):
    return operator(tmp_path, f"print({text!r})").ready_members("x:1")


@pytest.mark.parametrize("status", ["active", "recovering"])
def test_a_primary_lists_who_is_ready(tmp_path, status):
    members = [
        {"host-name": "h", "port": 1, "status": 4},
        {"host-name": "h", "port": 2, "status": 2},
        {"host-name": "h", "port": 3, "status": 1},
    ]
    text = json.dumps({"status": status, "members": members})
    assert answer(tmp_path, text) == ["h:2"]
    assert "x:1 query -> 0" in (tmp_path / "log").read_text()


def test_nobody_else_knows_who_is_ready(tmp_path):
    assert answer(tmp_path, json.dumps({"status": "ready", "members": []})) is None
    assert operator(tmp_path, "import sys; sys.exit(1)").ready_members("x:1") is None


def test_digests_are_what_brokers_say_or_nothing(tmp_path):
    held = {"status": "ready", "queues": {"q": {"messages": 3, "digest": "00"}}}
    text = json.dumps({**held, "epoch": 2})
    code = f"import sys; print({text!r}) if sys.argv[2] == 'x:1' else sys.exit(1)"
    subject = operator(tmp_path, code)
    assert subject.digests(["x:1", "x:2"]) == [held, None]
    assert "x:1 digest -> 0" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("text", ["ready", '{"status": "ready"}', "[1]"])
def test_a_digest_that_is_none_is_no_answer(tmp_path, text):
    assert operator(tmp_path, f"print({text!r})").digests(["x:1"]) == [None]


@pytest.mark.parametrize(
    "text", ["Status: active", "[]", '{"status": "active"}', '{"status":"active","members":[{}]}']
)
def test_an_answer_that_is_none_is_an_error(tmp_path, text):
    with pytest.raises(HostError, match="query --json of x:1"):
        answer(tmp_path, text)


def test_promote_passes_what_qpid_ha_wants(tmp_path):
    subject = operator(tmp_path, "import sys; print(sys.argv[1:])")
    subject.promote("x:1")
    wanted = "['-b', 'x:1', '--timeout', '10', 'promote', '--cluster-manager']"
    assert wanted in (tmp_path / "log").read_text()


def test_the_public_url_is_set_on_all(tmp_path):
    subject = operator(tmp_path, "import sys; print(sys.argv[1:])")
    subject.set_public_url("x:1", "x:1,y:2")
    wanted = "['-b', 'x:1', '--timeout', '10', 'set', '--all', '--public-url', 'x:1,y:2']"
    assert wanted in (tmp_path / "log").read_text()


def test_a_public_url_that_was_not_set_everywhere_says_where(tmp_path):
    subject = operator(tmp_path, "import sys; print('y:2 gone'); sys.exit(1)")
    with pytest.raises(HostError, match=r"set at x:1 failed \(1\): y:2 gone"):
        subject.set_public_url("x:1", "x:1,y:2")


def test_a_refused_promotion_says_why(tmp_path):
    subject = operator(tmp_path, "import sys; sys.exit('Still catching up')")
    with pytest.raises(HostError, match="Still catching up"):
        subject.promote("x:1")


def test_a_command_that_hangs_is_ended(tmp_path, monkeypatch):
    subject = operator(tmp_path, "import time; time.sleep(60)")
    began = time.monotonic()
    assert subject.statuses(["x:1"], timeout_s=-1.5) == [""]
    assert time.monotonic() - began < 5


def test_commands_run_at_the_same_time_and_the_first_problem_is_told(tmp_path):
    code = "import sys, time; time.sleep(0.4); sys.exit(sys.argv[5:] == ['bad', '1'])"
    subject = operator(tmp_path, code)
    began = time.monotonic()
    subject.run("x:1", [["good"], ["good", "2"], ["good", "3"]])
    assert time.monotonic() - began < 1.1
    assert "x:1 good 3 -> 0" in (tmp_path / "log").read_text()
    with pytest.raises(HostError, match="bad 1 at x:1 failed"):
        subject.run("x:1", [["good"], ["bad", "1"]])

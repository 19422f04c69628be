"""The host of a profile, with a stand-in cluster: real processes, real signals, no AMQP."""

from __future__ import annotations

import os
import time

import pytest

from tanist_interop.hosts.external import LOG, ExternalHost, question, running
from tanist_interop.hosts.operator import HostError
from tanist_interop.hosts.profile import find


@pytest.fixture
def host(tmp_path, standin):
    """Makes a host that is taken down in the end, and ready unless told otherwise."""
    made = []

    def make(formed=True, **changes):
        folder = tmp_path / "run"
        folder.mkdir()
        subject = ExternalHost(folder, find(str(standin(**changes))))
        made.append(subject)
        subject.start()
        if formed:
            subject.form(1)
        return subject

    yield make
    for subject in made:
        subject.stop()


def until(condition, limit_s=10.0):
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def test_brokers_are_prepared_started_and_taken_down(host):
    subject = host()
    folder = subject.folder
    assert (folder / "prepare").read_text() == str(subject._ports["shared"])
    assert len(set(subject.addresses())) == 3
    assert subject.statuses([0, 1, 2]) == ["ready"] * 3
    assert (subject.leader(), subject.elects) == (0, True)
    assert subject.in_sync(0) == [1, 2]
    pids = list(subject._pids.values())
    assert all(map(running, pids))
    assert sorted(subject.stop()) == [("n1", 0, True), ("n2", 0, True), ("n3", 0, True)]
    assert not any(map(running, pids))
    assert (folder / "cleanup").exists()
    assert [name for name, _ in subject.logs()] == ["n1", "n2", "n3"]
    lines = (folder / LOG).read_text().splitlines()
    assert lines[0].split()[1:] == ["prepare", "->", "0"]


def test_a_killed_leader_is_replaced_and_comes_back(host):
    subject = host()
    subject.kill(0)
    until(lambda: subject.leader() == 1)
    assert subject.statuses([0]) == [""]
    subject.check_alive()
    subject.restart(0)
    subject.wait_ready(0, 5)
    assert subject.life(0) == 2
    assert subject.leader() == 1


def test_one_that_hangs_says_nothing(host):
    subject = host()
    subject.links.block(0, 1)
    subject.links.block(2, 1)
    assert subject.statuses([1], 3) == [""]
    subject.links.unblock(0, 1)
    subject.links.unblock(2, 1)
    until(lambda: subject.statuses([1]) == ["ready"])
    log = (subject.folder / LOG).read_text()
    assert (log.count("suspend n2"), log.count("resume n2")) == (1, 1)


def test_one_that_was_suspended_as_well_hangs_until_both_are_over(host):
    subject = host()
    for first, second in (
        (lambda: subject.links.unblock(0, 1), lambda: subject.resume(1)),
        (lambda: subject.resume(1), lambda: subject.links.unblock(0, 1)),
    ):
        subject.links.block(0, 1)
        subject.suspend(1)
        first()
        assert subject.statuses([1], 3) == [""]
        second()
        until(lambda: subject.statuses([1]) == ["ready"])
    subject.links.block(0, 1)
    subject.kill(1)
    subject.links.unblock(0, 1)
    subject.restart(1)
    subject.wait_ready(1, 5)


def test_one_that_is_frozen_is_stopped_in_order(host):
    subject = host()
    subject.links.block(0, 1)
    assert subject.terminate(1) == 0
    subject.links.unblock(0, 1)
    assert not running(subject._pids[1])


def test_one_that_hangs_in_the_end_is_taken_down_too(host):
    subject = host()
    subject.suspend(2)
    pids = list(subject._pids.values())
    subject.stop()
    assert not any(map(running, pids))


def test_one_that_stops_is_expected_and_one_that_dies_is_not(host):
    subject = host()
    assert subject.terminate(1) == 0
    subject.check_alive()
    os.kill(subject._pids[2], 9)
    until(lambda: not running(subject._pids[2]))
    with pytest.raises(HostError, match="n3 ended by itself"):
        subject.check_alive()
    assert sorted(subject.stop()) == [("n1", 0, True), ("n3", -1, False)]


def test_a_command_that_fails_is_told_with_what_it_said(host):
    subject = host()
    subject.kill(1)
    with pytest.raises(HostError, match=r"Stand-in: kill of n2 failed \(1\): (?s:.*)No such"):
        subject.kill(1)


def test_what_does_not_stop_is_killed(host, monkeypatch):
    subject = host()
    monkeypatch.setenv("FAKE_CLUSTER", "clinging")
    pids = list(subject._pids.values())
    with pytest.raises(HostError, match="stop of n1 failed"):
        subject.terminate(0)
    assert not running(pids[0])
    subject.stop()
    assert not any(map(running, pids))


def test_brokers_that_are_never_ready_are_told(host, monkeypatch):
    monkeypatch.setenv("FAKE_CLUSTER", "lazy")
    with pytest.raises(HostError, match="n1 is not ready after 1 s"):
        host(more="limits = {form = 1}")


def test_who_tells_no_leader_is_not_believed(host, monkeypatch):
    subject = host()
    monkeypatch.setenv("FAKE_CLUSTER", "stuck")
    subject.kill(0)
    assert subject.leader() is None


def test_queues_have_the_names_that_the_profile_gives_them(host):
    subject = host()
    addresses = [subject.address_of(name) for name in ("drill.1", "drill.2")]
    assert addresses == ["queues/drill.1", "queues/drill.2"]
    assert subject.declare(addresses)
    declared = (subject.folder / "declared").read_text().splitlines()
    assert declared == ["n1 drill.1", "n1 drill.2"]


def test_without_a_command_clients_declare_and_a_connection_means_ready(host):
    subject = host(without=("declare", "ready", "leader", "pid"))
    assert not subject.declare(["queues/q"])
    assert subject.leader() is None
    assert subject.statuses([0, 1]) == ["ready", "ready"]
    subject.kill(1)
    assert subject.statuses([0, 1]) == ["ready", ""]


def test_options_of_a_program_go_before_those_of_all(tmp_path, standin):
    more = "[options]\nall = {username = 'me', x = '1'}\njms = {x = '2'}\n"
    subject = ExternalHost(tmp_path, find(str(standin(more=more))))
    assert subject.options_of("jms") == {"username": "me", "x": "2"}
    assert subject.options_of("other") == {"username": "me", "x": "1"}


def test_bad_lines_are_those_of_the_profile(host):
    subject = host()
    (subject.folder / "n2.log").write_text("fine\nTraceback of something\n[x] critical\n")
    assert subject.trouble() == [("n2", "Traceback of something")]


def test_brokers_that_were_there_before_stay(tmp_path, standin):
    path = standin(without=("start", "stop", "kill", "pid", "prepare"))
    subject = ExternalHost(tmp_path, find(str(path)))
    subject.start()
    assert subject.stop() == []
    log = (tmp_path / LOG).read_text()
    assert [line.split()[1] for line in log.splitlines()] == ["cleanup"]


def test_acts_that_such_brokers_have_not(tmp_path, standin):
    subject = ExternalHost(tmp_path, find(str(standin())))
    assert subject.memory_bytes(0) == 0
    for act in (
        lambda: subject.tell_all(0),
        lambda: subject.configure(0, []),
        lambda: subject.links.slow(0, 1, 1.0, 1.0),
        lambda: subject.links.lossy(0, 1, 1),
    ):
        with pytest.raises(HostError):
            act()


def test_a_pid_that_is_none_is_told(tmp_path, standin):
    path = standin(without=("pid",))
    path.write_text(path.read_text().replace("[commands]", "[commands]\npid = 'echo nobody'"))
    subject = ExternalHost(tmp_path, find(str(path)))
    with pytest.raises(HostError, match="n1: pid says 'nobody' \\(0\\), no number"):
        subject.start()
    subject.stop()
    log = (tmp_path / LOG).read_text()
    assert log.count("stop n") == 3, "although nobody knows what runs"


def test_a_command_that_takes_too_long_is_ended(tmp_path, standin):
    path = standin(more="limits = {command = 0.2}")
    path.write_text(
        path.read_text().replace(
            "[commands]", "[commands]\npromote = 'sleep 60 & echo $! >s; wait'", 1
        )
    )
    text = "\n".join(
        line for line in path.read_text().splitlines() if not line.startswith("leader")
    )
    path.write_text(text)
    with pytest.raises(HostError, match=r"promote of n1 failed \(-1\)"):
        ExternalHost(tmp_path, find(str(path))).promote(0)
    until(lambda: not running(int((tmp_path / "s").read_text())))


def test_a_question_needs_no_run(standin):
    assert question(find(str(standin())), "version") == (0, "Stand-in\n1.2.3")


def test_a_promoted_one_is_the_first(tmp_path, standin):
    more = "limits = {form = 5}"
    path = standin(without=("leader", "ready", "pid"), more=more)
    text = path.read_text().replace("[commands]", "[commands]\npromote = 'echo $DRILL_NODE >>p'")
    path.write_text(text)
    subject = ExternalHost(tmp_path, find(str(path)))
    try:
        subject.start()
        subject.form(1)
        assert not subject.elects
        assert (tmp_path / "p").read_text() == "n1\n"
    finally:
        subject.stop()

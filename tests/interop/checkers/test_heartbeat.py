from __future__ import annotations

import pytest

from tanist_interop import protocol
from tanist_interop.checkers.heartbeat import interval_s, limit_s
from tanist_interop.scenarios.catalogue import CATALOGUE


def test_noticed_in_time(tale):
    assert tale("hang-primary").whole(after_ms=4900).cell("heartbeat") == ("valid", "")


def test_noticed_too_late(tale):
    verdict, findings = tale("hang-primary").whole(after_ms=5700).cells()["heartbeat"]
    assert verdict == "invalid"
    assert findings == [
        "x.send noticed after 5.7 s, more than 5 s", "x.receive noticed after 5.7 s, more than 5 s",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("client", "limit"), [("cpp-proton", 3.0), ("python-qpid", 4.0), ("js-rhea", 4.0)]
)
def test_some_libraries_may_take_longer(client, limit):
    assert limit_s(client, 1.0) == limit


@pytest.mark.parametrize(
    ("scenario", "seconds"),
    [
        ({"client_heartbeat_s": 2}, 2.0),
        ({"client_heartbeat_s": 10, "options": ["idle_timeout=2000"]}, 2.0),
        ({"client_heartbeat_s": 2, "options": ["failover=x", "idle_timeout=500"]}, 0.5),
        ({"client_heartbeat_s": 2, "options": ["connecttimeout=500"]}, 2.0),
    ],
)
def test_the_heartbeat_that_a_client_goes_by(scenario, seconds):
    assert interval_s(scenario) == seconds


@pytest.mark.parametrize(
    ("after_ms", "verdict"),
    [(4_000, "valid"), (6_100, "invalid"), (20_000, "invalid")],
    ids=["by idle_timeout", "by the end of the cut", "by what it was asked for"],
)
def test_idle_timeout_is_what_a_client_must_notice_by(tale, after_ms, verdict):
    subject = tale("partition")
    subject.scenario = CATALOGUE["jms-idle-timeout"]
    cell = subject.whole(after_ms=after_ms).cells()["heartbeat"]
    assert cell[0] == verdict
    assert all("more than 5 s" in finding for finding in cell[1])


def test_never_noticed(tale):
    verdict, text = tale().whole(silent=("x.receive",)).cell("heartbeat")
    assert (verdict, text) == ("invalid", "x.receive never told that its broker was gone")


@pytest.mark.parametrize("fault", ["kill-backup", "none"])
def test_a_connection_that_is_lost_without_cause(tale, fault):
    subject = tale(fault).begin().load().stream().fault()
    subject.story.add("x.send", {"type": "disconnected", "t": 1, "reason": ""})
    verdict, text = subject.go_on().requeue().end().cell("heartbeat")
    assert verdict == "invalid"
    assert text.startswith("x.send lost a connection without cause 1 times")


def test_one_that_its_library_gave_up_was_not_lost(tale):
    subject = tale("kill-backup").begin().load().stream().fault()
    story = subject.story
    story.say("x.send", protocol.Disconnected(1, "TransactionAborted"))
    story.say("x.send", protocol.Reopened(1, 3, "TransactionAborted"))
    assert subject.go_on().requeue().end().cell("heartbeat") == ("valid", "")


def test_but_a_library_that_gave_up_has_noticed(tale):
    subject = tale().begin().load().stream()
    story = subject.story
    subject.fault(silent=("x.send",))
    t = story.ms * 1_000_000
    story.add("x.send", {"type": "disconnected", "t": t, "reason": "SessionException"}, t)
    story.say("x.send", protocol.Reopened(1, 3, "SessionException"))
    assert subject.go_on().requeue().end().cell("heartbeat") == ("valid", "")


def test_one_that_is_lost_before_the_fault(tale):
    subject = tale().begin().load()
    subject.story.add("x.send", {"type": "disconnected", "t": 1, "reason": ""})
    verdict, text = subject.stream().fault().go_on().requeue().end().cell("heartbeat")
    assert verdict == "invalid"
    assert "without cause" in text


def test_one_that_is_lost_while_programs_start_is_the_machines(tale):
    subject = tale().begin().load()
    subject.story.add("x.send", {"type": "disconnected", "t": 1, "reason": ""})
    subject.story.mark("streaming")
    assert subject.stream().fault().go_on().requeue().end().cell("heartbeat") == ("valid", "")


def test_links_of_clients_that_break_give_every_cause(tale):
    subject = tale("lossy-clients").begin().load().stream().fault()
    subject.story.add("x.send", {"type": "disconnected", "t": 1, "reason": ""})
    assert subject.go_on().requeue().end().cell("heartbeat") == ("valid", "")


def test_a_client_that_does_not_tell_is_unsupported(tale):
    subject = tale()
    subject.told = {"capabilities": ["hold"]}
    assert subject.whole().cells()["heartbeat"][0] == "unsupported"

from __future__ import annotations

import pytest

from tanist_interop import protocol
from tanist_interop.checkers.finding import Valid
from tanist_interop.checkers.heartbeat import SILENT
from tanist_interop.checkers.operations import read
from tanist_interop.checkers.quiet import check, pauses

PROGRAMS = ("s", "r")
BACKUPS = ["n2", "n3"]


class Time:
    """Two programs stream for 12 s, a message every 3 s; then the run goes on."""

    def __init__(self, story) -> None:
        self.story = story
        self.pause_ms = 3000
        self.capabilities = ["connection_events"]
        self.during = []
        """What else happens in the middle."""
        self.after = []
        self.in_sync = [BACKUPS, BACKUPS]
        self.logging = True

    def tell(self, end=True):
        s = self.story
        for source in (*PROGRAMS, "d"):
            told = {"client": "c", "capabilities": self.capabilities}
            s.add(source, {"type": "client", "init_ok": told, "offset_ns": 0})
        for node in ("n1", "n2", "n3") if self.logging else ():
            s.note("status", node=node, life=1, status="ready")
        s.sender()
        s.receiver()
        s.mark("streaming")
        for nodes in self.in_sync[:1]:
            s.note("in_sync", nodes=nodes)
        s.mark("quiet_begin")
        for sn in range(1, 6):
            if sn > 1:
                s.ms += self.pause_ms
            s.sent(sn)
            s.got(sn)
            if sn == 3:
                for happen in self.during:
                    happen()
        if end:
            s.mark("quiet_end")
        for nodes in self.in_sync[1:]:
            s.note("in_sync", nodes=nodes)
        for happen in self.after:
            happen()
        s.mark("finished")
        return check(read(s.records), 1.0, 3)

    def lose(self, source="s"):
        self.story.say(source, protocol.Disconnected(self.story.ms * 1_000_000, "heartbeat"))


@pytest.fixture
def time(story):
    return Time(story)


def test_nobody_is_lost(time):
    result = time.tell()
    assert result.problems == ()
    assert result.valid is Valid.TRUE
    assert result.figures == {
        "watched_s": 12.0,
        "intervals": 12,
        "pauses_s": {"r": 3.0, "s": 3.0},
        "connections_lost": 0,
        "dropped": 0,
        "untold": {},
        "mute": [],
    }


@pytest.mark.parametrize("source", PROGRAMS)
def test_a_program_that_loses_its_connection(time, source):
    time.during.append(lambda: time.lose(source))
    result = time.tell()
    assert result.valid is Valid.FALSE
    text = f"{source} lost a connection without cause 1 times, first after 6.0 s"
    assert result.problems == (text,)
    assert result.figures["connections_lost"] == 1


def test_one_that_its_library_gives_up_is_lost_as_well(time, story):
    def give_up():
        time.lose()
        story.say("s", protocol.Reopened(1, 3, "heartbeat"))

    time.during.append(give_up)
    assert time.tell().valid is Valid.FALSE


def test_one_that_is_lost_while_the_run_ends(time):
    time.after.append(time.lose)
    assert time.tell().valid is Valid.FALSE


@pytest.mark.parametrize(
    ("kind", "more", "problem"),
    [
        (
            "parted",
            {"life": 1, "text": "Lost primary tcp:n1: closed by peer"},
            "n2 logged: Lost primary tcp:n1: closed by peer",
        ),
        (
            "parted",
            {"life": 1, "text": "127.0.0.1:7: no frame for 2.0 s, heartbeat 1 s"},
            "n2 logged: 127.0.0.1:7: no frame for 2.0 s, heartbeat 1 s",
        ),
        ("status", {"life": 1, "status": "joining"}, "n2 became joining"),
    ],
)
def test_a_broker_that_says_whom_it_lost(time, story, kind, more, problem):
    time.during.append(lambda: story.note(kind, node="n2", **more))
    result = time.tell()
    assert (result.valid, result.problems) == (Valid.FALSE, (problem,))
    assert result.figures["dropped"] == 1


@pytest.mark.parametrize("kind", [{"text": "Lost primary"}, {"status": "joining"}])
def test_what_brokers_say_when_they_are_taken_down_is_no_loss(time, story, kind):
    name = "parted" if "text" in kind else "status"
    time.after.append(lambda: story.note(name, node="n2", life=1, **kind))
    assert time.tell().valid is Valid.TRUE


@pytest.mark.parametrize(("left", "word"), [(["n3"], "n3"), ([], "none")])
def test_a_backup_that_is_not_in_sync_any_more(time, left, word):
    time.in_sync = [BACKUPS, left]
    result = time.tell()
    assert result.valid is Valid.FALSE
    assert result.problems == (f"in sync were {word}, not all 2",)


def test_a_primary_that_says_nothing_shows_nothing(time):
    time.in_sync = [BACKUPS]
    result = time.tell()
    assert result.valid is Valid.UNKNOWN
    assert "did not say who was in sync" in result.problems[0]


def test_without_a_pause_of_two_intervals_nothing_is_shown(time):
    time.pause_ms = 1900
    result = time.tell()
    assert result.valid is Valid.UNKNOWN
    assert result.problems == (
        "r had no pause of two intervals: 1.9 s",
        "s had no pause of two intervals: 1.9 s",
    )


def test_a_loss_is_one_however_loud_it_was(time):
    time.pause_ms = 1900
    time.during.append(time.lose)
    assert time.tell().valid is Valid.FALSE


def test_libraries_that_do_not_tell_are_listed(time):
    time.capabilities = []
    time.during.append(time.lose)
    result = time.tell()
    assert result.valid is Valid.UNKNOWN
    assert result.problems == ("no program tells when it loses its connection",)
    assert result.figures["untold"] == {"r": SILENT, "s": SILENT}


def test_brokers_whose_logs_tell_nothing_are_listed(time):
    time.logging = False
    result = time.tell()
    assert result.valid is Valid.TRUE
    assert result.figures["mute"] == ["n1", "n2", "n3"]


def test_a_time_that_did_not_pass_shows_nothing(time):
    result = time.tell(end=False)
    assert result.valid is Valid.UNKNOWN
    assert result.problems == ("the quiet time did not pass",)


@pytest.mark.parametrize(("loses", "valid"), [(True, Valid.FALSE), (False, Valid.UNKNOWN)])
def test_a_time_that_broke_off_shows_what_was_lost_until_then(time, story, loses, valid):
    if loses:
        time.during.append(time.lose)
    time.during.append(lambda: story.note("aborted", stage="rest", reason="x"))
    time.during.append(lambda: story.note("parted", node="n2", life=1, text="Lost primary"))
    result = time.tell(end=False)
    assert result.valid is valid
    assert "the quiet time did not pass" in result.problems
    assert result.figures["dropped"] == 0, "by then the drill took them down"
    assert result.figures["connections_lost"] == int(loses)


def test_a_pause_lies_between_two_messages_of_the_time(story):
    story.sender()
    story.receiver("r")
    story.drainer("d")
    for sn in (1, 2, 3):
        story.ms += 1000 * sn
        story.sent(sn)
    story.got(1)
    ops = read(story.records)
    second = 1_000_000_000
    assert pauses(ops, 0, 100 * second) == {"r": 0.0, "s": pytest.approx(3.0, abs=0.01)}
    assert pauses(ops, 0, 5 * second) == {"r": 0.0, "s": pytest.approx(2.0, abs=0.01)}
    assert pauses(ops, 0, 1) == {"r": 0.0, "s": 0.0}

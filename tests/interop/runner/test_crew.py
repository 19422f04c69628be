from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from tanist_interop import history, protocol
from tanist_interop.checkers.ranges import Numbers
from tanist_interop.drivers.program import Gone, Said
from tanist_interop.drivers.registry import ClientSpec
from tanist_interop.history import Journal
from tanist_interop.runner.crew import Crew, DrillError

SPEC = ClientSpec("fake", Path(), ("x",))


class Program:
    """A client program in memory: answers as its class attributes say."""

    offset_ns = 0
    honest = True
    version = 2
    mute = False

    def __init__(self, name, spec, log, inbox) -> None:
        self.name, self.inbox, self.lines = name, inbox, []

    def start(self):
        pass

    def say(self, message):
        self.inbox.put(Said(self.name, time.monotonic_ns(), message))

    def write(self, line):
        request = json.loads(line)
        self.lines.append(request)
        if self.mute:
            return
        if request["type"] == "init":
            now = time.monotonic_ns() - self.offset_ns
            self.say(protocol.InitOk(request["id"], "fake", self.version, {}, ["send"], now))
        elif request["type"].startswith("no-") and self.honest:
            self.say(protocol.Unsupported(request["id"], request["type"]))
        else:
            self.say(protocol.Done(request["id"]))

    def suspend(self):
        self.lines.append("suspend")

    def resume(self):
        self.lines.append("resume")

    def kill(self):
        self.inbox.put(Gone(self.name, time.monotonic_ns(), -9))

    def end(self):
        self.inbox.put(Gone(self.name, time.monotonic_ns(), 0))


@pytest.fixture
def journal(tmp_path):
    subject = Journal(tmp_path / "history")
    yield subject
    subject.close()


def written(journal):
    journal.flush()
    return history.load(journal.path)


def kinds(journal):
    return [record.type for record in written(journal)]


def muster(journal, tmp_path, program=Program):
    crew = Crew(journal, tmp_path, program, quiet_s=0.3)
    member = crew.add("x", SPEC)
    crew.wait(lambda: member.state != "starting", "greeting")
    return crew, member


def test_programs_are_started_and_ended_together(journal, tmp_path):
    class Slow(Program):
        def start(self):
            barrier.wait(10)

        def end(self):
            barrier.wait(10)
            super().end()

    barrier = threading.Barrier(3)
    crew = Crew(journal, tmp_path, Slow)
    members = crew.add_all([(name, SPEC) for name in "abc"])
    assert [member.name for member in members] == list(crew.members) == ["a", "b", "c"]
    crew.pump(0.0)
    assert {member.state for member in members} == {"up"}
    crew.end()
    assert {member.state for member in members} == {"gone"}


def test_one_that_cannot_be_started_does_not_keep_the_others_from_being_ended(journal, tmp_path):
    class Broken(Program):
        def start(self):
            if self.name == "b":
                raise OSError("no more processes")

        def end(self):
            ended.append(self.name)

    ended = []
    crew = Crew(journal, tmp_path, Broken)
    with pytest.raises(OSError, match="no more processes"):
        crew.add_all([(name, SPEC) for name in "abc"])
    crew.end()
    assert sorted(ended) == ["a", "b", "c"]


def test_an_honest_program_is_up(journal, tmp_path):
    crew, member = muster(journal, tmp_path)
    assert member.state == "up"
    assert kinds(journal) == ["request", "init_ok", "client", "unsupported"]
    assert member.capabilities == ["send"]
    crew.call([(member, crew.tell(member, protocol.Declare(member.next_id(), "q")))], "declaring")


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"honest": False}, "cannot be believed"),
        ({"version": 1}, "speaks protocol 1"),
        ({"mute": True}, "nothing moved for 0.3 s"),
    ],
)
def test_a_program_that_cannot_be_used(journal, tmp_path, attributes, problem):
    with pytest.raises(DrillError, match=problem):
        muster(journal, tmp_path, type("Bad", (Program,), attributes))


def test_a_program_that_cannot_run_here_is_no_error(journal, tmp_path):
    class Missing(Program):
        mute = True

        def start(self):
            self.inbox.put(Gone(self.name, 1, 127, "no java"))

    _, member = muster(journal, tmp_path, Missing)
    assert (member.state, member.reason) == ("cannot run", "no java")


def test_refusals_say_why(journal, tmp_path):
    crew, member = muster(journal, tmp_path)
    member.replies[99] = protocol.Failed(99, "no such queue")
    with pytest.raises(DrillError, match="x answered failed: no such queue"):
        crew.call([(member, 99)], "declaring")


def test_who_never_stops_talking_does_not_keep_the_drill_from_going_on(journal, tmp_path):
    crew, member = muster(journal, tmp_path)
    taken = []

    class Talker(list):
        """Of what was acknowledged: says something new whenever something is."""

        def __getitem__(self, producer) -> int:
            return 0

        def __setitem__(self, producer, count) -> None:
            taken.append(producer)
            assert len(taken) < 100, "it takes in what comes meanwhile, for ever"
            member.program.say(protocol.Ok(1, 1, "p", [[len(taken), len(taken)]]))

    crew.acknowledged = Talker()
    for number in (1, 2, 3):
        member.program.say(protocol.Ok(1, 1, "p", [[number, number]]))
    crew.pump(1.0)
    assert len(taken) in (3, 4)
    crew.pump(1.0)
    assert len(taken) in (6, 7, 8)


def test_passwords_are_not_in_the_history(journal, tmp_path):
    crew, member = muster(journal, tmp_path)
    options = {"username": "drill", "password": "secret"}
    crew.tell(member, protocol.Connect(7, ["a:1"], 1, options=options))
    assert member.program.lines[-1]["options"] == options
    (request,) = (r for _, r in history.requests(written(journal), protocol.Connect))
    assert request.options == {"username": "drill", "password": "***"}
    assert "secret" not in journal.path.read_text("utf-8")


def test_events_are_counted_and_dated_on_the_drills_clock(journal, tmp_path):
    slow = type("Elsewhere", (Program,), {"offset_ns": 5_000_000_000})
    crew, member = muster(journal, tmp_path, slow)
    program = member.program
    program.say(protocol.Ok(7, 3, "p", [[1, 5]]))
    program.say(protocol.Received(8, 4, "p", [[1, 3], [1, 1]], False))
    program.say(protocol.Ended(9, 3, "count", 5))
    crew.wait(lambda: 3 in member.ended, "ending")
    assert crew.acknowledged == {"p": 5}
    assert crew.received == {"p": Numbers((1, 3))}
    ok = next(record for record in written(journal) if record.type == "ok")
    assert ok.t == pytest.approx(5_000_000_007, abs=250_000_000)


def test_what_a_watched_receiver_is_given_is_kept_apart(journal, tmp_path):
    crew = Crew(journal, tmp_path, Program)
    member, other = crew.add("a", SPEC), crew.add("b", SPEC)
    crew.pump(0.0)
    numbers = Numbers()
    crew.watch(member, 7, "p", numbers)
    for who, task, sns in ((member, 7, [[1, 3]]), (member, 8, [[4, 5]]), (other, 7, [[6, 6]])):
        who.program.say(protocol.Received(1, task, "p", sns, False))
    member.program.say(protocol.Received(1, 7, "q", [[9, 9]], False))
    crew.pump(0.0)
    assert numbers == Numbers((1, 3))
    assert crew.received["p"] == Numbers((1, 6))


def test_the_same_machine_has_the_same_clock(journal, tmp_path):
    _, member = muster(journal, tmp_path)
    assert member.offset_ns == 0


def test_a_fatal_error_a_death_and_babble_end_the_run(journal, tmp_path):
    crew, member = muster(journal, tmp_path)
    member.program.say(protocol.Error(1, "a warning"))
    crew.pump(0.1)
    items = (
        Said("x", 1, protocol.Error(1, "Boom", 0, True)),
        Gone("x", 1, 3, "segfault"),
        Said("x", 1, None, "is not JSON"),
    )
    for item, word in zip(items, ("Boom", "code 3: segfault", "not JSON"), strict=True):
        crew.inbox.put(item)
        with pytest.raises(DrillError, match=word):
            crew.pump(0.1)


def test_the_end_takes_in_everything_and_never_raises(journal, tmp_path):
    crew, member = muster(journal, tmp_path)
    member.program.say(protocol.Error(1, "Boom", 0, True))
    crew.end()
    assert member.state == "gone"
    assert [r["type"] for r in member.program.lines][-1] == "close"
    (note,) = history.notes(written(journal), "client_exit")
    assert note.event["code"] == 0


def test_ticks_come_while_waiting(journal, tmp_path):
    ticks = []
    crew = Crew(journal, tmp_path, Program, lambda: ticks.append(1), quiet_s=1.3)
    with pytest.raises(DrillError):
        crew.wait(lambda: False, "waiting")
    assert ticks == [1]
    assert crew.mark("x", node="n1") > 0


def test_waiting_has_a_limit_although_things_move(journal, tmp_path):
    crew, member = muster(journal, tmp_path)

    def never():
        member.program.say(protocol.Ok(7, 3, "p", [[1, 1]]))
        return False

    with pytest.raises(DrillError, match=r"waiting: not done after 0\.5 s"):
        crew.wait(never, "waiting", 0.5)


def test_connections_opened_anew_are_counted(journal, tmp_path):
    crew, member = muster(journal, tmp_path)
    member.program.say(protocol.Reopened(7, 3, "Boom", 5))
    crew.wait(lambda: crew.reopened["x"] == 1, "reopening")


def test_a_program_that_the_drill_kills_ends_nothing(journal, tmp_path):
    crew, member = muster(journal, tmp_path)
    crew.kill(member)
    assert member.state == "gone"
    crew.end()
    exits = [r.event for r in written(journal) if r.type == "client_exit"]
    assert exits[0] == {"type": "client_exit", "code": -9, "expected": True}


def test_nothing_ticks_while_programs_are_ended(journal, tmp_path):
    crew, _ = muster(journal, tmp_path)
    crew._tick = lambda: pytest.fail("the brokers may be gone")
    crew._ticked = 0.0
    crew.end()


def test_what_is_done_to_programs_is_noted(journal, tmp_path):
    crew, member = muster(journal, tmp_path)
    crew.pause(member)
    crew.resume(member)
    crew.kill(member)
    assert member.program.lines[-2:] == ["suspend", "resume"]
    notes = [note.event for note in history.notes(written(journal), "mark")]
    assert [(note["name"], note["program"]) for note in notes] == [
        ("pause", "x"), ("resume", "x"), ("kill", "x"),
    ]  # fmt: skip

from __future__ import annotations

from tanist_interop import protocol
from tanist_interop.checkers.course import check
from tanist_interop.checkers.finding import Valid
from tanist_interop.checkers.operations import read


def finding(story, least=20):
    return check(read(story.records), least)


def only_problem(story, least=20):
    result = finding(story, least)
    assert result.valid is Valid.UNKNOWN
    (problem,) = result.problems
    return problem


def test_a_good_run_was_carried_through(story):
    assert finding(story.good()).valid is Valid.TRUE


def test_too_little_load_shows_nothing(story):
    assert only_problem(story.good(), 21) == "20 acknowledged, wanted 21"


def test_an_aborted_run_shows_nothing(story):
    story.good().note("aborted", stage="drain", reason="no")
    assert only_problem(story) == "drain: no"


def test_an_unfinished_run_shows_nothing(story):
    story.good().records.pop()
    assert only_problem(story) == "the run was not finished"


def test_a_crashed_client_shows_nothing(story):
    story.good().add("s", {"type": "client_exit", "code": 1})
    story.add("r", {"type": "client_exit", "code": 0})
    assert only_problem(story) == "s ended with code 1"


def test_a_fatal_error_shows_nothing(story):
    story.good().say("s", protocol.Error(1, "warning"))
    story.say("s", protocol.Error(1, "Boom", 0, True))
    assert only_problem(story) == "s: Boom"


def test_lost_events_show_nothing(story):
    story.good().ended("d", 9, "empty")
    assert only_problem(story) == "d counts 9, its events say 2"


def test_every_message_needs_an_outcome(story):
    story.good()
    story.sent(21, ok=False)
    story.ended("s", 21)
    assert only_problem(story) == "1 messages were announced and have no outcome"


def test_a_message_is_announced_once(story):
    story.good().sent(3)
    story.ended("s", 21)
    assert only_problem(story) == "1 messages were announced again"


def test_connections_that_were_opened_anew_are_counted_and_no_problem(story):
    story.good()
    for task in (3, 4):
        story.say("s", protocol.Reopened(1, task, "InternalError", 5))
    result = finding(story)
    assert result.valid is Valid.TRUE
    assert result.figures == {"reopened": {"s": 2}}


def test_a_program_that_the_drill_killed_is_no_problem(story):
    story.good()
    story.add("s", {"type": "client_exit", "code": -9, "expected": True})
    assert finding(story).valid is Valid.TRUE
    story.add("r", {"type": "client_exit", "code": -9, "expected": False})
    assert only_problem(story) == "r ended with code -9"

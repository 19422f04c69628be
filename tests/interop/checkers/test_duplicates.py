from __future__ import annotations

import pytest

from tanist_interop import protocol
from tanist_interop.checkers import duplicates
from tanist_interop.checkers.duplicates import beside, breaks, check
from tanist_interop.checkers.finding import Valid
from tanist_interop.checkers.operations import read

ONE_BREAK = 10 + 10 + 1
"""What a failover explains in these stories: window, prefetch and one not acknowledged."""


@pytest.fixture(autouse=True)
def prompt(monkeypatch, request):
    """Acknowledgements take no time, but where a test is about that: a story takes milliseconds."""
    if "under_way_to_the_backups" not in request.node.name:
        monkeypatch.setattr(duplicates, "ACK_NS", 0)
        monkeypatch.setattr(duplicates, "slowest_ns", lambda ops, t: 0)


def finding(story):
    return check(read(story.records))


def explained(story):
    return {
        queue: [entry.explained for entry in found]
        for queue, found in breaks(read(story.records)).items()
    }


def test_duplicates_within_the_bound(story):
    story.good()
    result = finding(story)
    assert result.valid is Valid.TRUE
    assert result.figures["duplicated"] == 2
    assert result.figures["bound"] == result.figures["bound_at_once"] == ONE_BREAK
    assert result.figures["most_at_once"] == 2
    assert result.figures["per_queue"] == {"q": [2, ONE_BREAK]}


def test_more_than_was_under_way_is_wrong(story):
    story.good()
    story.got((1, 19), redelivered=True)
    assert finding(story).valid is Valid.TRUE
    story.got(20, redelivered=True)
    result = finding(story)
    assert result.valid is Valid.FALSE
    assert result.problems == ("q: 22 duplicates after 0.0 s, explained are 21",)


def test_acknowledgements_that_were_under_way_to_the_backups_are_no_excess(story):
    stream(story)
    story.fault()
    story.ms += 200
    story.got((1, 50), redelivered=True)
    result = finding(story)
    assert result.valid is Valid.TRUE
    assert (result.figures["duplicated"], result.figures["acks_lost"]) == (50, 50)
    assert result.figures["most_at_once"] == 0


def test_those_that_had_long_been_under_way_to_the_backups_are(story):
    stream(story)
    story.ms += 260
    story.fault()
    story.ms += 200
    story.got((1, 50), redelivered=True)
    result = finding(story)
    assert result.valid is Valid.FALSE
    assert result.figures["acks_lost"] == 0


@pytest.mark.parametrize(("confirmed_after_ms", "lost"), [(590, 50), (400, 0)])
def test_as_slow_as_confirmations_were_acknowledgements_under_way_to_the_backups_may_have_been(
    story, confirmed_after_ms, lost
):
    """All were acknowledged some 500 ms before the fault."""
    story.sender()
    story.receiver()
    story.batch(protocol.Invoke, [51], "s")
    story.ms += 50
    story.sent((1, 50))
    story.got((1, 50))
    story.ms += confirmed_after_ms - 60
    story.batch(protocol.Ok, [51], "s")
    story.ms += 590 - confirmed_after_ms
    story.fault()
    story.ms += 200
    story.got((1, 50), redelivered=True)
    result = finding(story)
    assert result.figures["acks_lost"] == lost
    assert result.valid is (Valid.TRUE if lost else Valid.FALSE)


def test_however_slow_they_were_two_seconds_under_way_to_the_backups_are_the_most(story):
    stream(story)
    story.ms += 200
    story.batch(protocol.Invoke, [51], "s")
    story.ms += 1_900
    story.fault()
    story.ms += 200
    story.got((1, 50), redelivered=True)
    assert finding(story).valid is Valid.FALSE


def test_none_at_all_without_a_failover(story):
    story.sender()
    story.receiver()
    story.sent(1)
    story.fault(failover=False)
    story.got(1)
    assert explained(story) == {"q": []}
    assert finding(story).valid is Valid.TRUE
    story.got(1, redelivered=True)
    result = finding(story)
    assert result.valid is Valid.FALSE
    assert result.problems == ("q: 1 duplicates after the start, explained are 0",)


def test_queues_do_not_borrow_from_each_other(story):
    story.good()
    story.receiver("x", queue="quiet")
    story.got(*[1] * 22, redelivered=True)
    assert finding(story).valid is Valid.FALSE


def stream(story):
    story.sender()
    story.receiver()
    story.sent((1, 50))
    story.got((1, 50))
    return story


def test_each_failover_has_a_bound_of_its_own(story):
    """What the first one left unused is not for the second: the queue had been worked off."""
    stream(story).fault()
    story.sent(51)
    story.got(51)
    story.ms += 200
    story.fault()
    story.got(*range(1, ONE_BREAK + 1), redelivered=True)
    assert finding(story).valid is Valid.TRUE
    story.got(ONE_BREAK + 1, redelivered=True)
    assert finding(story).valid is Valid.FALSE


def test_what_waits_in_a_queue_through_a_failover_is_explained_by_the_one_before(story):
    stream(story).fault()
    story.fault()
    story.got(*range(1, 2 * ONE_BREAK + 1), redelivered=True)
    assert finding(story).valid is Valid.TRUE
    story.got(2 * ONE_BREAK + 1, redelivered=True)
    assert finding(story).valid is Valid.FALSE


def lose(story, source):
    story.say(source, protocol.Disconnected(story.ms * 1_000_000))


def test_the_first_loss_after_a_failover_is_the_failover(story):
    stream(story).fault()
    lose(story, "s")
    lose(story, "r")
    assert explained(story) == {"q": [ONE_BREAK]}


def test_a_loss_beside_the_failovers_explains_what_that_program_had_under_way(story):
    lose(stream(story), "r")
    story.fault()
    lose(story, "s")
    lose(story, "s")
    assert explained(story) == {"q": [10 + 1, ONE_BREAK, 10]}
    assert finding(story).figures["beside"] == 2


@pytest.mark.parametrize(("source", "most"), [("s", 10), ("r", 10 + 1)])
def test_a_connection_opened_anew_explains_what_that_program_had_under_way(story, source, most):
    stream(story).say(source, protocol.Reopened(story.ms * 1_000_000, 3, "Boom", 3))
    assert explained(story) == {"q": [most]}
    story.got(*range(1, most + 1))
    assert finding(story).valid is Valid.TRUE
    story.got(most + 1)
    assert finding(story).valid is Valid.FALSE


def test_many_excesses_are_told_briefly(story):
    stream(story)
    for _ in range(15):
        story.ms += 200
        story.fault()
        story.got((1, 50), redelivered=True)
        story.sent(1, ok=False)
        story.got(1, redelivered=True)
    assert len(finding(story).problems) == 10


def test_the_last_message_of_a_line_may_have_come_after_a_break(story):
    stream(story)
    story.got(50, redelivered=True)
    lose(story, "r")
    assert finding(story).valid is Valid.TRUE
    story.records.clear()
    stream(story).got(50, redelivered=True)
    story.ms += 200
    lose(story, "r")
    assert finding(story).valid is Valid.FALSE


@pytest.mark.parametrize(("words", "count"), [([], 1), (["crowd"], 0)])
def test_of_a_crowd_nobody_can_tell_whose_connection_was_lost(story, words, count):
    story.run()
    greeting = {"client": "c", "capabilities": words}
    story.add("s", {"type": "client", "init_ok": greeting, "offset_ns": 0})
    story.sender()
    story.say("s", protocol.Disconnected(story.ms * 1_000_000))
    assert len(beside(read(story.records))) == count

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tanist_interop import protocol
from tanist_interop.checkers import total_queue
from tanist_interop.checkers.finding import Valid
from tanist_interop.checkers.operations import read
from tanist_interop.checkers.total_queue import check, totals


def finding(story):
    return check(read(story.records))


def test_a_good_run_is_valid(story):
    result = finding(story.good())
    assert result.valid is Valid.TRUE
    assert result.figures["attempts"] == 20
    assert result.figures["received"] == 22
    assert result.figures["duplicated"] == 2
    assert result.figures["lost"] == result.figures["unexpected"] == 0
    assert result.figures["per_producer"]["p"]["acknowledged"] == 20


def test_an_acknowledged_message_that_never_comes_is_lost(story):
    story.good()
    story.records = [r for r in story.records if r.event.get("sns") != [[19, 20]]]
    result = finding(story)
    assert result.valid is Valid.FALSE
    assert result.figures["lost"] == 2
    assert result.problems == ("2 lost: p:19, p:20",)


def test_a_message_that_was_only_seen_is_lost(story):
    story.sender()
    story.receiver()
    story.sent(1)
    story.got(1, acked=False)
    story.ended("s", 1)
    story.drained()
    assert finding(story).valid is Valid.FALSE


def test_a_message_that_nobody_sent_is_unexpected_even_without_a_drain(story):
    story.sender()
    story.receiver()
    story.sent(1)
    story.got(1, 2)
    result = finding(story)
    assert result.valid is Valid.FALSE
    assert result.figures["unexpected"] == 1
    assert result.figures["duplicated"] == 0


def test_a_message_whose_send_surely_failed_cannot_come(story):
    story.sender()
    story.receiver()
    story.sent(1, ok=False)
    story.batch(protocol.Fail, [1], "s")
    story.got(1)
    story.ended("s", 1)
    story.drained()
    result = finding(story)
    assert result.valid is Valid.FALSE
    assert "1 impossible: p:1" in result.problems


def test_an_unknown_send_may_come_or_not(story):
    story.sender()
    story.receiver()
    story.sent((1, 2), ok=False)
    story.batch(protocol.Info, [(1, 2)], "s")
    story.got(1)
    story.ended("s", 2)
    story.drained()
    result = finding(story)
    assert result.valid is Valid.TRUE
    assert result.figures["recovered"] == 1


def test_without_a_drain_to_the_end_there_is_no_verdict(story):
    story.sender()
    story.receiver()
    story.sent((1, 2))
    story.got(1)
    assert finding(story).valid is Valid.UNKNOWN
    story.ended("s", 2)
    story.drainer()
    assert finding(story).valid is Valid.UNKNOWN
    story.ended("d", 0, "error")
    assert finding(story).valid is Valid.UNKNOWN


def test_a_drain_before_the_sender_ended_does_not_count(story):
    story.sender()
    story.sent(1, ok=False)
    story.drained()
    story.ended("s", 1)
    assert finding(story).valid is Valid.UNKNOWN


def test_nothing_sent_shows_nothing(story):
    story.sender()
    story.ended("s", 0)
    story.drained()
    assert finding(story).valid is Valid.UNKNOWN


def test_where_messages_were_lost(story):
    story.sender()
    story.receiver()
    story.sent((1, 9))
    story.got(3, 5, 6)
    sums = totals(read(story.records))
    assert sums.lost_where == {"prefix": 2, "middle": 1, "postfix": 3}


@settings(max_examples=60, deadline=None)
@given(
    sent=st.sets(st.integers(1, 20)),
    acknowledged=st.sets(st.integers(1, 20)),
    received=st.lists(st.integers(1, 20)),
)
def test_the_sets_add_up(new_story, sent, acknowledged, received):
    acknowledged &= sent
    story = new_story()
    story.sender()
    story.receiver()
    if sent:
        story.batch(protocol.Invoke, sorted(sent), "s")
    if acknowledged:
        story.batch(protocol.Ok, sorted(acknowledged), "s")
    if received:
        story.got(*received)
    sums = totals(read(story.records))
    ok = set(received) & sent
    assert {sn for _, sn in sums.lost} == acknowledged - set(received)
    assert {sn for _, sn in sums.unexpected} == set(received) - sent
    assert {sn for _, sn in sums.recovered} == ok - acknowledged
    assert sums.duplicated == sum(1 for sn in received if sn in sent) - len(ok)
    assert sums == total_queue.totals(read(story.records), "p")

from __future__ import annotations

import pytest

from tanist_interop import protocol
from tanist_interop.checkers.failover import check, spread
from tanist_interop.checkers.finding import Valid
from tanist_interop.checkers.operations import read


def finding(story, failovers_min=1):
    return check(read(story.records), failovers_min)


def test_the_time_is_taken_apart(story):
    figures = finding(story.good()).figures
    assert figures["promote_ms"] == 3.0
    assert figures["detect_ms"] == {"s": pytest.approx(1.0)}
    assert figures["first_ack_ms"] == {"s": pytest.approx(5.0)}
    assert figures["count"] == 1
    assert figures["faults"] == {"kill primary": 1}
    (each,) = figures["each"]
    assert (each["fault"], each["promoted"]) == ("kill", "n2")
    assert (each["ask_ms"], each["promote_ms"]) == (2.0, 3.0)
    assert each["accept_ms"] is each["active_ms"] is None, "no log told"


def test_the_new_primary_tells_when_it_serves(story):
    story.run()
    story.sender()
    story.sent(1)
    story.note("status", node="n2", life=1, status="active")
    story.fault()
    story.mark("promote_begin", node="n3")
    story.mark("promote_begin", node="n2")
    story.note("status", node="n3", life=1, status="recovering")
    story.note("status", node="n2", life=1, status="recovering")
    story.mark("promoted", node="n2")
    story.note("status", node="n2", life=1, status="active")
    story.sent(2)
    (each,) = finding(story).figures["each"]
    assert (each["promoted"], each["accept_ms"], each["active_ms"]) == ("n2", 4.0, 6.0)


def test_losses_and_acknowledgements_of_before_do_not_count(story):
    story.run()
    story.sender()
    story.say("s", protocol.Disconnected(1))
    story.sent(1)
    story.fault()
    story.mark("promote_begin")
    story.mark("promoted")
    result = finding(story)
    assert result.valid is Valid.UNKNOWN
    assert result.figures["detect_ms"] == result.figures["first_ack_ms"] == {}
    assert result.problems[0] == "s: no acknowledgement after the promotion"


def test_a_run_without_a_failover_shows_nothing(story):
    story.mark("promoted")
    assert finding(story).valid is Valid.UNKNOWN
    assert finding(story).problems == ("0 failovers, wanted 1",)


def test_a_fault_without_a_promotion_shows_nothing(story):
    story.sender()
    story.fault()
    assert "nobody was promoted after fault" in finding(story).problems


def fail_over(story, *senders):
    story.fault()
    story.mark("promote_begin", node="n2")
    story.mark("promoted", node="n2")
    for source, producer in senders:
        story.sent(1, source=source, producer=producer)


def test_many_failovers_are_counted_and_their_times_summed_up(story):
    story.sender()
    for _ in range(3):
        fail_over(story, ("s", "p"))
    story.fault(failover=False)
    result = finding(story, 3)
    assert result.valid is Valid.TRUE
    assert result.figures["count"] == 3
    assert result.figures["faults"] == {"kill backup": 1, "kill primary": 3}
    first = result.figures["spread_ms"]["first_ack"]
    assert first["p50"] == first["max"] == pytest.approx(4.0)
    assert result.figures["spread_ms"]["detect"] == {}
    assert "promote_ms" not in result.figures


def test_each_sender_goes_on_before_the_next_failover_or_it_does_not_count(story):
    story.sender()
    story.sender("t", producer="o")
    fail_over(story, ("s", "p"))
    fail_over(story, ("s", "p"), ("t", "o"))
    result = finding(story, 2)
    assert result.valid is Valid.UNKNOWN
    assert result.figures["count"] == 1
    late, few = result.problems
    assert late.startswith("t: no acknowledgement after the promotion 1 at ")
    assert few == "1 failovers, wanted 2"


def test_the_spread():
    assert spread([]) == {}
    assert spread([3.0, 1.0, 2.0]) == {"p50": 2.0, "p95": 3.0, "max": 3.0}
    assert spread([float(n) for n in range(101)]) == {"p50": 50.0, "p95": 95.0, "max": 100.0}


def test_a_sender_that_had_ended_need_not_go_on(story):
    story.run()
    story.sender("s", 2, "held", "p2")
    story.ended("s", 0, "count", task=2)
    story.sender()
    story.sent(1)
    story.fault()
    story.mark("promote_begin", node="n2")
    story.mark("promoted", node="n2")
    story.sent(2)
    assert finding(story).valid is Valid.TRUE

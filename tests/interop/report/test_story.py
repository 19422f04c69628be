from __future__ import annotations

import pytest

from tanist_interop import protocol
from tanist_interop.report import story as subject
from tanist_interop.report.story import Cells, read


@pytest.fixture
def tell(story):
    """A story of a sender ``s`` and a receiver ``r`` of the program ``c``."""
    story.run()
    story.sender()
    story.receiver()
    return story


def test_rates_are_counted_by_program_and_step(tell):
    tell.sent((1, 5))
    tell.ms += 600
    tell.sent(6)
    tell.got((1, 6))
    told = read(tell.records)
    assert sum(told.acknowledged["c"].values()) == 6
    seconds, rates = told.rates(told.acknowledged["c"])
    assert seconds[0] == pytest.approx(0.125)
    assert rates == [20.0, 0.0, 4.0], "per second, in quarters of a second"
    assert sum(told.received["c"].values()) == 6


def test_a_latency_is_from_the_announcement_to_the_outcome(tell):
    tell.batch(protocol.Invoke, [(1, 4)], "s")
    tell.ms += 99
    tell.batch(protocol.Ok, [(1, 2)], "s")
    tell.batch(protocol.Fail, [3], "s")
    tell.ms += 800
    tell.batch(protocol.Info, [4], "s")
    cells = read(tell.records).latencies
    assert cells.messages == {"ok": 2, "fail": 1, "info": 1}
    (ok,), (late,) = cells.points("ok")[1], cells.points("info")[1]
    assert ok == pytest.approx(100, rel=subject.CELL_HEIGHT)
    assert late == pytest.approx(902, rel=subject.CELL_HEIGHT)


def test_what_was_in_doubt_and_is_acknowledged_at_last_is_both(tell):
    tell.batch(protocol.Invoke, [1], "s")
    tell.batch(protocol.Info, [1], "s")
    tell.batch(protocol.Ok, [1], "s")
    tell.batch(protocol.Ok, [99], "s")  # never announced: no latency
    assert read(tell.records).latencies.messages == {"info": 1, "ok": 1}


def test_no_outlier_gets_lost_when_cells_are_made_wider():
    cells = Cells(limit=50)
    for ms in range(5000):
        cells.add(ms * 1_000_000, 2_000_000, "ok", 3)
    cells.add(2_500_000_000, 90_000_000_000, "fail", 1)
    assert len(cells.found) <= 50
    assert cells.width_ns == 128_000_000
    assert cells.messages == {"ok": 15_000, "fail": 1}
    seconds, ms = cells.points("fail")
    assert seconds[0] == pytest.approx(2.5, abs=0.128)
    assert ms[0] == pytest.approx(90_000, rel=subject.CELL_HEIGHT)
    assert sum(cells.found.values()) == 15_001


def test_cells_that_cannot_be_fewer_are_let_be():
    cells = Cells(limit=3)
    for decade in range(9):
        cells.add(0, 10**decade * 1000, "ok", 1)
    assert len(cells.found) == 9


def test_a_long_run_has_few_steps_and_all_its_messages(tell):
    for number in range(2000):
        tell.ms += 996
        tell.sent(number)
    told = read(tell.records)
    assert told.end // told.step_ns < subject.STEPS_MAX
    assert sum(told.acknowledged["c"].values()) == 2000
    _, rates = told.rates(told.acknowledged["c"])
    assert max(rates[1:-1]) <= 1.5, "still per second"
    assert told.gaps()[1][-1] == 2000


def test_unseen_are_acknowledged_and_given_to_nobody(tell):
    tell.sent((1, 10))
    tell.ms += 300
    tell.got((1, 4))
    tell.got(11)  # before the acknowledgement
    tell.sent(11)
    tell.got(4, redelivered=True)
    tell.ms += 300
    tell.got((5, 10))
    tell.ms += 600
    tell.mark("finished")
    assert read(tell.records).gaps()[1] == [10, 10, 6, 0, 0]


def test_a_fault_is_a_bar(story):
    told = read(story.good().records)
    (fault,) = told.faults
    assert fault.words == "kill n1"
    assert 0 < fault.begin < fault.end
    assert [text for _, text in told.marks] == ["promoted n2", "n1 is back"]


def test_a_fault_of_no_broker_and_one_without_an_end(tell):
    tell.note("fault", name="kill-client", node="-", phase="begin", failover=False)
    tell.mark("urls_changed")
    told = read(tell.records)
    assert (told.faults[0].words, told.faults[0].end) == ("kill-client", 0)
    assert told.lanes == {}
    assert told.marks[0][1] == "URLs changed"


def test_without_logs_a_lane_is_what_the_drill_did(tell):
    tell.mark("formed")
    tell.fault()
    tell.mark("promoted", node="n2")
    tell.fault("end")
    tell.mark("rejoined", node="n1")
    lanes = read(tell.records).lanes
    assert [state for _, state in lanes["n1"]] == ["ready", "active", "away", "ready"]
    assert [state for _, state in lanes["n2"]] == ["ready", "active"]


def test_what_a_broker_tells_itself_counts_more(tell):
    tell.mark("formed")
    tell.note("fault", name="suspend", node="n1", phase="begin", failover=False)
    tell.note("fault", name="suspend", node="n1", phase="end", failover=False)
    tell.mark("rejoined", node="n1")
    first = tell.records[0].t
    for ms, status in ((1, "catchup"), (3, "active")):  # read from its log in the end
        event = {"type": "status", "node": "n1", "life": 1, "status": status}
        tell.add("drill", event, first + ms * 1_000_000)
    lane = read(tell.records).lanes["n1"]
    states = [state for _, state in lane]
    assert states == ["joining", "catching up", "active", "hangs", "active"]
    assert [t for t, _ in lane] == sorted(t for t, _ in lane)


def test_the_end_is_what_was_done_last_and_no_log(tell):
    tell.sent(1)
    end = read(tell.records).end
    tell.note("status", node="n1", life=1, status="active")
    assert read(tell.records).end == end

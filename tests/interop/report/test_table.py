from __future__ import annotations

from tanist_interop import protocol
from tanist_interop.report.results import document
from tanist_interop.report.table import quiet_lines, render, rows, summary


def test_the_table_of_a_good_run(results):
    text = render(results, 12.34)
    lines = text.splitlines()
    assert lines[0] == "kill-primary, seed 7: VALID (12.3 s)"
    assert lines[2].split() == [
        "attempts", "acknowledged", "received", "LOST", "UNEXPECTED", "duplicated", "recovered",
    ]  # fmt: skip
    assert lines[3].split() == ["all", "20", "20", "22", "0", "0", "2", "0"]
    assert lines[5].split() == ["received/acknowledged,", "lost", ">", "c"]
    assert lines[6].split() == ["c", ">", "18/20,", "0"]
    assert "order: kept" in lines
    assert "duplicates: 2 (bound 21)" in lines
    assert any(line.startswith("from the kill to") for line in lines)
    assert lines[-1] == "again: again"


def test_what_nobody_can_judge_is_printed(results):
    assert "not judged" not in render(results, 1)
    results["context"]["unjudged"] = ["stall: why"]
    assert "not judged: stall: why" in render(results, 1).splitlines()


def test_bad_news_is_printed(story, new_story):
    story.good().got(99, source="d")
    story.note("broker_log", node="n1", line="Traceback")
    story.note("not_run", client="x", reason="no java", remedy="clients/setup")
    text = render(story.verdict().as_json(), 1)
    assert ": INVALID" in text
    assert "problem: total-queue: 1 unexpected: p:99" in text
    assert "problem: brokers: n1 logged: Traceback" in text
    assert "not run: x: no java; to get it: clients/setup" in text


def test_loss_is_not_known_without_a_drain(story):
    story.run()
    story.sender()
    story.receiver()
    story.sent(1)
    lines = render(story.verdict().as_json(), 1).splitlines()
    assert lines[3].split() == ["all", "1", "1", "0", "?", "0", "0", "0"]
    assert lines[6].split() == ["c", ">", "0/1,", "?"]


def test_a_row_per_flow_without_a_matrix(story):
    story.good(checks=("total-queue",))
    lines = render(story.verdict().as_json(), 1).splitlines()
    assert lines[3].split() == ["s", ">", "r", "20", "20", "22", "0", "0", "2", "0"]
    assert lines[4].split() == ["all", "20", "20", "22", "0", "0", "2", "0"]


def test_a_cell_that_is_missing_is_shown(story):
    story.good().program("x", "other")
    lines = render(story.verdict().as_json(), 1).splitlines()
    assert lines[7].split() == ["other", ">", "-", "-"]


def test_of_many_senders_of_a_program_the_slowest_counts(story):
    results = story.good().verdict().as_json()
    results["figures"]["failover"]["first_ack_ms"] = {"s to q": 100.0, "s to p": 2500.0}
    lines = [" ".join(line.split()) for line in render(results, 1).splitlines()]
    assert "s 0.00 s 0.00 s 2.50 s" in lines


def test_pauses_and_memory_are_printed(story):
    story.run("stopped-backup")
    story.sender()
    story.fault(failover=False)
    story.note("memory", node="n1", bytes=2**21, moment="ready")
    text = render(story.verdict().as_json(), 1)
    assert "memory of n1: 2 MiB ready" in text
    assert "no confirmation to s for" in text


def test_a_quiet_time_is_told_with_its_longest_pauses(results):
    figures = {
        "watched_s": 30.0,
        "intervals": 30,
        "pauses_s": {"a.send": 4.0, "b": 4.1},
        "connections_lost": 1,
        "dropped": 2,
        "untold": {"b": "the library does not tell"},
        "mute": ["n2"],
    }
    results["figures"]["quiet"] = figures
    assert quiet_lines(figures) == [
        "quiet for 30.0 s, 30 heartbeat intervals of each program: 1 connections lost, 2 times a "
        "broker lost somebody",
        "longest pause between two messages: a.send 4.0 s, b 4.1 s",
        "unsupported: b: the library does not tell",
        "n2 does not tell in its log whom it loses",
    ]
    assert set(quiet_lines(figures)) < set(render(results, 1).splitlines())
    assert quiet_lines({}) == [], "it did not pass"


def test_the_summary_adds_up(results):
    text = summary([(results, 1.0), (results, 2.0)])
    assert text.startswith("2 runs in 3 s: 2 VALID\n")
    assert text.splitlines()[2].split() == ["40", "40", "44", "0", "0", "4", "0"]


def test_a_soak_is_summed_up(story):
    story.run("soak")
    story.sender()
    story.receiver()
    for number in range(3):
        story.fault()
        story.say("s", protocol.Disconnected(story.ms * 1_000_000))
        story.mark("promote_begin", node="n2")
        story.mark("promoted", node="n2")
        story.sent(number)
        for life in range(3):
            story.note("memory", node=f"n{life}", bytes=2**25, moment="whole", life=number)
    story.got(1)
    story.say("s", protocol.Reopened(1, 3, "Boom", 5))
    text = render(story.verdict().as_json(), 1)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "3 failovers, from the fault to detected promoted first new ack" in lines
    assert any(line.startswith("half of them 0.00 s 0.00 s 0.0") for line in lines)
    assert "faults: kill primary 3" in lines
    duplicates = "duplicates: 0; at most 0 of one queue after one failover (bound 21); "
    assert duplicates + "1 connections lost beside the failovers" in lines
    assert "s went on with a new connection 1 times: its library had given up" in lines
    assert any("32 MiB in the first quarter, 32 MiB in the last" in line for line in lines)


def test_a_broker_that_came_back_often_has_its_longest_time(story):
    for _ in range(2):
        story.fault("end")
        story.mark("rejoined", node="n1")
    story.run("kill-primary")
    assert "n1 was a ready backup at most 0.00 s after" in render(story.verdict().as_json(), 1)


def trial(case, **more):
    figures = {"held": 10, "again": 10, "marked": 10, "dead": 0, "unsupported": "", "problems": []}
    return {"client": "x", "case": case, **figures, **more}


def test_what_became_of_held_messages(story):
    story.run("redelivered")
    results = story.verdict().as_json()
    results["figures"]["outcomes"]["trials"] = [
        trial("killed"),
        trial("released", marked=1, problems=["1 came again with a mark"]),
        trial("rejected", again=0, dead=10),
        trial("rolled-back", unsupported="no transactions"),
    ]
    lines = [" ".join(line.split()) for line in render(results, 1).splitlines()]
    assert lines[2] == "what was held came again killed released rejected rolled-back"
    assert lines[3] == ("x 10/10, marked 10 WRONG 10/10, marked 1 0/10, dead 10 unsupported")
    assert "unsupported: x, rolled-back: no transactions" in lines
    assert not any(line.startswith("order") for line in lines)


def test_a_crowd_has_no_row_per_flow(results):
    results["flows"] *= 100
    assert len(rows(results)) == 2


def test_what_a_clients_own_settings_allow_stands_beside_its_time(story):
    results = story.good().verdict().as_json()
    retry = {"least_ms": 2000.0, "most_ms": 3000.0, "because": "2 s"}
    results["context"]["retries"] = {"c": retry}
    for found in (results, document(results, 1)):
        lines = [" ".join(line.split()) for line in render(found, 1).splitlines()]
        assert any(line.endswith("2.00 s to 3.00 s") for line in lines), lines


def test_transactions_have_a_row_for_each_sender(results):
    tally = {"sender": "a.send", "committed": 5, "rolled_back": 2, "lost": 1, "in_doubt": 1,
             "recovered": 0}  # fmt: skip
    results["figures"]["transactions"] = {
        "senders": [tally], "receivers": {"b.receive": 7, "c": 8}, "receivers_in_doubt": 2,
        "unsupported": {"js-rhea": "rhea has no transactions"},
    }  # fmt: skip
    lines = render(results, 1).splitlines()
    assert any(line.split() == ["a.send", "5", "2", "1", "1", "0"] for line in lines)
    assert "transactions of receivers: b.receive 7, c 8; 2 in doubt" in lines
    assert "unsupported: js-rhea: rhea has no transactions" in lines


def test_subscriptions_have_a_row_each(results):
    same = {"producer": "a.1", "got": 1200, "kept": 0, "missed": 0}
    results["figures"]["subscriptions"] = {
        "subscriptions": [
            {**same, "kind": "temporary", "client": "b", "missed": 7},
            {**same, "kind": "active", "client": "c"},
            {**same, "kind": "inactive", "client": "d", "kept": 80},
        ]
    }
    rows = [line.split() for line in render(results, 1).splitlines()]
    assert ["b", "a.1", "temporary", "1,200", "-", "7"] in rows
    assert ["c", "a.1", "active", "1,200", "-", "-"] in rows
    assert ["d", "a.1", "inactive", "1,200", "80", "-"] in rows


def test_replicas_have_a_row_each(results):
    same = {"queues": 2, "messages": 1200, "digest": "00ff"}
    results["figures"]["replicas"] = {
        "nodes": [
            {"node": "n1", "status": "active", **same},
            {"node": "n2", "status": "ready", **same},
        ]
    }
    rows = [line.split() for line in render(results, 1).splitlines()]
    assert ["n1", "active", "2", "1,200", "00ff"] in rows
    assert ["n2", "ready", "2", "1,200", "00ff"] in rows
    results["figures"]["replicas"] = {"nodes": []}
    assert "replica" not in render(results, 1)

from __future__ import annotations

from tanist.cli.ha_report import (
    QUEUES_NAMED_MAX,
    Member,
    has_primary,
    line,
    losses,
    newest,
    problems,
)
from tanist.wire.amqp010.values import Value

NOW_NS = 1_700_000_100 * 10**9


def member(
    name: str, status: str = "ready", epoch: int = 3, index: int = 10, depths=None, **more: Value
) -> Member:
    values: dict[str, Value] = {"status": status, "epoch": epoch, "index": index, "messages": 4}
    values["applied"] = index
    return Member(name, {**values, **more}, "", depths or {})


def original(name: str, status: str) -> Member:
    return Member(name, {"status": status})


def filling(**more: Value) -> dict[str, Value]:
    return {"done": 1200, "total": 5000, "unit": "messages", "etaSeconds": 31, **more}


def test_a_broker_that_is_well_has_a_bare_line() -> None:
    assert line(member("n1"), NOW_NS) == "n1 ready"
    assert line(original("n1", "active"), NOW_NS) == "n1 active"
    assert line(Member("n1", {}, "cannot connect"), NOW_NS) == "n1 cannot connect"


def test_a_line_may_say_where_it_stands() -> None:
    assert line(member("n1"), NOW_NS, place=True) == "n1 ready (epoch 3, index 10, 4 messages)"
    assert line(original("n1", "ready"), NOW_NS, place=True) == "n1 ready"
    behind = line(member("n1", applied=7), NOW_NS, place=True)
    assert behind == "n1 ready (epoch 3, index 10 of which 3 not applied yet, 4 messages)"


def test_progress_and_the_time_to_go() -> None:
    said = line(member("n1", "catchup", catchUp=filling()), NOW_NS)
    assert said == "n1 catchup (24 %, 1,200 of 5,000 messages, about 31 s to go)"
    said = line(member("n1", "catchup", catchUp=filling(etaSeconds=-1)), NOW_NS)
    assert said == "n1 catchup (24 %, 1,200 of 5,000 messages)"
    said = line(member("n1", "catchup", catchUp=filling(done=0, total=0, etaSeconds=0)), NOW_NS)
    assert said == "n1 catchup (100 %, 0 of 0 messages, about 0 s to go)"
    assert line(member("n1", "catchup", catchUp={"done": "x"}), NOW_NS) == "n1 catchup"


def test_what_is_stuck_says_since_when_and_why() -> None:
    since = NOW_NS - 65 * 10**9
    said = line(member("n1", "recovering", stuckSince=since, reason="waits for n2"), NOW_NS)
    assert said == "n1 recovering (stuck for 65 s: waits for n2)"
    ahead = line(member("n1", stuckSince=NOW_NS + 10**9, reason="x"), NOW_NS)
    assert ahead == "n1 ready (stuck for 0 s: x)", "clocks differ"


def test_each_complaint_once() -> None:
    first = member("n1", problems=["two primaries", "two primaries"])
    assert problems([first, member("n2", problems="x"), original("n3", "ready")]) == [
        "n1: two primaries"
    ]


def test_whether_anybody_serves() -> None:
    assert has_primary([member("n1"), member("n2", "recovering")])
    assert not has_primary([member("n1"), Member("n2", {}, "gone")])


def test_who_has_the_newest_state() -> None:
    everybody = [
        member("partial", "catchup", epoch=4, index=99),
        member("old", epoch=2, index=50),
        member("less", index=9),
        member("best", index=10),
        Member("gone", {}, "no answer"),
        original("qpidd", "ready"),
    ]
    found = newest(everybody)
    assert found is not None
    assert found.address == "best"
    found = newest(everybody[:1])
    assert found is not None
    assert found.address == "partial", "better than nothing"
    empty = Member("n1", {"status": "joining", "epoch": 0, "index": 0, "messages": 0})
    assert newest([empty, original("n2", "ready")]) is None


def test_nothing_is_lost_if_nobody_has_more() -> None:
    assert losses(member("n1"), [member("n2", index=8), member("n3", epoch=2, index=99)]) == []


def test_what_is_lost() -> None:
    chosen = member("n1", "catchup", depths={"a": 5}, catchUp=filling())
    others = [
        member("n2", index=13, depths={"a": 7, "b": 1}),
        member("n3", epoch=4, index=2),
        Member("n4", {}, "no answer"),
    ]
    assert losses(chosen, others) == [
        "n1 was catching up (24 %, 1,200 of 5,000 messages, about 31 s to go); the rest is lost",
        "n2 (ready, epoch 3, index 13, 4 messages) has 3 newer records; "
        "messages: 2 more on a, 1 more on b",
        "n3 (ready, epoch 4, index 2, 4 messages) has a newer history (epoch 4)",
        "n4 does not answer: what only it has is lost",
    ]
    unknown = losses(member("n1", "catchup"), [])
    assert unknown == ["n1 was catching up (it does not say how much); the rest is lost"]


def test_many_queues_are_counted() -> None:
    depths = {f"q{number:03}": 1 for number in range(QUEUES_NAMED_MAX + 5)}
    (text,) = losses(member("n1"), [member("n2", depths=depths)])
    assert text.endswith("1 more on q019, more on 5 further queues")

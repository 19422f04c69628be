from __future__ import annotations

from typing import ClassVar

import pytest

from tanist_interop import protocol
from tanist_interop.checkers.finding import Valid
from tanist_interop.checkers.operations import read
from tanist_interop.checkers.subscriptions import check, totals


class Topic:
    """Thirty messages of ``s`` to a topic, in four parts: before ``subscribed``, before the
    inactive subscription is left, before the failover, after it. ``t`` has the temporary
    subscription, ``a`` the active one, ``i`` the inactive one."""

    programs: ClassVar = {"temporary": "t", "active": "a", "inactive": "i"}

    def __init__(self, story) -> None:
        self.story = story
        self.late = {"temporary": [(21, 30)], "active": [(21, 30)], "inactive": [(11, 30)]}
        self.early = {"temporary": [(6, 20)], "active": [(6, 20)], "inactive": [(6, 10)]}
        self.kinds = list(self.programs)
        self.unsure = 21
        """The first message that is confirmed only after the failover."""
        self.hasty = False
        """Whether the next broker serves before who promoted it knows."""
        self.prompt = False
        """Whether the receiver of the inactive subscription is back before the next message."""

    def finding(self):
        s = self.story
        s.run("subscriptions")
        s.told("s", protocol.Send(3, "topic", "p", 1, 0, topic=True))
        for program in self.programs.values():
            s.program(program, program)
            self.receive(program, 3)
        s.sent((1, 5))
        s.mark("subscribed")
        s.sent((6, 10))
        self.get("inactive", self.early, 3)
        s.ended("i", 5)
        s.sent((11, 20), ok=False)
        s.batch(protocol.Ok, [(11, self.unsure - 1)], "s")
        for kind in ("temporary", "active"):
            self.get(kind, self.early, 3)
        s.ms += 2000
        s.fault()
        s.mark("promote_begin", node="n2")
        if not self.hasty:
            s.mark("promoted", node="n2")
        self.receive("i", 4)
        if self.prompt:
            self.get("inactive", self.late, 4)
        s.sent((21, 30), ok=False)
        s.batch(protocol.Ok, [(self.unsure, 30)], "s")
        for kind in ("temporary", "active"):
            self.get(kind, self.late, 3)
        if not self.prompt:
            self.get("inactive", self.late, 4)
        s.ended("s", 30)
        for kind in self.kinds:
            tasks = [3, 4] if kind == "inactive" else [3]
            program = self.programs[kind]
            s.note("subscription", kind=kind, topic="topic", producer="p", client=program,
                   program=program, tasks=tasks)  # fmt: skip
        return check(read(s.records))

    def receive(self, program, task):
        self.story.told(program, protocol.Receive(task, "topic", 10, 1, topic=True))

    def get(self, kind, parts, task):
        source = self.programs[kind]
        for sns in parts[kind]:
            self.story.batch(protocol.Received, [sns], source, "p", task, redelivered=False)
            self.story.batch(protocol.Acked, [sns], source, "p", task)


def missed(finding):
    """Of each subscription."""
    return [figures["missed"] for figures in finding.figures["subscriptions"]]


@pytest.fixture
def topic(story):
    return Topic(story)


def test_everything_to_everybody(topic):
    finding = topic.finding()
    assert finding.problems == ()
    assert finding.valid is Valid.TRUE
    same = {"producer": "p", "got": 25, "missed": 0}
    assert finding.figures["subscriptions"] == [
        {"kind": "temporary", "client": "t", "kept": 0, **same},
        {"kind": "active", "client": "a", "kept": 0, **same},
        {"kind": "inactive", "client": "i", "kept": 20, **same},
    ]


@pytest.mark.parametrize("kind", ["active", "inactive"])
def test_a_durable_subscription_lacks_nothing(topic, story, kind):
    topic.late[kind] = [(23, 30)] if kind == "active" else [(11, 19), (22, 30)]
    finding = topic.finding()
    assert finding.valid is Valid.FALSE
    name = f"the {kind} subscription of {kind[0]} to p"
    lost = {"active": "p:21, p:22", "inactive": "p:20, p:21"}[kind]
    assert finding.problems == (f"{name}: 2 lost: {lost}",)
    assert totals(read(story.records))["p"]["lost"] == 2


def test_a_temporary_subscription_lacks_what_it_had_not_got_and_what_was_sent_meanwhile(topic):
    topic.early["temporary"], topic.late["temporary"] = [(6, 17)], [(24, 30)]
    finding = topic.finding()
    assert finding.problems == ()
    assert missed(finding) == [6, 0, 0]


@pytest.mark.parametrize(
    ("early", "late", "unsure", "problems"),
    [
        ((6, 19), [(20, 20), (23, 30)], 21, ()),
        ((6, 16), [(17, 17), (20, 30)], 16, ()),
        (
            (6, 13),
            [(15, 15), (18, 30)],
            14,
            ("the temporary subscription of t to p: 1 lost: p:14",),
        ),
    ],
    ids=["confirmed before", "confirmed by the next one", "with another gap"],
)
def test_what_was_buffered_does_not_end_the_gap(topic, early, late, unsure, problems):
    topic.early["temporary"], topic.late["temporary"] = [early], late
    topic.unsure = unsure
    finding = topic.finding()
    assert finding.problems == problems
    assert missed(finding) == [2, 0, 0]


def test_the_next_broker_may_serve_before_its_promotion_is_answered(topic):
    topic.early["temporary"], topic.late["temporary"] = [(6, 17)], [(24, 30)]
    topic.hasty = True
    finding = topic.finding()
    topic.story.mark("promoted", node="n2")
    assert check(read(topic.story.records)).problems == finding.problems == ()
    assert missed(finding) == [6, 0, 0]


def test_a_message_that_is_sent_again_is_no_gap(topic):
    topic.early["temporary"], topic.late["temporary"] = [(6, 20)], [(20, 20), (21, 30)]
    topic.unsure = 20
    finding = topic.finding()
    assert finding.problems == ()
    assert missed(finding) == [0, 0, 0]


@pytest.mark.parametrize(
    ("early", "late"),
    [
        ([(6, 12), (14, 20)], [(21, 30)]),
        ([(6, 20)], [(21, 25), (27, 30)]),
    ],
    ids=["before", "after"],
)
def test_and_nothing_else(topic, early, late):
    topic.early["temporary"], topic.late["temporary"] = early, late
    finding = topic.finding()
    assert finding.valid is Valid.FALSE
    assert "the temporary subscription of t to p: 1 lost: p:" in finding.problems[0]


def test_what_one_has_got_is_not_what_another_one_has_got(topic):
    topic.early["active"] = [(6, 19)]
    assert topic.finding().problems == ("the active subscription of a to p: 1 lost: p:20",)


def test_copies_and_marks_are_those_of_each_subscription(topic):
    topic.early["active"] = [(6, 20), (6, 20)]
    finding = topic.finding()
    assert finding.valid is Valid.FALSE
    told = "the active subscription of a to p: "
    assert f"{told}topic: 15 duplicates after the start, explained are 0" in finding.problems
    assert any(text.startswith(f"{told}15 delivered again without the mark") for text in
               finding.problems)  # fmt: skip


def test_order_is_that_of_each_subscription(topic):
    topic.early["active"] = [(6, 10), (16, 20), (11, 15)]
    told = "the active subscription of a to p: 5 out of order and not marked redelivered"
    assert any(text.startswith(told) for text in topic.finding().problems)


def test_what_nobody_sent_is_found(topic):
    topic.late["active"] = [(21, 31)]
    assert "the active subscription of a to p: 1 unexpected: p:31" in topic.finding().problems


@pytest.mark.parametrize("kind", ["temporary", "active", "inactive"])
def test_a_subscription_with_nothing_after_the_failover_shows_nothing(topic, kind):
    topic.late[kind] = []
    finding = topic.finding()
    assert "got nothing after the failover" in " ".join(finding.problems)
    assert finding.valid is (Valid.UNKNOWN if kind == "temporary" else Valid.FALSE)


def test_what_was_buffered_does_not_show_that_it_goes_on(topic):
    topic.early["temporary"], topic.late["temporary"] = [(6, 19)], [(20, 20)]
    finding = topic.finding()
    assert finding.problems == (
        "the temporary subscription of t to p got nothing after the failover",
    )
    assert finding.valid is Valid.UNKNOWN


def test_messages_of_another_topic_are_found(topic, story):
    story.told("x", protocol.Send(3, "another", "q", 1, 0, topic=True))
    story.sent((1, 5), source="x", producer="q")
    story.told("a", protocol.Receive(3, "topic", 10, 1, topic=True))
    story.batch(protocol.Received, [(1, 2)], "a", "q", 3, redelivered=False)
    finding = topic.finding()
    assert finding.valid is Valid.FALSE
    assert "the active subscription of a to p: 2 unexpected: q:1, q:2" in finding.problems


def test_if_nothing_was_kept_nothing_is_shown(topic):
    topic.early["inactive"], topic.late["inactive"] = [(6, 20)], [(21, 30)]
    topic.prompt = True
    finding = topic.finding()
    assert finding.valid is Valid.UNKNOWN
    assert finding.problems == ("nothing was kept for the inactive subscription of i to p",)


def test_without_subscriptions_nothing_is_shown(topic):
    topic.kinds = []
    finding = topic.finding()
    assert finding.valid is Valid.UNKNOWN
    assert finding.problems == ("nobody subscribed",)


def test_a_client_that_stops_being_able_is_not_overlooked(topic, story):
    story.note("unable", client="cpp-qpid", reason="it has no subscriptions")
    story.note("unable", client="jms-1.0", reason="it has no subscriptions")
    finding = topic.finding()
    assert finding.valid is Valid.UNKNOWN
    assert finding.problems == ("jms-1.0: it has no subscriptions, and not listed as such",)

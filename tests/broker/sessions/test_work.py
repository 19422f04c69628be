"""What is done for all protocols in a step."""

from __future__ import annotations

import pytest
from session_peer import Client, MiniNode

from tanist.sessions.link import STEP_BYTES_MAX, ClientLink
from tanist.sessions.work import Broken, SentSettled, StepWork


def test_a_link_is_refused_once_its_share_is_used_up_and_noted_once() -> None:
    work = StepWork()
    work.step = 1
    link = ClientLink(1, "", "", 0.0)
    assert work.takes(link)
    link.budget = 0
    assert not work.takes(link)
    assert not work.takes(link)
    assert work.starved == [link]
    work.step = 2
    assert work.takes(link)
    assert link.budget == STEP_BYTES_MAX


def test_a_link_that_cannot_be_written_is_refused_but_does_not_starve() -> None:
    work = StepWork()
    link = ClientLink(1, "", "", 0.0)
    link.writable = False
    assert not work.takes(link)
    assert not work.starved


def test_the_next_step_wakes_who_starved() -> None:
    node = MiniNode()
    client = Client(node)
    session = client.attach()
    session.do("queue.declare", queue="q")
    session.subscribe("q")
    link = client.end.link
    assert link is not None
    session.tell("message.flow", destination="d", unit=0, value=1)
    link.budget = 0
    link.step = node.work.step + 1  # the step that brings the message
    session.publish("q")
    assert len(session.messages) == 1
    assert not node.work.starved


def test_writable_wakes() -> None:
    node = MiniNode()
    client = Client(node)
    session = client.attach()
    session.do("queue.declare", queue="q")
    session.subscribe("q")
    assert client.end.link is not None
    node.steps.writable(client.end.link, False)
    session.publish("q")
    assert not session.messages
    node.begin()
    node.steps.writable(client.end.link, True)
    node.finish()
    client.pump()
    assert len(session.messages) == 1


def test_what_is_settled_by_being_sent_leaves_its_queue_at_once() -> None:
    node = MiniNode()
    session = Client(node).attach()
    session.do("queue.declare", queue="q")
    for _ in range(3):
        session.publish("q")
    queue = node.broker.queues["q"]
    settled = SentSettled()
    for entry in queue.entries()[:2]:
        node.work.sent(settled, entry)
    assert node.work.settling == [settled]
    records = len(node.broker.journal)
    node.work.settle(node.broker)
    assert queue.count == 1
    assert len(node.broker.journal) == records + 1
    node.work.settle(node.broker)
    settled.settle(node.broker)
    assert queue.count == 1


def test_the_base_ends_nothing() -> None:
    with pytest.raises(NotImplementedError):
        Broken().end(MiniNode().broker)

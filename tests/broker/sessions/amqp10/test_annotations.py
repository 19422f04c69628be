"""Annotations that an outcome adds."""

from __future__ import annotations

import pytest
from session_peer import Client
from session_peer10 import Client10, Node10, Session10, message

from tanist.core.message import AMQP_1_0, Message
from tanist.core.notices import Actor
from tanist.core.queue import Queue
from tanist.core.records import Entry
from tanist.sessions.amqp10.annotations import ANNOTATIONS_MAX, annotate
from tanist.wire.amqp10.composites import Modified
from tanist.wire.amqp10.sections import split_message


def entry_of(node: Node10, body: bytes) -> Entry:
    queue: Queue = node.broker.queues["q"]
    sent = Message(b"", body, "", "q", True, 7, 5000.0, True, False, 3, AMQP_1_0)
    return Entry(sent, queue, 1)


@pytest.mark.parametrize("before", [{}, {"a": 1}, {"a": 1, "b": "x"}])
def test_they_are_merged_and_the_rest_stays(node: Node10, before: dict[str, object]) -> None:
    bare = message(b"body", application={"p": 1})
    body = message(b"body", annotations=before, application={"p": 1})
    entry = entry_of(node, body)
    old = entry.message
    annotate(node.broker, entry, {"b": "y", "c": [1, 2]})
    new = entry.message
    parts = split_message(new.body)
    assert parts.read_message_annotations() == {**before, "b": "y", "c": [1, 2]}
    assert new.body.endswith(bare)
    assert old.body == body
    for name in ("exchange", "routing_key", "durable", "priority", "expires_at", "redelivered"):
        assert getattr(new, name) == getattr(old, name)
    assert (new.origin, new.form, new.size) == (3, AMQP_1_0, len(new.body))
    assert entry.queue.bytes == new.size - old.size, "the limit of the queue counts what is added"


def test_a_message_that_cannot_be_read_is_left_as_it_is(node: Node10) -> None:
    entry = entry_of(node, b"\x00\x53\x72\xc1\xff")
    old = entry.message
    annotate(node.broker, entry, {"a": 1})
    assert entry.message is old


def test_they_do_not_grow_without_end(node: Node10) -> None:
    entry = entry_of(node, message())
    old = entry.message
    annotate(node.broker, entry, {"a": "x" * ANNOTATIONS_MAX})
    assert entry.message is old


def test_a_full_queue_does_not_grow(node: Node10) -> None:
    entry = entry_of(node, message())
    old = entry.message
    entry.queue.policy.bytes_max = entry.queue.bytes + 5
    annotate(node.broker, entry, {"a": "long enough"})
    assert entry.message is old


def test_other_queues_do_not_see_them(node: Node10, session: Session10) -> None:
    for name in ("q", "r"):
        node.broker.bind("amq.fanout", name, "", None, Actor("", ""))
    session.send(session.sender("amq.fanout"))
    receiver = session.receiver("q", credit=1)
    session.settle(session.got[0].id, Modified(True, None, {"a": 1}))
    session.flow(receiver, 1)
    session.receiver("r", credit=1)
    assert [got.annotations for got in session.got] == [{}, {"a": 1}, {}]


def test_a_0_10_message_gets_them_in_translation(node: Node10) -> None:
    Client(node).attach().publish("q", b"old")
    session = Client10(node).begin()
    receiver = session.receiver("q", credit=1)
    session.settle(session.got[0].id, Modified(True, None, {"why": "x"}))
    session.flow(receiver, 1)
    assert session.got[1].annotations["why"] == "x"

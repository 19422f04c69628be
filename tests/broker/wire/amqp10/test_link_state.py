"""The table of a link: closed, and what a session does in every state."""

from __future__ import annotations

import itertools

import pytest

from tanist.types import LocalProtocolError
from tanist.wire.amqp10 import link_state as state
from tanist.wire.amqp10.composites import Source, Target
from tanist.wire.amqp10.connection import Connection
from tanist.wire.amqp10.events import Attached, Attaching, Detached, Ended
from tanist.wire.amqp10.link import Link
from tanist.wire.amqp10.performatives import Attach, Begin, Detach, Flow, Open, Transfer
from tanist.wire.negotiate import HEADER_1_0
from tests.broker.wire.amqp10.pair import BARE, frame, of, sent

HANDLE = 5
"""The peer's."""

GOT = {
    state.GOT_ATTACH: frame(Attach("link", HANDLE, False, source=Source(), target=Target())),
    state.GOT_FLOW: frame(Flow(0, 10, 0, 10, HANDLE, available=3)),
    state.GOT_TRANSFER: frame(Transfer(HANDLE, 0, b"tag", 0, settled=True), payload=b"x"),
    state.GOT_DETACH: frame(Detach(HANDLE, True)),
}
BY_NAME = (state.ATTACH_SENT, state.DETACH_EARLY)
"""States in which the peer's attach is awaited, and found by its name."""

UNMAPPED = (*BY_NAME, state.DETACH_RCVD, state.GONE)
"""States in which no handle of the peer is mapped to the link."""


def in_state(wanted: int) -> tuple[Connection, Link | None]:
    """A connection with one session and a link of ours that receives, in that state."""
    connection = Connection(BARE, 0.0)
    connection.receive_data(HEADER_1_0 + frame(Open("peer")), 0.0)
    session = connection.begin()
    connection.receive_data(frame(Begin(0, 0, 10, 10)), 0.0)
    link: Link | None = None
    if wanted == state.ATTACH_RCVD:
        (event,) = connection.receive_data(GOT[state.GOT_ATTACH], 0.0)
        assert isinstance(event, Attaching)
        link = event.link
    elif wanted != state.IDLE:
        receiver = session.receiver("link", Source(), Target())
        receiver.flow(10)
        link = receiver
    if wanted in (state.ATTACHED, state.DETACH_SENT, state.DETACH_RCVD, state.GONE):
        connection.receive_data(GOT[state.GOT_ATTACH], 0.0)
    if wanted in (state.DETACH_SENT, state.DETACH_EARLY):
        receiver.detach()
    if wanted in (state.DETACH_RCVD, state.GONE):
        connection.receive_data(GOT[state.GOT_DETACH], 0.0)
    if wanted == state.GONE:
        receiver.detach()
    connection.data_to_send()
    assert link is None or link.state == wanted
    return connection, link


def test_the_table_is_closed():
    assert set(state.LEGAL) <= set(itertools.product(state.STATES, state.INPUTS))
    assert set(state.LEGAL.values()) <= set(state.STATES)


@pytest.mark.parametrize(
    ("start", "got"), list(itertools.product((*state.STATES, -1), GOT)), ids=str
)
def test_every_state_and_frame_is_legal_or_the_right_error(start, got):
    if start == -1:
        # A handle whose link we detached with an error, and the peer confirmed it.
        connection, link = in_state(state.ATTACHED)
        assert link is not None
        link.detach(True, "amqp:link:detach-forced", "away")
        connection.receive_data(GOT[state.GOT_DETACH], 0.0)
        connection.data_to_send()
        if got == state.GOT_ATTACH:
            return
    else:
        connection, link = in_state(start)
    events = connection.receive_data(GOT[got], 0.0)
    target = state.LEGAL.get((start, got))
    by_name = start in BY_NAME and got == state.GOT_ATTACH
    if start in UNMAPPED and not by_name:
        # The handle is free: frames on it are for a link that does not exist.
        target = state.LEGAL.get((state.IDLE, got))
        link = None
    if target is None:
        (ended,) = of(Ended, events)
        assert ended.ours
        assert ended.error is not None
        assert ended.error.condition == state.illegal(got, start == -1)
        assert type(sent(connection)[-1]).__name__ == "End"
        return
    assert of(Ended, events) == []
    assert link is None or link.state in (target, state.DETACH_SENT)
    if start == state.ATTACH_RCVD and got == state.GOT_TRANSFER:
        (detached,) = events
        assert isinstance(detached, Detached)
        assert detached.ours, "there is no credit before the attach is answered"
    elif start == state.ATTACH_SENT and got == state.GOT_ATTACH:
        assert [type(event) for event in events] == [Attached]
    elif start in (state.DETACH_SENT, state.DETACH_EARLY) and got != state.GOT_DETACH:
        assert events == [] or link is None
    else:
        assert len(events) == 1


def test_the_conditions_of_what_is_not_legal():
    assert state.illegal(state.GOT_ATTACH, False) == "amqp:session:handle-in-use"
    assert state.illegal(state.GOT_FLOW, False) == "amqp:session:unattached-handle"
    assert state.illegal(state.GOT_TRANSFER, True) == "amqp:session:errant-link"


@pytest.mark.parametrize("start", [item for item in state.STATES if item != state.IDLE])
@pytest.mark.parametrize("wish", [state.DO_ATTACH, state.DO_DETACH])
def test_every_state_and_wish_is_legal_or_our_bug(start, wish):
    connection, link = in_state(start)
    assert link is not None
    answered = start == state.DETACH_RCVD and wish == state.DO_ATTACH
    if (start, wish) not in state.LEGAL or answered:
        with pytest.raises(LocalProtocolError):
            link.attach_ok(Source(), Target())
        assert link.state == start
        return
    was_alive = link.alive
    if wish == state.DO_ATTACH:
        link.attach_ok(Source(), Target())
        expected = [Attach]
    else:
        link.detach()
        expected = [Attach, Detach] if start == state.ATTACH_RCVD else [Detach]
    assert link.state == state.LEGAL[start, wish]
    assert [type(item) for item in sent(connection)] == (expected if was_alive else [])


def test_an_answer_may_be_late():
    connection, link = in_state(state.ATTACH_RCVD)
    assert link is not None
    (event,) = connection.receive_data(GOT[state.GOT_DETACH], 0.0)
    assert isinstance(event, Detached)
    assert link.alive
    link.attach_ok(Source(), Target())
    assert link.state == state.DETACH_RCVD
    link.detach()
    assert [type(item) for item in sent(connection)] == [Attach, Detach]
    assert link.state == state.GONE

"""The table of a session: closed, and what a connection does in every state."""

from __future__ import annotations

import itertools

import pytest

from tanist.wire.amqp10 import session_state as state
from tanist.wire.amqp10.connection import Connection
from tanist.wire.amqp10.events import Failed
from tanist.wire.amqp10.performatives import Begin, Close, Detach, End, Flow, Open
from tanist.wire.negotiate import HEADER_1_0
from tests.broker.wire.amqp10.pair import BARE, frame, of, sent

CHANNEL = 7
"""The peer's; ours is 0."""

BYTES = {
    state.GOT_BEGIN: frame(Begin(None, 0, 10, 10), CHANNEL),
    state.GOT_BEGUN: frame(Begin(0, 0, 10, 10), CHANNEL),
    state.GOT_END: frame(End(), CHANNEL),
    state.GOT_FRAME: frame(Flow(None, 10, 0, 10, echo=True), CHANNEL),
}


def in_state(wanted: int) -> Connection:
    """An open connection with at most one session, in that state, with nothing to send."""
    connection = Connection(BARE, 0.0)
    connection.receive_data(HEADER_1_0 + frame(Open("peer")), 0.0)
    if wanted != state.IDLE:
        session = connection.begin()
        if wanted != state.BEGIN_SENT:
            connection.receive_data(BYTES[state.GOT_BEGUN], 0.0)
        if wanted == state.END_SENT:
            session.end()
        assert session.state == wanted
    connection.data_to_send()
    return connection


def test_the_table_is_closed():
    assert set(state.LEGAL) <= set(itertools.product(state.STATES, state.INPUTS))
    assert set(state.LEGAL.values()) <= set(state.STATES)
    assert set(state.ILLEGAL) == set(state.STATES)
    assert set(BYTES) == set(state.INPUTS)


@pytest.mark.parametrize(("start", "got"), list(itertools.product(state.STATES, BYTES)))
def test_every_state_and_frame_is_legal_or_the_right_error(start, got):
    connection = in_state(start)
    session = connection.sessions.get(0)
    events = connection.receive_data(BYTES[got], 0.0)
    target = state.LEGAL.get((start, got))
    if start == state.BEGIN_SENT and got != state.GOT_BEGUN:
        # No channel of the peer is mapped to it yet: what comes is for an idle channel.
        target = state.LEGAL.get((state.IDLE, got))
        start, session = state.IDLE, None
    if target is None or (start, got) == (state.END_SENT, state.GOT_BEGUN):
        # It is mapped already here, the state is as good as any other that has its Begin.
        expected = state.ILLEGAL[start] if target is None else "amqp:not-allowed"
        assert [event.condition for event in of(Failed, events)] == [expected]
        assert [type(item) for item in sent(connection)] == [Close]
        return
    assert not of(Failed, events)
    if session is not None:
        assert session.state == target
        assert session.alive == (target == state.MAPPED)
    answers = [type(item) for item in sent(connection)]
    if got == state.GOT_BEGIN:
        assert answers == [Begin]
    elif start == state.MAPPED:
        assert answers == [End if got == state.GOT_END else Flow]
    else:
        assert answers == []


def test_an_early_end_is_answered_by_begin_and_end():
    connection = in_state(state.IDLE)
    session = connection.begin()
    session.end()
    assert [type(item) for item in sent(connection)] == [Begin, End]
    assert connection.receive_data(BYTES[state.GOT_BEGUN], 0.0) == []
    assert connection.receive_data(frame(Detach(0), CHANNEL), 0.0) == []
    (ended,) = connection.receive_data(BYTES[state.GOT_END], 0.0)
    assert ended.session is session
    assert connection.sessions == {}
    assert sent(connection) == []

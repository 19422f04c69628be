"""The table of a connection: the specification's, and what a connection does in every state."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable
from math import inf

import pytest

from tanist.types import LocalProtocolError
from tanist.wire.amqp10 import connection_state as state
from tanist.wire.amqp10.connection import CLOSE_TIMEOUT_S, Connection, ConnectionSettings
from tanist.wire.amqp10.connection_state import INPUTS, LEGAL, STATES
from tanist.wire.amqp10.events import Closed, Failed
from tanist.wire.amqp10.framing import EMPTY_FRAME
from tanist.wire.amqp10.performatives import (
    Begin,
    Close,
    Open,
    SaslChallenge,
    SaslInit,
    SaslMechanisms,
    SaslOutcome,
    SaslResponse,
)
from tanist.wire.negotiate import HEADER_1_0, HEADER_1_0_SASL
from tests.broker.wire.amqp10.pair import CLIENT, frame, of, sasl, sent

SERVER_STEPS = [
    (state.GOT_SASL_HEADER, state.AWAIT_INIT),
    (state.GOT_INIT, state.JUDGING),
    (state.DO_CHALLENGE, state.AWAIT_RESPONSE),
    (state.GOT_RESPONSE, state.JUDGING),
    (state.DO_ACCEPT, state.AWAIT_AMQP),
    (state.GOT_AMQP_HEADER, state.AWAIT_OPEN),
    (state.GOT_OPEN, state.ADMITTING),
    (state.DO_OPEN_OK, state.OPEN),
]
CLIENT_STEPS = [
    (state.GOT_SASL_HEADER, state.EXPECT_MECHANISMS),
    (state.GOT_MECHANISMS, state.EXPECT_OUTCOME),
    (state.GOT_CHALLENGE, state.ANSWERING),
    (state.DO_RESPOND, state.EXPECT_OUTCOME),
    (state.GOT_OUTCOME, state.EXPECT_AMQP),
    (state.GOT_AMQP_HEADER, state.EXPECT_OPEN),
    (state.GOT_OPEN, state.OPEN),
]
BARE_STEPS = [
    (state.GOT_AMQP_HEADER, state.AWAIT_OPEN),
    (state.GOT_OPEN, state.ADMITTING),
    (state.DO_OPEN_OK, state.OPEN),
]


def test_both_roles_get_to_open_and_no_step_can_be_left_out():
    taken = set()
    for start, steps in (
        (state.AWAIT_HEADER, SERVER_STEPS),
        (state.AWAIT_HEADER, BARE_STEPS),
        (state.EXPECT_SASL, CLIENT_STEPS),
    ):
        current = start
        for got, target in steps:
            assert LEGAL[current, got] == target
            taken.add((current, got))
            current = target
        assert current == state.OPEN
    elsewhere = {state.GOT_EMPTY, state.GOT_CLOSE, state.DO_FAIL}
    assert taken == {
        (source, got) for source, got in LEGAL if source < state.OPEN and got not in elsewhere
    }


def test_the_table_is_closed_and_nothing_leaves_closed():
    assert set(LEGAL) <= set(itertools.product(STATES, INPUTS))
    assert set(LEGAL.values()) <= set(STATES)
    assert {LEGAL[state.CLOSED, got] for got in INPUTS} == {state.CLOSED}
    assert set(state.ILLEGAL) == set(STATES)


def test_sessions_are_legal_only_when_open_and_ignored_after_close():
    legal = {source for source, got in LEGAL if got == state.GOT_SESSION}
    assert legal == {state.OPEN, state.CLOSING, state.CLOSED}


# -- every (state, input) pair of a connection ----------------------------------------------------

BYTES = {
    state.GOT_SASL_HEADER: HEADER_1_0_SASL,
    state.GOT_AMQP_HEADER: HEADER_1_0,
    state.GOT_MECHANISMS: sasl(SaslMechanisms(("ANONYMOUS",))),
    state.GOT_INIT: sasl(SaslInit("ANONYMOUS")),
    state.GOT_CHALLENGE: sasl(SaslChallenge(b"c")),
    state.GOT_RESPONSE: sasl(SaslResponse(b"r")),
    state.GOT_OUTCOME: sasl(SaslOutcome(0)),
    state.GOT_OPEN: frame(Open("peer")),
    state.GOT_CLOSE: frame(Close()),
    state.GOT_EMPTY: EMPTY_FRAME,
    state.GOT_SESSION: frame(Begin(None, 0, 10, 10)),
}
DOINGS: dict[int, Callable[[Connection], object]] = {
    state.DO_CHALLENGE: lambda connection: connection.sasl_challenge(b""),
    state.DO_ACCEPT: lambda connection: connection.sasl_accept("u"),
    state.DO_FAIL: lambda connection: connection.sasl_fail(),
    state.DO_OPEN_OK: lambda connection: connection.open_ok("server"),
    state.DO_RESPOND: lambda connection: connection.sasl_respond(b""),
    state.DO_BEGIN: lambda connection: connection.begin(),
}


def in_state(wanted: int) -> Connection:
    """A connection walked to that state by legal steps, with nothing to send."""
    client = state.EXPECT_SASL <= wanted <= state.EXPECT_OPEN
    steps = CLIENT_STEPS if client else SERVER_STEPS
    connection = Connection(CLIENT if client else ConnectionSettings(), 0.0)
    for got, target in steps:
        if connection.state == min(wanted, state.OPEN):
            break
        if got in DOINGS:
            DOINGS[got](connection)
        else:
            assert not of(Failed, connection.receive_data(BYTES[got], 0.0))
        assert connection.state == target
    if wanted >= state.CLOSING:
        connection.close()
    if wanted == state.CLOSED:
        connection.receive_data(BYTES[state.GOT_CLOSE], 0.0)
    connection.data_to_send()
    assert connection.state == wanted
    return connection


@pytest.mark.parametrize(("start", "got"), list(itertools.product(STATES, BYTES)))
def test_every_state_and_input_is_legal_or_the_right_error(start, got):
    connection = in_state(start)
    events = connection.receive_data(BYTES[got], 0.0)
    if start in state.HELD_STATES:
        assert events == []
        assert connection.state == start
        return
    failures = of(Failed, events)
    header = got in (state.GOT_SASL_HEADER, state.GOT_AMQP_HEADER)
    target = LEGAL.get((start, got))
    if target is None or (start == state.CLOSING and header):
        # Between headers the parser meets what is none of its kind: that is a framing error.
        mismatch = header != (start in state.HEADER_STATES) and start != state.CLOSED
        sasl_frame = state.GOT_MECHANISMS <= got <= state.GOT_OUTCOME
        expected = state.ILLEGAL[start]
        if mismatch or sasl_frame:
            expected = "amqp:connection:framing-error"
        assert [event.condition for event in failures] == [expected]
        assert connection.closed
        named = [type(item).__name__ for item in sent(connection)]
        if start in (state.OPEN, state.EXPECT_OPEN):
            assert named == ["Close"]
        elif start == state.AWAIT_OPEN:
            assert named == ["Open", "Close"]
        else:
            assert named == []
    elif start == state.CLOSING and state.GOT_MECHANISMS <= got <= state.GOT_OUTCOME:
        assert connection.closed
    else:
        assert failures == []
        assert connection.state == target
    assert connection.closed == (connection.state == state.CLOSED)


@pytest.mark.parametrize(("start", "wish"), list(itertools.product(STATES, DOINGS)))
def test_every_state_and_wish_is_legal_or_our_bug(start, wish):
    connection = in_state(start)
    target = LEGAL.get((start, wish))
    if target is None:
        with pytest.raises(LocalProtocolError):
            DOINGS[wish](connection)
        assert connection.state == start
    else:
        DOINGS[wish](connection)
        assert connection.state == target
        if start in (state.CLOSING, state.CLOSED):
            assert connection.data_to_send() == b""


@pytest.mark.parametrize("start", STATES)
def test_close_is_possible_in_every_state(start):
    connection = in_state(start)
    connection.close()
    if start in (*state.HEADER_STATES, *state.SASL_STATES, state.CLOSED):
        assert connection.closed
        assert connection.data_to_send() == b""
        return
    assert connection.state == state.CLOSING
    named = [type(item).__name__ for item in sent(connection)]
    if start == state.CLOSING:
        assert named == []
    elif start in (state.AWAIT_OPEN, state.ADMITTING):
        assert named == ["Open", "Close"]
    else:
        assert named == ["Close"]
    assert connection.deadline == CLOSE_TIMEOUT_S
    assert connection.tick(CLOSE_TIMEOUT_S - 0.1) == []
    (event,) = connection.tick(CLOSE_TIMEOUT_S)
    assert isinstance(event, Failed)
    assert event.silent
    assert connection.closed
    assert connection.deadline == inf


def test_closes_may_cross():
    connection = in_state(state.CLOSING)
    (event,) = connection.receive_data(BYTES[state.GOT_CLOSE], 0.0)
    assert isinstance(event, Closed)
    assert event.error is None
    assert sent(connection) == []


def test_an_abandoned_connection_keeps_and_says_nothing() -> None:
    connection = Connection(ConnectionSettings(), 0.0)
    connection.receive_data(HEADER_1_0, 0.0)
    assert connection.has_data(), "the header waits"
    opening = frame(Open("peer", properties={"a": "x" * 50_000}))
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    connection.receive_data(opening[:-1], 0.0)
    grown = tracemalloc.get_traced_memory()[0] - before
    connection.abandon()
    kept = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown > 50_000 > 10 * kept
    assert connection.closed
    assert connection.deadline == inf
    assert not connection.has_data()
    assert connection.data_to_send() == b""
    assert connection.receive_data(opening[-1:], 0.0) == []
    assert connection.tick(1e9) == []
    assert connection.open_ok("server") == []

"""The table of a connection: the specification's, and what a connection does in every state."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable
from math import inf

import pytest

from tanist.types import LocalProtocolError
from tanist.wire.amqp010 import connection_state as state
from tanist.wire.amqp010.codec import decode_control, encode_command, encode_control, make
from tanist.wire.amqp010.connection import CLOSE_TIMEOUT_S, Connection, ConnectionSettings
from tanist.wire.amqp010.connection_state import CONTROL_INPUTS, INPUTS, LEGAL, STATES
from tanist.wire.amqp010.events import Closed, Failed
from tanist.wire.amqp010.framing import FrameParser, encode_command_frame, encode_control_frame
from tanist.wire.amqp010.spec import CONTROLS
from tanist.wire.amqp010.values import Array, Value, vbin16
from tanist.wire.negotiate import HEADER_0_10

SERVER = [
    (state.GOT_HEADER, state.AWAIT_START_OK),
    (state.GOT_START_OK, state.JUDGING),
    (state.DO_CHALLENGE, state.AWAIT_SECURE_OK),
    (state.GOT_SECURE_OK, state.JUDGING),
    (state.DO_ACCEPT, state.AWAIT_TUNE_OK),
    (state.GOT_TUNE_OK, state.AWAIT_OPEN),
    (state.GOT_OPEN, state.ADMITTING),
    (state.DO_OPEN_OK, state.OPEN),
]
CLIENT = [
    (state.GOT_HEADER, state.EXPECT_START),
    (state.GOT_START, state.EXPECT_TUNE),
    (state.GOT_TUNE, state.EXPECT_OPEN_OK),
    (state.GOT_OPEN_OK, state.OPEN),
]


def walk(start: int, steps: list[tuple[int, int]]) -> None:
    current = start
    for got, target in steps:
        assert LEGAL[current, got] == target
        current = target
    assert current == state.OPEN


def test_both_roles_get_to_open_and_no_step_can_be_left_out():
    walk(state.AWAIT_HEADER, SERVER)
    walk(state.EXPECT_HEADER, CLIENT)
    handshake = {got for got, _ in SERVER + CLIENT}
    steps = {(source, got) for source, got in LEGAL if got in handshake and source < state.OPEN}
    assert len(steps) == len(SERVER) + len(CLIENT)


def test_the_table_is_closed_and_nothing_leaves_closed():
    assert set(LEGAL) <= set(itertools.product(STATES, INPUTS))
    assert set(LEGAL.values()) <= set(STATES)
    assert {LEGAL[state.CLOSED, got] for got in INPUTS} == {state.CLOSED}


def test_commands_are_legal_only_when_open_and_ignored_after_close():
    legal = {source for source, got in LEGAL if got == state.GOT_SESSION}
    assert legal == {state.OPEN, state.CLOSING, state.CLOSED}


def test_every_connection_control_is_an_input_and_nothing_else():
    names = {item.name for item in CONTROLS.values() if item.name.startswith("connection.")}
    assert set(CONTROL_INPUTS) == names
    assert len(set(CONTROL_INPUTS.values())) == len(names)


# -- every (state, input) pair of a connection ----------------------------------------------------


def control(name: str, /, **fields) -> bytes:
    return encode_control_frame(0, encode_control(make(name, **fields)))


def names(connection: Connection) -> list[str]:
    """The controls that wait to be sent."""
    data = connection.data_to_send().removeprefix(HEADER_0_10)
    return [decode_control(frame.payload).name for frame in FrameParser().feed(data)]


BYTES = {
    state.GOT_START: control("connection.start", mechanisms=Array(0x95, ["ANONYMOUS"])),
    state.GOT_START_OK: control("connection.start-ok", mechanism="ANONYMOUS", response=b""),
    state.GOT_SECURE: control("connection.secure", challenge=b""),
    state.GOT_SECURE_OK: control("connection.secure-ok", response=b""),
    state.GOT_TUNE: control("connection.tune", heartbeat_max=10),
    state.GOT_TUNE_OK: control("connection.tune-ok", channel_max=100),
    state.GOT_OPEN: control("connection.open", virtual_host=""),
    state.GOT_OPEN_OK: control("connection.open-ok"),
    state.GOT_REDIRECT: control("connection.redirect", host="amqp:tcp:h:1"),
    state.GOT_HEARTBEAT: control("connection.heartbeat"),
    state.GOT_CLOSE: control("connection.close", reply_code=200, reply_text="bye"),
    state.GOT_CLOSE_OK: control("connection.close-ok"),
    state.GOT_SESSION: control("session.attach", name=vbin16(b"s")),
}
COMMAND = encode_command_frame(9, encode_command(make("execution.sync")))
DOINGS: dict[int, Callable[[Connection], object]] = {
    state.DO_CHALLENGE: lambda connection: connection.sasl_challenge(b""),
    state.DO_ACCEPT: lambda connection: connection.sasl_accept("u"),
    state.DO_OPEN_OK: lambda connection: connection.open_ok([]),
    state.DO_ATTACH: lambda connection: connection.attach("s"),
}


SERVER_READS = (state.GOT_START_OK, state.GOT_TUNE_OK, state.GOT_OPEN)


def in_state(wanted: int) -> Connection:
    """A connection walked to that state by legal steps."""
    if wanted in (state.EXPECT_HEADER, state.EXPECT_START, state.EXPECT_TUNE, state.EXPECT_OPEN_OK):
        connection = Connection(ConnectionSettings(role="client"), 0.0)
        steps = [HEADER_0_10, BYTES[state.GOT_START], BYTES[state.GOT_TUNE]]
    else:
        connection = Connection(ConnectionSettings(), 0.0)
        steps = [HEADER_0_10, *(BYTES[got] for got in SERVER_READS)]
    for data in steps:
        if connection.state == wanted:
            break
        if connection.state == state.JUDGING:
            connection.sasl_accept("u")
        if connection.state != wanted:
            connection.receive_data(data, 0.0)
    if wanted == state.AWAIT_SECURE_OK:
        connection = in_state(state.JUDGING)
        connection.sasl_challenge(b"")
    if wanted >= state.OPEN:
        connection.open_ok([])
    if wanted >= state.CLOSING:
        connection.close()
    if wanted == state.CLOSED:
        connection.receive_data(BYTES[state.GOT_CLOSE_OK], 0.0)
    connection.data_to_send()
    assert connection.state == wanted
    return connection


@pytest.mark.parametrize(("start", "got"), list(itertools.product(state.STATES, BYTES)))
def test_every_state_and_control_is_legal_or_501(start, got):
    connection = in_state(start)
    if start in state.HEADER_STATES:
        (event,) = connection.receive_data(BYTES[got], 0.0)
        assert isinstance(event, Failed)
        return
    events = connection.receive_data(BYTES[got], 0.0)
    failures = [event for event in events if isinstance(event, Failed)]
    target = state.LEGAL.get((start, got))
    if target is None:
        assert [event.code for event in failures] == [501]
        assert connection.closed
        assert names(connection)[-1] == "connection.close"
    else:
        assert failures == []
        assert connection.state == target
    assert connection.closed == (connection.state == state.CLOSED)


@pytest.mark.parametrize("start", state.STATES)
def test_every_state_and_command_is_legal_or_501(start):
    connection = in_state(start)
    events = connection.receive_data(COMMAND, 0.0)
    legal = (start, state.GOT_SESSION) in state.LEGAL
    assert [type(event) for event in events] == ([] if legal else [Failed])


@pytest.mark.parametrize(("start", "wish"), list(itertools.product(state.STATES, DOINGS)))
def test_every_state_and_wish_is_legal_or_our_bug(start, wish):
    connection = in_state(start)
    target = state.LEGAL.get((start, wish))
    if target is None:
        with pytest.raises(LocalProtocolError):
            DOINGS[wish](connection)
        assert connection.state == start
    else:
        DOINGS[wish](connection)
        assert connection.state == target
        if start in (state.CLOSING, state.CLOSED):
            assert connection.data_to_send() == b""


@pytest.mark.parametrize("start", state.STATES)
def test_close_is_possible_in_every_state(start):
    connection = in_state(start)
    connection.close()
    if start in (*state.HEADER_STATES, state.CLOSED):
        assert connection.closed
        assert connection.data_to_send() == b""
        return
    assert connection.state == state.CLOSING
    assert names(connection) == ([] if start == state.CLOSING else ["connection.close"])
    assert connection.deadline == CLOSE_TIMEOUT_S
    assert connection.tick(CLOSE_TIMEOUT_S - 0.1) == []
    (event,) = connection.tick(CLOSE_TIMEOUT_S)
    assert isinstance(event, Failed)
    assert connection.closed
    assert connection.deadline == inf


def test_closes_may_cross():
    connection = in_state(state.CLOSING)
    (event,) = connection.receive_data(BYTES[state.GOT_CLOSE], 0.0)
    assert isinstance(event, Closed)
    assert (event.code, event.text) == (200, "bye")
    assert names(connection) == ["connection.close-ok"]


def test_an_abandoned_connection_keeps_and_says_nothing() -> None:
    connection = Connection(ConnectionSettings(), 0.0)
    connection.receive_data(HEADER_0_10, 0.0)
    assert connection.has_data(), "connection.start waits"
    fields: dict[str, Value] = {"client_properties": {"a": "x" * 50_000}, "mechanism": "ANONYMOUS"}
    start_ok = encode_control_frame(0, encode_control(make("connection.start-ok", **fields)))
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    connection.receive_data(start_ok[:-1], 0.0)
    grown = tracemalloc.get_traced_memory()[0] - before
    connection.abandon()
    kept = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown > 50_000 > 10 * kept
    assert connection.closed
    assert connection.deadline == inf
    assert not connection.has_data()
    assert connection.data_to_send() == b""
    assert connection.receive_data(start_ok[-1:], 0.0) == []
    assert connection.tick(1e9) == []

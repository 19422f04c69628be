"""Sessions of a connection: channels of both sides, limits, begin and end."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from tanist.types import LocalProtocolError
from tanist.wire.amqp10.connection import ConnectionSettings
from tanist.wire.amqp10.events import Begun, Ended, Failed
from tanist.wire.amqp10.performatives import Begin, End, Open
from tests.broker.wire.amqp10.pair import CLIENT, Pair, Raw, of


def test_each_side_numbers_its_own_half():
    raw = Raw().opened()
    for channel in (9, 4):
        raw.say(Begin(None, 5, 100, 100), channel=channel)
    answers = raw.sent()
    assert [(type(item), item.remote_channel) for item in answers] == [(Begin, 9), (Begin, 4)]
    assert {number: item.remote_channel for number, item in raw.server.sessions.items()} == {
        0: 9,
        1: 4,
    }
    (ended,) = raw.say(End(), channel=9)
    assert isinstance(ended, Ended)
    assert [type(item) for item in raw.sent()] == [End]
    assert list(raw.server.sessions) == [1]
    raw.say(Begin(None, 5, 100, 100), channel=2)
    assert raw.server.sessions[0].remote_channel == 2


def test_our_begin_says_our_limits():
    raw = Raw(ConnectionSettings(handle_max=7, incoming_window=50)).opened()
    (begun,) = raw.say(Begin(None, 5, 100, 100, properties={"a": 1}), channel=3)
    assert isinstance(begun, Begun)
    assert begun.begin.properties == {"a": 1}
    (ours,) = raw.sent()
    assert isinstance(ours, Begin)
    assert (ours.remote_channel, ours.next_outgoing_id, ours.incoming_window) == (3, 0, 50)
    assert ours.handle_max == 7


def test_a_client_begins_many_sessions_and_no_more_than_agreed():
    pair = Pair(CLIENT, ConnectionSettings(channel_max=2))
    pair.run()
    sessions = [pair.client.begin() for _ in range(3)]
    assert [session.channel for session in sessions] == [0, 1, 2]
    with pytest.raises(LocalProtocolError):
        pair.client.begin()
    assert len(of(Begun, pair.run())) == 3
    sessions[1].end("amqp:internal-error", "enough")
    (ended,) = pair.run()
    assert isinstance(ended, Ended)
    assert ended.session is sessions[1]
    told = of(Ended, pair.server_events)[-1]
    assert told.error is not None
    assert told.error.condition == "amqp:internal-error"
    assert not told.ours
    assert pair.client.begin().channel == 1


def test_a_peer_that_takes_fewer_channels_than_it_begins_sessions():
    raw = Raw().opened(Open("raw", channel_max=0))
    raw.say(Begin(None, 0, 1, 1), channel=0)
    (failed,) = raw.say(Begin(None, 0, 1, 1), channel=1)
    assert isinstance(failed, Failed)
    assert failed.condition == "amqp:not-allowed"


def test_sessions_may_end_from_both_sides_at_once():
    pair = Pair()
    session = pair.session()
    theirs = pair.server_session
    session.end()
    theirs.end()
    to_server, to_client = pair.client.data_to_send(), pair.server.data_to_send()
    assert [type(item) for item in pair.owner.handle(pair.server.receive_data(to_server, 0.0))] == [
        Ended
    ]
    assert [type(item) for item in pair.client.receive_data(to_client, 0.0)] == [Ended]
    assert not pair.client.has_data()
    assert not pair.server.has_data()
    assert pair.client.sessions == pair.server.sessions == {}


def test_memory_is_flat_over_many_sessions():
    pair = Pair()
    pair.run()

    def cycles(count: int) -> None:
        for _ in range(count):
            session = pair.client.begin()
            session.sender("s", None, None)
            pair.run()
            session.end()
            pair.run()
            pair.client_events.clear()
            pair.server_events.clear()

    cycles(50)
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    cycles(500)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 20_000
    assert pair.client.sessions == pair.server.sessions == {}

"""Connections: both roles against each other, recorded clients, silence, and hostile bytes."""

from __future__ import annotations

import itertools
from math import inf
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.types import LocalProtocolError
from tanist.wire.amqp010.assembly import Assembler
from tanist.wire.amqp010.codec import decode_command, decode_control, encode_command, encode_control
from tanist.wire.amqp010.codec import make as build
from tanist.wire.amqp010.connection import Connection, ConnectionSettings
from tanist.wire.amqp010.events import (
    Attached,
    Closed,
    Command,
    Completed,
    Detached,
    Event,
    Failed,
    Opened,
    Opening,
    Result,
    SaslResponse,
    SaslStart,
    Transfer,
)
from tanist.wire.amqp010.framing import (
    encode_command_frame,
    encode_control_frame,
    encode_transfer_frames,
)
from tanist.wire.amqp010.transfer import encode_transfer
from tanist.wire.amqp010.values import Array, Struct, vbin16
from tanist.wire.negotiate import HEADER_0_10

CAPTURES = Path(__file__).resolve().parents[3] / "data" / "captures"
SERVER = ConnectionSettings(server_properties={"product": "test"})
HEAD = encode_transfer("q", 0, 0)


def control(name: str, channel: int = 0, /, **fields) -> bytes:
    return encode_control_frame(channel, encode_control(build(name, **fields)))


def command(name: str, channel: int = 0, /, **fields) -> bytes:
    return encode_command_frame(channel, encode_command(build(name, **fields)))


def attach(channel: int = 0, name: bytes = b"s", force: bool = False) -> bytes:
    return control("session.attach", channel, name=vbin16(name), force=force)


def point(channel: int = 0, number: int = 0) -> bytes:
    return control("session.command-point", channel, command_id=number, command_offset=0)


START_OK = control(
    "connection.start-ok",
    client_properties={"who": "me"},
    mechanism="ANONYMOUS",
    response=b"x",
    locale="en_US",
)
TUNE_OK = control("connection.tune-ok", channel_max=100, heartbeat=0)
OPEN = control("connection.open", virtual_host="")
CLOSE = control("connection.close", reply_code=200, reply_text="bye")


def sent(connection: Connection) -> list[tuple[int, Struct]]:
    """What waits to be sent, decoded; a protocol header is left out."""
    data = connection.data_to_send().removeprefix(HEADER_0_10)
    assembler = Assembler()
    units = assembler.feed(data)
    assert assembler.failure is None
    return [
        (channel, decode_command(segment)[0] if track else decode_control(segment))
        for channel, track, segment, _, _ in units
    ]


def names(connection: Connection) -> list[str]:
    return [struct.name for _, struct in sent(connection)]


def own(connection: Connection, events: list[Event]) -> None:
    """A trivial owner: everybody may come in, every command is done at once."""
    for event in events:
        if isinstance(event, SaslStart):
            connection.sasl_accept("somebody@QPID")
        elif isinstance(event, Opening):
            connection.open_ok(["amqp:tcp:127.0.0.1:5672"])
        elif isinstance(event, (Transfer, Command)):
            event.session.complete(event.id, event.id)


def opened_server(tune_ok: bytes = TUNE_OK, now: float = 0.0) -> Connection:
    """A server connection that is open, with nothing to send."""
    connection = Connection(SERVER, now)
    for data in (HEADER_0_10, START_OK, tune_ok, OPEN):
        own(connection, connection.receive_data(data, now))
    connection.data_to_send()
    assert connection.opened
    return connection


def attached_server() -> Connection:
    connection = opened_server()
    connection.receive_data(attach() + point(), 0.0)
    connection.data_to_send()
    return connection


class Pair:
    """A client and a server that talk to each other; the server is its own owner."""

    def __init__(self, wishes: ConnectionSettings, offers: ConnectionSettings = SERVER) -> None:
        self.client = Connection(wishes, 0.0)
        self.server = Connection(offers, 0.0)
        self.client_events: list[Event] = []
        self.server_events: list[Event] = []

    def pump(self, now: float = 0.0, piece: int = 1 << 20) -> None:
        """Carry bytes to and fro, ``piece`` at a time, until both are silent."""
        while self.client.has_data() or self.server.has_data():
            data = self.client.data_to_send()
            for at in range(0, len(data), piece):
                events = self.server.receive_data(data[at : at + piece], now)
                own(self.server, events)
                self.server_events += events
            data = self.server.data_to_send()
            for at in range(0, len(data), piece):
                events = self.client.receive_data(data[at : at + piece], now)
                self.client_events += events


# -- handshake -----------------------------------------------------------------------------------


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_both_roles_open_work_and_close(piece):
    pair = Pair(
        ConnectionSettings(
            role="client",
            username="u",
            password="p",
            client_properties={"x": 1},
            heartbeat_s=500,
            virtual_host="v",
            max_frame_size=5000,
        )
    )
    pair.pump(piece=piece)
    start, opening = pair.server_events
    assert isinstance(start, SaslStart)
    assert (start.mechanism, start.response) == ("PLAIN", b"\0u\0p")
    assert start.client_properties == {"x": 1}
    assert isinstance(opening, Opening)
    assert (opening.virtual_host, pair.server.virtual_host) == ("v", "v")
    (opened,) = pair.client_events
    assert isinstance(opened, Opened)
    assert opened.known_hosts == ["amqp:tcp:127.0.0.1:5672"]
    assert opened.server_properties == pair.client.server_properties == {"product": "test"}
    assert pair.client.opened
    assert pair.server.user == "somebody@QPID"
    assert pair.client.heartbeat_s == pair.server.heartbeat_s == 120

    session = pair.client.attach("name", force=True)
    assert session.send_transfer(HEAD, b"", bytes(20_000)) == 0
    assert session.send(build("queue.query", queue="q"), sync=True) == 1
    pair.pump(piece=piece)
    attached, transfer, query = pair.server_events[2:]
    assert isinstance(attached, Attached)
    assert (attached.force, attached.session.name) == (True, "name")
    assert isinstance(transfer, Transfer)
    assert (transfer.id, transfer.destination, transfer.body) == (0, "q", bytes(20_000))
    assert isinstance(query, Command)
    assert (query.id, query.sync, query.struct.text("queue")) == (1, True, "q")
    attached.session.send(build("execution.result", command_id=1))
    pair.pump(piece=piece)
    kinds = [type(event) for event in pair.client_events[1:]]
    assert kinds in (
        [Attached, Completed, Result],
        [Attached, Completed, Completed, Result],
    )
    assert pair.server.bytes_in == pair.client.bytes_out
    assert pair.server.frames_in == pair.client.frames_out > 0

    pair.client.close()
    pair.pump(piece=piece)
    assert isinstance(pair.server_events[-1], Closed)
    assert isinstance(pair.client_events[-1], Closed)
    assert pair.client.closed
    assert pair.server.closed
    assert not session.alive


def test_the_server_offers_what_the_original_offers():
    connection = Connection(SERVER, 0.0)
    assert not connection.has_data()
    assert connection.receive_data(HEADER_0_10, 0.0) == []
    assert connection.has_data()
    data = connection.data_to_send()
    assert data.startswith(HEADER_0_10)
    start = decode_control(data[8 + 12 :])
    assert start.array("mechanisms") == ["ANONYMOUS", "PLAIN"]
    assert start.array("locales") == ["en_US"]
    (event,) = connection.receive_data(START_OK, 0.0)
    assert isinstance(event, SaslStart)
    assert (event.mechanism, event.response) == ("ANONYMOUS", b"x")
    assert connection.client_properties == {"who": "me"}
    connection.sasl_accept("u")
    assert sent(connection) == [
        (
            0,
            build(
                "connection.tune",
                channel_max=0xFFFE,
                max_frame_size=65535,
                heartbeat_min=0,
                heartbeat_max=120,
            ),
        )
    ]
    assert not connection.opened


def test_challenges_go_back_and_forth():
    connection = Connection(SERVER, 0.0)
    connection.receive_data(HEADER_0_10 + START_OK, 0.0)
    connection.data_to_send()
    connection.sasl_challenge(b"who?")
    assert sent(connection) == [(0, build("connection.secure", challenge=b"who?"))]
    answer = control("connection.secure-ok", response=b"me")
    (event,) = connection.receive_data(answer, 0.0)
    assert isinstance(event, SaslResponse)
    assert event.response == b"me"
    connection.sasl_accept("me")
    assert names(connection) == ["connection.tune"]


def test_a_start_ok_without_response_is_told_apart():
    connection = Connection(SERVER, 0.0)
    (event,) = connection.receive_data(
        HEADER_0_10 + control("connection.start-ok", mechanism="PLAIN"), 0.0
    )
    assert isinstance(event, SaslStart)
    assert event.response is None


def test_bad_credentials_are_closed_with_320():
    connection = Connection(SERVER, 0.0)
    connection.receive_data(HEADER_0_10 + START_OK, 0.0)
    connection.data_to_send()
    connection.close(320, "Authentication failed" + "é" * 200)
    (close,) = [struct for _, struct in sent(connection)]
    assert close.number("reply_code") == 320
    assert close.text("reply_text").startswith("Authentication failed")
    assert connection.receive_data(TUNE_OK, 0.0) == []
    (event,) = connection.receive_data(control("connection.close-ok"), 0.0)
    assert isinstance(event, Closed)
    assert connection.closed


@pytest.mark.parametrize(
    "data",
    [
        b"AMQP\x00\x01\x00\x00",
        b"AMQP\x03\x01\x00\x00",
        b"AMQP\x00\x00\x09\x01",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        bytes(8),
    ],
)
def test_a_wrong_header_is_answered_with_ours(data):
    connection = Connection(SERVER, 0.0)
    (event,) = connection.receive_data(data, 0.0)
    assert isinstance(event, Failed)
    assert connection.closed
    assert connection.data_to_send() == HEADER_0_10
    assert connection.receive_data(HEADER_0_10, 0.0) == []
    assert not connection.has_data()


def test_a_client_that_meets_another_protocol_fails():
    connection = Connection(ConnectionSettings(role="client"), 0.0)
    assert connection.data_to_send() == HEADER_0_10
    (event,) = connection.receive_data(b"AMQP\x00\x01\x00\x00", 0.0)
    assert isinstance(event, Failed)
    assert connection.data_to_send() == b""


def test_a_client_without_a_common_mechanism_fails():
    pair = Pair(ConnectionSettings(role="client", mechanism="EXTERNAL"))
    pair.pump()
    (event,) = pair.client_events
    assert isinstance(event, Failed)
    assert event.code == 320
    assert "EXTERNAL" in event.text
    (event,) = pair.server_events
    assert isinstance(event, Closed)
    anonymous = ConnectionSettings(mechanisms=("PLAIN",))
    pair = Pair(ConnectionSettings(role="client"), anonymous)
    pair.pump()
    assert isinstance(pair.client_events[0], Failed)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"channel_max": 10, "max_frame_size": 0}, "max-frame-size"),
        ({"channel_max": 10, "max_frame_size": 4095}, "max-frame-size"),
        ({"channel_max": 0xFFFF}, "channel-max"),
    ],
)
def test_tune_ok_outside_the_offer_is_501(fields, problem):
    connection = Connection(SERVER, 0.0)
    own(connection, connection.receive_data(HEADER_0_10 + START_OK, 0.0))
    events = connection.receive_data(control("connection.tune-ok", **fields), 0.0)
    (event,) = events
    assert isinstance(event, Failed)
    assert event.code == 501
    assert problem in event.text
    assert names(connection)[-1] == "connection.close"


def test_a_frame_above_our_offer_is_501_and_the_largest_is_not():
    small = ConnectionSettings(max_frame_size=4096)
    connection = Connection(small, 0.0)
    own(connection, connection.receive_data(HEADER_0_10 + START_OK, 0.0))
    tune_ok = control("connection.tune-ok", channel_max=1, max_frame_size=4097)
    (event,) = connection.receive_data(tune_ok, 0.0)
    assert isinstance(event, Failed)


def started_client(heartbeat_s: int = 0) -> Connection:
    client = Connection(ConnectionSettings(role="client", heartbeat_s=heartbeat_s), 0.0)
    start = control("connection.start", mechanisms=Array(0x95, ["ANONYMOUS"]))
    client.receive_data(HEADER_0_10 + start, 0.0)
    return client


def test_a_tune_below_the_minimum_fails_the_client():
    tune = control("connection.tune", max_frame_size=100)
    assert isinstance(started_client().receive_data(tune, 0.0)[0], Failed)


def test_the_client_clips_the_heartbeat_to_the_offer():
    for wish, low, high, agreed in [(0, 0, 120, 0), (5, 0, 3, 3), (5, 9, 20, 9), (5, 0, None, 5)]:
        client = started_client(wish)
        tune = control("connection.tune", heartbeat_min=low, heartbeat_max=high)
        assert client.receive_data(tune, 0.0) == []
        assert client.heartbeat_s == agreed
        tune_ok = dict((struct.name, struct) for _, struct in sent(client))["connection.tune-ok"]
        assert tune_ok.number("heartbeat") == agreed
        assert tune_ok.number("channel_max") == 0xFFFE


def test_connection_controls_belong_on_channel_0():
    connection = opened_server()
    (event,) = connection.receive_data(control("connection.heartbeat", 3), 0.0)
    assert isinstance(event, Failed)


# -- time ----------------------------------------------------------------------------------------

TUNE_OK_2 = control("connection.tune-ok", channel_max=9, heartbeat=2)
HEARTBEAT = control("connection.heartbeat")


def test_heartbeats_go_out_every_interval_whatever_the_traffic():
    connection = opened_server(TUNE_OK_2, 10.0)
    assert connection.heartbeat_s == 2
    assert connection.deadline == 12.0
    beats = 0
    for tenth in range(100, 200):
        now = tenth / 10
        assert connection.receive_data(HEARTBEAT, now) == []
        assert connection.tick(now) == []
        beats += names(connection).count("connection.heartbeat")
    assert beats == 4
    assert connection.deadline == 20.0


def test_silence_for_two_intervals_is_a_failure_without_a_word():
    connection = opened_server(TUNE_OK_2, 10.0)
    assert connection.tick(13.9) == []
    connection.data_to_send()
    for second in range(11, 14):
        piece = HEARTBEAT[second - 11 : second - 10]  # no whole frame, no life
        assert connection.receive_data(piece, float(second)) == []
    (event,) = connection.tick(14.0)
    assert isinstance(event, Failed)
    assert event.code == 320
    assert connection.closed
    assert connection.data_to_send() == b""
    assert connection.tick(99.0) == []


def test_without_heartbeat_there_is_no_deadline():
    connection = opened_server()
    assert connection.deadline == inf
    assert connection.tick(1e9) == []
    assert not connection.has_data()


def test_a_client_fails_when_the_server_falls_silent_even_before_open_ok():
    pair = Pair(ConnectionSettings(role="client", heartbeat_s=1))
    pair.server.receive_data(pair.client.data_to_send(), 0.0)
    pair.client.receive_data(pair.server.data_to_send(), 0.0)
    own(pair.server, pair.server.receive_data(pair.client.data_to_send(), 0.0))
    pair.client.receive_data(pair.server.data_to_send(), 0.0)
    assert not pair.client.opened
    assert pair.client.tick(1.0) == []
    (event,) = pair.client.tick(2.0)
    assert isinstance(event, Failed)


# -- sessions ------------------------------------------------------------------------------------


def test_a_session_detached_by_the_peer_without_asking_is_gone():
    connection = attached_server()
    data = control("session.detached", name=vbin16(b"s"), code=0)
    (event,) = connection.receive_data(data, 0.0)
    assert isinstance(event, Detached)
    assert connection.sessions == {}
    assert connection.data_to_send() == b""


def test_a_channel_above_the_agreed_is_501():
    connection = opened_server()
    assert len(connection.receive_data(attach(100), 0.0)) == 1
    (event,) = connection.receive_data(attach(101), 0.0)
    assert isinstance(event, Failed)


def test_a_client_uses_free_channels_and_no_more():
    pair = Pair(ConnectionSettings(role="client", channel_max=1))
    pair.pump()
    first, second = pair.client.attach("a"), pair.client.attach("b")
    assert (first.channel, second.channel) == (0, 1)
    with pytest.raises(LocalProtocolError):
        pair.client.attach("c")
    pair.pump()
    first.detach()
    pair.pump()
    assert isinstance(pair.client_events[-1], Detached)
    assert pair.client.attach("c").channel == 0
    pair.client.close()
    assert not second.alive
    assert not pair.client.attach("d").alive


def test_what_is_owed_goes_out_before_the_close():
    connection = attached_server()
    own(connection, connection.receive_data(command("execution.sync"), 0.0))
    connection.close(320, "shutdown")
    assert names(connection) == ["session.completed", "connection.close"]


# -- hostile bytes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        control("session.completed", commands=[(5, 5)])[:-8] + bytes.fromhex("0000000500000004"),
        control("session.completed", commands=[(0, 0)])[:-8] + bytes.fromhex("00000000ffffffff"),
        encode_transfer_frames(0, encode_command(build("queue.query", queue="q")), b"", b"body"),
        encode_transfer_frames(0, HEAD[:-2], b"", b"body"),
        encode_transfer_frames(0, b"\x0a\x06\x01\x00\x00\x00", b"", b"body"),
        encode_control_frame(0, b"\x02\x63\x00\x00"),
        encode_command_frame(0, b"\x63\x01\x01\x00\x00\x00"),
        b"\x0f\x00\x00\x0b" + bytes(8),
        b"\x0f\x07\x00\x0c" + bytes(8),
        b"\xff" * 30,
    ],
)
def test_hostile_input_closes_the_connection_with_501(data):
    connection = attached_server()
    good = command("execution.sync")
    events = connection.receive_data(good + data + good, 0.0)
    assert [type(event) for event in events] == [Command, Failed]
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert failed.code == 501
    own(connection, events)
    assert names(connection) == ["connection.close"]
    assert connection.closed
    assert connection.receive_data(good, 0.0) == []


def test_the_widest_legal_range_is_as_cheap_as_any():
    connection = attached_server()
    wide = control("session.completed", commands=[(0, 0x7FFFFFFF)] * 1000)
    for _ in range(20):
        assert connection.receive_data(wide, 0.0) == []
    assert connection.data_to_send() == b""


def test_before_open_little_can_be_hoarded():
    connection = Connection(SERVER, 0.0)
    connection.receive_data(HEADER_0_10, 0.0)
    connection.data_to_send()
    piece = b"\x0e\x00\xff\xff" + bytes(8) + bytes(65535 - 12)
    more = b"\x0c\x00\xff\xff" + bytes(8) + bytes(65535 - 12)
    events: list[Event] = []
    for data in [piece] + [more] * 3:
        events += connection.receive_data(data, 0.0)
    assert [type(event) for event in events] == [Failed]


def test_a_replayed_transfer_is_delivered_once():
    connection = attached_server()
    message = encode_transfer_frames(0, HEAD, b"", b"x")
    events = connection.receive_data(message * 2 + point(0, 1) + message * 2, 0.0)
    assert [event.id for event in events if isinstance(event, Transfer)] == [0, 1, 2]


def test_a_transfer_in_the_same_read_as_its_attach_is_delivered():
    connection = opened_server()
    data = attach() + point() + encode_transfer_frames(0, HEAD, b"", b"x") * 3 + CLOSE
    events = connection.receive_data(data, 0.0)
    assert [type(event) for event in events] == [Attached] + [Transfer] * 3 + [Closed]
    own(connection, events)
    assert connection.data_to_send().endswith(control("connection.close-ok"))


CONVERSATION = (
    HEADER_0_10
    + START_OK
    + TUNE_OK
    + OPEN
    + attach()
    + point()
    + encode_transfer_frames(0, HEAD, b"", b"body")
    + command("queue.declare", queue="q", arguments={"a": 1})
    + control("session.completed", commands=[(0, 3)], timely_reply=True)
    + control("session.flush", completed=True, expected=True, confirmed=True)
    + point(0, 0)
    + command("message.accept", transfers=[(0, 5)])
    + control("session.detach", name=vbin16(b"s"))
    + CLOSE
)


def converse(data: bytes, cuts: list[int]) -> None:
    """Feed ``data`` in pieces to a server with the trivial owner: nothing may be raised."""
    connection = Connection(SERVER, 0.0)
    bounds = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for low, high in itertools.pairwise(bounds):
        events = connection.receive_data(data[low:high], 0.0)
        if not connection.closed:
            own(connection, events)
        sent(connection)
        connection.tick(0.0)
        ends = [event for event in events if isinstance(event, (Closed, Failed))]
        assert len(ends) <= 1
        assert connection.closed == bool(ends) or connection.closed


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(CONVERSATION) - 1), st.integers(1, 255)), max_size=4),
    st.lists(st.integers(0, len(CONVERSATION)), max_size=3),
)
def test_mutated_conversations_never_raise(changes, cuts):
    data = bytearray(CONVERSATION)
    for at, flip in changes:
        data[at] ^= flip
    converse(bytes(data), cuts)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([8, 200, 300, len(CONVERSATION) - 60]))
def test_random_bytes_at_any_stage_never_raise(noise, after):
    converse(CONVERSATION[:after] + noise, [8, after])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(range(20)), max_size=30), st.randoms())
def test_shuffled_controls_never_raise(choice, random):
    pieces = [START_OK, TUNE_OK, OPEN, CLOSE, attach(), point(), command("execution.sync")]
    pieces += [control("connection.open-ok"), control("connection.close-ok"), attach(1, b"s")]
    pieces += [control("session.flush", completed=True), control("session.gap"), point(1)]
    pieces += [control("session.detach", name=vbin16(b"s")), HEARTBEAT, attach(9)]
    data = HEADER_0_10 + START_OK
    random.shuffle(pieces)
    data += TUNE_OK + OPEN + b"".join(pieces[index % len(pieces)] for index in choice)
    converse(data, [len(HEADER_0_10 + START_OK), len(HEADER_0_10 + START_OK + TUNE_OK + OPEN)])

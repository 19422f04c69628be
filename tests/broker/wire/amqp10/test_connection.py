"""Connections: both roles, the handshake in all orders, silence, hostile bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.types import LocalProtocolError
from tanist.wire.amqp10.composites import Source, Target
from tanist.wire.amqp10.connection import (
    FAILED_PROPERTY,
    HELD_MAX,
    Connection,
    ConnectionSettings,
)
from tanist.wire.amqp10.events import (
    Attaching,
    Begun,
    Closed,
    Delivery,
    Detached,
    Disposed,
    Ended,
    Event,
    Failed,
    Opened,
    Opening,
    SaslChallenged,
    SaslResponse,
    SaslStart,
)
from tanist.wire.amqp10.framing import EMPTY_FRAME
from tanist.wire.amqp10.performatives import (
    Attach,
    Begin,
    Close,
    Flow,
    Open,
    SaslInit,
    SaslMechanisms,
    SaslOutcome,
    Transfer,
)
from tanist.wire.amqp10.sender import Sender
from tanist.wire.negotiate import HEADER_0_10, HEADER_1_0, HEADER_1_0_SASL, HEADER_1_0_TLS
from tests.broker.wire.amqp10.pair import (
    BARE,
    CLIENT,
    Owner,
    Pair,
    Raw,
    frame,
    frames,
    linked,
    of,
    sasl,
    sent,
)

CAPTURES = Path(__file__).resolve().parents[3] / "data" / "captures"

INIT = sasl(SaslInit("ANONYMOUS", b"me", "host.example"))
OPEN = frame(Open("peer", "host.example", desired_capabilities=("ANONYMOUS-RELAY",)))
AHEAD = (
    HEADER_1_0_SASL
    + INIT
    + HEADER_1_0
    + OPEN
    + frame(Begin(None, 0, 10, 10))
    + frame(Attach("in", 0, True, source=Source("q"), target=Target()))
    + frame(Flow(None, 10, 0, 10, 0, 0, 5))
)
"""All that a client can say before it hears anything."""


def test_a_client_and_a_server_open():
    pair = Pair(ConnectionSettings(role="client", container_id="c", username="u", password="p"))
    (opened,) = pair.run()
    assert isinstance(opened, Opened)
    assert opened.open.container_id == "server"
    assert pair.client.opened
    assert pair.server.opened
    assert (pair.server.user, pair.server.mechanism) == ("somebody@QPID", "PLAIN")
    start = pair.server_events[0]
    assert isinstance(start, SaslStart)
    assert (start.mechanism, start.response, start.hostname) == ("PLAIN", b"\0u\0p", "")
    assert pair.server.remote is not None
    assert pair.server.remote.container_id == "c"
    assert not pair.server.bare


def test_a_bare_client_opens_without_sasl_where_that_is_allowed():
    pair = Pair(BARE)
    (opened,) = pair.run()
    assert isinstance(opened, Opened)
    assert [type(event) for event in pair.server_events] == [Opening]
    assert pair.server.bare
    server = Connection(ConnectionSettings(allow_bare=False), 0.0)
    (failed,) = server.receive_data(HEADER_1_0 + OPEN, 0.0)
    assert isinstance(failed, Failed)
    assert server.data_to_send() == HEADER_1_0_SASL
    assert server.closed


@pytest.mark.parametrize(("octets", "told"), [(300, True), (480, False)])
def test_an_open_fits_into_the_frames_of_its_client(octets: int, told: bool):
    server = Connection(ConnectionSettings(), 0.0)
    server.receive_data(HEADER_1_0 + frame(Open("c", max_frame_size=512)), 0.0)
    server.open_ok("server", properties={"servers": "s" * octets})
    client = Connection(
        ConnectionSettings(role="client", max_frame_size=512, mechanism="NONE"), 0.0
    )
    (opened,) = client.receive_data(server.data_to_send(), 0.0)
    assert isinstance(opened, Opened)
    assert (opened.open.properties is not None) == told


@pytest.mark.parametrize(
    "header", [HEADER_1_0_TLS, HEADER_0_10, b"GET / HT", b"AMQP\x00\x00\x09\x01"]
)
def test_an_unsupported_header_is_answered_with_a_supported_one(header):
    server = Connection(ConnectionSettings(), 0.0)
    (failed,) = server.receive_data(header, 0.0)
    assert isinstance(failed, Failed)
    assert failed.condition == "amqp:connection:framing-error"
    assert server.data_to_send() == HEADER_1_0_SASL
    assert server.closed
    client = Connection(CLIENT, 0.0)
    client.data_to_send()
    (failed,) = client.receive_data(header, 0.0)
    assert isinstance(failed, Failed)
    assert client.data_to_send() == b""


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 50, 10_000])
def test_a_client_may_send_everything_ahead_in_any_pieces(size):
    raw = Raw()
    events = []
    for at in range(0, len(AHEAD), size):
        events += raw.feed(AHEAD[at : at + size])
    assert [type(event).__name__ for event in events] == [
        "SaslStart",
        "Opening",
        "Begun",
        "Attaching",
        "Flowed",
    ]
    answers = raw.server.data_to_send()
    start = HEADER_1_0_SASL + sasl(SaslMechanisms(("ANONYMOUS", "PLAIN"))) + sasl(SaslOutcome(0))
    assert answers.startswith(start + HEADER_1_0)
    names = [type(item).__name__ for item in sent_of(answers)]
    assert names == ["SaslMechanisms", "SaslOutcome", "Open", "Begin", "Attach"]


def sent_of(data: bytes):
    return [performative for _, performative, _ in frames(data)]


def test_the_owner_may_take_its_time_and_a_backup_says_nothing_before_its_open():
    server = Connection(ConnectionSettings(idle_timeout_s=4.0), 0.0)
    (start,) = server.receive_data(AHEAD, 0.0)
    assert isinstance(start, SaslStart)
    assert (start.response, start.hostname) == (b"me", "host.example")
    server.data_to_send()
    assert server.receive_data(b"", 1.0) == []
    (opening,) = server.sasl_accept("u")
    assert isinstance(opening, Opening)
    assert opening.open.desired_capabilities == ("ANONYMOUS-RELAY",)
    assert server.data_to_send() == sasl(SaslOutcome(0)) + HEADER_1_0
    assert server.receive_data(EMPTY_FRAME, 2.0) == []
    assert server.tick(1e6) == []
    assert server.data_to_send() == b"", "a backup drops the connection without a word"
    events = server.open_ok("server", 8.0, ("relay",), {"product": "test"})
    assert [type(event) for event in events[:2]] == [Begun, Attaching]
    ours = sent(server)[0]
    assert isinstance(ours, Open)
    assert (ours.container_id, ours.idle_time_out) == ("server", 4000)
    assert ours.offered_capabilities == ("relay",)
    assert ours.properties == {"product": "test"}
    assert (ours.max_frame_size, ours.channel_max) == (65536, 1023)


def test_what_is_sent_ahead_is_bounded():
    server = Connection(ConnectionSettings(), 0.0)
    server.receive_data(AHEAD, 0.0)
    server.sasl_accept("u")
    chunk = EMPTY_FRAME * 1000
    for _ in range(HELD_MAX // len(chunk)):
        assert server.receive_data(chunk, 0.0) == []
    (failed,) = server.receive_data(chunk, 0.0)
    assert isinstance(failed, Failed)
    assert failed.condition == "amqp:resource-limit-exceeded"
    assert server.closed


def test_sasl_may_take_several_steps():
    client = Connection(ConnectionSettings(role="client", container_id="c"), 0.0)
    server = Connection(ConnectionSettings(), 0.0)
    server.receive_data(client.data_to_send(), 0.0)
    client.receive_data(server.data_to_send(), 0.0)
    (start,) = server.receive_data(client.data_to_send(), 0.0)
    assert isinstance(start, SaslStart)
    server.sasl_challenge(b"what?")
    (challenged,) = client.receive_data(server.data_to_send(), 0.0)
    assert isinstance(challenged, SaslChallenged)
    assert challenged.challenge == b"what?"
    assert client.sasl_respond(b"that") == []
    (response,) = server.receive_data(client.data_to_send(), 0.0)
    assert isinstance(response, SaslResponse)
    assert response.response == b"that"
    assert server.sasl_accept("u") == []
    client.receive_data(server.data_to_send(), 0.0)
    (opening,) = server.receive_data(client.data_to_send(), 0.0)
    assert isinstance(opening, Opening)


@pytest.mark.parametrize("code", [1, 4])
def test_refused_credentials_end_both_sides(code):
    client = Connection(CLIENT, 0.0)
    server = Connection(ConnectionSettings(), 0.0)
    server.receive_data(client.data_to_send(), 0.0)
    client.receive_data(server.data_to_send(), 0.0)
    server.receive_data(client.data_to_send(), 0.0)
    server.sasl_fail(code)
    assert server.closed
    (failed,) = client.receive_data(server.data_to_send(), 0.0)
    assert isinstance(failed, Failed)
    assert failed.condition == "amqp:unauthorized-access"
    assert str(code) in failed.text
    assert client.closed
    assert client.data_to_send() == b""
    server.sasl_fail(code)
    assert server.data_to_send() == b""


def test_a_client_whose_mechanism_is_not_offered_gives_up():
    client = Connection(CLIENT, 0.0)
    client.data_to_send()
    (failed,) = client.receive_data(HEADER_1_0_SASL + sasl(SaslMechanisms(("GSSAPI",))), 0.0)
    assert isinstance(failed, Failed)
    assert failed.condition == "amqp:unauthorized-access"


def test_a_refusal_after_the_clients_open_is_an_open_and_a_close():
    client = Connection(BARE, 0.0)
    server = Connection(ConnectionSettings(), 0.0)
    server.receive_data(client.data_to_send(), 0.0)
    server.close("amqp:not-allowed", "not you", {"why": "because"})
    data = server.data_to_send()
    opening, closing = sent_of(data)
    assert isinstance(opening, Open)
    assert opening.properties == {FAILED_PROPERTY: True}
    assert isinstance(closing, Close)
    opened, closed = client.receive_data(data, 0.0)
    assert isinstance(opened, Opened)
    assert isinstance(closed, Closed)
    assert closed.error is not None
    assert closed.error.condition == "amqp:not-allowed"
    assert closed.error.info == {"why": "because"}
    (confirmed,) = server.receive_data(client.data_to_send(), 0.0)
    assert isinstance(confirmed, Closed)


def test_a_close_is_answered_and_ends_all_sessions():
    pair, sender, _ = linked()
    pair.client.close("amqp:internal-error", "bye")
    assert not sender.alive
    assert not sender.session.alive
    (closed,) = pair.run()
    assert isinstance(closed, Closed)
    assert closed.error is None
    told = pair.server_events[-1]
    assert isinstance(told, Closed)
    assert told.error is not None
    assert (told.error.condition, told.error.description) == ("amqp:internal-error", "bye")
    assert pair.client.closed
    assert pair.server.closed
    assert all(not session.alive for session in pair.server.sessions.values())
    dead = pair.client.begin()
    assert not dead.alive
    dead.end()
    assert pair.client.data_to_send() == b""


def test_wishes_before_their_time_are_bugs_of_ours():
    client = Connection(CLIENT, 0.0)
    with pytest.raises(LocalProtocolError):
        client.begin()
    server = Connection(ConnectionSettings(), 0.0)
    for wish in (server.sasl_fail, lambda: server.sasl_accept("u"), lambda: server.open_ok("s")):
        with pytest.raises(LocalProtocolError):
            wish()


@pytest.mark.parametrize(
    ("opening", "condition"),
    [
        (Open("c", max_frame_size=511), "amqp:invalid-field"),
        (Open("c", idle_time_out=1), "amqp:not-allowed"),
    ],
)
def test_an_open_that_cannot_be_served_is_refused(opening, condition):
    server = Connection(ConnectionSettings(), 0.0)
    (failed,) = server.receive_data(HEADER_1_0 + frame(opening), 0.0)
    assert isinstance(failed, Failed)
    assert failed.condition == condition
    ours, closing = sent(server)
    assert isinstance(ours, Open)
    assert isinstance(closing, Close)
    assert closing.error is not None
    assert closing.error.condition == condition


def test_the_largest_frames_are_those_that_were_agreed():
    raw = Raw(ConnectionSettings(max_frame_size=600)).opened()
    assert raw.say(Open("x" * 700))[0].condition == "amqp:connection:framing-error"
    pair, sender, _ = linked(server=ConnectionSettings(max_frame_size=512))
    sender.send(b"t", b"x" * 5000)
    frames_before = pair.server.frames_in
    pair.run()
    assert pair.server.frames_in - frames_before > 10


def test_bytes_and_frames_are_counted():
    pair, _, _ = linked()
    assert pair.server.bytes_in == pair.client.bytes_out
    assert pair.server.bytes_out == pair.client.bytes_in
    assert pair.server.frames_in == pair.client.frames_out
    assert pair.server.frames_out == pair.client.frames_in


# -- silence --------------------------------------------------------------------------------------


def silent_pair() -> Pair:
    client = ConnectionSettings(role="client", container_id="c", idle_timeout_s=10.0)
    pair = Pair(client, ConnectionSettings(idle_timeout_s=4.0))
    pair.run()
    return pair


def test_both_sides_keep_each_other_alive():
    pair = silent_pair()
    now = 0.0
    for _ in range(200):
        now = min(pair.client.deadline, pair.server.deadline)
        assert pair.client.tick(now) == []
        assert pair.server.tick(now) == []
        pair.run(now)
    assert now > 100


def test_empty_frames_come_at_half_of_what_the_peer_advertised():
    pair = silent_pair()
    # The server enforces 4 s and advertises 2: the client speaks every second.
    assert pair.client.tick(0.9) == []
    assert pair.client.data_to_send() == b""
    pair.client.tick(1.0)
    assert pair.client.data_to_send() == EMPTY_FRAME


def test_a_silent_peer_has_failed():
    pair = silent_pair()
    assert pair.server.tick(3.9) == []
    pair.server.data_to_send()
    (failed,) = pair.server.tick(4.0)
    assert isinstance(failed, Failed)
    assert failed.silent
    assert failed.condition == "amqp:resource-limit-exceeded"
    assert [type(item) for item in sent(pair.server)] == [Close]
    assert pair.server.closed


def test_a_trickle_of_octets_is_no_sign_of_life():
    pair = silent_pair()
    for now in (1.0, 2.0, 3.0, 3.9):
        pair.server.receive_data(b"\0", now)
    (failed,) = pair.server.tick(4.0)
    assert isinstance(failed, Failed)


# -- recorded clients -----------------------------------------------------------------------------


class Recorded:
    """A server that repeats what the original did: it sends the messages that the original sent."""

    def __init__(self) -> None:
        self.owner = Owner(Connection(ConnectionSettings(), 0.0))
        self.names: dict[tuple[int, int], str] = {}
        self.server_bytes = b""
        self.told: list[Event] = []
        self.transfers = [0, 0]

    def client_says(self, data: bytes) -> None:
        self.told += self.owner.handle(self.owner.connection.receive_data(data, 0.0))
        self.transfers[0] += data.count(b"\0\x53\x14")
        self.owner.connection.data_to_send()

    def server_said(self, data: bytes) -> None:
        for channel, performative, payload in frames(data):
            if isinstance(performative, Attach):
                self.names[channel, performative.handle] = performative.name
            elif isinstance(performative, Transfer):
                self.transfers[1] += 1
                name = self.names[channel, performative.handle]
                (link,) = [
                    link
                    for session in self.owner.connection.sessions.values()
                    for link in session.links.values()
                    if link.name == name and isinstance(link, Sender)
                ]
                assert performative.delivery_tag is not None
                link.send(performative.delivery_tag, payload, performative.settled is True)


RECORDINGS = sorted(path.stem for path in CAPTURES.glob("*1.0*.jsonl"))


@pytest.mark.parametrize("name", [name for name in RECORDINGS if "-1.0-" in name])
def test_recorded_clients_are_served(name):
    recorded = Recorded()
    for line in (CAPTURES / f"{name}.jsonl").read_text(encoding="ascii").splitlines():
        entry = json.loads(line)
        if "hex" in entry:
            data = bytes.fromhex(entry["hex"])
            if entry["from"] == "client":
                recorded.client_says(data)
            else:
                recorded.server_said(data)
    told = recorded.told
    assert not of(Failed, told)
    assert not [event for event in of(Ended, told) + of(Detached, told) if event.ours]
    assert len(of(Delivery, told)) == recorded.transfers[0]
    settled = {
        number for event in of(Disposed, told) for number in range(event.first, event.last + 1)
    }
    if "refused" in name:
        assert [type(event) for event in told][:2] == [SaslStart, Opening]
    elif "heartbeat" not in name:
        assert sum(recorded.transfers) > 0
        assert len(settled) == recorded.transfers[1]
        assert isinstance(told[-1], Closed)


# -- hostile bytes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "condition"),
    [
        (b"\0\0\0\x07\x02\0\0\0", "amqp:connection:framing-error"),
        (b"\x7f\0\0\0\x02\0\0\0", "amqp:connection:framing-error"),
        (b"\0\0\0\x08\x01\0\0\0", "amqp:connection:framing-error"),
        (b"\0\0\0\x08\x02\x07\0\0", "amqp:connection:framing-error"),
        (b"\0\0\0\x09\x02\0\0\0\x40", "amqp:decode-error"),
        (b"\0\0\0\x0c\x02\0\0\0\0\x53\x77\x45", "amqp:decode-error"),
        (sasl(SaslInit("PLAIN")), "amqp:connection:framing-error"),
        (OPEN, "amqp:illegal-state"),
        (frame(Flow(0, 1, 0, 1), 9), "amqp:not-allowed"),
        (frame(Begin(None, 0, 1, 1), 1024), "amqp:connection:framing-error"),
        (frame(Begin(5, 0, 1, 1)), "amqp:not-allowed"),
    ],
)
def test_what_is_wrong_closes_with_its_condition(data, condition):
    raw = Raw().opened()
    raw.say(Begin(None, 0, 1, 1), channel=3)
    raw.sent()
    events = raw.feed(frame(Begin(None, 0, 1, 1), 4) + data + OPEN)
    assert isinstance(events[0], Begun), "what was good is reported"
    (failed,) = of(Failed, events)
    assert events[-1] is failed
    assert failed.condition == condition
    assert failed.text
    assert not failed.silent
    closing = raw.sent()[-1]
    assert isinstance(closing, Close)
    assert closing.error is not None
    assert (closing.error.condition, closing.error.description) == (condition, failed.text)
    assert raw.server.closed
    assert raw.feed(data) == []


def conversation() -> list[bytes]:
    """What a busy client sends, in turns: it needs to hear from the server in between."""
    pair, turns = Pair(), []

    def run() -> None:
        while pair.client.has_data() or pair.server.has_data():
            turns.append(pair.client.data_to_send())
            pair.owner.handle(pair.server.receive_data(turns[-1], 0.0))
            pair.client.receive_data(pair.server.data_to_send(), 0.0)

    run()
    session = pair.client.begin()
    sender = session.sender("out", Source(), Target("q"))
    receiver = session.receiver("in", Source("q"), Target())
    run()
    receiver.flow(10, drain=True)
    for number in range(20):
        sender.send(b"%d" % number, b"x" * 50 * number)
    run()
    sender.detach()
    receiver.detach(False)
    session.end()
    run()
    pair.client.close()
    run()
    return turns


TURNS = conversation()
SAID = b"".join(TURNS)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_bytes_neither_raise_nor_hang(data):
    damaged = bytearray(SAID)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        if data.draw(st.booleans()):
            damaged[at] = data.draw(st.integers(0, 255))
        else:
            del damaged[at : at + data.draw(st.integers(1, 9))]
    owner = Owner(Connection(ConnectionSettings(), 0.0))
    size = data.draw(st.integers(1, 300))
    for at in range(0, len(damaged), size):
        owner.handle(owner.connection.receive_data(bytes(damaged[at : at + size]), 0.0))
        owner.connection.data_to_send()
    assert len(of(Failed, owner.events)) <= 1


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 4))
def test_random_bytes_neither_raise_nor_hang(data, stage):
    starts = (b"", HEADER_1_0, HEADER_1_0 + OPEN, HEADER_1_0_SASL, HEADER_1_0_SASL + INIT)
    owner = Owner(Connection(ConnectionSettings(), 0.0))
    owner.handle(owner.connection.receive_data(starts[stage] + data, 0.0))
    owner.connection.data_to_send()
    owner.connection.tick(1e6)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 700), min_size=1))
def test_the_pieces_do_not_matter(sizes):
    def told(turns: list[list[bytes]]) -> list[str]:
        owner = Owner(Connection(ConnectionSettings(), 0.0))
        for pieces in turns:
            for piece in pieces:
                owner.handle(owner.connection.receive_data(piece, 0.0))
            owner.connection.data_to_send()
        return [type(event).__name__ for event in owner.events]

    cut = []
    for turn in TURNS:
        pieces, at = [], 0
        while at < len(turn):
            size = sizes[len(pieces) % len(sizes)]
            pieces.append(turn[at : at + size])
            at += size
        cut.append(pieces)
    names = told(cut)
    assert names == told([[turn] for turn in TURNS])
    assert names.count("Delivery") == 20
    assert names[-1] == "Closed"

"""Channels: sessions come and go on them, and those without a session have their answers."""

from __future__ import annotations

import pytest

from tanist.types import SESSIONS_PER_CONNECTION_MAX, LocalProtocolError
from tanist.wire.amqp010.assembly import Assembler
from tanist.wire.amqp010.channels import Channels
from tanist.wire.amqp010.codec import decode_command, decode_control, make
from tanist.wire.amqp010.events import Attached, Detached, Event
from tanist.wire.amqp010.output import Output
from tanist.wire.amqp010.session import Session
from tanist.wire.amqp010.session_state import SESSION_BUSY
from tanist.wire.amqp010.values import Struct, vbin16

NAMED = ("session.attach", "session.attached", "session.detach", "session.detached")


class Harness:
    """The channels of one connection, with what they sent."""

    def __init__(self, server: bool = True) -> None:
        self.output = Output()
        self.channels = Channels(self.output, server)

    def control(self, channel: int, name: str, /, **fields) -> list[Event]:
        """The peer sends a session control on a channel; the events that came."""
        if name in NAMED:
            fields.setdefault("name", vbin16(b"s"))
        events: list[Event] = []
        self.channels.on_control(channel, make(name, **fields), events)
        return events

    def attach(self, channel: int = 0, name: bytes = b"s") -> Session:
        (event,) = self.control(channel, "session.attach", name=vbin16(name))
        assert isinstance(event, Attached)
        return event.session

    def sent(self) -> list[tuple[int, Struct]]:
        self.channels.announce()
        return [
            (channel, decode_command(segment)[0] if track else decode_control(segment))
            for channel, track, segment, _, _ in Assembler().feed(self.output.take())
        ]

    def names(self) -> list[str]:
        return [struct.name for _, struct in self.sent()]


def test_controls_on_an_idle_channel_are_not_attached():
    harness = Harness()
    assert harness.control(4, "session.gap", commands=[(0, 1)]) == []
    assert harness.control(4, "session.detach", name=vbin16(b"n")) == []
    assert harness.control(4, "session.detached", name=vbin16(b"n"), code=0) == []
    replies = harness.sent()
    assert [(channel, struct.name) for channel, struct in replies] == [(4, "session.detached")] * 2
    assert [struct.number("code") for _, struct in replies] == [3, 3]
    assert [struct.octets("name") for _, struct in replies] == [b"", b"n"]


def test_a_refused_attach_hears_one_word_and_the_channel_can_be_used_again():
    harness = Harness()
    session = harness.attach(2, b"busy")
    session.refuse(SESSION_BUSY)
    assert [(channel, item.number("code")) for channel, item in harness.sent()] == [(2, 1)]
    for name in ("session.flush", "session.detach", "session.attached", "session.detached"):
        assert harness.control(2, name) == []
    assert harness.sent() == []
    harness.attach(2, b"free")
    assert harness.names() == ["session.attached", "session.command-point"]


def test_a_channel_is_free_after_detach_even_before_that_is_answered():
    harness = Harness()
    first = harness.attach()
    harness.names()
    (event,) = harness.control(0, "session.detach")
    assert isinstance(event, Detached)
    assert harness.channels.sessions == {0: first}
    second = harness.attach(0, b"t")
    assert not first.alive
    assert harness.names() == [
        "session.detached",
        "session.attached",
        "session.command-point",
    ]
    assert harness.channels.sessions == {0: second}
    harness.control(0, "session.detach", name=vbin16(b"t"))
    assert harness.names() == ["session.detached"]
    assert harness.channels.sessions == {}


def test_sessions_are_limited():
    harness = Harness()
    for channel in range(SESSIONS_PER_CONNECTION_MAX):
        harness.attach(channel)
    harness.sent()
    assert harness.control(60000, "session.attach", name=vbin16(b"x")) == []
    ((channel, detached),) = harness.sent()
    assert (channel, detached.octets("name"), detached.number("code")) == (60000, b"x", 2)


def test_nobody_attaches_to_a_client():
    harness = Harness(server=False)
    assert harness.control(3, "session.attach") == []
    ((channel, detached),) = harness.sent()
    assert (channel, detached.name, detached.number("code")) == (3, "session.detached", 3)


def test_a_client_takes_the_lowest_free_channel_and_no_more_than_agreed():
    harness = Harness(server=False)
    harness.channels.channel_max = 1
    first, second = harness.channels.attach("s", False), harness.channels.attach("t", True)
    assert (first.channel, second.channel) == (0, 1)
    with pytest.raises(LocalProtocolError):
        harness.channels.attach("u", False)
    assert [struct.flag("force") for _, struct in harness.sent()] == [False, True]
    (event,) = harness.control(0, "session.detached", code=1)
    assert isinstance(event, Detached)
    assert harness.channels.attach("u", False).channel == 0


def test_kill_ends_all():
    harness = Harness()
    sessions = [harness.attach(channel) for channel in range(3)]
    harness.channels.kill()
    assert not any(session.alive for session in sessions)
    assert harness.sent() == []


def test_completed_for_a_session_that_is_not_there_is_answered():
    harness = Harness()
    assert harness.control(9, "session.completed", commands=[(0, 0)]) == []
    assert harness.names() == ["session.detached"]

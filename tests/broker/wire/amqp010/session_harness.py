"""A session machine driven as the connection drives it; what it sends is decoded again."""

from __future__ import annotations

from tanist.wire.amqp010 import session_state as state
from tanist.wire.amqp010.assembly import Assembler
from tanist.wire.amqp010.codec import decode_command, decode_control, encode_command, make
from tanist.wire.amqp010.events import Event
from tanist.wire.amqp010.output import Output
from tanist.wire.amqp010.session import Session
from tanist.wire.amqp010.values import Struct, vbin16

NAME = b"a-session"
MASK = 0xFFFFFFFF


class Harness:
    """One session, with what it sent and reported."""

    def __init__(self, start: int, name: bytes = NAME) -> None:
        self.output = Output()
        self.touched: list[Session] = []
        self.session = Session(5, name, start, self.output, self.touched)
        self.events: list[Event] = []

    def control(self, name: str, /, **fields) -> list[Event]:
        """The peer sends a session control; the events that came."""
        if name in ("attach", "attached", "detach", "detached"):
            fields.setdefault("name", vbin16(NAME))
        before = len(self.events)
        self.session.on_control(make(f"session.{name}", **fields), self.events)
        return self.events[before:]

    def command(self, name: str = "execution.sync", **fields) -> list[Event]:
        before = len(self.events)
        self.session.on_command(encode_command(make(name, **fields)), self.events)
        return self.events[before:]

    def point(self, number: int) -> list[Event]:
        return self.control("command-point", command_id=number, command_offset=0)

    def ids(self, count: int) -> list[int]:
        return [self.session.take_id(self.events) for _ in range(count)]

    def sent(self) -> list[Struct]:
        """What the session sent since the last time, announcements included."""
        for session in self.touched:
            session.announce()
        self.touched.clear()
        return decode(self.output.take())

    def names(self) -> list[str]:
        return [struct.name for struct in self.sent()]


def decode(data: bytes) -> list[Struct]:
    assembler, structs = Assembler(), []
    for channel, track, segment, _, _ in assembler.feed(data):
        assert channel == 5
        structs.append(decode_command(segment)[0] if track else decode_control(segment))
    assert assembler.failure is None
    return structs


def in_state(wanted: int) -> Harness:
    """A session in that state, with nothing waiting to be sent."""
    harness = Harness(state.ATTACHING if wanted == state.ATTACHING else state.ATTACHED)
    if wanted != state.ATTACHING:
        harness.point(0)
    if wanted == state.SILENT:
        harness.session.refuse(1)
    elif wanted == state.DETACHING:
        harness.session.detach()
    elif wanted == state.IDLE:
        harness.control("detach")
    harness.sent()
    harness.events.clear()
    assert harness.session.state == wanted
    return harness

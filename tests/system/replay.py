"""Replays the client's side of a recorded conversation against a broker of ours.

The recorded client says fixed bytes: its command ids, its completions of *our* ids, its queue names
are those of the day. So whatever the recorded conversations before it created must exist, and our
broker must number its results and deliveries as the original did. What it answers is decoded by
frames, without a state machine that could forgive anything, into ``Said`` in order; tests ask
whether the client got what it needed.

A ``Subject`` is a broker under replay: anything that takes bytes of a connection and returns bytes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Protocol

from tanist.wire.amqp010.assembly import Assembler
from tanist.wire.amqp010.codec import decode_command, decode_control
from tanist.wire.amqp010.transfer import DeliveryProperties, scan_header
from tanist.wire.amqp010.values import Struct

CAPTURES = Path(__file__).resolve().parents[1] / "data" / "captures"
PROTOCOL_HEADER = b"AMQP\x01\x01\x00\x0a"


class Wire(Protocol):
    """One connection to a subject."""

    @property
    def dropped(self) -> bool:
        """Whether the subject closed TCP."""

    def feed(self, data: bytes, at_s: float) -> bytes:
        """The client's ``data`` arrives ``at_s`` seconds after connecting; the subject's answer."""

    def hang_up(self) -> None:
        """The client closes TCP."""


class Subject(Protocol):
    """A broker under replay."""

    def connect(self) -> Wire:
        """A client connects."""


class Said:
    """One control, command or message of the broker.

    ``chunk`` is the number of the client's read it answers; ``id`` the command id, -1 for controls.
    """

    def __init__(
        self, chunk: int, channel: int, struct: Struct, command_id: int, header: bytes, body: bytes
    ) -> None:
        self.chunk = chunk
        self.channel = channel
        self.struct = struct
        self.name = struct.name
        self.id = command_id
        self.body = body
        self.header = header

    @property
    def properties(self) -> DeliveryProperties:
        """The delivery-properties of a message."""
        return scan_header(self.header)

    def __repr__(self) -> str:
        return f"{self.chunk}: ch{self.channel} [{self.id}] {self.struct!r}"


class Decoder:
    """Bytes of one direction to ``Said``, with command ids counted per channel."""

    def __init__(self) -> None:
        self._rest = PROTOCOL_HEADER
        self._assembler = Assembler()
        self._next: dict[int, int] = {}

    def feed(self, data: bytes, chunk: int) -> list[Said]:
        """What ``data`` completes."""
        if self._rest:
            cut = min(len(self._rest), len(data))
            assert data[:cut] == self._rest[:cut], f"not 0-10: {data[:8]!r}"
            self._rest = self._rest[cut:]
            data = data[cut:]
        said: list[Said] = []
        for channel, track, segment, header, body in self._assembler.feed(data):
            if track == 0:
                struct, command_id = decode_control(segment), -1
                if struct.name == "session.command-point":
                    self._next[channel] = struct.number("command_id")
            else:
                struct, _ = decode_command(segment)
                command_id = self._next.get(channel, 0)
                self._next[channel] = command_id + 1
            said.append(Said(chunk, channel, struct, command_id, header, body))
        assert self._assembler.failure is None, self._assembler.failure
        return said


class Conversation:
    """A replayed conversation: what each side said, and how it ended."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.client: list[Said] = []
        self.server: list[Said] = []
        self.recorded: list[Said] = []
        """What the original answered."""
        self.dropped = False

    def got(self, name: str, channel: int | None = None) -> list[Said]:
        """What our broker said that is called ``name``."""
        return [s for s in self.server if s.name == name and channel in (None, s.channel)]

    def original(self, name: str) -> list[Said]:
        """What the original said that is called ``name``."""
        return [said for said in self.recorded if said.name == name]

    def messages(self, channel: int | None = None) -> list[Said]:
        """Deliveries of our broker."""
        return self.got("message.transfer", channel)

    def results(self) -> list[Struct]:
        """The structs of our broker's results, in order."""
        found = []
        for said in self.got("execution.result"):
            value = said.struct.struct("value")
            assert value is not None
            found.append(value)
        return found

    def completed(self, channel: int) -> set[int]:
        """Every command id that our broker completed on ``channel``."""
        return {
            command_id
            for said in self.got("session.completed", channel)
            for first, last in said.struct.ranges("commands")
            for command_id in range(first, last + 1)
        }

    def commands(self, channel: int) -> set[int]:
        """The ids of the client's commands on ``channel``."""
        return {said.id for said in self.client if said.channel == channel and said.id >= 0}


def chunks_of(name: str) -> list[tuple[float, str, bytes]]:
    """``(seconds, side, bytes)`` of the reads in capture ``name``; empty bytes: that side ended."""
    chunks = []
    for line in (CAPTURES / f"{name}.jsonl").read_text(encoding="ascii").splitlines():
        entry = json.loads(line)
        chunks.append((float(entry["t"]), str(entry["from"]), bytes.fromhex(entry.get("hex", ""))))
    return chunks


def replay(subject: Subject, name: str) -> Conversation:
    """Feed the client's side of capture ``name`` to ``subject``, read by read."""
    conversation = Conversation(name)
    client, server, original = Decoder(), Decoder(), Decoder()
    wire = subject.connect()
    number = 0
    for at_s, side, data in chunks_of(name):
        if side == "server":
            conversation.recorded += original.feed(data, number) if data else []
            continue
        if not data or wire.dropped:
            continue
        number += 1
        conversation.client += client.feed(data, number)
        answer = wire.feed(data, at_s)
        if answer:
            conversation.server += server.feed(answer, number)
    conversation.dropped = wire.dropped
    wire.hang_up()
    return conversation

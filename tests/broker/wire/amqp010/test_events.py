"""Events carry what they were built with, and recorded clients cause the ones they should."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tanist.wire.amqp010 import events
from tanist.wire.amqp010.assembly import Assembler
from tanist.wire.amqp010.codec import decode_command, decode_control
from tanist.wire.amqp010.connection import Connection, ConnectionSettings
from tanist.wire.amqp010.events import (
    Attached,
    Closed,
    Command,
    Detached,
    Event,
    Failed,
    Opening,
    SaslStart,
    Transfer,
)
from tanist.wire.amqp010.output import Output
from tanist.wire.amqp010.session import Session
from tanist.wire.amqp010.session_state import ATTACHING
from tanist.wire.negotiate import HEADER_0_10


def test_all_classes_are_events():
    classes = [item for _, item in inspect.getmembers(events, inspect.isclass)]
    ours = [item for item in classes if item.__module__ == events.__name__]
    assert len(ours) == 14
    assert all(issubclass(item, Event) for item in ours)


def test_a_transfer_keeps_its_octets():
    session = Session(1, b"s", ATTACHING, Output(), [])
    header, body = bytes(5), bytes(9)
    event = Transfer(session, 7, True, "q", 1, 0, header, body)
    assert event.session is session
    assert (event.id, event.sync, event.destination) == (7, True, "q")
    assert (event.accept_mode, event.acquire_mode) == (1, 0)
    assert event.header is header
    assert event.body is body


def test_a_failure_says_why():
    failed = Failed(501, "why")
    assert (failed.code, failed.text) == (501, "why")


# -- recorded clients ----------------------------------------------------------------------------

CAPTURES = Path(__file__).resolve().parents[3] / "data" / "captures"
RECORDED = sorted(
    path.name
    for path in CAPTURES.glob("*.jsonl")
    if HEADER_0_10.hex() in path.read_text(encoding="ascii")
)
FINISHED = ("11-", "12-", "15-", "16-", "19-", "20-", "21-", "22-", "23-")


def own(connection: Connection, events: list[Event]) -> None:
    """A trivial owner: everybody may come in, every command is done at once."""
    for event in events:
        if isinstance(event, SaslStart):
            connection.sasl_accept("somebody@QPID")
        elif isinstance(event, Opening):
            connection.open_ok(["amqp:tcp:127.0.0.1:5672"])
        elif isinstance(event, (Transfer, Command)):
            event.session.complete(event.id, event.id)


def replay(name: str) -> Iterator[tuple[list[Event], list[str]]]:
    """The client's side of a recording against a server: after each read events and replies."""
    connection = Connection(ConnectionSettings(), 0.0)
    for line in (CAPTURES / name).read_text(encoding="ascii").splitlines():
        entry = json.loads(line)
        if entry["from"] == "client" and "hex" in entry:
            events = connection.receive_data(bytes.fromhex(entry["hex"]), 0.0)
            own(connection, events)
            data = connection.data_to_send().removeprefix(HEADER_0_10)
            structs = [
                decode_command(segment)[0] if track else decode_control(segment)
                for _, track, segment, _, _ in Assembler().feed(data)
            ]
            yield events, [struct.name for struct in structs]


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_client_is_understood(name):
    events: list[Event] = []
    for heard, replies in replay(name):
        events += heard
        assert "execution.exception" not in replies
        if "python" in name:
            assert "session.known-completed" not in replies
    assert not any(isinstance(event, Failed) for event in events)
    if name.startswith(FINISHED):
        assert isinstance(events[-1], Closed)
        attached = [event.session for event in events if isinstance(event, Attached)]
        detached = [event.session for event in events if isinstance(event, Detached)]
        assert sorted(map(id, attached)) == sorted(map(id, detached))


@pytest.mark.parametrize(
    ("name", "transfers", "commands"),
    [
        ("11-cpp-0-10-send.jsonl", 5, 4),
        ("12-cpp-0-10-receive.jsonl", 0, 18),
        ("19-python-send-receive.jsonl", 5, 21),
        ("22-jms-0-10-send-receive.jsonl", 5, 19),
    ],
)
def test_what_recorded_clients_sent_is_all_there(name, transfers, commands):
    events = [event for heard, _ in replay(name) for event in heard]
    assert sum(isinstance(event, Transfer) for event in events) == transfers
    assert sum(isinstance(event, Command) for event in events) == commands
    ids: dict[int, list[int]] = {}
    for event in events:
        if isinstance(event, (Transfer, Command)):
            ids.setdefault(id(event.session), []).append(event.id)
    assert all(numbers == list(range(len(numbers))) for numbers in ids.values())

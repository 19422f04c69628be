"""The schemas of the original, read from a recorded conversation (capture 27, QMF version 1).

A schema message is ``AM2s``, a sequence number, the kind (1 objects, 2 events), package, class and
hash, the numbers of properties, statistics and methods (events: of arguments), then one map each.
"""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

from tanist.wire.amqp010.assembly import Assembler
from tanist.wire.amqp010.decoding import Reader, read_map

CAPTURE = Path(__file__).resolve().parents[2] / "data" / "captures" / "27-qpid-route-list.jsonl"
HEADER_BYTES = 8
SCHEMA = b"AM2s"
OBJECTS = 1


class OriginalClass:
    """One class: its hash, and (name, type, optional) of properties and statistics in order."""

    def __init__(self, package: str, name: str, hash: UUID, is_event: bool) -> None:
        self.package = package
        self.name = name
        self.hash = hash
        self.is_event = is_event
        self.fields: list[tuple[str, int, bool]] = []


def _text(reader: Reader) -> str:
    length = reader.unsigned(1)
    return reader.take(length).decode() if length else ""


def _read(body: bytes) -> OriginalClass:
    reader = Reader(body[HEADER_BYTES:])
    is_event = reader.unsigned(1) != OBJECTS
    package, name = _text(reader), _text(reader)
    found = OriginalClass(package, name, UUID(bytes=reader.take(16)), is_event)
    count = reader.unsigned(2)
    if not is_event:
        count += reader.unsigned(2)
        reader.unsigned(2)  # methods stand behind what is read here
    for _ in range(count):
        each = read_map(reader)
        raw, kind = each["name"], each["type"]
        assert isinstance(raw, bytes)
        assert isinstance(kind, int)
        found.fields.append((raw.decode(), int(kind), bool(each.get("optional"))))
    return found


def original_schemas() -> dict[tuple[str, str], OriginalClass]:
    """(package, class) -> class, of everything that the original described."""
    assembler = Assembler()
    found: dict[tuple[str, str], OriginalClass] = {}
    began = False
    for line in CAPTURE.read_text(encoding="ascii").splitlines():
        entry = json.loads(line)
        data = bytes.fromhex(entry.get("hex", ""))
        if entry["from"] != "server" or not data:
            continue
        if not began:
            data, began = data[8:], True  # the protocol header
        for _channel, _track, _segment, _header, body in assembler.feed(data):
            if body and bytes(body).startswith(SCHEMA):
                one = _read(bytes(body))
                found[one.package, one.name] = one
    return found

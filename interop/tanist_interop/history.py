"""The history: everything that happened in one run, append-only, one JSON object per line.

Each record has the time at which the drill learnt it (``at``), the time at which it happened on the
drill's clock (``t``), its source (a client's name, or ``drill``) and the event: a message of the
client protocol, or a note of the drill (``NOTES``). Checkers are functions of the records and of
nothing else, so an old run can be judged again: ``tanist-interop check RUN``. A long history has
millions of records: it is written and read as a stream.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO, TypeVar

from tanist_interop import protocol

DRILL: Final = "drill"

NOTES: Final[dict[str, str]] = {
    "run": "first record: scenario (all its fields), seed, command, clients",
    "client": "a client program is up: its `init_ok` and the offset of its clock",
    "not_run": "a client cannot run here: client, reason, remedy, optional",
    "request": "what the drill told the source: request",
    "mark": "a moment: name, and node or program where it has one",
    "fault": "a fault: name, node (`-` for none), phase (begin, end), failover",
    "cast": "a client of a `proofs` run: client, sender, receiver, producers, unsupported",
    "held": "what a client held in a `proofs` run: client, queue, producer, holder, task, death "
    "(of the broker, or of the client), unsupported",
    "evidence": "what was seen of a fault: text, wrong (a broker must not do that), void (it came "
    "too late)",
    "memory": "resident memory of a broker: node, bytes, moment, life (1 = the first process)",
    "broker_log": "a line in a broker's log that must not be there: node, line",
    "broker_exit": "how a broker ended: node, code, expected",
    "client_exit": "how a client program ended: code, expected (the drill killed it)",
    "trial": "one case of `redelivered`: the fields of a Trial, holder, task, unsupported",
    "selection": "what a receiver wants by its selector: program, task, kinds (of messages)",
    "subscription": "a subscription of a topic: kind, topic, producer, client, program, tasks",
    "unable": "a client takes part only as far as it can: client, reason",
    "value": "one value of `types`: case, place, sender, receiver, sent, answer, got, reason",
    "status": "what a broker's log said that it became: node, life, status",
    "parted": "a broker's log said that it lost a backup, its primary or a silent client: node, "
    "life, text",
    "in_sync": "which backups the primary called in sync, around a quiet time: nodes",
    "replicas": "what brokers hold once nothing moves: nodes, of each that answered its status and "
    "queues, of each of these messages and digest",
    "aborted": "the run could not be carried through: stage, reason",
}
"""The kinds of notes (key ``type`` of the event) and what they carry."""

MAX_LINE_BYTES: Final = 2 * protocol.MAX_LINE_BYTES


class DamagedHistory(ValueError):
    """A history file that cannot be read; the text says where."""


@dataclass(frozen=True)
class Record:
    """One thing that happened. Times are nanoseconds of the drill's monotonic clock."""

    at: int
    t: int
    source: str
    event: dict[str, object]

    @property
    def type(self) -> str:
        """The kind of the event."""
        return str(self.event.get("type", ""))


Records = list[Record]

M = TypeVar("M", bound=protocol.Message)


def messages(records: Records, kind: type[M]) -> Iterator[tuple[Record, M]]:
    """Every record that holds a protocol message of this kind, with the message."""
    for record in records:
        if record.type == kind.TYPE:
            message = protocol.from_dict(record.event)
            if isinstance(message, kind):
                yield record, message


def requests(records: Records, kind: type[M]) -> Iterator[tuple[Record, M]]:
    """Every request of this kind that the drill made, with the record of its note."""
    for record in notes(records, "request"):
        request = record.event.get("request")
        if isinstance(request, dict) and request.get("type") == kind.TYPE:
            message = protocol.from_dict(request)
            if isinstance(message, kind):
                yield record, message


def notes(records: Records, kind: str) -> Iterator[Record]:
    """Every note of this kind (see NOTES)."""
    assert kind in NOTES, kind
    return (record for record in records if record.type == kind)


def mark_time(records: Records, name: str) -> int | None:
    """When the drill first marked this moment, None if it never did."""
    for record in notes(records, "mark"):
        if record.event.get("name") == name:
            return record.t
    return None


def fault_time(records: Records, phase: str = "begin") -> int | None:
    """When the first fault began (or ended), None if there was none."""
    for record in notes(records, "fault"):
        if record.event.get("phase") == phase:
            return record.t
    return None


def failovers(records: Records) -> Iterator[Record]:
    """The beginning of each fault that makes the clients move (a stopped backup does not)."""
    for record in notes(records, "fault"):
        if record.event.get("phase") == "begin" and record.event.get("failover"):
            yield record


class Journal:
    """Writes a history. Call ``close`` at the end of the run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: TextIO = path.open("w", encoding="utf-8")

    def add(self, at: int, source: str, event: dict[str, object], t: int | None = None) -> None:
        """Append one record; ``t`` is the time of the event if it differs from ``at``."""
        line = {"at": at, "t": at if t is None else t, "source": source, "event": event}
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def stream(path: Path) -> Iterator[Record]:
    """The records of a history file, one by one. A torn last line (the drill was killed) is
    dropped.

    Raises (on the way): DamagedHistory, OSError.
    """
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith("\n"):
                if number == 1:
                    raise DamagedHistory(f"{path}: no complete line")
                return
            try:
                value = json.loads(line)
                record = Record(value["at"], value["t"], value["source"], value["event"])
            except (ValueError, KeyError, TypeError) as error:
                text = f"{path}:{number}: {error!r} in {line[:120]!r}"
                raise DamagedHistory(text) from error
            yield record


def load(path: Path) -> Records:
    """All records of a history file. Raises: DamagedHistory, OSError."""
    return list(stream(path))

"""``qpid-ha-insync-file``: an ``ha-insync-command`` that records the in-sync set in a file.

    ha-insync-command=qpid-ha-insync-file /shared/qpid/in-sync.json

The reference for commands that speak to a coordination service, and enough where all brokers see
one file: on one machine, or on a shared disk with working locks. It is one file for one cluster.

What it answers (``node.arbiter`` says what is asked): a promotion is agreed to if nothing was
recorded yet, or by force, or if the broker is in the recorded set and did not just start (then it
has nothing any more, unless it is the run that was promoted last and did not hear the answer); the
epoch is one more than the last. A change of the set is agreed to if it
comes from the recorded primary in its epoch; any other broker is told that it is deposed. Exit
status 0 yes, 1 no, 2 usage, 3 deposed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

YES: Final = 0
NO: Final = 1
USAGE: Final = 2
DEPOSED: Final = 3
ACTIONS: Final = ("promote", "force-promote", "grow", "shrink")


@dataclass(frozen=True)
class Record:
    """Who was primary in which epoch, and who had everything it confirmed. Ids are texts.

    ``run``: which run of the primary's process.
    """

    epoch: int = 0
    primary: str = ""
    in_sync: tuple[str, ...] = ()
    run: str = ""


@dataclass(frozen=True)
class Question:
    """What a broker asks."""

    action: str
    epoch: int
    primary: str
    in_sync: tuple[str, ...]
    leaving: tuple[str, ...] = ()
    status: str = ""
    """The asking broker's; ``joining``: it just started."""
    run: str = ""


def decide(record: Record, question: Question) -> tuple[int, str, Record]:
    """Exit status, text, and what is recorded from now on."""
    if question.action in ("promote", "force-promote"):
        return _promote(record, question)
    if (question.epoch, question.primary) != (record.epoch, record.primary):
        return DEPOSED, f"{record.primary} is primary of epoch {record.epoch}", record
    members = set(record.in_sync)
    if question.action == "grow":
        members |= set(question.in_sync)
    else:
        members -= set(question.leaving)
    return YES, "", replace(record, in_sync=tuple(sorted(members)))


def _promote(record: Record, question: Question) -> tuple[int, str, Record]:
    forced = question.action == "force-promote"
    if record.epoch and not forced:
        names = ", ".join(record.in_sync)
        if question.primary not in record.in_sync:
            return NO, f"it is not in the in-sync set of epoch {record.epoch}: {names}", record
        if question.status == "joining" and (not question.run or question.run != record.run):
            text = f"it was restarted and has nothing; the in-sync set of epoch {record.epoch}: "
            return NO, text + names, record
    epoch = max(record.epoch + 1, question.epoch)
    known = set(record.in_sync) if record.epoch else set(question.in_sync)
    members = (known & set(question.in_sync)) | {question.primary}
    return YES, str(epoch), Record(epoch, question.primary, tuple(sorted(members)), question.run)


def read(path: Path) -> Record:
    """The record in a file; an empty one if there is no file.

    Raises: ValueError if the file holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Record()
    found = json.loads(text)
    try:
        members = tuple(map(str, found["in_sync"]))
        return Record(int(found["epoch"]), str(found["primary"]), members, str(found["run"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a record of an in-sync set ({error!r})") from error


def write(path: Path, record: Record) -> None:
    """Replace the file so that it is whole at every moment, and on the disk when this returns."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(asdict(record), file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """One broker at a time."""
    with path.with_name(path.name + ".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(argv: list[str] | None = None) -> int:
    """Answer one question; returns the exit status."""
    words = sys.argv[1:] if argv is None else argv
    if len(words) != 5 or words[1] not in ACTIONS or not words[2].isdecimal():
        print(f"usage: qpid-ha-insync-file FILE {'|'.join(ACTIONS)} EPOCH PRIMARY SET < JSON")
        return USAGE
    path = Path(words[0])
    try:
        document = json.load(sys.stdin)
        leaving = tuple(map(str, document.get("leaving", ())))
        in_sync = tuple(who for who in words[4].split(",") if who)
        status, run = str(document.get("status", "")), str(document.get("run", ""))
        question = Question(words[1], int(words[2]), words[3], in_sync, leaving, status, run)
        with locked(path):
            record = read(path)
            code, text, after = decide(record, question)
            if after != record:
                write(path, after)
    except (OSError, ValueError) as error:
        print(f"{path}: {error}")
        return NO
    print(text)
    return code


if __name__ == "__main__":
    sys.exit(main())

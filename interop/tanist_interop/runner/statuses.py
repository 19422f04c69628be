"""What each broker became, and when, by its own log: ``joining``, ``ready``, ``active`` and so on.
And when it lost a backup, its primary, or a client of which it heard nothing any more.

The logs of a run are ``n1.log``, ``n1.2.log`` (the second life of ``n1``) and so on in its folder.
Only lines with a fraction of a second are taken (``--log-hires-timestamp=yes``): a time that may be
a second off says nothing about a failover. A broker that logs no such lines leaves no changes, and
the report does without.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

LOG: Final = re.compile(r"(n\d+)(?:\.(\d+))?\.log")
STAMP: Final = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{1,6})\d* ")
CHANGE: Final = re.compile(r" \[HA\] \w+ .*?Status change: \S+ -> (\S+)")
PARTED: Final = re.compile(
    r" \[(?:HA|Protocol)\] \w+ "
    r"(Lost primary .*|Backup \S+ (?:said nothing|disconnected|is not in sync any more).*"
    r"|\S+: no frame for .*)"
)

ZONE_S: Final = 900
"""Time zones differ by multiples of this. A container may have another one than the drill."""


@dataclass(frozen=True)
class Change:
    """A broker became something; ``t`` in ns of the drill's clock."""

    t: int
    node: str
    life: int
    status: str

    def note(self) -> dict[str, object]:
        """The change as a note of the history."""
        return {"type": "status", "node": self.node, "life": self.life, "status": self.status}


@dataclass(frozen=True)
class Parting:
    """A broker lost somebody; ``t`` in ns of the drill's clock, ``text`` as its log has it."""

    t: int
    node: str
    life: int
    text: str

    def note(self) -> dict[str, object]:
        """The loss as a note of the history."""
        return {"type": "parted", "node": self.node, "life": self.life, "text": self.text}


Told = tuple[float, type[Change] | type[Parting], str]

KINDS: Final = ((CHANGE, Change), (PARTED, Parting))


def changes(folder: Path, since_ns: int = 0) -> list[Change | Parting]:
    """Every change and every loss that the brokers' logs in a run folder tell, in the order of
    time. Brokers on this machine only: their clock is taken for the drill's. What is not between
    ``since_ns`` (of the drill's clock) and now was written by a clock that somebody turned, and is
    left out."""
    now = time.monotonic_ns()
    offset = now - time.time_ns()
    out: list[Change | Parting] = []
    for log in folder.glob("n*.log"):
        name = LOG.fullmatch(log.name)
        if name is None:
            continue
        found, last_s = _read(log)
        zone_s = ZONE_S * round((log.stat().st_mtime - last_s) / ZONE_S)
        for seconds, kind, text in found:
            t = int((seconds + zone_s) * 1e6) * 1000 + offset
            out.append(kind(t, name[1], int(name[2] or 1), text))
    return sorted((c for c in out if since_ns <= c.t <= now), key=lambda change: change.t)


def _read(log: Path) -> tuple[list[Told], float]:
    """When a broker became what or lost whom, in seconds since 1970 if its time zone is ours; and
    when it wrote the last line, in the same way."""
    found: list[Told] = []
    last_s = 0.0
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            stamp = STAMP.match(line)
            if stamp is None:
                continue
            last_s = datetime.fromisoformat(stamp[1]).timestamp()
            for pattern, kind in KINDS:
                told = pattern.match(line, stamp.end() - 1)
                if told is not None:
                    found.append((last_s, kind, told[1]))
    return found, last_s

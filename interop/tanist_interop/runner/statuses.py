"""What each broker became, and when, by its own log: ``joining``, ``ready``, ``active`` and so on.

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
LINE: Final = re.compile(
    r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{1,6})\d* \[HA\] \w+ .*?Status change: \S+ -> (\S+)"
)


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


def changes(folder: Path) -> list[Change]:
    """Every change that the brokers' logs in a run folder tell, in the order of time. Brokers on
    this machine only: their clock is taken for the drill's."""
    offset = time.monotonic_ns() - time.time_ns()
    out: list[Change] = []
    for log in folder.glob("n*.log"):
        name = LOG.fullmatch(log.name)
        if name is None:
            continue
        with log.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                match = LINE.match(line)
                if match is not None:
                    when = int(datetime.fromisoformat(match[1]).timestamp() * 1e6) * 1000
                    out.append(Change(when + offset, name[1], int(name[2] or 1), match[2]))
    return sorted(out, key=lambda change: change.t)

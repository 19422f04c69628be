"""The resource manager of the demo cluster: for looking and learning, not for use.

    python -m tanist_interop.demo.elect --brokers n1=10.0.0.1:5672,n2=10.0.0.2:5672 [--again]

It waits until every broker answers and promotes the first one, unless there is a primary already;
then it prints a line whenever a status changes. With ``--again`` it also promotes a ready backup
when the primary has not answered for some seconds. What a real resource manager has, it lacks:
a quorum, and fencing (it cannot make sure that a silent primary is dead before another one is
promoted). Without ``--again`` it never promotes a second time: that is for whoever watches.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tanist_interop.hosts.operator import PRIMARY, HostError, Operator

POLL_S: Final = 1.0
ASK_S: Final = 4.0
"""A broker that has not answered for so long is silent."""
FIRST_ASK_S: Final = 10.0
"""The same while there was no primary yet: whoever starts has time."""
SILENT_POLLS: Final = 3
"""So often in a row a primary must be silent before another one is promoted."""


class Elector:
    """Looks at the brokers; ``step`` about once a second."""

    def __init__(
        self,
        brokers: dict[str, str],
        operator: Operator,
        again: bool,
        say: Callable[[str], None],
    ) -> None:
        self.brokers = brokers
        """Address per name, in the order of promotion."""
        self.operator = operator
        self.again = again
        self.say = say
        self.elected = False
        """There has been a primary."""
        self._silent = 0
        self._shown = ""

    def step(self) -> dict[str, str]:
        """Look once, promote if it is time; returns the status per name ("" for no answer)."""
        words = self.operator.statuses(
            list(self.brokers.values()), ASK_S if self.elected else FIRST_ASK_S
        )
        found = dict(zip(self.brokers, words, strict=True))
        self._show(found)
        if any(word in PRIMARY for word in words):
            self.elected, self._silent = True, 0
        elif not self.elected:
            self._elect(found)
        else:
            self._silent += 1
            self._replace(found)
        return found

    def _show(self, found: dict[str, str]) -> None:
        line = "  ".join(f"{name} {word or 'silent'}" for name, word in found.items())
        if line != self._shown:
            self._shown = line
            self.say(line)

    def _elect(self, found: dict[str, str]) -> None:
        """All are there and nobody serves: the first one shall, or one that has everything."""
        if all(found.values()):
            ready = [name for name, word in found.items() if word == "ready"]
            self._promote(ready[0] if ready else next(iter(found)))

    def _replace(self, found: dict[str, str]) -> None:
        """The primary is gone."""
        ready = [name for name, word in found.items() if word == "ready"]
        if self._silent == SILENT_POLLS and not self.again:
            command = f"qpid-ha promote -b {self.brokers[ready[0]]}" if ready else "none is ready"
            self.say(f"no primary: promote a ready backup by hand ({command})")
        elif self._silent >= SILENT_POLLS and self.again and ready:
            self._promote(ready[0])

    def _promote(self, name: str) -> None:
        try:
            self.operator.promote(self.brokers[name])
        except HostError as error:
            self.say(str(error))
        else:
            self.say(f"promoted {name}")


def brokers_of(text: str) -> dict[str, str]:
    """``name=host:port,...`` as a table. Raises: ArgumentTypeError."""
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(name and address for name, _, address in pairs):
        raise argparse.ArgumentTypeError(f"{text!r} is not name=host:port,name=host:port")
    return {name: address for name, _, address in pairs}


def main(arguments: list[str] | None = None) -> int:
    """Look and promote until the process is ended."""
    parser = argparse.ArgumentParser(prog="elect", description="Promotes the first broker.")
    add = parser.add_argument
    add("--brokers", required=True, type=brokers_of, help="name=host:port,name=host:port,...")
    add("--again", choices=("no", "yes"), nargs="?", const="yes", default="no",
        help="yes: also promote a backup when the primary is gone")  # fmt: skip
    options = parser.parse_args(arguments)
    operator = Operator(("qpid-ha",), Path(os.devnull))
    say: Callable[[str], None] = lambda text: print(text, flush=True)  # noqa: E731
    elector = Elector(options.brokers, operator, options.again == "yes", say)
    while True:
        elector.step()
        time.sleep(POLL_S)


if __name__ == "__main__":
    sys.exit(main())

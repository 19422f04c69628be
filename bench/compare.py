"""Is this checkout slower than another one? Both run at the same time and are measured in turn.

    git worktree add OTHER REVISION; (cd OTHER && tox -e bench --notest)
    tox -e bench --notest; .tox/bench/bin/python bench/compare.py OTHER [--rounds N] [--check]

Two clusters of three brokers are formed, one from each checkout. Each round measures both, the
loads of ``run.py`` one after the other, in an order that changes with every round. Printed are the
medians of this checkout over the other: of messages per second, and of processor time per message
of all three brokers, which other work on the machine disturbs less. ``--check`` fails when the
processor time grew by more than ``TOLERANCE``.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from load import BrokerLoad, message_frames
from run import BODY_OCTETS, HERE, WARM_UP, WINDOW, cluster_of

from tanist_interop.hosts.local import LocalCluster

MESSAGES = 30_000
SINGLES = 2_000
TOLERANCE = 0.05
"""What two measurements of the same code may differ by on a busy machine of two cores."""

LOADS = ("publish", "one at a time")


@dataclass
class Subject:
    """One checkout's cluster: what it took, per load."""

    load: BrokerLoad
    pids: list[int]
    seconds: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in LOADS})
    processor: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in LOADS})

    def measure(self, message: bytes) -> None:
        """Both loads once."""
        for name, count, window in zip(LOADS, (MESSAGES, SINGLES), (WINDOW, 1), strict=True):
            before = sum(processor_seconds(pid) for pid in self.pids)
            seconds, _ = self.load.measure(message, count, window)
            spent = sum(processor_seconds(pid) for pid in self.pids) - before
            self.seconds[name].append(seconds / count)
            self.processor[name].append(spent / count)


def processor_seconds(pid: int) -> float:
    """Time that process ``pid`` has had on a processor (Linux only)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def python_path(checkout: Path, kind: str) -> str:
    """Where ``checkout`` has its interpreted or its compiled broker."""
    if kind == "interpreted":
        return str(checkout / "broker")
    found = list(checkout.glob(".tox/bench/lib/python3*/site-packages/tanist/node/node*.so"))
    if not found:
        sys.exit(f"compare: no compiled broker in {checkout}: run there: tox -e bench --notest")
    return str(found[0].parents[2])


@contextmanager
def subject(path: str) -> Iterator[Subject]:
    """A cluster of the broker that ``path`` holds, ready and warm."""
    with cluster_of({"PYTHONPATH": path}) as cluster:
        load = BrokerLoad(cluster.nodes[0].port)
        load.measure(message_frames(BODY_OCTETS), WARM_UP, WINDOW)
        yield Subject(load, pids_of(cluster))


def pids_of(cluster: LocalCluster) -> list[int]:
    """The broker processes."""
    return [node.process.pid for node in cluster.nodes if node.process is not None]


def compare(kind: str, other: Path, rounds: int) -> float:
    """Measure and print one kind of broker; returns the worst ratio of processor time."""
    message = message_frames(BODY_OCTETS)
    with ExitStack() as stack:
        theirs = stack.enter_context(subject(python_path(other, kind)))
        ours = stack.enter_context(subject(python_path(HERE.parent, kind)))
        for number in range(rounds):
            for one in (theirs, ours) if number % 2 else (ours, theirs):
                one.measure(message)
            print(f"\r{kind}: round {number + 1} of {rounds}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    worst = 0.0
    for name in LOADS:
        rate = statistics.median(theirs.seconds[name]) / statistics.median(ours.seconds[name])
        before = statistics.median(theirs.processor[name])
        after = statistics.median(ours.processor[name])
        worst = max(worst, after / before)
        print(
            f"{kind:<12} {name:<14} messages/s {rate:.2f} of the other's; processor time "
            f"{after / before:.2f} of the other's ({after * 1e6:.1f} and {before * 1e6:.1f} us)"
        )
    return worst


def main(argv: list[str] | None = None) -> int:
    """The command line; exit status 1 if ``--check`` finds that it became slower."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, help="another checkout of this repository")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--broker", choices=("interpreted", "compiled", "both"), default="both")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args(argv)
    kinds = ("interpreted", "compiled") if arguments.broker == "both" else (arguments.broker,)
    worst = max(compare(kind, arguments.other.resolve(), arguments.rounds) for kind in kinds)
    return 1 if arguments.check and worst > 1 + TOLERANCE else 0


if __name__ == "__main__":
    sys.exit(main())

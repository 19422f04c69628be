"""What does it cost the primary when a backup joins that has nothing?

    python bench/catch_up.py [--messages N] [--check] [--broker interpreted|compiled]

A primary alone holds N messages of 100 octets while a producer publishes as fast as it can (1000 in
flight). Then an empty backup joins. Measured: the publish rate before, and in every half second
until the backup is ready; how long that takes; how much memory both use. ``--check`` demands that
the rate never falls below half of what it was.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from load import BrokerLoad, message_frames
from run import SOURCES, environment, installed_is_compiled

from tanist_interop.hosts.local import LocalCluster, Settings

BODY_OCTETS = 100
WINDOW = 1000
SLICE = 2_000
"""Messages between two looks at the clock."""
BIN_S = 0.5
BEFORE_S = 5.0
JOIN_MAX_S = 300.0
FORM_S = 20.0
FLOOR = 0.5
MIB = 1024 * 1024
PRIMARY, BACKUP = 0, 1


@dataclass
class Course:
    """Messages published, by half second since ``began``."""

    began: float
    bins: list[int] = field(default_factory=list)

    def add(self, messages: int) -> None:
        """So many were confirmed just now."""
        number = int((time.perf_counter() - self.began) / BIN_S)
        while len(self.bins) <= number:
            self.bins.append(0)
        self.bins[number] += messages

    def rates(self) -> list[float]:
        """Messages per second of each whole half second."""
        return [count / BIN_S for count in self.bins[:-1]]


def stream(load: BrokerLoad, message: bytes, until: float) -> Course:
    """Publish until that moment."""
    course = Course(time.perf_counter())
    while time.perf_counter() < until:
        load.measure(message, SLICE, WINDOW)
        course.add(SLICE)
    return course


def join(load: BrokerLoad, message: bytes, log: Path) -> Course:
    """Publish until the backup says that it is ready."""
    course = Course(time.perf_counter())
    while "Backup is ready" not in (log.read_text("utf-8") if log.exists() else ""):
        load.measure(message, SLICE, WINDOW)
        course.add(SLICE)
        if time.perf_counter() > course.began + JOIN_MAX_S:
            raise TimeoutError(f"the backup is not ready after {JOIN_MAX_S:.0f} s; see {log}")
    return course


def measure(folder: Path, messages: int) -> float:
    """One run; prints its figures, returns the lowest rate as a part of the rate before."""
    settings = Settings(
        qpidd=(sys.executable, "-m", "tanist.cli.qpidd"),
        qpid_ha=(sys.executable, "-m", "tanist.cli.qpid_ha"),
        nodes=2,
        link_heartbeat_s=10,
        options=("--default-queue-limit=0",),
    )
    cluster = LocalCluster(folder, settings)
    message = message_frames(BODY_OCTETS)
    try:
        cluster.start()
        cluster.form(FORM_S)
        cluster.kill(BACKUP)
        load = BrokerLoad(cluster.nodes[PRIMARY].port)
        print(f"publishing {messages:,} messages to a primary alone", flush=True)
        load.measure(message, messages, WINDOW)
        held = cluster.memory_bytes(PRIMARY) / MIB
        before = statistics.median(stream(load, message, time.perf_counter() + BEFORE_S).rates())
        print(f"primary: {held:,.0f} MiB; publishing {before:,.0f} msg/s", flush=True)
        cluster.restart(BACKUP)
        began = time.perf_counter()
        course = join(load, message, folder / "n2.2.log")
        seconds = time.perf_counter() - began
        return report(cluster, course, before, seconds)
    finally:
        cluster.stop()


def report(cluster: LocalCluster, course: Course, before: float, seconds: float) -> float:
    """Print what happened while the backup joined."""
    rates = course.rates()
    for number, rate in enumerate(rates):
        bar = "#" * round(40 * rate / before)
        print(f"{number * BIN_S:6.1f} s {rate:10,.0f} msg/s {rate / before:5.2f} {bar}")
    lowest = min(rates, default=before) / before
    memory = [cluster.memory_bytes(node) / MIB for node in (PRIMARY, BACKUP)]
    print(
        f"ready after {seconds:.1f} s; publish rate at the lowest {lowest:.2f}, in the median "
        f"{statistics.median(rates or [before]) / before:.2f} of what it was; "
        f"memory: primary {memory[0]:,.0f} MiB, backup {memory[1]:,.0f} MiB"
    )
    return lowest


def main(argv: list[str] | None = None) -> int:
    """The command line; exit status 1 if ``--check`` finds the rate below its floor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--check", action="store_true", help="compare with the floor")
    parser.add_argument("--broker", choices=("interpreted", "compiled"), default="compiled")
    arguments = parser.parse_args(argv)
    if arguments.broker == "compiled" and not installed_is_compiled():
        sys.exit("bench: the installed tanist is not compiled; use --broker interpreted")
    variables = {"PYTHONPATH": str(SOURCES)} if arguments.broker == "interpreted" else {}
    with environment(variables), tempfile.TemporaryDirectory(prefix="tanist-bench-") as folder:
        lowest = measure(Path(folder), arguments.messages)
    return 1 if arguments.check and lowest < FLOOR else 0


if __name__ == "__main__":
    sys.exit(main())

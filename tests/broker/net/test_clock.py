"""Monotonic scheduling, and the watch on long turns."""

from __future__ import annotations

import subprocess
import sys

from twisted.internet.task import Clock

from tanist.net.clock import STALL_S, WATCH_INTERVAL_S, StallWatch


class World:
    """A reactor whose clock can jump, as it does when a turn takes long."""

    def __init__(self) -> None:
        self.reactor = Clock()
        self.skipped = 0.0
        self.lines = []

    def clock(self):
        return self.reactor.seconds() + self.skipped

    def log(self, level, category, text):
        self.lines.append((level, text))


def test_a_long_turn_is_reported_once():
    world = World()
    StallWatch(world.reactor, world.clock, world.log).start()
    for _ in range(10):
        world.reactor.advance(WATCH_INTERVAL_S)
    assert world.lines == []
    world.skipped = STALL_S + 0.5
    for _ in range(10):
        world.reactor.advance(WATCH_INTERVAL_S)
    assert world.lines == [("warning", "Nothing was served for 1.5 s: a turn was long")]


def test_the_reactor_counts_monotonic_seconds():
    program = (
        "import time\n"
        "from tanist.net.clock import install_reactor\n"
        "installed = install_reactor()\n"
        "from twisted.internet import reactor\n"
        "assert reactor is installed\n"
        "assert abs(reactor.seconds() - time.monotonic()) < 1\n"
        "reactor.callLater(0.01, reactor.stop)\n"
        "reactor.run(installSignalHandlers=False)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=20)

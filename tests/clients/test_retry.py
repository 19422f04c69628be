"""``retry`` of each ``client.json``: what the program's own settings say, and what it does.

The figures are what reports hold against a failover time. The first test reads the settings out of
the sources, so that neither can change alone; the others measure the program, so that the settings
are also obeyed. Addresses take a connection and end it, as backups do, or refuse it, as a dead
broker does; that says nothing of a protocol, so programs of both are measured in the same way.
"""

from __future__ import annotations

import itertools
import re
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tanist_interop import protocol
from tanist_interop.drivers.registry import Retry, discover
from tests.clients.harness import ROOT, WAIT_S, free_port

CLIENTS = discover(ROOT / "clients")
MEASURED = [name for name, spec in CLIENTS.items() if not spec.optional]

ADDRESSES = 3
"""What ``retry`` is about."""

JAVA = "src/main/java/tanist/client/Link.java"

SETTLED_MS = 1_500
"""Every delay that grows has reached its limit so long after the first try."""

DRAWN = "cpp-proton"
"""Its library draws each delay, between the least and what doubling has come to."""

EARLY, LATE = 0.97, 1.2
"""A gap may be so much of what it is to be: timers are rounded, and a machine is busy."""

SLACK_MS = 60
"""More for a gap of a few milliseconds: a JVM that has just been started is slow."""


@dataclass(frozen=True)
class Settings:
    """Constants of one source (in ms if their names end so, else in seconds), and their floor."""

    path: str
    names: tuple[str, ...]
    floor: Callable[..., Retry]

    def read(self) -> list[int]:
        """The constants, in ms."""
        text = (ROOT / "clients" / self.path).read_text("utf-8")
        return [self._read(text, name) for name in self.names]

    def _read(self, text: str, name: str) -> int:
        (value,) = re.findall(rf'\b{name}(?:"\])? = "?([\d.]+)\b', text)
        return round(float(value) * (1 if name.endswith("_MS") else 1000))


def doubled(setting: str, more: str = "") -> Callable[[int, int], Retry]:
    """Waits after each pass over the addresses, longer each time."""
    because = "{} {} ms after each pass over the addresses, doubled up to {} ms" + more
    return lambda first, last: Retry(first, last, because.format(setting, first, last))


def of_proton(delay: int) -> Retry:
    """Waits before each address."""
    because = f"{delay} ms before each address after the first pass"
    return Retry(delay, ADDRESSES * delay, because)


def of_rhea(delay: int) -> Retry:
    """Doubles once, after an address that refuses: with one of these a round takes four delays."""
    because = f"{delay} ms before each address, {2 * delay} ms after one that took no connection"
    return Retry(delay, (ADDRESSES + 1) * delay, because)


PROTON = Settings("python-proton/client.py", ("RETRY_S",), of_proton)

SETTINGS = {
    "cpp-proton": Settings(
        "cpp-proton/client.cpp", ("RETRY_MS", "RETRY_MAX_MS"),
        doubled("reconnect delay", ", and drawn from between"),
    ),
    "cpp-qpid": Settings(
        "cpp-qpid/client.cpp", ("reconnect_interval_max",),
        lambda last: doubled("reconnect_interval")(1, last),  # the first is the library's own
    ),
    "jms-0-10": Settings(
        f"jms-0-10/{JAVA}", ("CONNECT_DELAY_MS",),
        lambda delay: Retry(
            delay, ADDRESSES * delay, f"connectdelay {delay} ms before each address"
        ),
    ),
    "jms-1.0": Settings(
        f"jms-1.0/{JAVA}", ("RECONNECT_MS", "RECONNECT_MAX_MS"), doubled("reconnectDelay")
    ),
    "js-rhea": Settings("js-rhea/client.js", ("RETRY_MS",), of_rhea),
    "python-crowd": PROTON,
    "python-proton": PROTON,
    "python-qpid": Settings(
        "python-qpid/client.py", ("RECONNECT_INTERVAL_S",),
        lambda delay: Retry(
            delay, delay, f"reconnect_interval {delay} ms after each pass over the addresses"
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CLIENTS)
def test_what_a_program_tells_is_what_its_settings_impose(name):
    settings = SETTINGS[name]
    assert CLIENTS[name].retry == settings.floor(*settings.read())


class Doors:
    """Addresses at which every connection is taken and ended; ``tries`` has the number of each
    address that was tried, and when, in ms."""

    def __init__(self, count: int) -> None:
        self.tries: list[tuple[int, float]] = []
        self._sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
        self.addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in self._sockets]
        self._threads = [
            threading.Thread(target=self._end_all, args=pair) for pair in enumerate(self._sockets)
        ]
        for thread in self._threads:
            thread.start()

    def _end_all(self, number: int, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            self.tries.append((number, time.monotonic() * 1000))
            connection.close()

    def wait(self, enough: Callable[[], list[float]], count: int) -> list[float]:
        """Wait until there are so many of what ``enough`` looks for; these."""
        deadline = time.monotonic() + WAIT_S
        while len(found := enough()) < count:
            assert time.monotonic() < deadline, self.tries
            time.sleep(0.01)
        return found

    def after_a_pass(self) -> list[float]:
        """From the last address of each pass to the first of the next, in ms."""
        starts = self.tries[ADDRESSES::ADDRESSES]
        ends = self.tries[ADDRESSES - 1 :: ADDRESSES]
        return [start - end for (_, start), (_, end) in zip(starts, ends, strict=False)]

    def between_tries(self) -> list[float]:
        """Between two tries of the first address, once delays do not grow any more, in ms."""
        times = [t for number, t in list(self.tries) if number == 0]
        settled = [t for t in times if t > times[0] + SETTLED_MS]
        return [after - before for before, after in itertools.pairwise(settled)]

    def close(self) -> None:
        """Listen no more."""
        for each in self._sockets:
            each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def doors() -> Iterator[Callable[[int], Doors]]:
    """Make so many addresses."""
    made: list[Doors] = []

    def make(count: int) -> Doors:
        made.append(Doors(count))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.mark.parametrize("name", MEASURED)
def test_it_waits_for_the_least_after_all_addresses_failed(name, client, doors):
    driven, tried = client(name), doors(ADDRESSES)
    driven.init()
    driven.ask(protocol.Connect, tried.addresses, 0)
    gaps = tried.wait(tried.after_a_pass, 5)
    least = CLIENTS[name].retry.least_ms
    assert EARLY * least <= statistics.median(gaps), gaps
    assert min(gaps) <= LATE * least + SLACK_MS, gaps


@pytest.mark.parametrize("name", MEASURED)
def test_it_tries_an_address_again_after_the_most(name, client, doors):
    driven, tried = client(name), doors(ADDRESSES - 1)
    driven.init()
    driven.ask(protocol.Connect, [f"127.0.0.1:{free_port()}", *tried.addresses], 0)
    gaps = tried.wait(tried.between_tries, 16 if name == DRAWN else 5)
    retry = CLIENTS[name].retry
    if name == DRAWN:
        middle = (retry.least_ms + retry.most_ms) / 2
        assert min(gaps) <= middle <= max(gaps), gaps
        assert EARLY * retry.least_ms <= statistics.mean(sorted(gaps)[:4]), gaps
        assert statistics.median(gaps) <= LATE * retry.most_ms
    else:
        assert EARLY * retry.most_ms <= statistics.median(gaps), gaps
        assert min(gaps) <= LATE * retry.most_ms, gaps

"""The load of the demo cluster: a genuine client sends and receives, a line per second counts.

    python -m tanist_interop.demo.load --addresses n1:5672,n2:5672 --client ./run

Two processes of one client program, one that sends and one that receives, do as they would in the
drill: their library reconnects, and what was not confirmed is sent again. What they say is counted
by ``tally``; connections that are lost and found get a line of their own. It ends with SIGTERM or
Ctrl-C, after the queue was emptied, with a last line; exit status 0 if nothing was lost, 1 if
something was, 2 if a program failed or the queue could not be emptied (then nobody knows).
"""

from __future__ import annotations

import argparse
import os
import queue
import shlex
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tanist_interop import protocol
from tanist_interop.demo.tally import Tally
from tanist_interop.drivers.program import Gone, Inbox, Program, Said
from tanist_interop.drivers.registry import ClientSpec

START_S: Final = 120.0
"""Programs start in a second or two; a cluster may take its time to be elected."""
EMPTY_S: Final = 8.0
"""For the queue to run empty at the end: `docker compose down` gives 20."""
SENDER: Final = "sender"
RECEIVER: Final = "receiver"


class LoadError(Exception):
    """A client program did not do what was asked; the text says what."""


@dataclass(frozen=True)
class Options:
    """What to do; rates are messages per second, sizes octets."""

    addresses: list[str]
    client: list[str]
    queue: str = "demo"
    rate_per_s: float = 200.0
    window: int = 100
    body_bytes: int = 100
    heartbeat_s: int = 2


class Load:
    """Two client programs and their counts. ``run`` once; ``stop`` (from a signal) ends it."""

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        self.options = options
        self.say = say
        self.tally = Tally()
        self.producer = f"load-{os.getpid()}-{time.time_ns()}"
        """Messages of an earlier load in the same queue are not ours to count."""
        self.stopping = False
        self._inbox: Inbox = queue.SimpleQueue()
        self._programs: dict[str, Program] = {}
        self._ids = {SENDER: 0, RECEIVER: 0}
        self._replied: set[tuple[str, int]] = set()
        self._ended: set[tuple[str, int]] = set()
        self._began = self._told = time.monotonic()

    def stop(self) -> None:
        """Let ``run`` come to its end."""
        self.stopping = True

    def run(self) -> int:
        """From the first process to the last line; returns the exit status."""
        try:
            self._start()
            sending, receiving = self._stream()
            while not self.stopping:
                self._take(0.2)
            emptied = self._finish(sending, receiving)
        except LoadError as error:
            self._line(str(error))
            return 2
        finally:
            for program in self._programs.values():
                program.end()
        self.say(f"in all  {self.tally}")
        return (1 if self.tally.lost else 0) if emptied else 2

    def _start(self) -> None:
        folder = Path(os.environ.get("TMPDIR", "/tmp"))
        spec = ClientSpec("load", Path.cwd(), tuple(self.options.client))
        for name in (SENDER, RECEIVER):
            program = Program(name, spec, folder / f"load-{os.getpid()}-{name}.log", self._inbox)
            self._programs[name] = program
            program.start()
        both = (SENDER, RECEIVER)
        self._ask([(n, protocol.Init(self._id(n), n, protocol.VERSION)) for n in both])
        o = self.options
        self._ask(
            [
                (n, protocol.Connect(self._id(n), o.addresses, o.heartbeat_s, reopen=True))
                for n in both
            ]
        )
        self._line("connected")

    def _stream(self) -> tuple[int, int]:
        """Declare the queue and begin; the numbers of the sender's and the receiver's task."""
        o = self.options
        self._ask([(SENDER, protocol.Declare(self._id(SENDER), o.queue))])
        receive = protocol.Receive(self._id(RECEIVER), o.queue)
        self._ask([(RECEIVER, receive)])
        send = protocol.Send(
            self._id(SENDER), o.queue, self.producer, 1, 0, o.rate_per_s, o.window, o.body_bytes
        )
        self._ask([(SENDER, send)])
        return send.id, receive.id

    def _finish(self, sending: int, receiving: int) -> bool:
        """Stop the sender, let the receiver catch up, stop it. False if that did not work out."""
        until = time.monotonic() + EMPTY_S
        self._tell(SENDER, protocol.Stop(self._id(SENDER), sending))
        while time.monotonic() < until:
            self._take(0.05)
            if (SENDER, sending) in self._ended and not self.tally.missing():
                break
        emptied = (SENDER, sending) in self._ended
        self._tell(RECEIVER, protocol.Stop(self._id(RECEIVER), receiving))
        while time.monotonic() < until + 2 and (RECEIVER, receiving) not in self._ended:
            self._take(0.05)
        if emptied:
            self.tally.settle()
        else:
            self._line("the sender could not end: no broker serves it")
        return emptied

    # ------------------------------------------------------------------------------- the programs

    def _id(self, name: str) -> int:
        self._ids[name] += 1
        return self._ids[name]

    def _tell(self, name: str, request: protocol.Request) -> None:
        self._programs[name].write(protocol.encode(request))

    def _ask(self, requests: list[tuple[str, protocol.Request]]) -> None:
        """Tell, and wait until each is done. Raises: LoadError."""
        for name, request in requests:
            self._tell(name, request)
        wanted = {(name, request.id) for name, request in requests}
        until = time.monotonic() + START_S
        while not wanted <= self._replied:
            self._take(0.2)
            if self.stopping or time.monotonic() > until:
                raise LoadError(f"no answer to {requests[0][1].TYPE}: is there a primary?")

    def _take(self, timeout_s: float) -> None:
        """Take in what the programs said; a line if a second has passed. Raises: LoadError."""
        try:
            self._said(self._inbox.get(timeout=timeout_s))
            for _ in range(self._inbox.qsize()):
                self._said(self._inbox.get_nowait())
        except queue.Empty:
            pass
        now = time.monotonic()
        if self.tally.sent and now - self._told >= 1:
            self._told = now
            self._line(str(self.tally))

    def _said(self, item: Said | Gone) -> None:
        if isinstance(item, Gone):
            raise LoadError(f"the {item.source} ended with code {item.code}: {item.last_words}")
        message = item.message
        if message is None:
            raise LoadError(f"the {item.source} said nonsense: {item.problem}")
        if isinstance(message, protocol.Failed | protocol.Unsupported):
            raise LoadError(f"the {item.source} answered {message.TYPE}: {message.reason}")
        if isinstance(message, protocol.Reply):
            self._replied.add((item.source, message.in_reply_to))
        elif isinstance(message, protocol.Batch):
            self._count(message)
        elif isinstance(message, protocol.Ended):
            if message.reason == "error":
                raise LoadError(f"the {item.source}'s task failed")
            self._ended.add((item.source, message.task))
        elif isinstance(message, protocol.Disconnected):
            self._line(f"the {item.source} lost its connection: {message.reason}".rstrip(": "))
        elif isinstance(message, protocol.Reconnected):
            self._line(f"the {item.source} is connected again, to {message.address or 'a broker'}")

    def _count(self, batch: protocol.Batch) -> None:
        if batch.producer != self.producer:
            return
        for first, last in batch.sns:
            if isinstance(batch, protocol.Invoke):
                self.tally.announce(first, last)
            elif isinstance(batch, protocol.Ok):
                self.tally.confirm(first, last)
            elif isinstance(batch, protocol.Received):
                self.tally.receive(first, last, batch.redelivered)

    def _line(self, text: str) -> None:
        self.say(f"{time.monotonic() - self._began:5.0f} s  {text}")


def parse(arguments: list[str] | None = None) -> Options:
    """The command line. Raises: SystemExit."""
    parser = argparse.ArgumentParser(prog="load", description="A client sends, receives, counts.")
    add = parser.add_argument
    add("--addresses", required=True, help="host:port of every broker, with commas")
    add("--client", required=True, help="the client program's command")
    add("--queue", default="demo", help="its name; it is made")
    add("--rate", type=float, default=200.0, help="messages per second, 0 = as fast as it can")
    add("--window", type=int, default=100, help="most messages sent and not confirmed")
    add("--body", type=int, default=100, help="octets of a message")
    add("--heartbeat", type=int, default=2, help="seconds")
    o = parser.parse_args(arguments)
    return Options(
        o.addresses.split(","), shlex.split(o.client), o.queue, o.rate, o.window, o.body,
        o.heartbeat,
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM or Ctrl-C; returns the exit status."""
    load = Load(parse(arguments), lambda text: print(text, flush=True))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: load.stop())
    return load.run()


if __name__ == "__main__":
    sys.exit(main())

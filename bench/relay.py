"""The yardstick: a bare relay. One primary, two backups that acknowledge, no codec at all.

    python bench/relay.py backup PORT
    python bench/relay.py primary PORT BACKUP_PORT...

It does what any replicated broker in this language and on this network code must do at the very
least. A message is three 0-10 frames; the relay reads the size of each frame and nothing else. The
primary puts every message on a queue and passes it to both backups, one write per batch and peer;
a backup puts every message on a queue and answers with the number that it has (8 octets a batch);
the primary tells the client how many both have (8 octets a batch of answers).
"""

from __future__ import annotations

import sys
from collections import deque
from struct import Struct

from twisted.internet import protocol, reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint, clientFromString
from twisted.internet.interfaces import IReactorCore, IReactorTime

COUNT = Struct(">Q")
FRAME = Struct(">BBHBBHI")
"""Flags, type, size, reserved, track, channel, reserved."""
FRAMES_PER_MESSAGE = 3
LOOPBACK = "127.0.0.1"


class Frames:
    """Cuts octets into messages of three frames and keeps them."""

    def __init__(self) -> None:
        self.rest = b""
        self.queue: deque[bytes] = deque()
        self.count = 0

    def take(self, data: bytes) -> list[bytes]:
        """The whole messages in ``data`` and what was left over before."""
        if self.rest:
            data = self.rest + data
        found = []
        at = begin = frames = 0
        end = len(data)
        while at + FRAME.size <= end:
            size = FRAME.unpack_from(data, at)[2]
            if at + size > end:
                break
            at += size
            frames += 1
            if frames == FRAMES_PER_MESSAGE:
                message = data[begin:at]
                self.queue.append(message)
                found.append(message)
                begin = at
                frames = 0
        self.rest = data[begin:]
        self.count += len(found)
        return found


class Backup(protocol.Protocol):
    """Keeps what it gets and says how much."""

    def __init__(self) -> None:
        self.frames = Frames()

    def connectionMade(self) -> None:
        """Answer at once."""
        self.transport.setTcpNoDelay(True)

    def dataReceived(self, data: bytes) -> None:
        """Acknowledge cumulatively."""
        if self.frames.take(data):
            self.transport.write(COUNT.pack(self.frames.count))


class Link(protocol.Protocol):
    """The primary's connection to one backup."""

    def __init__(self, primary: Primary) -> None:
        self.primary = primary
        self.acknowledged = 0
        self.rest = b""

    def connectionMade(self) -> None:
        """Ready."""
        self.transport.setTcpNoDelay(True)

    def dataReceived(self, data: bytes) -> None:
        """The newest count is the one that matters."""
        data = self.rest + data
        whole = len(data) - len(data) % COUNT.size
        self.rest = data[whole:]
        if whole:
            (self.acknowledged,) = COUNT.unpack_from(data, whole - COUNT.size)
            self.primary.settle()


class Client(protocol.Protocol):
    """The load client's connection."""

    def __init__(self, primary: Primary) -> None:
        self.primary = primary

    def connectionMade(self) -> None:
        """Remember it: there is one."""
        self.transport.setTcpNoDelay(True)
        self.primary.client = self

    def dataReceived(self, data: bytes) -> None:
        """Pass the messages on, one write a peer."""
        messages = self.primary.frames.take(data)
        if messages:
            batch = b"".join(messages)
            for link in self.primary.links:
                link.transport.write(batch)


class Primary(protocol.Factory):
    """One client in, two backups out."""

    def __init__(self) -> None:
        self.frames = Frames()
        self.links: list[Link] = []
        self.client: Client | None = None
        self.confirmed = 0

    def buildProtocol(self, address: object) -> Client:
        """A client."""
        return Client(self)

    def settle(self) -> None:
        """Confirm what every backup has."""
        messages = min(link.acknowledged for link in self.links)
        if messages > self.confirmed and self.client is not None:
            self.confirmed = messages
            self.client.transport.write(COUNT.pack(messages))


async def run_primary(clock: IReactorTime, port: int, backups: list[int]) -> None:
    """Connect to the backups, then listen."""
    primary = Primary()
    for backup in backups:
        factory = protocol.Factory.forProtocol(lambda: Link(primary))
        endpoint = clientFromString(clock, f"tcp:{LOOPBACK}:{backup}")
        primary.links.append(await endpoint.connect(factory))
    await TCP4ServerEndpoint(clock, port, interface=LOOPBACK).listen(primary)
    print("ready", flush=True)


async def run_backup(clock: IReactorTime, port: int) -> None:
    """Listen."""
    factory = protocol.Factory.forProtocol(Backup)
    await TCP4ServerEndpoint(clock, port, interface=LOOPBACK).listen(factory)
    print("ready", flush=True)


def main() -> None:
    """The command line."""
    core: IReactorCore = reactor
    if sys.argv[1] == "backup":
        started = run_backup(reactor, int(sys.argv[2]))
    else:
        started = run_primary(reactor, int(sys.argv[2]), [int(port) for port in sys.argv[3:]])
    ensureDeferred(started)
    core.run()


if __name__ == "__main__":
    main()

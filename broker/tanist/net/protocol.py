"""One TCP connection of the broker, as a Twisted protocol: bytes in, bytes out, no meaning.

One ``dataReceived`` is one step of the node, and one step writes at most once per connection; there
is no other work per message here. What this class adds to Twisted's transport:

* a connection that sends no protocol header in time is dropped (qpidd-compat 1.3);
* a bounded write buffer: beyond ``WRITE_HIGH_BYTES`` the node is told to stop (input ``Writable``);
  a connection that is given more than ``WRITE_MAX_BYTES`` nevertheless is aborted;
* a close that cannot finish because the peer does not read ends after ``CLOSE_GRACE_S``.

Bytes are given to the kernel at once while the transport is empty: no event loop turn and no change
of what is polled lies between a step and its answer. What the kernel does not take goes to the
transport, which asks for more when it has written that (a pull producer); what comes meanwhile
waits in ``_held``, so that its size is known exactly.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from socket import socket
from typing import Final, Protocol

from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IDelayedCall,
    IPullProducer,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

HEADER_BYTES: Final = 8
"""Length of every AMQP protocol header."""

READ_BYTES: Final = 120 * 1024
"""Bytes asked from the kernel at once. Just below 128 KiB, where glibc's malloc turns to mmap and
a read of 100 bytes costs seven times as much (measured: 2.3 against 15.5 microseconds)."""

WRITE_HIGH_BYTES: Final = 1024 * 1024
"""Held bytes at which the node must stop delivering: some milliseconds of a fast network."""

WRITE_LOW_BYTES: Final = WRITE_HIGH_BYTES // 4
"""Held bytes at which it may go on, early enough that the network does not run dry."""

WRITE_MAX_BYTES: Final = 64 * 1024 * 1024
"""Held bytes beyond which the connection is aborted. The node stops at the high mark, so only
what cannot be stopped (replies, batches) comes here; one message may be larger than this and
is taken as long as the buffer was below."""

CLOSE_GRACE_S: Final = 5.0
"""How long a closing connection may take to write its last bytes."""


@dataclass(frozen=True)
class ConnectionLimits:
    """Settings of every connection."""

    max_negotiate_time_s: float = 10.0
    """A peer must have sent a protocol header after this long."""
    tcp_nodelay: bool = True


class Owner(Protocol):
    """Whom a connection tells what happens."""

    def opened(self, peer: PeerProtocol) -> None:
        """The connection is established."""
        ...

    def received(self, conn: int, data: bytes) -> None:
        """Bytes arrived."""
        ...

    def writable(self, conn: int, writable: bool) -> None:
        """The write buffer became full or drained."""
        ...

    def closed(self, peer: PeerProtocol, reason: str) -> None:
        """The connection is gone."""
        ...


def address_text(address: IAddress) -> str:
    """``host:port`` of a TCP address, with brackets around IPv6; else whatever it calls itself."""
    if isinstance(address, IPv6Address):
        return f"[{address.host}]:{address.port}"
    if isinstance(address, IPv4Address):
        return f"{address.host}:{address.port}"
    return str(address)


@implementer(IPullProducer)
class PeerProtocol(TwistedProtocol):
    """Connection ``conn``; after ``closed`` was told to the owner it is of no more use."""

    transport: ITCPTransport

    def __init__(
        self, conn: int, owner: Owner, reactor: IReactorTime, limits: ConnectionLimits
    ) -> None:
        self.conn = conn
        self.peer = ""
        self.local = ""
        self._owner = owner
        self._received = owner.received
        self._reactor = reactor
        self._limits = limits
        self._header_missing = HEADER_BYTES
        self._timer: IDelayedCall | None = None
        self._held: deque[bytes] = deque()
        self._held_bytes = 0
        self._idle = True
        self._kernel_send: Callable[[bytes], int] | None = None
        self._full = False
        self._closing = False
        self._reason = ""

    # What the transport calls

    def connectionMade(self) -> None:
        """Set the socket up, start the header timer, tell the owner."""
        transport = self.transport
        self.peer = address_text(transport.getPeer())
        self.local = address_text(transport.getHost())
        transport.bufferSize = READ_BYTES  # type: ignore[attr-defined]  # of every FileDescriptor
        if ITCPTransport.providedBy(transport):  # an inherited socket may be of another kind
            transport.setTcpNoDelay(self._limits.tcp_nodelay)
            transport.setTcpKeepAlive(True)
        if isinstance(transport, FileDescriptor):  # not TLS, whose bytes are not the socket's
            handle: socket = transport.getHandle()  # type: ignore[attr-defined]  # of every socket
            self._kernel_send = handle.send
        IConsumer(transport).registerProducer(self, False)
        self._call_later(self._limits.max_negotiate_time_s, self._no_header)
        self._owner.opened(self)

    def dataReceived(self, data: bytes) -> None:
        """Hand the bytes on: one step."""
        if self._header_missing > 0:
            self._header_missing -= len(data)
            if self._header_missing <= 0:
                self._cancel_timer()
        self._received(self.conn, data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the owner, once."""
        self._cancel_timer()
        self._kernel_send = None
        self._closing = True
        self._idle = False
        self._held.clear()
        self._held_bytes = 0
        self._owner.closed(self, self._reason or _loss_text(reason))

    def resumeProducing(self) -> None:
        """The transport is empty: give it what was held."""
        if self._closing:
            return
        self._idle = True
        while self._held and self._idle:
            data = self._held.popleft()
            self._held_bytes -= len(data)
            self._write(data)
        if self._full and self._held_bytes <= WRITE_LOW_BYTES:
            self._full = False
            self._owner.writable(self.conn, True)

    def stopProducing(self) -> None:
        """The transport is gone; ``connectionLost`` follows."""

    # What the owner calls

    def send(self, data: bytes) -> None:
        """Write ``data``, or hold it while the transport is busy."""
        if self._idle:
            self._write(data)
        elif not self._closing:
            self._hold(data)

    def close(self) -> None:
        """Drop the connection when all is written, or after ``CLOSE_GRACE_S``."""
        if self._closing:
            return
        self._closing = True
        self._reason = self._reason or "closed by this broker"
        self._call_later(CLOSE_GRACE_S, self.transport.abortConnection)
        while self._held:
            self.transport.write(self._held.popleft())
        IConsumer(self.transport).unregisterProducer()
        self._idle = False
        self.transport.loseConnection()

    def drop(self, reason: str) -> None:
        """Drop the connection at once; ``reason`` is told to the owner."""
        self._closing = True
        self._idle = False
        self._reason = reason
        self._held.clear()
        self._held_bytes = 0
        self.transport.abortConnection()

    # Inside

    def _hold(self, data: bytes) -> None:
        if self._held_bytes > WRITE_MAX_BYTES:
            self.drop(f"write buffer above {WRITE_MAX_BYTES} bytes: the peer does not read")
            return
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > WRITE_HIGH_BYTES and not self._full:
            self._full = True
            self._owner.writable(self.conn, False)

    def _write(self, data: bytes) -> None:
        """The transport is empty: what the kernel takes goes now, the rest through the transport.

        An error is left to the transport, which meets it again and reports it in its own time.
        """
        if self._kernel_send is not None:
            try:
                sent = self._kernel_send(data)
            except OSError:
                sent = 0
            if sent == len(data):
                return
            data = data[sent:]
        self._idle = False
        self.transport.write(data)

    def _no_header(self) -> None:
        self._timer = None
        self.drop(f"no protocol header within {self._limits.max_negotiate_time_s:g} s")

    def _call_later(self, delay_s: float, call: Callable[[], None]) -> None:
        self._cancel_timer()
        self._timer = self._reactor.callLater(delay_s, call)

    def _cancel_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()


def _loss_text(reason: Failure) -> str:
    if isinstance(reason.value, ConnectionDone):
        return "closed by peer"
    return reason.getErrorMessage()

"""Listening sockets: opened for a port, or inherited as a descriptor.

Sockets are bound before the node exists, because the node must know its port from the start;
``adopt`` then hands each to the reactor. A descriptor from ``--socket-fd`` and a socket of our own
take the same way from there, so what the rigs use and what users use is one code path.

Spec: qpidd-compat 1.4 (port, interface, socket-fd, backlog).
"""

from __future__ import annotations

import errno
import fcntl
import socket
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from twisted.internet.interfaces import IAddress, IListeningPort, IReactorSocket
from twisted.internet.protocol import ServerFactory

from tanist.net.protocol import PeerProtocol
from tanist.types import BrokerError, Condition

SIOCGIFADDR: Final = 0x8915
"""Linux: address of a network interface."""

IF_INET6: Final = Path("/proc/net/if_inet6")
"""Linux: IPv6 addresses of all interfaces."""

PORT_ATTEMPTS_MAX: Final = 20
"""Tries to find one port that is free in every address family; a clash is rare."""

_ABSENT: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""Errors of an address family that the machine does not really have."""

Address = tuple[socket.AddressFamily, str]


class ListenError(BrokerError):
    """A socket cannot be opened or used; the text says which and why."""

    def __init__(self, text: str) -> None:
        super().__init__(Condition.INVALID_ARGUMENT, text)


class Acceptor(ServerFactory):
    """Makes a protocol for each accepted connection."""

    noisy = False

    def __init__(self, make: Callable[[], PeerProtocol]) -> None:
        self._make = make

    def buildProtocol(self, addr: IAddress | None) -> PeerProtocol:
        """A protocol for a new connection."""
        return self._make()


def adopt(reactor: IReactorSocket, listening: socket.socket, acceptor: Acceptor) -> IListeningPort:
    """Serve ``listening``; the reactor works on a duplicate, the given one is closed."""
    listening.setblocking(False)
    try:
        return reactor.adoptStreamPort(listening.fileno(), listening.family, acceptor)
    finally:
        listening.close()


def import_socket(fd: int) -> socket.socket:
    """The inherited listening socket ``fd``. Raises: ListenError."""
    try:
        imported = socket.socket(fileno=fd)
    except OSError as error:
        raise ListenError(f"Cannot import socket {fd}: {error.strerror}") from error
    try:
        listens = imported.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        imported.detach()
        raise ListenError(f"Cannot import socket {fd}: {error.strerror}") from error
    if not listens:
        imported.detach()
        raise ListenError(f"Cannot import socket {fd}: it is not listening")
    return imported


def socket_text(listening: socket.socket) -> str:
    """The address of a socket, for the log."""
    name = listening.getsockname()
    if isinstance(name, tuple):
        return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"
    return str(name)


def socket_port(listening: socket.socket) -> int:
    """The TCP port of a socket, 0 if it has none."""
    name = listening.getsockname()
    return int(name[1]) if isinstance(name, tuple) else 0


def open_sockets(interfaces: Sequence[str], port: int, backlog: int) -> list[socket.socket]:
    """Listen on ``port`` of every address of ``interfaces`` (empty: all), IPv4 and IPv6.

    With port 0 all sockets get one port that was free in all of them.
    Raises: ListenError; no socket stays open then.
    """
    addresses = _addresses(interfaces)
    for _ in range(PORT_ATTEMPTS_MAX):
        try:
            return _open_all(addresses, port, backlog)
        except OSError as error:
            if port or error.errno != errno.EADDRINUSE:
                text = f"Cannot listen on port {port}: {error.strerror}"
                raise ListenError(text) from error
    raise ListenError("Cannot listen: no port is free in all address families")


def _open_all(addresses: Sequence[Address], port: int, backlog: int) -> list[socket.socket]:
    opened: list[socket.socket] = []
    absent: OSError | None = None
    try:
        for family, host in addresses:
            try:
                listening = _open_one(family, host, port, backlog)
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                absent = error
                continue
            opened.append(listening)
            port = port or socket_port(listening)
    except OSError:
        for listening in opened:
            listening.close()
        raise
    if not opened and absent is not None:
        raise absent
    return opened


def _open_one(family: socket.AddressFamily, host: str, port: int, backlog: int) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind((host, port))
        listening.listen(backlog)
    except OSError:
        listening.close()
        raise
    return listening


def _addresses(interfaces: Sequence[str]) -> list[Address]:
    """Addresses to bind, without repetition."""
    if not interfaces:
        return [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")]
    found: dict[Address, None] = {}
    for name in interfaces:
        for address in _nic_addresses(name) or _host_addresses(name):
            found[address] = None
    return list(found)


def _host_addresses(name: str) -> list[Address]:
    host = name.removeprefix("[").removesuffix("]")
    try:
        rows = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ListenError(f"Cannot resolve interface {name}: {error.strerror}") from error
    families = (socket.AF_INET, socket.AF_INET6)
    return [(row[0], str(row[4][0])) for row in rows if row[0] in families]


def _nic_addresses(name: str) -> list[Address]:
    """Addresses of the network interface called ``name``; empty if there is none."""
    if name not in {nic for _, nic in socket.if_nameindex()}:
        return []
    found: list[Address] = []
    request = struct.pack("256s", name.encode()[:15])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            reply = fcntl.ioctl(probe.fileno(), SIOCGIFADDR, request)
        except OSError:
            reply = b""
    if reply:
        found.append((socket.AF_INET, socket.inet_ntoa(reply[20:24])))
    if IF_INET6.exists():
        rows = [line.split() for line in IF_INET6.read_text("ascii").splitlines()]
        for row in rows:
            if row[5] == name and row[3] != "20":  # 20: link-local, needs a scope
                host = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(row[0]))
                found.append((socket.AF_INET6, host))
    return found

"""Fixed ports for brokers that die and come back.

A cluster's addresses are part of its configuration, so the ports are chosen before any broker runs,
and a dead broker's port must stay free. Ports of the kernel's ephemeral range are no good for that:
while the broker is dead, any outgoing connection may take its port, and a client that keeps trying
may even be connected to itself.
"""

from __future__ import annotations

import errno
import random
import socket
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"
BACKLOG: Final = 128
"""Clients of one drill that may be waiting while a broker starts."""
MAX_TRIES: Final = 500
LOWEST: Final = 10_000
FALLBACK_RANGE: Final = (32_768, 60_999)


def ephemeral_range() -> tuple[int, int]:
    """The ports that the kernel gives to outgoing connections."""
    try:
        text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii")
        low, high = text.split()
        return int(low), int(high)
    except (OSError, ValueError):
        return FALLBACK_RANGE


def listen(port: int, host: str = LOOPBACK) -> socket.socket:
    """A listening socket, on the loopback if no other address is given. Raises: OSError when the
    port is taken, or the address is none of this machine's."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def choose(count: int, host: str = LOOPBACK) -> list[socket.socket]:
    """So many listening sockets on free ports outside the ephemeral range. Raises: OSError, at once
    when the address is none of this machine's."""
    low, high = ephemeral_range()
    out: list[socket.socket] = []
    for _ in range(MAX_TRIES):
        if len(out) == count:
            return out
        port = random.randrange(LOWEST, 65_000)
        if low <= port <= high:
            continue
        try:
            out.append(listen(port, host))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise
    for listener in out:
        listener.close()
    raise OSError(f"no {count} free ports outside {low}-{high} after {MAX_TRIES} tries")

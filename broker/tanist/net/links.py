"""Outgoing connections: output ``Connect`` carried out, one attempt each.

The node decides when to try again and whom; this makes one attempt, with a limit on the time that
name resolution and connecting take together (a frozen peer's port still accepts, a dead network's
does not even refuse; qpidd-compat 10.15). The owner hears ``opened`` through the protocol, or
``failed`` once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IProtocol,
    IReactorTCP,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from tanist.net.protocol import PeerProtocol


class Endpoints(Protocol):
    """How an address becomes an endpoint."""

    def __call__(self, host: str, port: int, timeout_s: float) -> IStreamClientEndpoint:
        """An endpoint for one attempt."""
        ...


def endpoints(reactor: IReactorTCP) -> Endpoints:
    """Endpoints on ``reactor``; addresses are used as they are, names are resolved (any family)."""

    def endpoint(host: str, port: int, timeout_s: float) -> IStreamClientEndpoint:
        result: IStreamClientEndpoint
        if isIPAddress(host):
            result = TCP4ClientEndpoint(reactor, host, port, timeout=timeout_s)
        elif isIPv6Address(host):
            result = TCP6ClientEndpoint(  # type: ignore[no-untyped-call]
                reactor, host, port, timeout=timeout_s
            )
        else:
            result = HostnameEndpoint(reactor, host, port, timeout=timeout_s)
        return result

    return endpoint


class _OneProtocol(Factory):
    """Gives the one protocol it was made for."""

    noisy = False

    def __init__(self, peer: PeerProtocol) -> None:
        self._peer = peer

    def buildProtocol(self, addr: IAddress | None) -> PeerProtocol:
        """The protocol."""
        return self._peer


class Links:
    """Attempts under way. ``failed(conn, reason)`` is called for one that came to nothing."""

    def __init__(
        self,
        reactor: IReactorTime,
        endpoint: Endpoints,
        failed: Callable[[int, str], None],
    ) -> None:
        self._reactor = reactor
        self._endpoint = endpoint
        self._failed = failed
        self._attempts: dict[int, Deferred[IProtocol]] = {}
        self._timers: dict[int, IDelayedCall] = {}

    def connect(self, peer: PeerProtocol, host: str, port: int, timeout_s: float) -> None:
        """Connect ``peer`` to ``host:port``, giving up after ``timeout_s`` seconds."""
        conn = peer.conn
        attempt = self._endpoint(host, port, timeout_s).connect(_OneProtocol(peer))
        self._attempts[conn] = attempt
        self._timers[conn] = self._reactor.callLater(timeout_s, attempt.cancel)
        where = f"{host}:{port}"
        attempt.addCallbacks(
            lambda _: self._forget(conn),
            lambda failure: self._lost(
                conn, f"cannot connect to {where}: {_why(failure, timeout_s)}"
            ),
        )

    def cancel(self, conn: int) -> bool:
        """Give up the attempt for ``conn``; false if there is none."""
        attempt = self._attempts.get(conn)
        if attempt is None:
            return False
        attempt.cancel()
        return True

    def cancel_all(self) -> None:
        """Give up all attempts."""
        for conn in list(self._attempts):
            self.cancel(conn)

    def _forget(self, conn: int) -> None:
        self._attempts.pop(conn, None)
        timer = self._timers.pop(conn, None)
        if timer is not None and timer.active():
            timer.cancel()

    def _lost(self, conn: int, reason: str) -> None:
        self._forget(conn)
        self._failed(conn, reason)


def _why(failure: Failure, timeout_s: float) -> str:
    if isinstance(failure.value, CancelledError | ConnectingCancelledError):
        return f"gave up after at most {timeout_s:g} s"
    return failure.getErrorMessage()

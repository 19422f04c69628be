"""One run of the broker: from checked options to the exit code.

``Service.run`` opens the sockets, builds the node, gives both to an ``Edge`` and runs the reactor
until the node or a signal stops it. The reactor is installed here and not on import, so that a
daemon forks before any of it exists; therefore it can be called once per process.

Spec: qpidd-compat 1.4 (sockets, signals, what is printed and logged), 2.11.
"""

from __future__ import annotations

import gc
import resource
import signal
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import FrameType
from typing import Any, Final, cast
from uuid import UUID, uuid4

from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.threads import deferToThreadPool
from twisted.logger import ILogObserver, LogLevel, formatEvent, globalLogBeginner
from twisted.python.failure import Failure
from zope.interface import provider

from tanist.net.clock import StallWatch, install_reactor, monotonic
from tanist.net.commands import Answer, Commands, InThread
from tanist.net.edge import Edge, Steppable
from tanist.net.heap import HeapWatch, c_library, malloc_figures
from tanist.net.links import endpoints
from tanist.net.listeners import (
    Acceptor,
    ListenError,
    adopt,
    import_socket,
    open_sockets,
    socket_port,
    socket_text,
)
from tanist.net.protocol import ConnectionLimits
from tanist.service.config import BrokerOptions, NetworkOptions, announce
from tanist.service.datadir import DataDir
from tanist.service.logs import Log
from tanist.service.sources import Setting, UsageError

GC_ALLOCATIONS: Final = 100_000
"""Container objects made before the collector looks at the youngest: tens of thousands of messages
(Python's 700 would be some runs per batch)."""

GC_GENERATIONS: Final = 20
"""Runs over a younger generation before the next older one is looked at."""

MakeNode = Callable[[BrokerOptions, UUID, int], Steppable]
"""Makes the node from options, system id and port; raises BrokerError. ``build.build_node``."""


class Service:
    """The broker of this process. Call ``run`` once."""

    def __init__(
        self,
        options: BrokerOptions,
        settings: Mapping[str, Setting],
        log: Log,
        make_node: MakeNode,
    ) -> None:
        self._options = options
        self._settings = settings
        self._log = log
        self._make_node = make_node
        self._exit_code = 0

    def run(self, ready: Callable[[int], None]) -> int:
        """Serve until stopped; returns the exit code. ``ready(port)`` is called when it serves.

        Raises: BrokerError if the broker cannot start; nothing was served then.
        """
        for level, category, text in announce(self._settings, self._options):
            self._log.line(level, category, text)
        with ExitStack() as stack:
            system_id = self._system_id(stack)
            listening = listening_sockets(self._options.network, self._log)
            port = self._options.network.port or socket_port(listening[0])
            node = self._make_node(self._options, system_id, port)
            self._serve(node, listening, port, ready)
        self._log.line("notice", "Broker", f"Broker stopped, exit code {self._exit_code}")
        self._log.close()
        return self._exit_code

    def _system_id(self, stack: ExitStack) -> UUID:
        if self._options.data_dir is None:
            return uuid4()
        return stack.enter_context(DataDir(self._options.data_dir)).system_id()

    def _serve(
        self,
        node: Steppable,
        listening: list[socket.socket],
        port: int,
        ready: Callable[[int], None],
    ) -> None:
        _raise_descriptor_limit()
        reactor = install_reactor()
        globalLogBeginner.beginLoggingTo(
            [twisted_observer(self._log)], discardBuffer=True, redirectStandardIO=False
        )
        network = self._options.network
        limits = ConnectionLimits(network.max_negotiate_time_s, network.tcp_nodelay)

        def stopped(code: int) -> None:
            self._exit_code = code
            reactor.stop()

        commands = Commands(self._options.ha.insync_command, in_thread(reactor))
        edge = Edge(
            node,
            reactor,
            endpoints(reactor),
            monotonic,
            self._log.line,
            limits,
            commands,
            stopped,
        )

        def serving() -> None:
            if not edge.stopping:
                ready(port)

        _catch_signals(reactor, edge)
        acceptor = Acceptor(edge.accept)
        edge.start(time.time())
        for each in listening:
            adopt(reactor, each, acceptor)
        edge.listening(port)
        _calm_collector()
        StallWatch(reactor, monotonic, self._log.line).start()
        library = c_library()
        HeapWatch(reactor, monotonic, lambda: malloc_figures(library), edge.feed).start()
        reactor.callWhenRunning(serving)
        reactor.run(installSignalHandlers=False)


def in_thread(reactor: PosixReactorBase) -> InThread:
    """How commands get a thread: the reactor's pool."""

    def run(work: Callable[[], Answer], done: Callable[[Answer], None]) -> None:
        deferToThreadPool(reactor, reactor.getThreadPool(), work).addCallback(done)

    return run


def listening_sockets(options: NetworkOptions, log: Log) -> list[socket.socket]:
    """The sockets to serve, our own and inherited ones.

    Raises: ListenError if one of ours cannot be opened; UsageError if there is none at all.
    """
    listening: list[socket.socket] = []
    if options.tcp:
        listening = open_sockets(options.interfaces, options.port, options.backlog)
        if listening:
            port = socket_port(listening[0])
            log.line("notice", "Network", f"Listening on TCP/TCP6 port {port}")
    for fd in options.socket_fds:
        try:
            imported = import_socket(fd)
        except ListenError as error:
            log.line("error", "Network", error.text)
            continue
        log.line("notice", "Network", f"Listening on imported socket: {socket_text(imported)}")
        listening.append(imported)
    if not listening:
        raise UsageError("no transports listening: allow tcp or give a usable socket-fd")
    return listening


def twisted_observer(log: Log) -> ILogObserver:
    """An observer that turns Twisted's own events into lines: failures error, the rest debug."""

    @provider(ILogObserver)
    def observe(event: Mapping[str, Any]) -> None:
        failure = event.get("log_failure")
        if isinstance(failure, Failure):
            log.line(
                "error", "System", f"Unhandled {type(failure.value).__name__}: {failure.value}"
            )
            for line in failure.getTraceback().splitlines():
                log.line("debug", "System", line)
        elif event.get("log_level") in {LogLevel.error, LogLevel.critical}:
            log.line("error", "System", formatEvent(dict(event)))
        elif log.enabled("debug", "System"):
            log.line("debug", "System", formatEvent(dict(event)))

    return cast(ILogObserver, observe)


def _catch_signals(reactor: PosixReactorBase, edge: Edge) -> None:
    """SIGINT and SIGTERM stop the broker politely; SIGHUP is nothing."""

    def stop(number: int, frame: FrameType | None) -> None:
        reactor.callFromThread(edge.shutdown, 0)

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _calm_collector() -> None:
    """Make the garbage collector rare: messages are freed by reference counts, and every run of the
    collector walks all that are queued."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_ALLOCATIONS, GC_GENERATIONS, GC_GENERATIONS)


def _raise_descriptor_limit() -> None:
    """One descriptor per connection: take what the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        return  # the limit stays; Twisted survives running out

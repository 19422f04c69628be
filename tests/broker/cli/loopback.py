"""Brokers for the tools' tests: a real node on a real loopback socket, driven by a thread.

``LoopbackBroker`` performs what the node wants, except that every dial to another broker is
refused: the tools talk to one broker at a time. ``DeafServer`` accepts and says nothing, or says
one thing. ``Original`` is what the old broker showed.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from types import TracebackType
from uuid import UUID

from tanist.management.agent import ManagedObject
from tanist.node.config import NodeConfig
from tanist.node.inputs import Connected, Disconnected, Input, Listening, Received, Started, Tick
from tanist.node.node import Node
from tanist.node.outputs import Arm, Close, Connect, Output, Send
from tanist.wire.amqp010.values import Value

WAIT_S = 0.05


def listener() -> socket.socket:
    """A listening socket on a port of the system's choice."""
    return socket.create_server(("127.0.0.1", 0))


class LoopbackBroker:
    """A broker on ``port``. Use it in a with statement; ``config``: fields of ``NodeConfig``."""

    def __init__(self, number: int = 1, **config: object) -> None:
        self._listener = listener()
        self.port: int = self._listener.getsockname()[1]
        fields: dict[str, object] = {"ha_cluster": True, "port": self.port, **config}
        self.node = Node(
            NodeConfig(
                system_id=UUID(int=number, version=4),
                boot_id=bytes([number]) * 16,
                **fields,  # type: ignore[arg-type]
            )
        )
        self._selector = selectors.DefaultSelector()
        self._sockets: dict[int, socket.socket] = {}
        self._todo: list[Input] = []
        self._armed_at = float("inf")
        self._running = True
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"broker {self.port}")

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> LoopbackBroker:
        """It has started when this returns: a test may set what it likes from then on."""
        self._selector.register(self._listener, selectors.EVENT_READ, 0)
        self._step(Started(time.monotonic(), time.time()))
        self._step(Listening(time.monotonic(), self.port))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._running = False
        self._thread.join(10)
        assert not self._thread.is_alive()
        if self._problem is not None:
            raise self._problem

    # -- the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._serve()
        except BaseException as problem:
            self._problem = problem
        finally:
            for each in (*self._sockets.values(), self._listener):
                each.close()
            self._selector.close()

    def _serve(self) -> None:
        while self._running:
            for key, _ in self._selector.select(WAIT_S):
                if key.data:
                    self._read(key.data)
                else:
                    self._accept()
            if time.monotonic() >= self._armed_at:
                self._armed_at = float("inf")
                self._step(Tick(time.monotonic()))

    def _accept(self) -> None:
        client, peer = self._listener.accept()
        conn = len(self._sockets) + 1
        while conn in self._sockets:
            conn += 1
        self._sockets[conn] = client
        self._selector.register(client, selectors.EVENT_READ, conn)
        self._step(Connected(time.monotonic(), conn, f"{peer[0]}:{peer[1]}", self.address))

    def _read(self, conn: int) -> None:
        client = self._sockets.get(conn)
        if client is None:
            return
        try:
            data = client.recv(65536)
        except OSError:
            data = b""
        if data:
            self._step(Received(time.monotonic(), conn, data))
        else:
            self._drop(conn)

    def _drop(self, conn: int) -> None:
        client = self._sockets.pop(conn, None)
        if client is not None:
            self._selector.unregister(client)
            client.close()
            self._todo.append(Disconnected(time.monotonic(), conn, "closed"))
            self._settle()

    def _step(self, happened: Input) -> None:
        self._todo.append(happened)
        self._settle()

    def _settle(self) -> None:
        while self._todo:
            for output in self.node.step(self._todo.pop(0)):
                self._perform(output)

    def _perform(self, output: Output) -> None:
        if isinstance(output, Send) and output.conn in self._sockets:
            self._sockets[output.conn].sendall(output.data)
        elif isinstance(output, Close) and output.conn in self._sockets:
            client = self._sockets.pop(output.conn)
            self._selector.unregister(client)
            client.close()
            self._todo.append(Disconnected(time.monotonic(), output.conn, "closed"))
        elif isinstance(output, Connect):
            self._todo.append(Disconnected(time.monotonic(), output.conn, "refused"))
        elif isinstance(output, Arm):
            self._armed_at = output.at


class DeafServer:
    """Accepts connections, says ``greeting`` to each, hangs up if told so, reads nothing."""

    def __init__(self, greeting: bytes = b"", *, hang_up: bool = False) -> None:
        self._listener = listener()
        self.port: int = self._listener.getsockname()[1]
        self._greeting = greeting
        self._hang_up = hang_up
        self._clients: list[socket.socket] = []
        self._running = True
        self._thread = threading.Thread(target=self._run)

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> DeafServer:
        self._listener.settimeout(WAIT_S)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._running = False
        self._thread.join(10)
        for each in (*self._clients, self._listener):
            each.close()

    def _run(self) -> None:
        while self._running:
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            self._clients.append(client)
            if self._greeting:
                client.sendall(self._greeting)
            if self._hang_up:
                client.recv(8)
                client.close()


def free_address() -> str:
    """An address where nobody listens."""
    with listener() as gone:
        return f"127.0.0.1:{gone.getsockname()[1]}"


def cluster_url(*brokers: LoopbackBroker) -> str:
    """The addresses of these brokers, as the members of a cluster."""
    return ",".join(broker.address for broker in brokers)


class Original(ManagedObject):
    """A habroker as the original shows it: its texts are octets."""

    def values(self) -> dict[str, Value]:
        return {
            "status": b"active",
            "systemId": UUID(int=1, version=4),
            "brokersUrl": b"",
            "publicUrl": b"",
            "replicateDefault": b"all",
            "members": [{"host-name": b"node1"}],
        }

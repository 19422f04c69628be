"""Brokers under replay, and what every recorded client wants of them.

``a_primary`` and ``a_backup`` make the brokers: real nodes, without sockets.
"""

from __future__ import annotations

from replay import Conversation, Said, Wire

from tanist.wire.amqp010.transfer import application_headers, message_properties
from tanist.wire.amqp010.values import Value
from tests.broker.node.network import Guest, Host, cluster, running

PUBLIC_URL = "127.0.0.1:7201,127.0.0.1:7202"
"""Where the recorded cluster was to be found."""


class RecordedClient:
    """The client's end of a connection to ``host``: says what was recorded."""

    def __init__(self, host: Host) -> None:
        self._network = host.network
        self._began = host.network.now
        self._heard = b""
        self.dropped = False
        self._wire = host.accept(self)  # type: ignore[arg-type]  # only its two methods are used
        self._network.run()

    def wire_data(self, conn: int, data: bytes) -> None:
        """Bytes from the host."""
        self._heard += data

    def wire_gone(self, conn: int, reason: str) -> None:
        """The host closed."""
        self.dropped = True

    def feed(self, data: bytes, at_s: float) -> bytes:
        """Say the next bytes at their time; returns what came back."""
        self._network.advance(max(0.0, self._began + at_s - self._network.now))
        self._wire.send(0, data)
        self._network.run()
        heard, self._heard = self._heard, b""
        return heard

    def hang_up(self) -> None:
        """TCP is gone."""
        self._wire.cut("client gone")
        self._network.run()


class NodeSubject:
    """A real node, alone in its cluster."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def connect(self) -> Wire:
        """A new connection."""
        return RecordedClient(self.host)


def a_primary(**config: object) -> tuple[NodeSubject, Guest]:
    """A broker that serves, and a client to prepare it with; ``config``: as for ``running``."""
    _, (host,) = running("a", ha_public_url=PUBLIC_URL, **config)
    return NodeSubject(host), Guest(host)


def a_backup() -> NodeSubject:
    """A broker that refuses ordinary clients."""
    _, (host, *_) = cluster("a", "b")
    return NodeSubject(host)


def needs_are_met(conversation: Conversation, *, unfinished: tuple[int, ...] = ()) -> None:
    """What every client waits for: attached, its commands completed, detached, close-ok.

    ``unfinished``: channels whose session was cut off in the recording.
    """
    assert not conversation.got("execution.exception")
    assert not conversation.got("connection.close")
    attach = [said for said in conversation.client if said.name == "session.attach"]
    attached = conversation.got("session.attached")
    names = [said.struct.octets("name") for said in attach]
    assert [said.struct.octets("name") for said in attached] == names
    for said in attach:
        missing = conversation.commands(said.channel) - conversation.completed(said.channel)
        assert not missing, f"never completed on channel {said.channel}: {missing}"
    expected = sum(said.name == "session.detach" for said in conversation.client)
    detached = conversation.got("session.detached")
    assert len(detached) == expected
    assert all(said.struct.number("code") == 0 for said in detached)
    assert len(conversation.got("session.timeout")) == len(conversation.original("session.timeout"))
    if any(said.name == "connection.close" for said in conversation.client):
        assert conversation.got("connection.close-ok")
        assert conversation.dropped
    completions_are_in_time(conversation)


def completions_are_in_time(conversation: Conversation) -> None:
    """Whatever the original had completed after a read of the client's, we have as well."""
    for original in conversation.original("session.completed"):
        ours = {
            command_id
            for said in conversation.got("session.completed", original.channel)
            if said.chunk <= original.chunk
            for first, last in said.struct.ranges("commands")
            for command_id in range(first, last + 1)
        }
        theirs = {
            command_id
            for first, last in original.struct.ranges("commands")
            for command_id in range(first, last + 1)
        }
        assert theirs <= ours, original


def opcode(said: Said) -> Value:
    return application_headers(said.header).get("qmf.opcode")


def answers(messages: list[Said]) -> list[tuple[Value, Value, bytes]]:
    """What makes an answer one: opcode, agent as the client called it, correlation id."""
    found = []
    for said in messages:
        headers = application_headers(said.header)
        properties = message_properties(said.header)
        assert properties is not None
        found.append(
            (
                headers.get("qmf.opcode"),
                headers.get("qmf.agent"),
                properties.octets("correlation_id"),
            )
        )
    return found

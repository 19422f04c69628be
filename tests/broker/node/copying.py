"""Brokers that copy queues from each other, and copies played by a client.

``source_and_copy`` makes two real brokers. ``Subscriber`` is a client that subscribes as the broker
of a copy does, reads the stream and accepts nothing unless told.
"""

from __future__ import annotations

from uuid import UUID

from tanist.ha.membership import BrokerInfo
from tanist.ha.queue_link import (
    GONE,
    NOTHING,
    STANDING,
    Standing,
    Stream,
    encode_ids,
)
from tanist.ha.roles import Status
from tanist.wire.amqp010.values import Value
from tests.broker.node.network import Admin, Guest, Host, Network
from tests.broker.sessions.session_peer import ClientSession, Delivered

WHO = UUID(int=4711, version=4)
EVERYTHING = 0xFFFFFFFF


def standalone(network: Network, name: str, number: int, **config: object) -> Host:
    """A broker outside a cluster that copies queues and lets them be copied."""
    fields: dict[str, object] = {"ha_cluster": False, "ha_queue_replication": True, **config}
    return Host(network, name, number, **fields)


def queue_on(host: Host, name: str = "q", **more: object) -> ClientSession:
    """A session that declared a queue."""
    session = Guest(host).session()
    session.do("queue.declare", queue=name, **more)
    return session


def replicate(host: Host, url: str, queue: str = "q") -> str:
    """``qpid-ha replicate``; returns "" or why not."""
    return ask(host, "replicate", broker=url, queue=queue)


def unreplicate(host: Host, queue: str = "q") -> str:
    """``qpid-ha unreplicate``; returns "" or why not."""
    return ask(host, "unreplicate", queue=queue)


def ask(host: Host, method: str, **arguments: Value) -> str:
    """Call a method of the habroker."""
    admin = Admin(host)
    error = admin.call(method, **arguments)
    admin.hang_up()
    return error


def seen(host: Host, what: str) -> list[dict[str, Value]]:
    """``replicas`` or ``followers`` of the habroker object."""
    admin = Admin(host)
    values = admin.ha_broker()
    admin.hang_up()
    assert values is not None
    found = values[what]
    assert isinstance(found, list)
    return [row for row in found if isinstance(row, dict)]


def state_of(host: Host, queue: str = "q") -> str:
    """The state of a copy as its broker shows it, "" if it is none."""
    for row in seen(host, "replicas"):
        if row["queue"] == queue:
            return str(row["state"])
    return ""


def source_and_copy(published: int = 0, **config: object) -> tuple[Network, Host, Host]:
    """Two brokers; ``q`` of the second is a copy of ``q`` of the first, which has messages."""
    network = Network()
    source = standalone(network, "s", 1, **config)
    copy = standalone(network, "d", 2, **config)
    session = queue_on(source)
    for number in range(published):
        session.publish("q", b"%d" % number)
    queue_on(copy)
    assert replicate(copy, "s") == ""
    network.run()
    assert state_of(copy) == "in-sync"
    return network, source, copy


def cut(host: Host) -> None:
    """All connections of ``host`` break; both ends learn it, what is under way arrives first."""
    for wire in list(host.wires.values()):
        wire.cut("connection reset")
    host.network.run()


class Subscriber:
    """A broker of a copy as the source sees it. ``ours``: it says that it is one of ours."""

    def __init__(
        self,
        host: Host,
        *,
        ids: list[tuple[int, int]] | None = None,
        ours: bool = True,
        lineage: bytes = b"",
        credit: int = EVERYTHING,
        queue: str = "q",
        accept: int = 0,
        acquire: int = 1,
        **arguments: Value | None,
    ) -> None:
        """``arguments``: further ones, with ``_`` for ``.`` and ``-``; None takes one out."""
        self.guest = Guest(host)
        self.session = self.guest.session()
        self.stream = Stream()
        self.standings: list[Standing] = []
        self.gone: list[list[tuple[int, int]]] = []
        self.messages: dict[int, Delivered] = {}
        self.kinds: list[str] = []
        self._read = 0
        fields: dict[str, Value | None] = {
            "qpid.ha-repsub": "qpid.ha-qrep",
            "qpid.ha-info": BrokerInfo(WHO, Status.STANDALONE).to_map(),
            "qpid.ha-ids": encode_ids(ids or []),
            "qpid.ha-lineage": lineage if ours else None,
            **arguments,
        }
        given = {name: value for name, value in fields.items() if value is not None}
        self.session.subscribe(
            queue, "f", accept=accept, acquire=acquire, window=True, credit=credit, arguments=given
        )
        self.read()

    def read(self) -> list[bytes]:
        """Understand what came; returns the bodies of all messages so far, in order."""
        for delivered in self.session.messages[self._read :]:
            number = self.stream.take(delivered.header, delivered.body or b"")
            if number >= 0:
                self.messages[number] = delivered
                self.kinds.append("message")
            elif number == GONE:
                self.gone.append(self.stream.gone)
                self.kinds.append("gone")
            elif number == STANDING:
                assert self.stream.standing is not None
                self.standings.append(self.stream.standing)
                self.kinds.append("standing")
            else:
                assert number == NOTHING
                self.kinds.append("id")
        self._read = len(self.session.messages)
        return [delivered.body or b"" for delivered in self.messages.values()]

    def accept(self, *numbers: int) -> None:
        """Accept and complete messages, all by default; events are completed with them."""
        self.read()
        chosen = numbers or tuple(self.messages)
        ids = [self.messages[number].id for number in chosen]
        self.session.do("message.accept", transfers=[(each, each) for each in ids])
        if not numbers:
            self.session.finish(0, self.session.messages[-1].id)

    @property
    def error(self) -> tuple[int, str]:
        """Code and text of the exception that ended the session, (0, "") without one."""
        exception = self.session.exception
        if exception is None:
            return 0, ""
        return exception.number("error_code"), exception.text("description")

"""The recorded qpid-ha of the original gets from our node what it needed from the original's.

Captures 01 (status on a backup), 05 (promote) and 06 (query): the client's recorded bytes go into a
real node, whole and in arbitrary pieces.
"""

from __future__ import annotations

from uuid import UUID

import pytest
from replay import Conversation, Said, replay
from subjects import answers, opcode

from tanist.node.inputs import Received
from tanist.wire.amqp010.codec import decode_list, decode_map
from tanist.wire.amqp010.values import Value
from tests.broker.node.network import Host, Network, Wire, promote

STATUS, PROMOTE, QUERY = "01-qpid-ha-status-on-backup", "05-qpid-ha-promote", "06-qpid-ha-query"


class Recording:
    """One replayed connection to a host; ``piece``: bytes that arrive at a time."""

    def __init__(self, host: Host, piece: int) -> None:
        self.host = host
        self.piece = piece
        self.dropped = False
        self._answer = b""
        self._at_s = 0.0
        self._wire: Wire = host.accept(self)  # type: ignore[arg-type]

    def feed(self, data: bytes, at_s: float) -> bytes:
        """The client's bytes arrive; what the node says to it."""
        network = self.host.network
        network.advance(max(0.0, at_s - self._at_s))
        self._at_s = at_s
        conn = self._wire.accepted
        for at in range(0, len(data), self.piece):
            part = data[at : at + self.piece]
            self.host.take(lambda part=part: Received(network.now, conn, part))
        network.run()
        answer, self._answer = self._answer, b""
        return answer

    def hang_up(self) -> None:
        """TCP is gone."""
        self._wire.cut("client gone")
        self.host.network.run()

    def wire_data(self, conn: int, data: bytes) -> None:
        """Bytes for the client."""
        self._answer += data

    def wire_gone(self, conn: int, reason: str) -> None:
        """The node dropped the client."""
        self.dropped = True


class Subject:
    """A member of a cluster, alone."""

    def __init__(self, piece: int = 65536) -> None:
        self.piece = piece
        self.host = Host(Network(), "a", 1, ha_brokers_url="a", ha_public_url="vip")
        self.host.network.run()

    def connect(self) -> Recording:
        """A client connects."""
        return Recording(self.host, self.piece)


def needs_are_met(conversation: Conversation) -> None:
    """Opened, attached, all commands completed, detached, closed, and no error."""
    for name in ("connection.open-ok", "session.attached", "connection.close-ok"):
        assert len(conversation.got(name)) == len(conversation.original(name)), name
    assert not conversation.got("execution.exception")
    for said in conversation.client:
        if said.name == "session.attach":
            missing = conversation.commands(said.channel) - conversation.completed(said.channel)
            assert not missing, f"never completed: {missing}"
    assert len(conversation.results()) == len(
        [said for said in conversation.recorded if said.name == "execution.result"]
    )


def ha_broker(said: Said) -> dict[str, Value]:
    """The object in the answer to a query."""
    (element,) = decode_list(said.body)
    assert isinstance(element, dict)
    return element


@pytest.mark.parametrize("piece", [65536, 7])
@pytest.mark.parametrize("name", [STATUS, PROMOTE, QUERY])
def test_the_tool_gets_its_answers(name: str, piece: int) -> None:
    conversation = replay(Subject(piece), name)
    needs_are_met(conversation)
    original = [said for said in conversation.recorded if said.name == "message.transfer"]
    assert answers(conversation.messages()) == answers(original)
    ours = [said.struct.text("destination") for said in conversation.messages()]
    assert ours == [said.struct.text("destination") for said in original]


@pytest.mark.parametrize("name", [STATUS, PROMOTE, QUERY])
def test_the_object_has_what_the_original_has(name: str) -> None:
    conversation = replay(Subject(), name)
    original = [said for said in conversation.recorded if said.name == "message.transfer"]
    ours, theirs = ha_broker(conversation.messages()[0]), ha_broker(original[0])
    assert set(ours) >= set(theirs)
    our_values, their_values = ours["_values"], theirs["_values"]
    assert isinstance(our_values, dict)
    assert isinstance(their_values, dict)
    assert set(our_values) >= set(their_values)
    assert ours["_schema_id"] == {
        "_package_name": "org.apache.qpid.ha",
        "_class_name": "habroker",
        "_type": "_data",
        "_hash": UUID("acdc2ef2-f796-fbd4-22ea-8ee38bb4ef49"),
    }
    assert our_values["status"] == "joining"
    assert our_values["publicUrl"] == "amqp:tcp:vip:5672"


def test_promote_promotes() -> None:
    subject = Subject()
    conversation = replay(subject, PROMOTE)
    assert subject.host.status == "active"
    done = [said for said in conversation.messages() if opcode(said) == "_method_response"]
    assert [decode_map(said.body) for said in done] == [{"_arguments": {}}]


def test_status_tells_the_truth_on_a_primary() -> None:
    subject = Subject()
    assert promote(subject.host) == ""
    values = ha_broker(replay(subject, STATUS).messages()[0])["_values"]
    assert isinstance(values, dict)
    assert values["status"] == "active"

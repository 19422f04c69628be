"""The recorded clients get from our broker what they needed from the original.

One test per capture of spec "Must show": the client's recorded bytes go in, and what a client of
that kind waits for must come out. Where the answers must be the same (results of queries, numbers
of the deliveries, headers) they are compared with what the original said in the recording.
"""

from __future__ import annotations

import pytest
from replay import Conversation, Said, Subject, replay
from subjects import a_backup, a_primary, needs_are_met

from tests.broker.sessions.session_peer import Client

REFUSED = ("02-python-client-refused-by-backup", "03-cpp-0-10-client-refused-by-backup")


def prepared(*queues: str, messages: int = 0) -> tuple[Subject, Client]:
    """A primary with ``queues``, each holding ``messages`` messages."""
    subject, client = a_primary()
    session = client.attach("prepare")
    for queue in queues:
        session.do("queue.declare", queue=queue)
        for number in range(messages):
            session.publish(queue, f"old {number}".encode())
    return subject, client


def depth(client: Client, queue: str) -> int:
    """Messages on ``queue`` as queue.query tells."""
    asking = client.attach(f"depth of {queue}", force=True)
    return asking.ask("queue.query", queue=queue).number("message_count")


def results_agree(conversation: Conversation) -> None:
    """Results come with the ids, kinds and flags that the original gave."""
    ours = conversation.got("execution.result")
    theirs = conversation.original("execution.result")
    assert [said.struct.number("command_id") for said in ours] == [
        said.struct.number("command_id") for said in theirs
    ]
    for mine, other in zip(ours, theirs, strict=True):
        assert _comparable(mine) == _comparable(other)


def _comparable(said: Said) -> tuple[str, dict[str, object]]:
    value = said.struct.struct("value")
    assert value is not None
    fields: dict[str, object] = dict(value.fields)
    if value.has("arguments"):
        fields["arguments"] = sorted(value.map("arguments"))
    return value.name, fields


def deliveries_agree(conversation: Conversation) -> None:
    """Deliveries have the ids, destinations, modes, bodies and flags that the original gave."""
    ours, theirs = conversation.messages(), conversation.original("message.transfer")
    assert [_delivery(said) for said in ours] == [_delivery(said) for said in theirs]


def _delivery(said: Said) -> tuple[object, ...]:
    found = said.properties
    return (
        said.channel,
        said.id,
        said.struct.text("destination"),
        said.struct.number("accept_mode"),
        said.struct.number("acquire_mode"),
        said.body,
        found.redelivered,
        found.routing_key,
        found.priority,
        found.durable,
    )


def comes_before(conversation: Conversation, first: str, second: str) -> bool:
    """Whether, within each answer, all ``first`` come before any ``second``."""
    for chunk in {said.chunk for said in conversation.server}:
        names = [said.name for said in conversation.server if said.chunk == chunk]
        if second in names and first in names[names.index(second) :]:
            return False
    return True


@pytest.mark.parametrize("name", REFUSED)
def test_02_03_a_backup_drops_the_client_without_a_word(name: str) -> None:
    conversation = replay(a_backup(), name)
    assert conversation.dropped
    names = [said.name for said in conversation.server]
    assert names == ["connection.start", "connection.tune"]


def test_11_cpp_send() -> None:
    subject, client = prepared("q1")
    conversation = replay(subject, "11-cpp-0-10-send")
    needs_are_met(conversation)
    results_agree(conversation)
    assert depth(client, "q1") == 5


def test_12_cpp_receive() -> None:
    subject, client = prepared("q1")
    replay(subject, "11-cpp-0-10-send")
    conversation = replay(subject, "12-cpp-0-10-receive")
    needs_are_met(conversation)
    results_agree(conversation)
    deliveries_agree(conversation)
    assert comes_before(conversation, "message.transfer", "session.completed")
    assert all(0 < said.properties.ttl_ms <= 60000 for said in conversation.messages())
    assert depth(client, "q1") == 0


def test_15_cpp_transactions() -> None:
    subject, client = prepared("q1")
    sending = replay(subject, "15-cpp-0-10-tx.1")
    needs_are_met(sending)
    assert depth(client, "q1") == 6
    receiving = replay(subject, "15-cpp-0-10-tx.2")
    needs_are_met(receiving)
    deliveries_agree(receiving)
    assert depth(client, "q1") == 0


def test_16_cpp_topic_and_browse() -> None:
    subject, client = prepared("q1")
    admin = client.attach("admin")
    admin.do("exchange.declare", exchange="ex1", type="topic")
    first = replay(subject, "16-cpp-0-10-topic-and-browse.1")
    needs_are_met(first)
    results_agree(first)
    admin.do("exchange.bind", exchange="ex1", queue="q1", binding_key="a.#")
    second = replay(subject, "16-cpp-0-10-topic-and-browse.2")
    needs_are_met(second)
    results_agree(second)
    browsing = replay(subject, "16-cpp-0-10-topic-and-browse.3")
    needs_are_met(browsing)
    deliveries_agree(browsing)
    assert [said.properties.exchange for said in browsing.messages()] == ["ex1"] * 3
    assert depth(client, "q1") == 3


def test_17_cpp_heartbeats_and_failover_updates() -> None:
    subject, _ = prepared()
    conversation = replay(subject, "17-cpp-0-10-heartbeat-1s-idle-and-failover-updates")
    needs_are_met(conversation)
    results_agree(conversation)
    (update,) = conversation.messages(channel=1)
    assert update.id == 2
    assert update.properties.routing_key == "amq.failover"
    assert len(conversation.got("connection.heartbeat")) >= 3


def test_19_python_send_and_receive() -> None:
    subject, client = prepared()
    conversation = replay(subject, "19-python-send-receive")
    needs_are_met(conversation)
    results_agree(conversation)
    deliveries_agree(conversation)
    # The client has no function for it and would end the connection.
    assert not conversation.got("message.accept")
    assert depth(client, "q2") == 2


def test_20_python_transactions() -> None:
    subject, client = prepared("q2", messages=2)
    conversation = replay(subject, "20-python-tx")
    needs_are_met(conversation)
    results_agree(conversation)
    assert not conversation.got("message.accept")
    assert depth(client, "q2") == 3


def test_21_python_failover_exchange() -> None:
    subject, _ = prepared()
    conversation = replay(subject, "21-python-failover-exchange")
    needs_are_met(conversation)
    results_agree(conversation)
    (update,) = conversation.messages()
    assert update.struct.text("destination") == "0"
    (original,) = conversation.original("message.transfer")
    assert update.body == original.body == b""
    assert b"amqp:tcp:127.0.0.1:7201" in update.header


def test_22_jms_send_and_receive() -> None:
    subject, client = prepared()
    conversation = replay(subject, "22-jms-0-10-send-receive")
    needs_are_met(conversation)
    results_agree(conversation)
    deliveries_agree(conversation)
    assert conversation.got("connection.heartbeat")
    assert depth(client, "jq") == 0


def test_23_jms_failover_exchange() -> None:
    subject, client = prepared("jq")
    conversation = replay(subject, "23-jms-0-10-failover-exchange")
    needs_are_met(conversation)
    results_agree(conversation)
    updates = conversation.messages(channel=0)
    assert [said.properties.routing_key for said in updates] == ["amq.failover"]
    assert [said.body for said in conversation.messages(channel=2)] == [b"m0", b"m1", b"m2"]
    assert depth(client, "jq") == 0

"""What a copy stores, when it accepts, and what it says is here."""

from __future__ import annotations

from uuid import UUID

import pytest

from tanist.core.message import Message
from tanist.ha.queue_link import (
    RANGES_MAX,
    Standing,
    decode_ids,
    encode_id,
    encode_ids,
    encode_standing,
)
from tanist.node.inflow import session_name
from tanist.node.inputs import Disconnected
from tanist.node.outputs import Close
from tanist.wire.amqp010.codec import encode_header, make
from tanist.wire.amqp010.events import Command, Completed, Event
from tanist.wire.amqp010.transfer import encode_transfer
from tanist.wire.amqp010.values import Value
from tests.broker.node.copying import Subscriber, cut, queue_on, replicate, source_and_copy
from tests.broker.node.network import Guest, Host, running
from tests.broker.node.test_links import Answerer, Lone

LINEAGE = UUID(int=5)


class Source(Answerer):
    """The broker of the original, played by the test: sends what it is told, hears what comes."""

    def __init__(self, lone: Lone, product: str = "qpid-cpp") -> None:
        (dial,) = lone.dials()
        self.accepted: list[int] = []
        self.completed: list[int] = []
        super().__init__(lone, dial, {"product": product})

    def say(self, body: bytes, key: str = "q", **delivery: Value) -> int:
        """Send a message, or an event; returns its command id."""
        header = encode_header([make("message.delivery-properties", routing_key=key, **delivery)])
        return self.send(header, body)

    def send(self, header: bytes, body: bytes, bodiless: bool = False) -> int:
        assert self.session is not None
        head = encode_transfer("qpid.ha-q:q", 0, 1)
        number = self.session.send_transfer(head, header, body, bodiless)
        self.pump()
        return number

    def message(self, number: int, body: bytes, **delivery: Value) -> int:
        """An id event and its message."""
        self.say(encode_id(number), "qpid.ha-id")
        return self.say(body, **delivery)

    @property
    def arguments(self) -> dict[str, Value]:
        """What it was asked for."""
        return self.commands[0].struct.map("arguments")

    @property
    def has(self) -> list[tuple[int, int]]:
        """The ids that the copy said it had."""
        ids = self.arguments["qpid.ha-ids"]
        assert isinstance(ids, bytes)
        return decode_ids(ids)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Command) and event.struct.name == "message.accept":
            for first, last in event.struct.ranges("transfers"):
                self.accepted += range(first, last + 1)
            event.session.complete(event.id, event.id)
        elif isinstance(event, Completed):
            for first, last in event.ranges:
                self.completed += range(first, last + 1)
        else:
            super()._on_event(event)


def a_copy(**config: object) -> Lone:
    lone = Lone(ha_cluster=False, ha_queue_replication=True, **config)
    lone.network.black_holes = {"p1"}
    queue_on(lone.host)
    assert replicate(lone.host, "p1") == ""
    return lone


def relinked(lone: Lone, source: Source, product: str = "qpid-cpp") -> Source:
    """The link is cut and made again."""
    lone.host.take(lambda: Disconnected(lone.network.now, source.conn, "reset"))
    lone.network.advance(1.0)
    return Source(lone, product)


# -- subscribing -----------------------------------------------------------------------------


def test_it_subscribes_as_the_original_does() -> None:
    source = Source(a_copy(ha_flow_messages=7))
    names = [command.struct.name for command in source.commands]
    assert names == [
        "message.subscribe",
        "message.set-flow-mode",
        "message.flow",
        "message.flow",
    ]
    subscribe, mode, messages, octets = (command.struct for command in source.commands)
    assert subscribe.text("queue") == "q"
    assert subscribe.text("destination") == "qpid.ha-q:q"
    assert (subscribe.number("accept_mode"), subscribe.number("acquire_mode")) == (0, 1)
    assert source.arguments["qpid.ha-repsub"] == "qpid.ha-qrep"
    assert source.arguments["qpid.ha-ids"] == b"\0\0"
    assert source.arguments["qpid.sync_frequency"] == 1
    info = source.arguments["qpid.ha-info"]
    assert isinstance(info, dict)
    assert (info["status"], info["host-name"]) == (5, "")
    assert mode.number("flow_mode") == 1
    assert (messages.number("unit"), messages.number("value")) == (0, 7)
    assert (octets.number("unit"), octets.number("value")) == (1, 0xFFFFFFFF)
    assert source.session is not None
    assert source.session.name.startswith("qpid.bridge_session_qpid.ha-q:q.")
    assert source.connection.client_properties["qpid.fed_link"] == 1
    assert "qpid.ha-backup" not in source.connection.client_properties
    assert "qpid.ha-admin" not in source.connection.client_properties


def test_of_a_broker_of_ours_no_sync_is_asked() -> None:
    source = Source(a_copy(ha_flow_messages=0), "qpid-tanist")
    assert "qpid.sync_frequency" not in source.arguments
    assert source.commands[2].struct.number("value") == 0xFFFFFFFF


def test_session_names_are_the_originals() -> None:
    link = UUID("d350b822-222c-4eef-ae81-ea6d9e2e9055")
    assert session_name("idle", link, "tag") == (
        "qpid.bridge_session_qpid.ha-q:idle.d350b822-222c-4eef-ae81-ea6d9e2e9055_tag"
    )


# -- storing ---------------------------------------------------------------------------------


def test_messages_keep_what_they_are() -> None:
    lone = a_copy()
    source = Source(lone)
    sent = source.message(
        5, b"body", exchange="news", priority=8, delivery_mode=2, ttl=5000, redelivered=True
    )
    source.say(encode_id(6), "qpid.ha-id")
    bare = source.send(b"", b"", bodiless=True)
    first, second = (entry.message for entry in lone.host.node.broker.queues["q"].entries())
    assert (first.exchange, first.routing_key, first.body) == ("news", "q", b"body")
    assert (first.priority, first.durable, first.redelivered) == (8, True, True)
    assert first.expires_at == lone.network.now + 5.0
    assert (second.header, second.bodiless) == (b"", True)
    assert {sent, bare} <= set(source.accepted)
    consumer = Guest(lone.host).session()
    consumer.subscribe("q")
    assert consumer.messages[0].properties.exchange == "news"
    assert consumer.bodies == [b"body", None]


def test_local_clients_may_publish_and_consume() -> None:
    lone = a_copy()
    source = Source(lone)
    source.message(5, b"5")
    local = Guest(lone.host).session()
    local.publish("q", b"local")
    source.message(6, b"6")
    local.subscribe("q", credit=2)
    local.do("message.accept", transfers=[(0, 0)])
    source.say(encode_ids([(5, 5)]), "qpid.ha-de")
    assert lone.host.bodies("q") == [b"local", b"6"]


def test_events_are_accepted_and_completed_as_in_the_recording() -> None:
    source = Source(a_copy())
    numbers = [source.say(encode_id(5), "qpid.ha-id"), source.say(b"x")]
    numbers.append(source.say(encode_ids([(5, 5)]), "qpid.ha-de"))
    assert source.session is not None
    synced = source.session.send(make("execution.sync"))
    source.pump()
    assert source.accepted == numbers
    assert source.completed == [*numbers, synced]


# -- what is here ----------------------------------------------------------------------------


def test_a_new_link_says_what_came() -> None:
    lone = a_copy()
    source = Source(lone)
    for number in (5, 6, 9):
        source.message(number, b"%d" % number)
    local = Guest(lone.host).session()
    local.subscribe("q", credit=1)
    local.do("message.accept", transfers=[(0, 0)])
    source.say(encode_ids([(6, 6)]), "qpid.ha-de")
    source = relinked(lone, source)
    assert source.has == [(5, 5), (9, 9)], "what was consumed here came, too"
    assert source.arguments["qpid.ha-lineage"] == b""
    source.message(9, b"again")
    assert lone.host.bodies("q") == [b"9"]


def test_the_lineage_is_remembered() -> None:
    lone = a_copy()
    source = Source(lone, "qpid-tanist")
    source.say(encode_standing(Standing(LINEAGE, False, 3)), "qpid.ha-queue")
    source.message(5, b"5")
    source = relinked(lone, source, "qpid-tanist")
    assert source.arguments["qpid.ha-lineage"] == LINEAGE.bytes
    source.say(encode_standing(Standing(UUID(int=6), False, 3)), "qpid.ha-queue")
    assert any(isinstance(o, Close) and o.conn == source.conn for o in lone.host.outputs)
    errors = [text for level, _, text in lone.host.lines if level == "error"]
    assert "changed the lineage" in errors[0]


@pytest.mark.parametrize(("product", "sets"), [("qpid-cpp", 1), ("qpid-tanist", 13)])
def test_ids_that_do_not_fit_come_again(product: str, sets: int) -> None:
    """Each second id: as many ranges as messages."""
    lone = a_copy()
    source = Source(lone, product)
    count = sets * RANGES_MAX + 3
    queue = lone.host.node.broker.queues["q"]
    for number in range(count):
        lone.host.node.broker.copy_in(queue, 2 * number, Message(b"", b"x", "", "q"))
    source = relinked(lone, source, product)
    assert len(source.has) == sets * RANGES_MAX
    assert queue.count == sets * RANGES_MAX
    last = 2 * (count - 1)
    source.message(last, b"again")
    assert lone.host.bodies("q")[-1] == b"again"


# -- accepting -------------------------------------------------------------------------------


def test_in_a_cluster_accepted_means_that_the_backups_have_it() -> None:
    network, (primary, backup) = running("a", "b")
    source = Host(network, "s", 9, ha_cluster=False, ha_queue_replication=True)
    producer = queue_on(source)
    queue_on(primary)
    network.advance(0.1)
    assert replicate(primary, "s") == ""
    network.run()
    backup.freeze()
    sent = producer.publish("q", b"1")
    assert primary.bodies("q") == [b"1"]
    assert sent not in producer.completed
    backup.thaw()
    network.run()
    assert sent in producer.completed
    network.advance(0.1)
    assert backup.bodies("q") == [b"1"]


def test_a_copy_of_a_copy_is_waited_for() -> None:
    network, source, copy = source_and_copy()
    end = Subscriber(copy)
    producer = Guest(source).session()
    sent = producer.publish("q", b"1")
    assert end.read() == [b"1"]
    assert sent not in producer.completed
    end.accept()
    network.run()
    assert sent in producer.completed


def test_a_confirmation_that_comes_after_a_cut_says_nothing() -> None:
    network, source, copy = source_and_copy()
    end = Subscriber(copy)
    producer = Guest(source).session()
    producer.publish("q", b"1")
    cut(source)
    end.accept()
    network.advance(1.0)
    assert copy.bodies("q") == source.bodies("q") == [b"1"]

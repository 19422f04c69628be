"""What the broker of a copy is sent: to one of ours, to one of the original, and to a liar."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.core.message import AMQP_1_0, Message
from tanist.ha.membership import BrokerInfo
from tanist.ha.queue_link import ID_MAX, RANGES_MAX
from tanist.ha.roles import Status
from tanist.wire.amqp010.transfer import application_headers
from tanist.wire.amqp010.values import Value, int32
from tanist.wire.amqp10.composites import Properties
from tanist.wire.amqp10.encoding import encode_composite
from tanist.wire.amqp10.sections import encode_data
from tests.broker.node.copying import WHO, Subscriber, queue_on, seen, standalone
from tests.broker.node.network import Guest, Host, Network, running
from tests.broker.sessions.session_peer import ClientSession


def with_queue(published: int = 0, **config: object) -> tuple[Host, ClientSession]:
    host = standalone(Network(), "s", 1, **config)
    session = queue_on(host)
    for number in range(published):
        session.publish("q", b"%d" % number)
    return host, session


# -- what is sent ----------------------------------------------------------------------------


def test_one_of_ours_gets_ids_only_where_they_leave_out_some() -> None:
    host, session = with_queue(3)
    copy = Subscriber(host)
    assert copy.kinds == ["standing", "id", "message", "message", "message", "standing"]
    assert list(copy.messages) == [1, 2, 3]
    consumer = Guest(host).session()
    consumer.subscribe("q", credit=1)
    session.publish("q", b"3")
    consumer.do("message.accept", transfers=[(0, 0)])
    assert copy.read() == [b"0", b"1", b"2", b"3"]
    assert copy.gone == [[(1, 1)]]
    assert copy.kinds[-2:] == ["message", "gone"]


def test_the_original_gets_an_id_before_each_message_and_no_event_of_ours() -> None:
    host, session = with_queue(2)
    copy = Subscriber(host, ours=False, **{"qpid.sync_frequency": int32(1)})
    session.publish("q", b"2")
    copy.read()
    assert copy.kinds == ["id", "message"] * 3
    assert copy.session.order.count("execution.sync") == 6
    ids = [m.header.hex() for m in copy.session.messages[::2]]
    assert set(ids) == {"0000000f040100020a717069642e68612d6964"}, "as recorded"
    assert [m.body for m in copy.session.messages[::2]] == [
        b"\0\0\0\1",
        b"\0\0\0\2",
        b"\0\0\0\3",
    ]
    assert {(m.accept_mode, m.acquire_mode) for m in copy.session.messages} == {(0, 1)}


def test_a_sync_follows_upon_every_so_many_transfers() -> None:
    host, session = with_queue()
    copy = Subscriber(host, ours=False, **{"qpid.sync_frequency": int32(3)})
    for _ in range(5):
        session.publish("q")
    kinds = [kind for kind in copy.session.order if kind in ("transfer", "execution.sync")]
    assert "".join(kind[0] for kind in kinds) == "tttetttettte" + "t"


def test_messages_travel_as_they_are() -> None:
    host, session = with_queue()
    session.do("exchange.bind", exchange="amq.topic", queue="q", binding_key="#")
    session.publish("some.key", b"body", exchange="amq.topic", priority=7, delivery_mode=2)
    session.publish("q", None, ttl=5000)
    session.publish("q", b"x" * 200_000, properties={"application_headers": {"a": 1}})
    copy = Subscriber(host)
    copy.read()
    first, second, third = copy.messages.values()
    assert (first.properties.exchange, first.properties.routing_key) == ("amq.topic", "some.key")
    assert (first.properties.priority, first.properties.durable) == (7, True)
    assert second.body is None
    assert second.properties.ttl_ms == 5000
    assert len(third.body or b"") == 200_000


def test_what_may_have_been_delivered_before_is_marked() -> None:
    host, _ = with_queue(2)
    consumer = Guest(host).session()
    consumer.subscribe("q", credit=1)
    copy = Subscriber(host)
    copy.read()
    assert [delivered.redelivered for delivered in copy.messages.values()] == [True, False]


@pytest.mark.parametrize("ours", [True, False])
def test_a_message_that_looks_like_an_event_is_announced(ours: bool) -> None:
    host, session = with_queue()
    session.do("exchange.bind", exchange="amq.topic", queue="q", binding_key="#")
    session.publish("q", b"0")
    session.publish("qpid.ha-de", b"\0\x08\0\0\0\1\0\0\0\1", exchange="amq.topic")
    session.publish("qpid.ha-id", b"1234", exchange="amq.topic")
    copy = Subscriber(host, ours=ours)
    assert copy.read() == [b"0", b"\0\x08\0\0\0\1\0\0\0\1", b"1234"]
    assert copy.gone == []


def test_only_the_difference_is_sent() -> None:
    host, _session = with_queue(5)
    lineage = Subscriber(host).standings[0].lineage
    consumer = Guest(host).session()
    consumer.subscribe("q", credit=2)
    consumer.do("message.accept", transfers=[(0, 1)])
    copy = Subscriber(host, ids=[(1, 3)], lineage=lineage.bytes)
    assert copy.read() == [b"3", b"4"]
    assert copy.gone == [[(1, 2)]]
    assert [standing.behind for standing in copy.standings] == [3, 0], "at most"
    assert list(copy.messages) == [4, 5]


def test_more_gone_than_one_event_holds() -> None:
    host, _ = with_queue()
    session = queue_on(host, "many")
    count = 2 * (RANGES_MAX + 1)
    for _ in range(count):
        session.publish("many", b"", pump=False)
    session.client.pump()
    queue = host.node.broker.queues["many"]
    copy = Subscriber(host, queue="many", ids=[(1, count)], credit=0)
    consumer = Guest(host).session()
    consumer.subscribe("many", credit=count)
    consumer.do("message.accept", transfers=[(n, n) for n in range(0, 8000, 2)])
    consumer.do("message.accept", transfers=[(n, n) for n in range(8000, 16000, 2)])
    consumer.do("message.accept", transfers=[(n, n) for n in range(16000, count, 2)])
    assert queue.count == count // 2
    copy.session.do("message.flow", destination="f", unit=0, value=100_000)
    copy.read()
    assert sorted(number for each in copy.gone for number, _ in each) == list(range(1, count, 2))
    assert max(map(len, copy.gone)) == RANGES_MAX
    assert copy.messages == {}


# -- credit ----------------------------------------------------------------------------------


def test_credit_is_a_window_over_messages_and_events() -> None:
    host, _ = with_queue(10)
    copy = Subscriber(host, ours=False, credit=4)
    assert copy.kinds == ["id", "message"] * 2
    copy.session.finish(0, 1)
    assert len(copy.session.messages) == 6
    copy.session.finish(2, 5)
    assert len(copy.session.messages) == 10
    copy.session.do("message.flow", destination="f", unit=0, value=EVEN_MORE)
    assert len(copy.read()) == 10


EVEN_MORE = 1000


def test_a_window_of_one_moves() -> None:
    host, _ = with_queue(3)
    copy = Subscriber(host, ours=False, credit=1)
    for _ in range(5):
        copy.session.finish(0, copy.session.messages[-1].id)
    assert copy.read() == [b"0", b"1", b"2"]


def test_stop_and_cancel() -> None:
    host, session = with_queue()
    copy = Subscriber(host)
    copy.session.do("message.stop", destination="f")
    session.publish("q", b"x")
    assert copy.read() == []
    assert len(seen(host, "followers")) == 1
    copy.session.do("message.cancel", destination="f")
    assert seen(host, "followers") == []
    assert copy.error == (0, "")


def test_a_flush_is_refused() -> None:
    host, _ = with_queue()
    copy = Subscriber(host)
    copy.session.do("message.flush", destination="f")
    assert copy.error[0] == 540


def test_a_full_buffer_holds_it_up() -> None:
    host, session = with_queue()
    copy = Subscriber(host)
    wire = copy.guest.wire
    host.writable(wire, False)
    session.publish("q", b"x")
    assert copy.read() == []
    host.writable(wire, True)
    assert copy.read() == [b"x"]


def test_a_deep_queue_goes_out_over_many_steps() -> None:
    host, session = with_queue()
    for _ in range(40):
        session.publish("q", b"x" * 60_000)
    copy = Subscriber(host)
    assert len(copy.read()) == 40


# -- who subscribes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "words", "how"),
    [
        (542, "Can't subscribe, no broker info: f", {"qpid.ha-info": None}),
        (542, "Can't subscribe, no broker info: f", {"qpid.ha-info": {"system-id": 1}}),
        (542, "explicit", {"accept": 1}),
        (542, "explicit", {"acquire": 0}),
        (542, "set of ids", {"qpid.ha-ids": b"\0"}),
        (542, "range 2 to 1", {"qpid.ha-ids": bytes.fromhex("0008 00000002 00000001")}),
        (542, "sync_frequency", {"qpid.sync_frequency": "often"}),
        (542, "sync_frequency", {"qpid.sync_frequency": int32(-1)}),
        (404, "not found", {"queue": "nowhere"}),
        (408, "another one of that name", {"lineage": b"x" * 16}),
    ],
)
def test_who_is_refused(code: int, words: str, how: dict[str, Value]) -> None:
    host, _ = with_queue()
    copy = Subscriber(host, **how)  # type: ignore[arg-type]
    assert copy.error[0] == code
    assert words in copy.error[1]
    assert not copy.guest.dropped
    assert seen(host, "followers") == []


def test_replication_that_is_off_is_an_ordinary_error() -> None:
    host, _ = with_queue(ha_queue_replication=False)
    copy = Subscriber(host)
    assert copy.error[0] == 530
    assert "ha-queue-replication" in copy.error[1]


def test_arguments_in_octets_and_without_ids() -> None:
    """The original writes texts as octets, and leaves the ids out when it cannot say them."""
    host, _ = with_queue(1)
    given: dict[str, Value] = {"qpid.ha-repsub": b"qpid.ha-qrep", "qpid.ha-ids": None}
    assert Subscriber(host, ours=False, **given).read() == [b"0"]


def test_another_value_of_the_argument_is_an_ordinary_browser() -> None:
    host, _ = with_queue(1)
    browser = Guest(host).session()
    browser.subscribe("q", acquire=1, arguments={"qpid.ha-repsub": "something else"})
    assert browser.bodies == [b"0"]
    assert seen(host, "followers") == []
    assert host.node.broker.queues["q"].subscription_count == 1


def test_exclusive_queues_and_consumers_do_not_matter() -> None:
    host, session = with_queue(1)
    mine = queue_on(host, "mine", exclusive=True)
    mine.subscribe("mine", exclusive=True)
    mine.publish("mine", b"x")
    assert Subscriber(host, queue="mine").read() == [b"x"]
    assert session.exception is None


def test_a_replica_is_seen_by_nobody_but_the_habroker() -> None:
    host, session = with_queue(1)
    copy = Subscriber(host)
    asked = session.ask("queue.query", queue="q")
    assert asked.number("subscriber_count") == 0
    (row,) = seen(host, "followers")
    assert row["queue"] == "q"
    assert row["broker"] == WHO
    assert row["address"] == f"client:{copy.guest.wire.accepted}"
    assert (row["state"], row["lag"]) == ("waited-for", 1)
    copy.accept()
    (row,) = seen(host, "followers")
    assert (row["state"], row["lag"]) == ("in-sync", 0)


def test_a_backup_refuses() -> None:
    network, (primary, backup) = running("a", "b")
    queue_on(primary)
    network.advance(0.1)
    assert Subscriber(primary).error == (0, "")
    session = Guest(backup, properties={"qpid.ha-admin": 1}).session()
    session.subscribe(
        "q",
        acquire=1,
        arguments={
            "qpid.ha-repsub": "qpid.ha-qrep",
            "qpid.ha-info": BrokerInfo(UUID(int=1), Status.READY).to_map(),
        },
    )
    assert session.exception is not None
    assert session.exception.number("error_code") == 530


# -- ends ------------------------------------------------------------------------------------


def test_a_deleted_queue_ends_the_session_whatever_the_credit() -> None:
    host, session = with_queue()
    copy = Subscriber(host, credit=0)
    session.do("queue.delete", queue="q")
    assert copy.error == (408, "Queue q has been deleted.")


def test_ids_end_where_their_bits_end() -> None:
    host, session = with_queue()
    queue = host.node.broker.queues["q"]
    queue.skip(ID_MAX - 1)
    copy = Subscriber(host)
    session.publish("q", b"last")
    assert copy.read() == [b"last"]
    assert list(copy.messages) == [ID_MAX]
    session.publish("q", b"beyond", pump=False)
    session.publish("q", b"beyond")
    host.network.run()
    assert copy.read() == [b"last"]
    assert copy.error[0] == 506
    assert "move what is on it to a new queue" in copy.error[1]
    again = Subscriber(host)
    host.network.run()
    assert again.error[0] == 506


def test_what_is_accepted_without_having_been_sent() -> None:
    host, _ = with_queue(2)
    copy = Subscriber(host)
    copy.session.do("message.accept", transfers=[(0, 0x7FFFFFFF)])
    copy.session.do("message.accept", transfers=[(0, 0x7FFFFFFF)])
    copy.session.do("message.release", transfers=[(0, 100)])
    copy.session.do("message.reject", transfers=[(0, 100)])
    assert host.bodies("q") == [b"0", b"1"]
    assert copy.error == (0, "")
    (row,) = seen(host, "followers")
    assert (row["state"], row["lag"]) == ("in-sync", 0)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60), st.binary(max_size=20))
def test_forged_ids_end_the_session_or_do_no_harm(ids: bytes, lineage: bytes) -> None:
    host, session = with_queue(2)
    Subscriber(host, **{"qpid.ha-ids": ids, "qpid.ha-lineage": lineage})
    done = session.publish("q", b"2")
    assert host.bodies("q") == [b"0", b"1", b"2"]
    host.network.advance(11.0)
    assert done in session.completed


def test_a_copy_gets_messages_of_amqp_1_0_translated() -> None:
    host, session = with_queue()
    copy = Subscriber(host)
    sections = encode_composite(Properties(subject="s")) + encode_data(b"body")
    host.node.broker.publish(Message(b"", sections, "", "q", True, 7, form=AMQP_1_0), "")
    session.publish("q", b"next")
    assert copy.read() == [b"body", b"next"]
    first, _ = copy.messages.values()
    assert (first.properties.routing_key, first.properties.priority) == ("q", 7)
    assert application_headers(first.header) == {"qpid.subject": "s"}

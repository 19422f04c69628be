"""The blocking QMF2 client against a real broker, and against servers that misbehave."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tanist.cli.qmf_client import ClientOptions, QmfClient, QmfError, object_values
from tanist.core.message import Message
from tanist.core.notices import Actor
from tanist.ha.url import Url, parse_url
from tanist.management.answers import OBJECTS_PER_MESSAGE
from tanist.management.managed import ManagedObject
from tanist.management.schema import HA_BROKER
from tanist.wire.amqp010.codec import encode_header, make
from tanist.wire.amqp010.values import Value
from tests.broker.cli.loopback import DeafServer, LoopbackBroker, free_address

QUICK = ClientOptions(timeout_s=0.3)
PATIENT = ClientOptions(timeout_s=10.0)
NAME = HA_BROKER.object_name("ha-broker")


@pytest.fixture
def broker() -> Iterator[LoopbackBroker]:
    with LoopbackBroker() as running:
        yield running


def client(address: str, options: ClientOptions = PATIENT) -> QmfClient:
    return QmfClient(parse_url(address), options)


def test_a_query(broker: LoopbackBroker) -> None:
    with client(broker.address) as qmf:
        (found,) = qmf.query("habroker")
        assert object_values(found)["status"] == "joining"
        assert qmf.query("nothing") == []
        (again,) = qmf.query("habroker")
        assert object_values(again) == object_values(found)


def test_has_queue(broker: LoopbackBroker) -> None:
    broker.node.broker.declare_queue("mine", Actor("", ""))
    with client(broker.address) as qmf:
        assert qmf.has_queue("mine")
        assert not qmf.has_queue("yours")
        assert not qmf.has_queue("")
        assert not qmf.has_queue("long" * 100)
        assert len(qmf.query("habroker")) == 1, "the session is as good as new"


def test_a_long_answer_comes_in_parts(broker: LoopbackBroker) -> None:
    class Numbered(ManagedObject):
        def values(self) -> dict[str, Value]:
            return {"key": self.name}

    count = OBJECTS_PER_MESSAGE * 2 + 1
    for number in range(count):
        broker.node.agent.register(Numbered(HA_BROKER, f"n{number}", 0))
    with client(broker.address) as qmf:
        assert len(qmf.query("habroker")) == count + 1


def test_a_call_and_its_error(broker: LoopbackBroker) -> None:
    with client(broker.address) as qmf:
        assert qmf.call(NAME, "setPublicUrl", {"url": "vip"}) == {}
        (found,) = qmf.query("habroker")
        assert object_values(found)["publicUrl"] == "amqp:tcp:vip:5672"
        with pytest.raises(QmfError, match="Invalid URL: :"):
            qmf.call(NAME, "setPublicUrl", {"url": ":"})
        with pytest.raises(QmfError, match="No object found"):
            qmf.call("nobody", "promote", {})


def test_it_leaves_nothing_behind_and_does_not_linger(broker: LoopbackBroker) -> None:
    began = time.monotonic()
    with client(broker.address) as qmf:
        qmf.query("habroker")
        assert len(broker.node.broker.queues) == 1
    assert time.monotonic() - began < 2.0
    for _ in range(100):
        if not broker.node.broker.queues:
            break
        time.sleep(0.01)
    assert not broker.node.broker.queues


def test_an_error_inside_is_not_hidden_by_the_end(broker: LoopbackBroker) -> None:
    with pytest.raises(KeyError), client(broker.address) as qmf:
        qmf.query("habroker")
        raise KeyError("mine")


def test_an_exception_of_the_session(broker: LoopbackBroker) -> None:
    with pytest.raises(QmfError, match=broker.address), client(broker.address) as qmf:
        qmf._queue = ""
        qmf.query("habroker")


def test_nobody_there() -> None:
    address = free_address()
    with pytest.raises(QmfError, match=f"cannot connect to {address}"), client(address):
        pass


def test_a_name_that_cannot_be_one() -> None:
    with pytest.raises(QmfError, match=r"cannot connect to a\.\.b"), client("a..b"):
        pass


def test_no_address_at_all() -> None:
    with pytest.raises(QmfError, match="no broker address given"):
        QmfClient(Url([]), PATIENT)


def test_a_broker_that_is_stopped_is_given_up_in_time() -> None:
    with DeafServer() as deaf:
        began = time.monotonic()
        with (
            pytest.raises(QmfError, match=r"no answer from .* within 0.3 seconds"),
            client(deaf.address, QUICK),
        ):
            pass
        assert 0.2 < time.monotonic() - began < 2.0


def test_a_broker_that_hangs_up() -> None:
    with (
        DeafServer(hang_up=True) as server,
        pytest.raises(QmfError, match=r"was closed by the broker|lost"),
        client(server.address),
    ):
        pass


def test_a_server_that_is_no_broker() -> None:
    with (
        DeafServer(b"SSH-2.0-OpenSSH_9.2\r\n") as server,
        pytest.raises(QmfError, match=server.address),
        client(server.address),
    ):
        pass


def test_wrong_credentials() -> None:
    with (
        LoopbackBroker(auth=True, passwords="guest:guest\n") as broker,
        pytest.raises(QmfError, match=r"closed the connection: .*Authentication failed"),
        client(f"guest/wrong@{broker.address}"),
    ):
        pass


def test_credentials_come_from_the_address_or_the_options() -> None:
    options = ClientOptions(username="guest", password="guest", heartbeat_s=5)
    with LoopbackBroker(auth=True, passwords="guest:guest\nadmin:x\n") as broker:
        with client(f"admin/x@{broker.address}", options) as qmf:
            assert qmf.query("habroker")
        with client(broker.address, options) as qmf:
            assert qmf.query("habroker")


def test_values_of_something_that_has_none() -> None:
    assert object_values({}) == {}
    assert object_values({"_values": 3}) == {}


class Rambling(ManagedObject):
    """Answers with a notice of its own before the answer."""

    def __init__(self, broker: LoopbackBroker) -> None:
        super().__init__(HA_BROKER, "rambling", 0)
        self._broker = broker

    def values(self) -> dict[str, Value]:
        queue = next(iter(self._broker.node.broker.queues))
        for header in (b"", encode_header([make("message.message-properties", content_length=0)])):
            self._broker.node.broker.publish(Message(header, b"", "", queue), "")
        return {}


def test_what_is_no_answer_is_passed_over(broker: LoopbackBroker) -> None:
    broker.node.agent.register(Rambling(broker))
    with client(broker.address) as qmf:
        assert len(qmf.query("habroker")) == 2


def test_a_broker_that_dies_between_question_and_answer() -> None:
    with LoopbackBroker() as broker:
        qmf = client(broker.address)
        qmf.__enter__()
    with pytest.raises(QmfError, match=r"was closed by the broker|lost"):
        qmf.query("habroker")
    qmf.__exit__(None, None, None)

"""Tests of clients/jms-1.0."""

from __future__ import annotations

from tanist_interop import protocol
from tests.clients.behaviour import ClientBehaviour
from tests.clients.consumers import SELECTOR_CODE, ConsumerBehaviour
from tests.clients.transactions import TransactionBehaviour


class TestJms(ClientBehaviour):
    """Qpid JMS sends again by itself, and connects again after nearly everything."""

    NAME = "jms-1.0"
    RESENDS = True
    FORGIVES = True
    ONE_AT_A_TIME = True

    def test_asynchronous_sends_are_in_doubt_after_a_failover(self, client, peer):
        driven = client(self.NAME)
        first, second = peer("--accept", "40"), peer()
        options = {"jms.forceAsyncSend": "true"}
        driven.connect(first.address, second.address, options=options)
        send = driven.do(protocol.Send, "q", "p", 1, 100, window=50)
        driven.wait_ok(send, 40)
        first.wait(lambda line: "got" in line, 90)
        first.kill()
        assert driven.ended(send).reason == "count"
        assert driven.numbers(protocol.Info, send) == list(range(41, 91))
        assert driven.numbers(protocol.Ok, send) == [*range(1, 41), *range(91, 101)]
        assert set(range(91, 101)) <= set(second.got()) <= set(range(41, 101))


class TestConsumers(ConsumerBehaviour):
    """Selectors and topics."""

    NAME = "jms-1.0"
    QUEUE = ("queue",)
    TOPIC = ("topic",)
    SELECTED_BY = SELECTOR_CODE


class TestTransactions(TransactionBehaviour):
    """The library throws the same for a commit that is rejected and for one without an answer."""

    NAME = "jms-1.0"
    REFUSED = "Info"

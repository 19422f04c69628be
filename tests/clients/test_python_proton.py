"""Tests of clients/python-proton."""

from __future__ import annotations

import time

from tanist_interop import protocol
from tests.clients.behaviour import ClientBehaviour
from tests.clients.consumers import ConsumerBehaviour
from tests.clients.transactions import TransactionBehaviour


class TestPythonProton(ClientBehaviour):
    """Proton does not send again by itself, and an error in a close is the end for it."""

    NAME = "python-proton"

    def test_it_goes_on_after_it_stood_still(self, client, peer):
        """When it can run again its connection is lost and a heartbeat is due, both at once."""
        first, second = peer(), peer()
        driven = client(self.NAME)
        driven.connect(first.address, second.address, heartbeat_s=1)
        send = driven.do(protocol.Send, "q", "p", 1, 0, rate_per_s=100.0)
        driven.wait_ok(send, 20)
        driven.program.suspend()
        first.kill()
        time.sleep(2.5)
        driven.program.resume()
        driven.event(protocol.Reconnected)
        driven.wait(lambda _: len(second.got()) > 20)
        driven.do(protocol.Stop)
        assert driven.ended(send).reason == "stopped"


class TestConsumers(ConsumerBehaviour):
    """Selectors and topics."""

    NAME = "python-proton"


class TestTransactions(TransactionBehaviour):
    """The task's own link to the coordinator."""

    NAME = "python-proton"

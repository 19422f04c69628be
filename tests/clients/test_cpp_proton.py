"""Tests of clients/cpp-proton."""

from __future__ import annotations

import sys

import pytest

from tanist_interop import protocol
from tanist_interop.hosts.local import LocalCluster, Settings
from tests.clients.behaviour import ClientBehaviour
from tests.clients.consumers import ConsumerBehaviour


class TestCppProton(ClientBehaviour):
    """Proton does not send again by itself, and an error in a close is the end for it."""

    NAME = "cpp-proton"

    @pytest.mark.parametrize("changed", [False, True], ids=["at first", "later"])
    def test_it_learns_from_the_exchange_where_the_members_are(self, client, tmp_path, changed):
        """It is given the primary's address only; ``later``: the broker too tells no other, until
        an operator makes it tell all."""
        ours = (sys.executable, "-m")
        commands = ((*ours, "tanist.cli.qpidd"), (*ours, "tanist.cli.qpid_ha"))
        options = ("--auth=no", "--queue-patterns=drill.*")
        cluster = LocalCluster(tmp_path, Settings(*commands, 3, 1, options, changed))
        cluster.start()
        try:
            cluster.form(30.0)
            driven = client(self.NAME)
            driven.init()
            driven.do(protocol.Connect, cluster.addresses()[:1], 1, failover="exchange")
            driven.do(protocol.Declare, "drill.q")
            send = driven.do(protocol.Send, "drill.q", "p", 1, 0, rate_per_s=100.0)
            driven.wait_ok(send, 20)
            if changed:
                cluster.tell_all(0)
                acked = len(driven.numbers(protocol.Ok, send))
                driven.wait_ok(send, acked + 50)  # behind it on the same connection
            cluster.kill(0)
            cluster.promote(1)
            driven.event(protocol.Reconnected)
            driven.wait_ok(send, len(driven.numbers(protocol.Ok, send)) + 50)
        finally:
            cluster.stop()


class TestConsumers(ConsumerBehaviour):
    """Selectors and topics."""

    NAME = "cpp-proton"

"""Tests of clients/cpp-proton."""

from __future__ import annotations

from tests.clients.behaviour import ClientBehaviour
from tests.clients.consumers import ConsumerBehaviour


class TestCppProton(ClientBehaviour):
    """Proton does not send again by itself, and an error in a close is the end for it."""

    NAME = "cpp-proton"


class TestConsumers(ConsumerBehaviour):
    """Selectors and topics."""

    NAME = "cpp-proton"

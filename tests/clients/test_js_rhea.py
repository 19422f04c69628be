"""Tests of clients/js-rhea."""

from __future__ import annotations

from tests.clients.behaviour import ClientBehaviour
from tests.clients.consumers import SELECTOR_CODE, ConsumerBehaviour


class TestJsRhea(ClientBehaviour):
    """rhea does not send again by itself; it gives a silent broker one more second to answer its close."""

    NAME = "js-rhea"
    DETECTION_S = 3.0


class TestConsumers(ConsumerBehaviour):
    """Selectors and topics."""

    NAME = "js-rhea"
    SELECTED_BY = SELECTOR_CODE

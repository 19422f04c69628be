"""Tests of clients/js-rhea."""

from __future__ import annotations

from tests.clients.behaviour import ClientBehaviour


class TestJsRhea(ClientBehaviour):
    """rhea does not send again by itself; it gives a silent broker one more second to answer its close."""

    NAME = "js-rhea"
    DETECTION_S = 3.0

"""A node with queues "q" and "dead", the latter for what is rejected, and a client's session."""

from __future__ import annotations

import pytest
from session_peer10 import Client10, Node10, Session10

from tanist.core.notices import Actor

NOBODY = Actor("", "")


def with_queues(node: Node10) -> Node10:
    broker = node.broker
    broker.declare_exchange("refused", "fanout", NOBODY)
    broker.declare_queue("dead", NOBODY)
    broker.bind("refused", "dead", "", None, NOBODY)
    broker.declare_queue("q", NOBODY, alternate_exchange="refused")
    broker.declare_queue("r", NOBODY)
    node.begin()
    node.finish()
    node.open_gate()
    return node


@pytest.fixture(name="node")
def a_node() -> Node10:
    return with_queues(Node10())


@pytest.fixture(name="slow")
def a_node_that_confirms_nothing_by_itself() -> Node10:
    return with_queues(Node10(hold=True))


@pytest.fixture(name="session")
def a_session(node: Node10) -> Session10:
    return Client10(node).begin()

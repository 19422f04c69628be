"""Settings of the sessions."""

from __future__ import annotations

import pytest
from session_peer10 import Client10, Node10

from tanist.core.notices import Actor
from tanist.sessions.amqp10.settings import CREDIT, SessionSettings


def test_defaults_make_no_nodes_and_check_nobody() -> None:
    settings = SessionSettings()
    assert settings.queue_patterns == settings.topic_patterns == ()
    assert not settings.check_user_ids
    assert settings.credit == CREDIT


@pytest.mark.parametrize("credit", [1, 7])
def test_a_producer_gets_as_much_credit_as_is_set(credit: int) -> None:
    node = Node10(credit=credit)
    node.broker.declare_queue("q", Actor("", ""))
    session = Client10(node).begin()
    sender = session.sender("q")
    assert sender.credit == credit
    for _ in range(30):
        assert session.outcome(session.send(sender)) == "Accepted"

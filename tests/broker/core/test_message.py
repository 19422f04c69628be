from __future__ import annotations

from tanist.core.message import AMQP_0_10, AMQP_1_0, NEVER, PRIORITY_DEFAULT, Message


def test_defaults_and_size() -> None:
    message = Message(b"head", b"body!", "amq.direct", "key")
    assert message.size == 9
    assert message.expires_at == NEVER
    assert message.priority == PRIORITY_DEFAULT
    assert not message.durable
    assert not message.redelivered
    assert message.headers is None
    assert message.form == AMQP_0_10
    assert (message.exchange, message.routing_key) == ("amq.direct", "key")


def test_all_facts_are_kept() -> None:
    message = Message(b"", b"", "", "", True, 9, 12.5, True, form=AMQP_1_0)
    assert message.durable
    assert message.redelivered
    assert message.form == AMQP_1_0
    assert (message.priority, message.expires_at, message.size) == (9, 12.5, 0)

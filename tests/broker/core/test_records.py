from __future__ import annotations

import pytest

from tanist.core.records import (
    Bound,
    Dequeued,
    Entry,
    ExchangeDeclared,
    ExchangeDeleted,
    QueueDeclared,
    QueueDeleted,
    QueueUsed,
    Record,
    Unbound,
)
from tests.broker.core.core_model import make_broker, message


def test_kinds_are_distinct_and_stable() -> None:
    kinds = [
        kind.KIND
        for kind in (
            Entry,
            Dequeued,
            QueueDeclared,
            QueueDeleted,
            ExchangeDeclared,
            ExchangeDeleted,
            Bound,
            Unbound,
            QueueUsed,
        )
    ]
    assert kinds == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert Record.KIND == 0


@pytest.mark.parametrize(
    ("deliveries", "flagged", "watermark", "redelivered", "count"),
    [
        (0, False, 0, False, 0),
        (0, True, 0, True, 1),
        (1, False, 0, False, 0),
        (2, False, 0, True, 1),
        (5, False, 0, True, 4),
        (1, True, 0, True, 1),
        (2, True, 0, True, 1),
        (3, True, 7, True, 2),
        (1, False, 7, True, 1),
        (1, False, 6, False, 0),
    ],
)
def test_redelivered(
    deliveries: int, flagged: bool, watermark: int, redelivered: bool, count: int
) -> None:
    broker = make_broker()
    broker.apply(QueueDeclared("q", 1, False, False, False, "", {}))
    queue = broker.queues["q"]
    queue.redelivered_below = watermark
    sent = message()
    sent.redelivered = flagged
    entry = Entry(sent, queue, 7)
    entry.deliveries = deliveries
    assert entry.redelivered is redelivered
    assert entry.delivery_count == count

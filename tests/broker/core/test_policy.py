from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.core.policy import Demand, Policy, Ring
from tanist.core.records import Dequeued, Entry
from tanist.types import BrokerError, Condition
from tests.broker.core.core_model import (
    actor,
    bodies,
    consume,
    make_broker,
    message,
    publish,
    refused,
)


@pytest.mark.parametrize(
    ("count_max", "bytes_max", "full"),
    [(0, 0, False), (3, 0, False), (2, 0, True), (0, 6, False), (0, 5, True)],
)
def test_reject(count_max: int, bytes_max: int, full: bool) -> None:
    broker = make_broker()
    queue = broker.declare_queue("q", actor())
    publish(broker, b"aa", b"bb")
    policy = Policy(count_max, bytes_max)
    assert policy.make_room(queue, message(b"cc"), True) is None
    if full:
        with refused(Condition.RESOURCE_LIMIT_EXCEEDED):
            policy.make_room(queue, message(b"cc"), False)
    else:
        assert policy.make_room(queue, message(b"cc"), False) is None
    assert queue.discards_overflow == int(full)


def test_a_ring_drops_the_oldest() -> None:
    broker = make_broker(ha=True)
    arguments = {"qpid.policy_type": "ring", "qpid.max_count": 3, "qpid.max_size": 6}
    queue = broker.declare_queue("q", actor(), arguments=arguments)
    assert isinstance(queue.policy, Ring)
    publish(broker, b"1", b"2", b"3")
    _, sink = consume(broker, credit=1)
    broker.dispatch()
    broker.journal.clear()
    publish(broker, b"4")
    assert bodies(broker) == [b"2", b"3", b"4"]
    assert sink.got[0].gone
    assert [type(record) for record in broker.journal] == [Dequeued, Entry]
    publish(broker, b"12345")
    assert bodies(broker) == [b"4", b"12345"]
    broker.bind("amq.fanout", "q", "", None, actor())
    broker.declare_queue("r", actor(), alternate_exchange="amq.fanout")
    broker.bind("amq.fanout", "r", "", None, actor())
    publish(broker, b"56", exchange="amq.fanout")
    assert bodies(broker) == [b"56"]
    assert queue.discards_ring == 5
    with refused(Condition.RESOURCE_LIMIT_EXCEEDED):
        publish(broker, b"1234567")
    assert bodies(broker) == [b"56"]
    publish(broker, b"7890123", key="r")
    broker.delete_queue("r", actor())
    assert bodies(broker) == [b"7890123"]
    assert queue.bytes == 7


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["reject", "ring"]),
    st.integers(0, 4),
    st.integers(0, 12),
    st.lists(st.integers(0, 5), max_size=4),
    st.lists(st.integers(0, 7), min_size=1, max_size=4),
)
def test_room_for_many_is_room_for_each(
    kind: str, count_max: int, bytes_max: int, there: list[int], more: list[int]
) -> None:
    """``require_room`` raises exactly when one ``make_room`` after the other would."""
    broker = make_broker(queue_limit_bytes=0)
    queue = broker.declare_queue("q", actor())
    publish(broker, *[bytes(size) for size in there])
    queue.policy = (Ring if kind == "ring" else Policy)(count_max, bytes_max)
    demand = Demand()
    for size in more:
        demand.add(size)
    judged = done = False
    try:
        queue.policy.require_room(queue, demand)
        judged = True
    except BrokerError:
        pass
    try:
        publish(broker, *[bytes(size) for size in more])
        done = True
    except BrokerError:
        pass
    assert judged == done

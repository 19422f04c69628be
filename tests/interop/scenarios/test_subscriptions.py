from __future__ import annotations

import pytest

from tanist_interop.scenarios.subscriptions import KINDS, subscribed


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_each_topic_has_each_kind_and_each_client_has_each_kind(count):
    clients = [f"c{number}" for number in range(count)]
    topics = [(f"t.{name}", f"p.{name}") for name in clients]
    found = subscribed(topics, clients)
    assert {(s.topic, s.kind) for s in found} == {(t, kind) for t, _ in topics for kind in KINDS}
    assert {(s.client, s.kind) for s in found} == {(c, kind) for c in clients for kind in KINDS}
    assert len(found) == 3 * count
    assert {(s.topic, s.producer) for s in found} == set(topics)


def test_a_topic_has_other_clients_where_there_are_enough():
    clients = ["a", "b", "c", "d"]
    found = subscribed([(name, name) for name in clients], clients)
    assert [s.client for s in found if s.topic == "a"] == ["b", "c", "d"]


def test_durable_subscriptions_have_names_of_their_own():
    names = [s.name for s in subscribed([("t", "p"), ("u", "q")], ["a"])]
    assert names == ["", "t.active", "t.inactive", "", "u.active", "u.inactive"]

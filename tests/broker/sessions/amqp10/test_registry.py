"""Links of one name take over from each other."""

from __future__ import annotations

import pytest
from session_peer10 import Client10, Node10, Session10

from tanist.sessions.amqp10.registry import Registry, key_of


@pytest.mark.parametrize("same_connection", [True, False])
@pytest.mark.parametrize("sends", [True, False])
def test_a_link_of_the_same_name_takes_over(
    node: Node10, same_connection: bool, sends: bool
) -> None:
    client = Client10(node, container="shop")
    first = client.begin()
    second = client.begin() if same_connection else Client10(node, container="shop").begin()

    def attach(session: Session10) -> object:
        return session.sender("q", "name") if sends else session.receiver("q", "name", credit=1)

    attach(first)
    attach(second)
    client.pump()
    error = first.detached["name"]
    assert error is not None
    assert error.condition == "amqp:link:stolen"
    assert not first.closed["name"]
    assert "name" not in second.detached
    assert len(node.sessions10.attaching.registry) == 1


def test_what_the_old_link_had_not_settled_comes_again(node: Node10) -> None:
    client = Client10(node, container="shop")
    first = client.begin()
    first.send(first.sender("q"))
    first.receiver("q", "name", credit=1)
    second = Client10(node, container="shop").begin()
    second.receiver("q", "name", credit=1)
    assert second.got[0].count == 1


@pytest.mark.parametrize("other", [{"user": "bert"}, {"container": "other"}])
def test_other_users_and_containers_have_names_of_their_own(node: Node10, other) -> None:
    first = Client10(node, **{"user": "anna", "container": "shop"}).begin()
    second = Client10(node, **{"user": "anna", "container": "shop", **other}).begin()
    one = first.sender("q", "name")
    two = second.sender("q", "name")
    first.client.pump()
    assert one.alive
    assert two.alive


def test_directions_have_names_of_their_own(node: Node10, session: Session10) -> None:
    one = session.sender("q", "name")
    two = session.receiver("q", "name")
    assert one.alive
    assert two.alive


def test_names_are_free_again(node: Node10, session: Session10) -> None:
    registry = node.sessions10.attaching.registry
    for _ in range(3):
        links = [session.sender("q", "name"), session.receiver("q", "name")]
        assert len(registry) == 2
        for link in links:
            session.close(link)
        assert len(registry) == 0
    assert not session.detached["name"]


def test_a_client_without_a_container_id_steals_from_nobody_else(node: Node10) -> None:
    clients = [Client10(node), Client10(node)]
    wires = []
    for client in clients:
        client.link.container_id = ""
        session = client.begin()
        wires.append(session.sender("q", "name"))
    assert all(wire.alive for wire in wires)
    assert key_of(clients[0].link, wires[0]) != key_of(clients[1].link, wires[1])


def test_nobody_to_steal_from() -> None:
    registry = Registry()
    registry.steal(("user", "container", "name", True))
    assert len(registry) == 0

"""A 1.0 connection as its sessions see it."""

from __future__ import annotations

from session_peer10 import Client10, Node10, Session10


def test_a_link_knows_its_container_and_its_sessions(node: Node10) -> None:
    client = Client10(node, user="anna", container="shop")
    link = client.link
    assert (link.user, link.container_id, link.states) == ("anna@QPID", "shop", [])
    client.begin()
    client.begin()
    assert [state.session.channel for state in link.states] == [0, 1]
    assert node.sessions10.sessions_of(link) == link.states


def test_waking_reaches_every_subscription(node: Node10, session: Session10) -> None:
    other = session.client.begin()
    session.receiver("q", credit=1)
    other.receiver("r", credit=1)
    link = session.client.link
    node.steps.writable(link, False)
    sender = session.sender("q")
    session.send(sender)
    session.send(session.sender("r"))
    assert session.bodies == other.bodies == []
    node.begin()
    node.steps.writable(link, True)
    node.finish()
    session.client.pump()
    assert len(session.bodies) == len(other.bodies) == 1

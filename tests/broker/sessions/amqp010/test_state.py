"""What a session remembers, seen from inside."""

from __future__ import annotations

from session_peer import Client, MiniNode

from tanist.sessions.amqp010.state import SessionState


def inside(client: Client) -> SessionState:
    assert client.end.link is not None
    (state,) = client.node.sessions.sessions_of(client.end.link)
    return state


def test_nothing_is_left_after_everything_was_settled() -> None:
    client = Client(MiniNode())
    session = client.attach()
    session.do("queue.declare", queue="q")
    session.subscribe("q", window=True, credit=10)
    for _ in range(30):
        session.publish("q")
        last = session.messages[-1].id
        session.do("message.accept", transfers=[(last, last)])
        session.finish(last)
    state = inside(client)
    assert len(session.messages) == 30
    assert state.published == state.delivered == 30
    assert not state.unacked
    assert not state.windowed
    assert not state.holding.busy


def test_accepted_but_not_completed_keeps_the_window_only() -> None:
    client = Client(MiniNode())
    session = client.attach()
    session.do("queue.declare", queue="q")
    session.subscribe("q", window=True, credit=10)
    session.publish("q")
    state = inside(client)
    assert len(state.unacked) == len(state.windowed) == 1
    session.do("message.accept", transfers=[(0, 9)])
    assert not state.unacked
    assert len(state.windowed) == 1

"""The life of sessions: attach, steal, refuse, fail, end; and what the gate holds."""

from __future__ import annotations

import pytest
from session_peer import Client, MiniNode


@pytest.fixture(name="node")
def a_node() -> MiniNode:
    return MiniNode()


def test_a_name_that_is_in_use_is_busy(node: MiniNode) -> None:
    first = Client(node).attach("client id")
    second = Client(node).attach("client id")
    assert second.detached == 1
    assert first.detached is None
    assert first.do("execution.sync") in first.completed
    assert node.sessions.refused == 1


def test_names_belong_to_users(node: MiniNode) -> None:
    first = Client(node, user="anna").attach("same")
    second = Client(node, user="bert").attach("same")
    assert second.detached is None
    assert second.do("execution.sync") in second.completed
    assert first.do("execution.sync") in first.completed


def test_force_takes_the_name_and_releases_what_it_had(node: MiniNode) -> None:
    first = Client(node).attach("s")
    first.do("queue.declare", queue="q")
    first.publish("q")
    first.subscribe("q")
    second = Client(node).attach("s", force=True)
    second.subscribe("q")
    assert second.bodies == [b"x"]
    assert second.messages[0].redelivered
    first.client.pump()
    assert first.detached == 1


@pytest.mark.parametrize(("heartbeat_s", "silence_s"), [(0, 2.5), (5, 5.5)])
def test_a_silent_connection_loses_the_name_without_force(
    node: MiniNode, heartbeat_s: int, silence_s: float
) -> None:
    client = Client(node, heartbeat_s=heartbeat_s)
    client.attach("s")
    node.now += silence_s
    second = Client(node).attach("s")
    assert second.detached is None
    assert second.do("execution.sync") in second.completed
    assert node.sessions.count == 1


def test_a_lost_connection_releases_everything(node: MiniNode) -> None:
    client = Client(node)
    session = client.attach("s")
    session.do("queue.declare", queue="q")
    session.do("queue.declare", queue="mine", exclusive=True, auto_delete=True)
    for number in range(3):
        session.publish("q", str(number).encode())
    session.subscribe("q")
    node.disconnect(client.end)
    assert "mine" not in node.broker.queues
    assert node.sessions.count == 0
    other = Client(node).attach("s")
    other.subscribe("q")
    assert other.bodies == [b"0", b"1", b"2"]
    assert all(message.redelivered for message in other.messages)


def test_detach_ends_and_the_name_and_channel_are_free_again(node: MiniNode) -> None:
    client = Client(node)
    session = client.attach("s")
    session.do("queue.declare", queue="mine", exclusive=True, auto_delete=True)
    session.session.detach()
    client.pump()
    assert session.detached == 0
    assert "mine" not in node.broker.queues
    again = client.attach("s")
    assert again.do("execution.sync") in again.completed


def test_a_failed_session_ends_alone(node: MiniNode) -> None:
    client = Client(node)
    bad, good = client.attach("bad"), client.attach("good")
    bad.do("queue.declare", queue="q")
    bad.publish("q")
    bad.subscribe("q")
    bad.tell("queue.delete", queue="none")
    later = bad.tell("queue.declare", queue="never")
    client.pump()
    assert bad.exception is not None
    assert bad.exception.number("error_code") == 404
    assert later not in bad.completed
    assert "never" not in node.broker.queues
    good.subscribe("q")
    assert good.bodies == [b"x"]
    again = client.attach("bad")
    assert again.do("execution.sync") in again.completed


@pytest.mark.parametrize(
    ("command", "fields"),
    [
        ("dtx.select", {}),
        ("message.resume", {"destination": "d", "resume_id": "r"}),
        ("file.qos", {}),
    ],
)
def test_what_we_do_not_do_is_not_implemented(
    node: MiniNode, command: str, fields: dict[str, object]
) -> None:
    session = Client(node).attach()
    session.do(command, **fields)
    assert session.exception is not None
    assert session.exception.number("error_code") == 540


@pytest.mark.parametrize(
    ("command", "fields"),
    [
        ("queue.delete", {"queue": "q"}),
        ("exchange.delete", {"exchange": "x"}),
        ("exchange.unbind", {"exchange": "x", "queue": "q", "binding_key": "k"}),
    ],
)
def test_that_something_is_gone_already_is_told_when_the_backups_know(
    command: str, fields: dict[str, object]
) -> None:
    node = MiniNode(hold=True)
    first = Client(node).attach("first")
    first.do("queue.declare", queue="q")
    first.do("queue.delete", queue="q")
    client = Client(node)
    second = client.attach("second")
    known = second.do("queue.declare", queue="other")
    second.tell(command, **fields)
    later = second.tell("queue.declare", queue="never")
    second.publish("other")
    client.pump()
    assert second.exception is None
    assert "never" not in node.broker.queues
    assert node.broker.queues["other"].count == 0
    node.open_gate(1)
    node.tick()
    client.pump()
    assert second.exception is None, "what was recorded last is not safe yet"
    node.open_gate()
    node.tick()
    client.pump()
    assert second.exception is not None
    assert second.exception.number("error_code") == 404
    assert second.exception.number("command_id") == known + 1
    assert known in second.completed
    assert later not in second.completed


def test_a_session_may_end_while_its_failure_waits() -> None:
    node = MiniNode(hold=True)
    client = Client(node)
    session = client.attach("s")
    session.do("queue.declare", queue="q")
    session.do("queue.delete", queue="none")
    session.session.detach()
    client.pump()
    assert session.detached == 0
    node.open_gate()
    node.tick()
    client.pump()
    assert session.exception is None
    assert client.attach("s").do("execution.sync") >= 0


def test_sync_waits_for_everything_before_it() -> None:
    node = MiniNode(hold=True)
    session = Client(node).attach()
    assert session.do("execution.sync") in session.completed
    session.do("queue.declare", queue="q")
    published = session.publish("q")
    query = session.do("queue.query", queue="q")
    sync = session.do("execution.sync")
    assert query in session.completed
    assert sync not in session.completed
    node.open_gate(node.index - 1)
    session.client.pump()
    assert published not in session.completed
    assert sync not in session.completed
    node.open_gate()
    session.client.pump()
    assert {published, sync} <= session.completed


def test_the_gate_opening_for_a_dead_session_is_harmless() -> None:
    node = MiniNode(hold=True)
    client = Client(node)
    session = client.attach()
    session.do("queue.declare", queue="q")
    session.publish("q")
    node.disconnect(client.end)
    node.open_gate()
    assert not node.line
    assert node.broker.queues["q"].count == 1


def test_one_step_is_one_touch_whatever_it_held() -> None:
    node = MiniNode(hold=True)
    session = Client(node).attach()
    session.do("queue.declare", queue="q")
    node.open_gate()
    session.client.pump()
    for _ in range(100):
        session.publish("q", pump=False)
    session.client.pump()
    assert len(node.line) == 1
    assert len(node.records) == 101


def test_closing_twice_is_harmless(node: MiniNode) -> None:
    client = Client(node)
    client.attach()
    node.disconnect(client.end)
    node.disconnect(client.end)
    assert node.sessions.count == 0
    assert client.end.link is not None
    assert node.sessions.sessions_of(client.end.link) == []


def test_a_replay_after_a_failover_is_done_once_from_where_it_starts(node: MiniNode) -> None:
    session = Client(node).attach()
    session.do("queue.declare", queue="q")
    session.session.resume_at(5000)
    assert session.publish("q", b"new") == 5000
    session.session.resume_at(5000)
    session.publish("q", b"new")
    session.session.resume_at(6000)
    session.publish("q", b"later")
    assert {5000, 6000} <= session.completed
    assert [e.message.body for e in node.broker.queues["q"].entries()] == [b"new", b"later"]

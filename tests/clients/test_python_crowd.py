"""Tests of clients/python-crowd: as python-proton, but each task has a connection of its own."""

from __future__ import annotations

from tanist_interop import protocol
from tests.clients.harness import eventually


def opened(peer):
    """How many connections it has, the common one among them."""
    return len([line for line in list(peer.heard) if "opened" in line])


def test_each_task_has_a_connection(peer, client):
    broker, crowd = peer(), client("python-crowd")
    crowd.connect(broker.address)
    crowd.do(protocol.Declare, "q")
    tasks = [crowd.do(protocol.Send, "q", f"p{n}", 1, 5, window=1) for n in range(3)]
    receiver = crowd.do(protocol.Receive, "q", count=15)
    for task in tasks:
        assert crowd.ended(task).count == 5
    assert crowd.ended(receiver).count == 15
    eventually(lambda: opened(broker), 5)
    closed = [line for line in list(broker.heard) if "closed" in line]
    assert len(closed) <= 4, "the common connection stays"


def test_each_comes_back_by_itself_and_sends_again(peer, client):
    first, second = peer(), peer()
    crowd = client("python-crowd")
    crowd.connect(first.address, second.address)
    tasks = [crowd.do(protocol.Send, "q", f"p{n}", 1, 0, 100.0, window=1) for n in range(3)]
    first.wait(lambda line: "got" in line, 10)
    first.kill()
    second.wait(lambda line: "got" in line, 30)
    for task in tasks:
        crowd.do(protocol.Stop, task)
        crowd.ended(task)
    lost = [said for said in crowd.said if isinstance(said, protocol.Disconnected)]
    back = [said for said in crowd.said if isinstance(said, protocol.Reconnected)]
    assert len(lost) == len(back) == 4


def test_it_says_what_it_is_and_holds_nothing(peer, client):
    crowd = client("python-crowd")
    hello = crowd.init()
    assert hello.client == "python-crowd"
    assert "crowd" in hello.capabilities
    assert "hold" not in hello.capabilities
    answer = crowd.call(protocol.Settle, 3, "accept")
    assert isinstance(answer, protocol.Failed)


def test_it_ends_with_its_connections(peer, client):
    broker, crowd = peer(), client("python-crowd")
    crowd.connect(broker.address)
    crowd.do(protocol.Receive, "q")
    crowd.do(protocol.Close)

"""The gate opens in order, never early, never twice; and what it promises among real nodes."""

from __future__ import annotations

from tanist.node.gate import Gate
from tanist.node.links import VERIFY_MAX_S
from tanist.sessions.held import Held
from tests.broker.node.network import Admin, Guest, Host, Network, promote, running


class Recorder(Held):
    """Remembers when it was opened."""

    def __init__(self) -> None:
        self.opened: list[int] = []

    def open_gate(self, index: int) -> None:
        self.opened.append(index)


def test_nothing_opens_before_its_index() -> None:
    gate, held = Gate(), Recorder()
    gate.hold(5, held)
    gate.open(4)
    assert held.opened == []
    assert gate.waiting == 1
    gate.open(5)
    assert held.opened == [5]
    assert gate.waiting == 0


def test_opening_further_opens_everything_before_in_order() -> None:
    gate, first, second = Gate(), Recorder(), Recorder()
    gate.hold(1, first)
    gate.hold(2, second)
    gate.hold(2, first)
    gate.hold(9, second)
    gate.open(3)
    assert (first.opened, second.opened) == ([1, 2], [2])
    assert gate.opened_index == 3


def test_the_opened_index_never_goes_back() -> None:
    gate = Gate()
    gate.open(7)
    gate.open(3)
    assert gate.opened_index == 7


def test_what_is_held_behind_the_opened_index_opens_at_the_next_chance() -> None:
    gate, held = Gate(), Recorder()
    gate.open(7)
    gate.hold(7, held)
    assert held.opened == []
    gate.open(7)
    assert held.opened == [7]


# -- among nodes ----------------------------------------------------------------------------


class WatchedGate(Gate):
    """Notes how far every backup was when a confirmation was let through."""

    def __init__(self) -> None:
        super().__init__()
        self.backups: list[Host] = []
        self.opened_at: list[tuple[int, list[int]]] = []

    def open(self, index: int) -> None:
        if self.waiting and index > self.opened_index:
            self.opened_at.append((index, [host.node.cluster.log.index for host in self.backups]))
        super().open(index)


def test_nothing_is_confirmed_before_every_backup_has_it() -> None:
    network = Network()
    a = Host(network, "a", 1)
    gate = WatchedGate()
    a.start(gate)
    b, c = Host(network, "b", 2), Host(network, "c", 3)
    network.run()
    assert promote(a) == ""
    network.advance(2.0)
    gate.backups = [b, c]
    client = Guest(a).session()
    client.do("queue.declare", queue="q")
    for number in range(20):
        client.publish("q", bytes([number]), explicit=number % 2 == 0, pump=number % 3 == 0)
    client.client.pump()
    assert client.completed == set(range(21))
    assert len(client.accepted) > 0
    assert gate.opened_at
    assert all(min(have) >= index for index, have in gate.opened_at)


def test_a_stopped_backup_holds_confirmations_until_its_link_is_given_up() -> None:
    network, (a, b, c) = running("a", "b", "c")
    client = Guest(a).session()
    client.do("queue.declare", queue="q")
    c.freeze()
    sent = client.publish("q", b"held")
    network.advance(1.0)
    assert sent not in client.completed
    assert b.node.cluster.log.index == a.node.cluster.log.index, "the other one has it"
    network.advance(2.0)
    assert sent in client.completed, "twice the heartbeat of silence"
    assert a.members() == {1: 4, 2: 2}
    assert any("not in sync any more" in line for line in a.log)
    c.thaw()
    network.advance(3.0)
    assert c.status == "ready"
    assert c.bodies("q") == [b"held"]


def test_a_primary_alone_confirms_alone() -> None:
    _, (a,) = running("a")
    client = Guest(a).session()
    assert client.do("queue.declare", queue="q") in client.completed


def test_after_a_backup_was_lost_the_others_know_before_anything_is_confirmed() -> None:
    network, (a, b, c) = running("a", "b", "c", link_heartbeat_interval_s=30.0)
    client = Guest(a).session()
    client.do("queue.declare", queue="q")
    c.freeze()
    sent = client.publish("q", b"held")
    assert b.node.cluster.log.index == a.node.cluster.log.index
    b.freeze()
    c.kill()
    network.advance(VERIFY_MAX_S + 5.0)
    assert a.members() == {1: 4, 2: 2}
    assert b.members() == {1: 4, 2: 2, 3: 2}
    assert sent not in client.completed, "b, promoted now, would believe c in sync"
    b.thaw()
    network.run_until(lambda: sent in client.completed)
    assert b.members() == {1: 4, 2: 2}


def test_a_heir_confirms_nothing_that_its_expected_backups_may_lack() -> None:
    network, (a, b, c) = running("a", "b", "c", ha_backup_timeout_s=30.0)
    client = Guest(a).session()
    c.freeze()
    declared = client.do("queue.declare", queue="q")
    assert b.node.cluster.log.index == 1
    a.kill()
    network.run()
    assert declared not in client.completed
    assert promote(b) == ""
    assert b.status == "recovering"
    assert b.node.cluster.log.index == 1
    assert b.node.gate.opened_index == 0
    other = Guest(b).session()
    again = other.do("queue.declare", queue="q")
    assert again not in other.completed, "c, which is expected, has never heard of it"
    network.advance(1.0)
    assert again not in other.completed
    c.thaw()
    network.advance(2.0)
    assert "q" in c.node.broker.queues
    assert again in other.completed


def test_a_heir_that_expects_nobody_goes_on_at_once() -> None:
    network, (a, b) = running("a", "b")
    client = Guest(a).session()
    client.do("queue.declare", queue="q")
    a.kill()
    network.run()
    assert promote(b) == ""
    assert b.node.gate.opened_index == 1
    other = Guest(b).session()
    assert other.do("queue.declare", queue="q") in other.completed


def test_a_second_declare_is_not_confirmed_before_the_first() -> None:
    network, (a, b) = running("a", "b")
    first, second = Guest(a).session(), Guest(a).session()
    b.freeze()
    declared = first.do("queue.declare", queue="q")
    again = second.do("queue.declare", queue="q")
    looked = second.do("queue.declare", queue="q", passive=True)
    bound = second.do("exchange.bind", queue="q", exchange="amq.topic", binding_key="k")
    assert declared not in first.completed
    assert not {again, looked, bound} & second.completed
    b.thaw()
    network.advance(0.5)
    assert declared in first.completed
    assert {again, looked, bound} <= second.completed


def test_tools_are_answered_while_confirmations_are_held() -> None:
    _network, (a, b) = running("a", "b", link_heartbeat_interval_s=30.0)
    client = Guest(a).session()
    b.freeze()
    held = client.do("queue.declare", queue="q")
    assert held not in client.completed
    local = Guest(a).session()
    own = {"queue": "mine", "exclusive": True, "auto_delete": True}
    done = {
        local.do("queue.declare", **own),
        local.do("exchange.bind", queue="mine", exchange="amq.topic", binding_key="k"),
        local.do("exchange.unbind", queue="mine", exchange="amq.topic", binding_key="k"),
        local.do("exchange.declare", exchange="amq.topic", type="topic", passive=True),
        local.do("queue.purge", queue="mine"),
        local.do("queue.delete", queue="mine"),
        local.do("execution.sync"),
    }
    assert done <= local.completed
    found = Admin(a).ha_broker()
    assert found is not None
    assert found["status"] == "active"
    assert held not in client.completed

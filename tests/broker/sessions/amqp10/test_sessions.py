"""Sessions come and go; and two consumers and a producer against a model of a queue."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from session_peer import Client
from session_peer10 import Client10, Node10, Session10, message

from tanist.core.notices import Actor
from tanist.wire.amqp10.composites import Accepted, Modified, Released
from tanist.wire.amqp10.events import Ended

NOBODY = Actor("", "")


def test_sessions_of_a_connection(node: Node10, session: Session10) -> None:
    link = session.client.link
    second = session.client.begin()
    assert len(node.sessions10.sessions_of(link)) == 2
    session.session.end()
    session.client.pump()
    assert session.over
    (left,) = node.sessions10.sessions_of(link)
    assert left.session.channel == 1
    assert second.sender("q").alive
    session.client.drop()
    node.sessions10.close_link(link)
    assert link.closed
    assert node.sessions10.sessions_of(link) == []


def test_events_of_what_is_over_are_ignored(node: Node10, session: Session10) -> None:
    sender = session.sender("q")
    receiver = session.receiver("q")
    wire = session.client.end.connection.sessions[0]
    # All of it arrives in one read, behind what ends the links or the session.
    session.send(sender, pump=False)
    receiver.flow(5)
    session.session.end()
    session.client.pump()
    assert node.broker.queues["q"].count == 1
    node.sessions10.on_event(session.client.link, Ended(wire, None))
    assert session.client.failed is None


def test_a_queue_that_is_deleted_while_messages_are_under_way(
    node: Node10, session: Session10
) -> None:
    sender = session.sender("q")
    session.receiver("q", credit=5)
    for _ in range(3):
        session.send(sender)
    node.broker.delete_queue("q", NOBODY)
    session.settle(session.got[0].id)
    session.settle(session.got[1].id, Modified(True, True, {"a": 1}))
    node.tick()
    session.client.pump()
    assert not session.client.state.unsettled
    assert not session.over


def test_both_protocols_on_one_queue_keep_the_order(node: Node10, session: Session10) -> None:
    old = Client(node).attach()
    sender = session.sender("q")
    for number in range(6):
        if number % 2:
            old.publish("q", b"%d" % number)
        else:
            session.send(sender, message(b"%d" % number))
    session.receiver("q", credit=3)
    old.subscribe("q", credit=3)
    bodies = [got.body for got in session.got]
    assert bodies == [b"0", b"1", b"2"]
    assert [delivered.body for delivered in old.messages] == [b"3", b"4", b"5"]
    session.client.drop()
    old.do("message.release", transfers=[(0, 10)], set_redelivered=True)
    old.do("message.flow", destination="d", unit=0, value=10)
    again = [delivered.body for delivered in old.messages[3:]]
    assert again == [b"%d" % number for number in range(6)]
    assert all(delivered.redelivered for delivered in old.messages[3:])


OUTCOMES = {
    "accepted": Accepted(),
    "released": Released(),
    "failed": Modified(True),
    "here": Modified(False),
}


class Consumers(RuleBasedStateMachine):
    """A producer and two consumers; the model is a list of numbers, and who holds which.

    Nothing is lost; nothing is held by two; a first delivery is in order; and what came back comes
    with the count that it has.
    """

    @initialize()
    def start(self) -> None:
        self.node = Node10()
        self.node.broker.declare_queue("q", NOBODY)
        self.producer = Client10(self.node).begin()
        self.sender = self.producer.sender("q")
        self.consumers = [self.consumer(index) for index in range(2)]
        self.sent = 0
        self.available: list[int] = []
        self.counts: dict[int, int] = {}
        self.held: list[dict[int, int]] = [{}, {}]
        self.seen = [0, 0]
        self.fresh = 0

    def consumer(self, index: int) -> Session10:
        session = Client10(self.node, container=f"consumer {index}").begin()
        session.receiver("q", "in", default_outcome=Modified(True))
        return session

    def wire(self, index: int):
        (link,) = self.consumers[index].session.links.values()
        return link

    def look(self) -> None:
        """Take what was delivered into the model."""
        for session in self.consumers * 2:
            session.client.pump()
        first: list[int] = []
        for index, session in enumerate(self.consumers):
            new = session.got[self.seen[index] :]
            self.seen[index] = len(session.got)
            mine = [int(bytes(got.body)) for got in new]  # type: ignore[arg-type]
            for got, number in zip(new, mine, strict=True):
                assert number in self.available, "it was held, or settled"
                assert got.count == self.counts[number]
                self.available.remove(number)
                self.held[index][got.id] = number
            mine = [number for number in mine if number >= self.fresh]
            assert mine == sorted(mine), "first deliveries out of order"
            first += mine
        assert sorted(first) == list(range(self.fresh, self.fresh + len(first)))
        self.fresh += len(first)

    @rule(count=st.integers(1, 5))
    def publish(self, count: int) -> None:
        for _ in range(count):
            self.available.append(self.sent)
            self.counts[self.sent] = 0
            self.producer.send(self.sender, message(b"%d" % self.sent), pump=False)
            self.sent += 1
        self.producer.client.pump()
        self.look()

    @rule(index=st.integers(0, 1), credit=st.integers(0, 6), drain=st.booleans())
    def grant(self, index: int, credit: int, drain: bool) -> None:
        before = len(self.consumers[index].drains)
        waiting = len(self.available)
        self.consumers[index].flow(self.wire(index), credit, drain)
        self.look()
        if drain:
            assert self.wire(index).credit == 0
            assert len(self.consumers[index].drains) == before + 1
            assert len(self.available) == max(0, waiting - credit)

    @precondition(lambda self: any(self.held))
    @rule(data=st.data(), outcome=st.sampled_from(sorted(OUTCOMES)), second=st.booleans())
    def settle(self, data, outcome: str, second: bool) -> None:
        index = data.draw(st.sampled_from([at for at, held in enumerate(self.held) if held]))
        held = self.held[index]
        first = data.draw(st.sampled_from(sorted(held)))
        last = first + data.draw(st.integers(0, 4))
        for delivery in [delivery for delivery in held if first <= delivery <= last]:
            self.give_back(held.pop(delivery), outcome)
        session = self.consumers[index]
        if second:
            session.session.dispose(first, last, OUTCOMES[outcome])
        else:
            session.session.settle(first, last, OUTCOMES[outcome])
        self.look()

    def give_back(self, number: int, outcome: str) -> None:
        if outcome != "accepted":
            self.available.append(number)
            self.counts[number] += outcome == "failed"

    @rule(index=st.integers(0, 1), how=st.sampled_from(["link", "session", "connection"]))
    def end(self, index: int, how: str) -> None:
        for number in self.held[index].values():
            self.give_back(number, "failed")
        self.held[index] = {}
        session = self.consumers[index]
        if how == "link":
            self.wire(index).detach(True)
        elif how == "session":
            session.session.end()
        else:
            session.client.drop()
        if how != "connection":
            session.client.pump()
        assert self.seen[index] == len(session.got)
        self.look_at_the_other(index)
        self.consumers[index] = self.consumer(index)
        self.seen[index] = 0

    def look_at_the_other(self, index: int) -> None:
        """What the one gave back may have gone to the other at once."""
        self.consumers[index].got = self.consumers[index].got[: self.seen[index]]
        self.look()

    @invariant()
    def the_broker_agrees(self) -> None:
        if not hasattr(self, "node"):
            return
        queue = self.node.broker.queues["q"]
        assert queue.available == len(self.available)
        assert queue.held == sum(len(held) for held in self.held)
        for index, session in enumerate(self.consumers):
            (state,) = self.node.sessions10.sessions_of(session.client.link)
            assert set(state.unsettled) == set(self.held[index])
            assert self.wire(index).credit == 0 or not self.available


Consumers.TestCase.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
TestConsumers = Consumers.TestCase

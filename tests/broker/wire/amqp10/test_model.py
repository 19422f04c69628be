"""A client and a server against a model of what they owe each other.

Both owners do whatever they may, in any order, while the bytes between them are carried in pieces
of any size: in short walks that hypothesis chooses, and in long ones from a seed. The model knows
only what was asked for: which messages were sent on which link, how much credit was granted, what
was said of each delivery. When all bytes have arrived, both sides agree with it; and never does
anybody break a rule of the protocol.
"""

from __future__ import annotations

import random

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from tanist.wire.amqp10.composites import (
    Accepted,
    DeliveryState,
    Modified,
    Rejected,
    Released,
    Source,
    Target,
)
from tanist.wire.amqp10.connection import Connection, ConnectionSettings
from tanist.wire.amqp10.events import (
    Attaching,
    Closed,
    Delivery,
    Detached,
    Disposed,
    Ended,
    Event,
    Failed,
    Flowed,
    Opening,
    SaslStart,
)
from tanist.wire.amqp10.receiver import Receiver
from tanist.wire.amqp10.sender import Sender
from tanist.wire.amqp10.session import Session

OUTCOMES: list[DeliveryState] = [
    Accepted(),
    Released(),
    Rejected(),
    Modified(True, False),
]


FRAME_SIZES = [512, 4096, 65536]
WINDOWS = [1, 2, 5, 2048]
SIZES = [0, 1, 100, 480, 500, 1500]

INDEX = st.integers(0, 7)
"""Which of the links: most of the time those that were there from the start."""


class Side:
    """One connection with its owner, and what the owner was told."""

    def __init__(self, settings_: ConnectionSettings) -> None:
        self.connection = Connection(settings_, 0.0)
        self.wire = b""
        self.links: dict[str, Sender | Receiver] = {}
        self.unattached: list[Attaching] = []
        self.unanswered: list[Detached] = []
        self.told: list[Event] = []

    def hear(self, data: bytes) -> None:
        self.handle(self.connection.receive_data(data, 0.0))

    def handle(self, events: list[Event]) -> None:
        for event in events:
            assert not isinstance(event, (Failed, Closed)), event
            assert not (isinstance(event, (Ended, Detached)) and event.ours), event.error
            self.told.append(event)
            if isinstance(event, SaslStart):
                self.handle(self.connection.sasl_accept("u"))
            elif isinstance(event, Opening):
                self.handle(self.connection.open_ok("server"))
            elif isinstance(event, Attaching):
                self.unattached.append(event)
            elif isinstance(event, Detached) and event.link.alive:
                self.unanswered.append(event)

    def attach_all(self) -> None:
        """Answer every attach; a receiver may have been granted credit in the same breath."""
        for event in self.unattached:
            link = event.link
            assert isinstance(link, (Sender, Receiver))
            self.links[link.name] = link
            link.attach_ok(event.attach.source, event.attach.target)
        self.unattached.clear()

    def flush(self) -> None:
        self.wire += self.connection.data_to_send()


class Flow:
    """The model of one direction: a link from ``source`` to ``sink``."""

    def __init__(self, name: str, source: Side, sink: Side) -> None:
        self.name = name
        self.source = source
        self.sink = sink
        self.sent: dict[int, tuple[bytes, bytes, bool]] = {}
        self.received: list[Delivery] = []
        self.judged: dict[bytes, str] = {}
        self.granted = 0
        self.over = False

    @property
    def sender(self) -> Sender | None:
        link = self.source.links.get(self.name)
        assert link is None or isinstance(link, Sender)
        return link

    @property
    def receiver(self) -> Receiver | None:
        link = self.sink.links.get(self.name)
        assert link is None or isinstance(link, Receiver)
        return link


class World:
    """Two connections; links are named by a counter and never reused."""

    def __init__(self, frame_sizes: tuple[int, int], windows: tuple[int, int], bare: bool) -> None:
        """Two links each way, with some credit."""
        self.server = Side(
            ConnectionSettings(max_frame_size=frame_sizes[0], incoming_window=windows[0])
        )
        self.client = Side(
            ConnectionSettings(
                role="client",
                mechanism="NONE" if bare else "",
                max_frame_size=frame_sizes[1],
                incoming_window=windows[1],
            )
        )
        self.all: list[Flow] = []
        self.carry_all()
        self.session: Session = self.client.connection.begin()
        for number in range(4):
            self.add_link(number % 2 == 0)
        self.carry_all()
        self.server.attach_all()
        self.carry_all()
        for flow in self.all:
            self.grant_credit(flow, 6, False, False)
        self.carry_all()

    # -- the wire ---------------------------------------------------------------------------------

    def carry(self, source: Side, sink: Side, size: int) -> None:
        source.flush()
        piece, source.wire = source.wire[:size], source.wire[size:]
        if piece:
            sink.hear(piece)

    def carry_all(self) -> None:
        while True:
            self.client.flush()
            self.server.flush()
            if not self.client.wire and not self.server.wire:
                return
            self.carry(self.client, self.server, 1 << 30)
            self.carry(self.server, self.client, 1 << 30)

    def some_bytes_arrive(self, to_server, size) -> None:
        if to_server:
            self.carry(self.client, self.server, size)
        else:
            self.carry(self.server, self.client, size)

    # -- what owners do ---------------------------------------------------------------------------

    def flow(self, index: int) -> Flow:
        """One of the links that are not over."""
        alive = [flow for flow in self.all if not flow.over]
        return alive[index % len(alive)]

    def add_link(self, outgoing: bool) -> None:
        name = f"link {len(self.all)}"
        if outgoing:
            flow = Flow(name, self.client, self.server)
            self.client.links[name] = self.session.sender(name, Source(), Target("q"))
        else:
            flow = Flow(name, self.server, self.client)
            self.client.links[name] = self.session.receiver(name, Source("q"), Target())
        self.all.append(flow)

    def attach(self, outgoing: bool) -> None:
        """Another link, but not too many."""
        if len(self.all) < 12:
            self.add_link(outgoing)

    def grant_credit(self, flow: Flow, credit: int, echo: bool, drain: bool) -> None:
        receiver = flow.receiver
        if receiver is not None and receiver.alive and not flow.over:
            # Granting less than before is legal, and then older credit may still be used.
            receiver.flow(credit, drain=drain, echo=echo)
            flow.granted = max(flow.granted, receiver.delivery_count + credit)

    def grant(self, index, credit, echo, drain) -> None:
        self.grant_credit(self.flow(index), credit, echo, drain)

    def send(self, indices, size, settled, prefix) -> None:
        """Deliveries on these links, in this order, as far as there is credit."""
        for index in indices:
            flow = self.flow(index)
            sender = flow.sender
            if sender is None or flow.over or not sender.credit:
                continue
            tag = b"%d-%d" % (self.all.index(flow), len(flow.sent))
            message = tag * (size // len(tag) + 1)
            before = sender.credit
            number = sender.send(tag, message, settled, prefix)
            assert sender.credit == before - 1
            assert number not in flow.sent
            flow.sent[number] = (tag, prefix + message, settled)

    def drained(self, from_client) -> None:
        """One owner has nothing more for anybody who drains."""
        side = self.client if from_client else self.server
        for link in side.links.values():
            if isinstance(link, Sender):
                wanted = link.drain
                link.drained()
                assert not wanted or (link.credit, link.drain) == (0, False)

    def settle(self, index, outcome, stride) -> None:
        """Every delivery, or every second or third one."""
        flow = self.flow(index)
        receiver = flow.receiver
        self.collect(flow)
        if receiver is None or not receiver.alive:
            return
        for delivery in flow.received[::stride]:
            if not delivery.settled and delivery.tag not in flow.judged:
                receiver.session.settle(delivery.id, delivery.id, outcome)
                flow.judged[delivery.tag] = type(outcome).__name__

    def detach(self, index, by_sender, closed) -> None:
        flow = self.flow(index)
        if sum(flow.over for flow in self.all) >= len(self.all) - 2:
            return
        link = flow.sender if by_sender else flow.receiver
        if link is not None and link.alive:
            link.detach(closed)
            flow.over = True

    def answer_attaches(self) -> None:
        self.server.attach_all()

    def answer_detaches(self, client) -> None:
        side = self.client if client else self.server
        for event in side.unanswered:
            event.link.detach()
        side.unanswered.clear()

    # -- what must hold ---------------------------------------------------------------------------

    def collect(self, flow: Flow) -> None:
        """What the receiving owner was told of this link."""
        flow.received = [
            event
            for event in flow.sink.told
            if isinstance(event, Delivery) and event.link.name == flow.name
        ]

    def deliveries_arrive_in_order_and_within_credit(self) -> None:
        for flow in self.all:
            self.collect(flow)
            arrived = [(event.tag, event.payload, event.settled) for event in flow.received]
            assert arrived == list(flow.sent.values())[: len(arrived)]
            assert len(arrived) <= flow.granted

    def everything_arrives(self) -> None:
        self.carry_all()
        self.answer_attaches()
        self.carry_all()
        for flow in self.all:
            self.collect(flow)
            if flow.over:
                continue
            sender, receiver = flow.sender, flow.receiver
            assert sender is not None
            assert receiver is not None
            assert len(flow.received) == len(flow.sent)
            assert sender.waiting == 0
            assert sender.credit == receiver.credit
            assert sender.delivery_count == receiver.delivery_count
            heard = self.heard(flow)
            for number, (tag, _, _) in flow.sent.items():
                assert heard.get(number) == flow.judged.get(tag)

    def heard(self, flow: Flow) -> dict[int, str]:
        """What the sending owner was told of the deliveries of this link."""
        heard = {}
        for event in flow.source.told:
            if isinstance(event, Disposed) and event.role:
                assert event.settled
                for number in range(event.first, event.last + 1):
                    heard[number] = type(event.state).__name__
        return {number: heard[number] for number in flow.sent if number in heard}

    def end(self) -> None:
        """Everything is answered and given back."""
        self.everything_arrives()
        for flow in self.all:
            sender = flow.sender
            if sender is not None and sender.alive:
                sender.detach()
        for _ in range(3):
            self.carry_all()
            self.answer_detaches(True)
            self.answer_detaches(False)
        self.carry_all()
        assert self.session.links == {}
        (theirs,) = self.server.connection.sessions.values()
        assert theirs.links == {}
        assert self.client.connection._shared.incomplete == 0
        assert self.server.connection._shared.incomplete == 0
        assert self.client.connection._shared.links == self.server.connection._shared.links == 0
        self.session.end()
        self.carry_all()
        assert self.client.connection.sessions == self.server.connection.sessions == {}
        assert all(not isinstance(event, Flowed) or event.link for event in self.client.told)


class Machines(RuleBasedStateMachine):
    """Short walks that hypothesis chooses, and shrinks when one goes wrong."""

    @initialize(
        frame_sizes=st.tuples(st.sampled_from(FRAME_SIZES), st.sampled_from(FRAME_SIZES)),
        windows=st.tuples(st.sampled_from(WINDOWS), st.sampled_from(WINDOWS)),
        bare=st.booleans(),
    )
    def connect(self, frame_sizes, windows, bare) -> None:
        self.world = World(frame_sizes, windows, bare)

    @rule(to_server=st.booleans(), size=st.integers(1, 2000))
    def some_bytes_arrive(self, to_server, size) -> None:
        self.world.some_bytes_arrive(to_server, size)

    @rule(outgoing=st.booleans())
    def attach(self, outgoing) -> None:
        self.world.attach(outgoing)

    @rule(index=INDEX, credit=st.integers(0, 8), echo=st.booleans(), drain=st.booleans())
    def grant(self, index, credit, echo, drain) -> None:
        self.world.grant(index, credit, echo, drain)

    @rule(
        indices=st.lists(INDEX, min_size=1, max_size=8),
        size=st.sampled_from(SIZES),
        settled=st.booleans(),
        prefix=st.binary(max_size=3),
    )
    def send(self, indices, size, settled, prefix) -> None:
        self.world.send(indices, size, settled, prefix)

    @rule(from_client=st.booleans())
    def drained(self, from_client) -> None:
        self.world.drained(from_client)

    @rule(index=INDEX, outcome=st.sampled_from(OUTCOMES), stride=st.integers(1, 3))
    def settle(self, index, outcome, stride) -> None:
        self.world.settle(index, outcome, stride)

    @rule(index=INDEX, by_sender=st.booleans(), closed=st.booleans())
    def detach(self, index, by_sender, closed) -> None:
        self.world.detach(index, by_sender, closed)

    @rule()
    def answer_attaches(self) -> None:
        self.world.answer_attaches()

    @rule(client=st.booleans())
    def answer_detaches(self, client) -> None:
        self.world.answer_detaches(client)

    @rule()
    def everything_arrives(self) -> None:
        self.world.everything_arrives()

    @invariant()
    def deliveries_arrive_in_order_and_within_credit(self) -> None:
        if hasattr(self, "world"):
            self.world.deliveries_arrive_in_order_and_within_credit()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.end()


TestMachines = Machines.TestCase
TestMachines.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("seed", range(40))
def test_long_walks(seed):
    dice = random.Random(seed)

    def yes() -> bool:
        return dice.random() < 0.5

    world = World(
        (dice.choice(FRAME_SIZES), dice.choice(FRAME_SIZES)),
        (dice.choice(WINDOWS), dice.choice(WINDOWS)),
        yes(),
    )
    for _ in range(300):
        index, step = dice.randrange(8), dice.random()
        if step < 0.35:
            world.some_bytes_arrive(yes(), dice.randint(1, 1500))
        elif step < 0.6:
            indices = [dice.randrange(8) for _ in range(dice.randint(1, 8))]
            world.send(
                indices, dice.choice(SIZES), dice.random() < 0.2, b"<>"[: dice.randint(0, 2)]
            )
        elif step < 0.75:
            world.grant(index, dice.randint(0, 8), yes(), dice.random() < 0.3)
        elif step < 0.83:
            world.settle(index, dice.choice(OUTCOMES), dice.randint(1, 3))
        elif step < 0.93:
            world.drained(yes())
        elif step < 0.95:
            world.detach(index, yes(), yes())
        elif step < 0.96:
            world.attach(yes())
        elif step < 0.97:
            world.answer_attaches()
        elif step < 0.99:
            world.answer_detaches(yes())
        else:
            world.everything_arrives()
        world.deliveries_arrive_in_order_and_within_credit()
    assert sum(len(flow.received) for flow in world.all) > 10
    world.end()

"""Links on which we receive: deliveries of one and of many frames, credit, limits."""

from __future__ import annotations

import tracemalloc

import pytest

from tanist.wire.amqp10.composites import Source, Target, TransactionalState
from tanist.wire.amqp10.connection import ConnectionSettings
from tanist.wire.amqp10.events import Attaching, Delivery, Detached, Ended, Event, Flowed
from tanist.wire.amqp10.performatives import Attach, Detach, Flow, Transfer
from tanist.wire.amqp10.receiver import Receiver
from tests.broker.wire.amqp10.pair import Raw, frame, linked, of, sent


def feed(raw: Raw, *transfers: tuple[Transfer, bytes]) -> list[Event]:
    """These transfers arrive in one read."""
    return raw.feed(b"".join(frame(transfer, 0, payload) for transfer, payload in transfers))


def first(number: int, **fields) -> Transfer:
    return Transfer(0, number, b"tag %d" % number, fields.pop("message_format", 0), **fields)


def test_a_transfer_is_one_event_with_the_octets_that_came():
    raw = Raw(auto=False).begun()
    link = raw.owner.events
    raw.say(Attach("out", 0, False, source=Source(), target=Target("q")))
    (event,) = of(Attaching, link)
    receiver = event.link
    assert isinstance(receiver, Receiver)
    receiver.attach_ok(Source(), Target())
    receiver.flow(10)
    state = TransactionalState(b"txn")
    transfer = Transfer(0, 7, b"\xff", 5, True, state=state)
    (delivery,) = feed(raw, (transfer, b"\0\x53\x75\xa0\x01x"))
    assert isinstance(delivery, Delivery)
    assert delivery.link is receiver
    assert (delivery.id, delivery.tag, delivery.settled) == (7, b"\xff", True)
    assert (delivery.payload, delivery.message_format) == (b"\0\x53\x75\xa0\x01x", 5)
    assert isinstance(delivery.state, TransactionalState)
    assert (receiver.credit, receiver.delivery_count) == (9, 1)


def test_frames_are_joined_and_what_any_of_them_said_holds():
    raw = Raw(auto=True).begun()
    receiver = raw.sender()
    events = feed(
        raw,
        (first(0, more=True, message_format=3), b"a"),
        (Transfer(0, more=True, settled=True, state=TransactionalState(b"x")), b"b"),
        (Transfer(0, 0, b"tag 0", more=True), b""),
        (Transfer(0, settled=False), b"c"),
    )
    (delivery,) = events
    assert isinstance(delivery, Delivery)
    assert (delivery.payload, delivery.settled, delivery.message_format) == (b"abc", True, 3)
    assert isinstance(delivery.state, TransactionalState)
    assert receiver.credit == 9


def test_deliveries_of_several_links_may_be_interleaved():
    raw = Raw().begun()
    one, two = raw.sender("one", 0), raw.sender("two", 1)
    events = feed(
        raw,
        (first(0, more=True), b"a"),
        (Transfer(1, 1, b"t", 0, more=True), b"x"),
        (Transfer(0, 0, more=True), b"b"),
        (Transfer(1), b"y"),
        (Transfer(1, 2, b"u", 0), b"z"),
        (Transfer(0), b"c"),
    )
    assert [(event.link, event.id, event.payload) for event in of(Delivery, events)] == [
        (two, 1, b"xy"),
        (two, 2, b"z"),
        (one, 0, b"abc"),
    ]


def test_an_aborted_delivery_is_forgotten_and_used_credit():
    raw = Raw().begun()
    receiver = raw.sender()
    events = feed(
        raw,
        (first(0, more=True), b"a"),
        (Transfer(0, aborted=True), b"b"),
        (first(1), b"c"),
        (first(2, aborted=True), b""),
    )
    assert [type(event) for event in events] == [Flowed, Delivery, Flowed]
    assert of(Flowed, events)[0].flow is None
    assert receiver.credit == 7
    assert raw.server._shared.incomplete == 0


def test_a_resumed_delivery_is_a_delivery():
    raw = Raw().begun()
    raw.sender()
    (event,) = feed(raw, (first(0, resume=True), b"again"))
    assert isinstance(event, Delivery)


def test_a_transfer_beyond_the_credit_detaches_the_link():
    raw = Raw().begun()
    receiver = raw.sender()
    events = feed(raw, *((first(number), b"") for number in range(12)))
    assert [type(event) for event in events] == [Delivery] * 10 + [Detached]
    detached = events[-1]
    assert isinstance(detached, Detached)
    assert detached.ours
    assert detached.error is not None
    assert detached.error.condition == "amqp:link:transfer-limit-exceeded"
    assert not receiver.alive
    assert receiver.session.alive
    (detach,) = [item for item in raw.sent() if isinstance(item, Detach)]
    assert detach.closed
    assert raw.say(Detach(0, True)) == [], "that was told already"
    assert receiver.session.links == {}


def test_credit_that_was_granted_before_may_still_be_used():
    raw = Raw().begun()
    receiver = raw.sender()
    receiver.flow(0)
    assert [type(event) for event in feed(raw, (first(0), b""))] == [Delivery]
    assert receiver.credit == 0


def test_the_credit_is_told_once_a_step():
    raw = Raw().begun()
    receiver = raw.sender()
    feed(raw, *((first(number), b"") for number in range(5)))
    receiver.flow(7)
    receiver.flow(10, echo=True)
    (flow,) = [item for item in raw.sent() if isinstance(item, Flow)]
    assert (flow.handle, flow.delivery_count, flow.link_credit) == (0, 5, 10)
    assert (flow.next_incoming_id, flow.echo, flow.drain) == (5, True, False)


def test_a_drained_sender_gives_its_credit_back():
    pair, sender, receiver = linked(auto=True)
    receiver.flow(10, drain=True)
    pair.run()
    theirs = pair.server_link("in")
    theirs.send(b"t", b"one")
    theirs.drained()
    delivery, flowed = pair.run()
    assert isinstance(delivery, Delivery)
    assert isinstance(flowed, Flowed)
    assert flowed.flow is not None
    assert flowed.flow.drain
    assert (receiver.credit, receiver.delivery_count) == (0, 10)
    receiver.flow(3)
    pair.run()
    assert theirs.credit == 3
    assert sender.alive


def test_a_sender_tells_what_it_has():
    raw = Raw().begun()
    receiver = raw.sender()
    assert receiver.available is None
    (event,) = raw.say(Flow(0, 9, 0, 9, 0, 0, 10, available=33, echo=True))
    assert isinstance(event, Flowed)
    assert (receiver.available, receiver.credit) == (33, 10)
    (flow,) = raw.sent()
    assert isinstance(flow, Flow)
    assert flow.link_credit == 10
    raw.say(Flow(0, 9, 0, 9, 0, 4, 6))
    assert (receiver.available, receiver.credit, receiver.delivery_count) == (33, 6, 4)
    raw.say(Flow(0, 9, 0, 9, 0, 2, 6))
    assert receiver.delivery_count == 4, "counts never go back"


def test_the_sender_says_where_it_begins_to_count():
    raw = Raw().begun()
    attach = Attach("out", 0, False, source=Source(), target=Target("q"))
    attach.initial_delivery_count = 0xFFFFFFFE
    raw.say(attach)
    raw.sent()
    receiver = raw.link("out")
    assert isinstance(receiver, Receiver)
    events = feed(raw, *((first(number), b"") for number in range(4)))
    assert len(events) == 4
    receiver.flow(10)
    (flow,) = [item for item in raw.sent() if isinstance(item, Flow)]
    assert flow.delivery_count == 2


@pytest.mark.parametrize("split", [False, True])
def test_a_message_beyond_the_limit_of_the_link_detaches_it(split):
    raw = Raw(auto=False).begun()
    (event,) = raw.say(Attach("out", 0, False, source=Source(), target=Target()))
    link = event.link
    link.attach_ok(Source(), Target(), max_message_size=100)
    link.flow(10)
    attach = raw.sent()[0]
    assert isinstance(attach, Attach)
    assert attach.max_message_size == 100
    if split:
        events = feed(raw, (first(0, more=True), b"x" * 60), (Transfer(0), b"x" * 41))
    else:
        events = feed(raw, (first(0), b"x" * 101))
    (detached,) = events
    assert isinstance(detached, Detached)
    assert detached.error is not None
    assert detached.error.condition == "amqp:link:message-size-exceeded"
    assert raw.server._shared.incomplete == 0


def test_incomplete_deliveries_of_all_links_are_bounded():
    raw = Raw(ConnectionSettings(content_max=1000)).begun()
    raw.sender("one", 0)
    raw.sender("two", 1)
    events = feed(
        raw,
        (first(0, more=True), b"x" * 600),
        (Transfer(1, 1, b"t", 0, more=True), b"x" * 401),
    )
    (detached,) = events
    assert isinstance(detached, Detached)
    assert detached.error is not None
    assert detached.error.condition == "amqp:resource-limit-exceeded"
    assert raw.server._shared.incomplete == 600
    raw.say(Detach(0, True))
    assert raw.server._shared.incomplete == 0


@pytest.mark.parametrize(
    "transfers",
    [
        [Transfer(0, None, b"t", 0)],
        [Transfer(0, 0, None, 0)],
        [Transfer(0, 0, b"x" * 33, 0)],
        [first(0), first(2)],
        [first(3), first(3)],
        [first(0, more=True), first(1)],
        [first(0, more=True), Transfer(0, 0, b"other")],
        [first(0, more=True), Transfer(0, 7)],
    ],
)
def test_broken_deliveries_end_the_session(transfers):
    raw = Raw().begun()
    raw.sender()
    events = feed(raw, *((transfer, b"") for transfer in transfers))
    (ended,) = of(Ended, events)
    assert events[-1] is ended
    assert ended.ours
    assert ended.error is not None
    assert ended.error.condition == "amqp:invalid-field"
    assert raw.server._shared.incomplete == 0


def test_a_transfer_to_a_sender_of_ours_ends_the_session():
    raw = Raw().begun()
    raw.receiver(5)
    (ended,) = raw.say(Transfer(1, 0, b"t", 0))
    assert isinstance(ended, Ended)
    assert ended.error is not None
    assert ended.error.condition == "amqp:not-allowed"


def test_what_crosses_our_detach_is_swallowed_and_keeps_the_order():
    raw = Raw().begun()
    one, _ = raw.sender("one", 0), raw.sender("two", 1)
    feed(raw, (first(0, more=True), b"a"))
    one.detach()
    assert raw.server._shared.incomplete == 0
    events = feed(raw, (Transfer(0, 0), b"b"), (first(1), b"c"), (Transfer(1, 2, b"t", 0), b"d"))
    assert [(event.id, event.payload) for event in of(Delivery, events)] == [(2, b"d")]
    receiver = raw.link("two")
    assert isinstance(receiver, Receiver)
    receiver.detach()
    receiver.flow(3)
    assert not [item for item in sent(raw.server) if isinstance(item, Flow)]


def test_a_delivery_in_tiny_frames_costs_what_it_holds():
    raw = Raw(ConnectionSettings(incoming_window=100_000)).begun()
    raw.sender()
    feed(raw, (first(0, more=True), b"x"))
    frames = frame(Transfer(0, more=True), 0, b"x") * 20_000
    frames += frame(Transfer(0, more=True)) * 20_000
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    raw.feed(frames)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 40_000
    (delivery,) = feed(raw, (Transfer(0), b"."))
    assert isinstance(delivery, Delivery)
    assert delivery.payload == b"x" * 20_001 + b"."

"""Sessions: windows, delivery ids, dispositions of both roles, and how they end."""

from __future__ import annotations

import pytest

from tanist.wire.amqp10.composites import Accepted, Modified, Received, Released
from tanist.wire.amqp10.connection import ConnectionSettings
from tanist.wire.amqp10.events import Delivery, Disposed, Ended, Writable
from tanist.wire.amqp10.performatives import (
    Attach,
    Begin,
    Detach,
    Disposition,
    End,
    Flow,
    Transfer,
)
from tests.broker.wire.amqp10.pair import Pair, Raw, frame, linked, of

SMALL = ConnectionSettings(incoming_window=4)


def transfer(number: int, **fields) -> Transfer:
    return Transfer(0, number & 0xFFFFFFFF, b"%d" % number, 0, fields.pop("settled", True))


# -- windows --------------------------------------------------------------------------------------


def test_the_window_is_opened_again_by_half():
    raw = Raw(SMALL).begun()
    raw.sender()
    raw.say(transfer(0))
    assert raw.sent() == []
    raw.say(transfer(1))
    (flow,) = raw.sent()
    assert isinstance(flow, Flow)
    assert (flow.handle, flow.next_incoming_id, flow.incoming_window) == (None, 2, 4)
    assert raw.sent() == []


def test_a_flow_of_a_link_opens_the_window_too():
    raw = Raw(SMALL).begun()
    link = raw.sender()
    raw.say(transfer(0), transfer(1), transfer(2))
    link.flow(10)
    (flow,) = raw.sent()
    assert isinstance(flow, Flow)
    assert (flow.handle, flow.next_incoming_id, flow.incoming_window) == (0, 3, 4)


def test_a_transfer_beyond_the_window_ends_the_session():
    raw = Raw(SMALL).begun()
    raw.sender()
    events = raw.say(*(transfer(number) for number in range(6)))
    assert [type(event) for event in events] == [Delivery] * 4 + [Ended]
    (ended,) = of(Ended, events)
    assert ended.error is not None
    assert ended.error.condition == "amqp:session:window-violation"
    end = raw.sent()[-1]
    assert isinstance(end, End)
    assert end.error is not None
    assert end.error.condition == "amqp:session:window-violation"


def test_a_window_of_one():
    one = ConnectionSettings(role="client", container_id="c", incoming_window=1)
    pair, sender, receiver = linked(client=one, server=ConnectionSettings(incoming_window=1))
    receiver.flow(20)
    pair.run()
    theirs = pair.server_link("in")
    for number in range(20):
        theirs.send(b"%d" % number, b"x" * number)
        sender.send(b"%d" % number, b"x" * number)
    assert not theirs.session.writable
    told = pair.run()
    assert [event.payload for event in of(Delivery, told)] == [b"x" * size for size in range(20)]
    assert len(of(Writable, pair.server_events)) == 1
    assert len(of(Delivery, pair.server_events)) == 20


def test_transfer_ids_wrap_on_the_wire():
    raw = Raw(SMALL).begun(Begin(None, 0xFFFFFFFE, 100, 100))
    raw.sender()
    raw.say(transfer(0), transfer(1), transfer(2))
    (flow,) = raw.sent()
    assert isinstance(flow, Flow)
    assert flow.next_incoming_id == 1


def test_what_the_peer_says_of_its_ids_is_taken():
    raw = Raw(SMALL).begun()
    raw.sender()
    raw.say(Flow(0, 100, 10, 100, echo=True))
    (flow,) = raw.sent()
    assert isinstance(flow, Flow)
    assert flow.next_incoming_id == 10
    assert len(of(Delivery, raw.say(*(transfer(number) for number in range(4))))) == 4


def test_a_window_may_shrink_below_what_is_under_way():
    raw = Raw().begun(Begin(None, 0, 3, 100))
    sender = raw.receiver()
    raw.say(Flow(0, 3, 0, 100, 1, 0, 10))
    for number in range(3):
        sender.send(b"%d" % number, b"")
    raw.sent()
    raw.say(Flow(1, 1, 0, 100))
    sender.send(b"3", b"")
    assert raw.sent() == []
    raw.say(Flow(3, 1, 0, 100))
    assert [type(item) for item in raw.sent()] == [Transfer]


def test_a_peer_that_received_more_than_was_sent():
    raw = Raw().begun()
    raw.receiver(10)
    (ended,) = raw.say(Flow(1, 100, 0, 100))
    assert isinstance(ended, Ended)
    assert ended.error is not None
    assert ended.error.condition == "amqp:invalid-field"


def test_a_flow_before_our_begin_names_no_incoming_id():
    raw = Raw().begun()
    sender = raw.receiver()
    raw.say(Flow(None, 100, 0, 100, 1, None, 10))
    assert sender.credit == 10
    pair = Pair()
    pair.run()
    receiver = pair.client.begin().receiver("r", None, None)
    receiver.flow(7)
    pair.run()
    assert pair.server_link("r").credit == 7


# -- dispositions ---------------------------------------------------------------------------------


def test_a_thousand_accepts_are_one_frame():
    pair, sender, _ = linked()
    for number in range(1000):
        sender.send(b"%d" % number, b"")
    before = pair.client.frames_in
    (disposed,) = of(Disposed, pair.run())
    assert (disposed.first, disposed.last, disposed.settled) == (0, 999, True)
    assert disposed.role
    assert isinstance(disposed.state, Accepted)
    assert disposed.session is sender.session
    assert pair.client.frames_in - before == 1


def test_outcomes_come_as_they_were_said():
    pair, sender, _ = linked(auto=True)
    pair.owner.auto = False
    for number in range(4):
        sender.send(b"%d" % number, b"")
    pair.run()
    session = pair.server_session
    session.settle(0, 0, Released())
    session.settle(1, 1, Modified(True, True, {"x": 1}))
    session.settle(2, 2, None)
    session.dispose(3, 3, Received(1, 7))
    events = of(Disposed, pair.run())
    assert [(event.first, event.last, event.settled) for event in events] == [
        (0, 0, True),
        (1, 1, True),
        (2, 2, True),
        (3, 3, False),
    ]
    assert isinstance(events[0].state, Released)
    modified = events[1].state
    assert isinstance(modified, Modified)
    assert (modified.delivery_failed, modified.undeliverable_here) == (True, True)
    assert modified.message_annotations == {"x": 1}
    assert events[2].state is None
    received = events[3].state
    assert isinstance(received, Received)
    assert received.section_offset == 7


def test_a_receiver_may_settle_second():
    pair, _, receiver = linked()
    receiver.flow(5)
    pair.run()
    number = pair.server_link("in").send(b"t", b"")
    (delivery,) = of(Delivery, pair.run())
    receiver.session.dispose(delivery.id, delivery.id, Accepted())
    pair.run()
    (told,) = of(Disposed, pair.server_events)
    assert (told.role, told.first, told.last, told.settled) == (True, number, number, False)
    pair.server_session.settle_sent(number, number, told.state)
    (settled,) = of(Disposed, pair.run())
    assert (settled.role, settled.first, settled.last, settled.settled) == (False, 0, 0, True)
    assert isinstance(settled.state, Accepted)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (0, 0x7FFFFFFF, [(0, 4)]),
        (3, 10, [(3, 4)]),
        (0xFFFFFFFE, 2, [(0, 2)]),
        (2, None, [(2, 2)]),
        (5, 9, []),
        (0xFFFFFFF0, 0xFFFFFFF5, []),
    ],
)
def test_ranges_are_clipped_to_what_was_sent(first, last, expected):
    raw = Raw().begun()
    sender = raw.receiver(5)
    for number in range(5):
        sender.send(b"%d" % number, b"")
    events = raw.say(Disposition(True, first, last, True, Accepted()))
    assert [(event.first, event.last) for event in of(Disposed, events)] == expected
    assert len(events) == len(expected)


def test_what_a_sender_says_is_clipped_to_what_arrived():
    raw = Raw(auto=True).begun()
    raw.sender()
    assert raw.say(Disposition(False, 0, 10, True)) == []
    raw.say(transfer(0xFFFFFFFF), transfer(0x100000000), transfer(0x100000001))
    (event,) = raw.say(Disposition(False, 0xFFFFFFF0, 100, True, Accepted()))
    assert isinstance(event, Disposed)
    assert (event.first, event.last, event.role) == (0xFFFFFFF0, 0x100000001, False)


def test_a_range_that_runs_downwards():
    raw = Raw().begun()
    (ended,) = raw.say(Disposition(True, 5, 3, True))
    assert isinstance(ended, Ended)
    assert ended.error is not None
    assert ended.error.condition == "amqp:invalid-field"


def test_ids_of_deliveries_never_come_twice():
    raw = Raw().begun()
    raw.sender()
    start = 0xFFFFFFFE
    deliveries = of(
        Delivery, raw.say(*(transfer(start + step, settled=False) for step in range(4)))
    )
    assert [event.id for event in deliveries] == [start, start + 1, start + 2, start + 3]
    (disposition,) = [item for item in raw.sent() if isinstance(item, Disposition)]
    assert (disposition.first, disposition.last) == (0xFFFFFFFE, 1)


# -- the end --------------------------------------------------------------------------------------


def test_what_was_settled_leaves_before_a_detach_and_an_end():
    raw = Raw().begun()
    link = raw.sender()
    raw.say(transfer(0, settled=False))
    link.detach()
    assert [type(item) for item in raw.sent()] == [Disposition, Detach]
    raw = Raw().begun()
    raw.sender()
    raw.say(transfer(0, settled=False))
    raw.server.sessions[0].end()
    assert [type(item) for item in raw.sent()] == [Disposition, End]
    raw = Raw().begun()
    raw.sender()
    raw.feed(frame(transfer(0, settled=False)) + frame(End()))
    assert [type(item) for item in raw.sent()] == [End], "the owner was too late"


def test_a_dead_session_does_nothing():
    raw = Raw().begun()
    link = raw.sender()
    session = link.session
    raw.say(transfer(0, settled=False))
    raw.sent()
    (ended,) = raw.say(End())
    assert isinstance(ended, Ended)
    assert not ended.ours
    assert raw.sent() != []
    session.settle(0, 0, Accepted())
    session.settle(0, 0, Released())
    session.dispose(0, 0, Released())
    session.settle_sent(0, 0)
    session.end()
    link.flow(10)
    link.detach()
    assert not raw.server.has_data()
    assert list(session.links.values()) == [link], "the owner may still look at them"


def test_frames_that_cross_our_end_are_ignored():
    raw = Raw().begun()
    link = raw.sender()
    link.session.end("amqp:internal-error", "enough")
    raw.sent()
    events = raw.say(
        transfer(0),
        Attach("b", 5, True),
        Flow(9, 9, 9, 9, 77),
        Disposition(True, 5, 3),
        Detach(99),
        Begin(None, 0, 9, 9),
        channel=0,
    )
    assert [type(event).__name__ for event in events] == ["Failed"], "but a second begin is not"
    raw = Raw().begun()
    raw.server.sessions[0].end()
    raw.sent()
    assert raw.say(transfer(0), Flow(9, 9, 9, 9, 77), Detach(99)) == []
    (ended,) = raw.say(End())
    assert isinstance(ended, Ended)
    assert raw.sent() == []

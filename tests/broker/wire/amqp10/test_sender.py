"""Links on which we send: credit, drain, echo, what travels, and what waits for the window."""

from __future__ import annotations

import pytest

from tanist.types import LocalProtocolError
from tanist.wire.amqp10.composites import Accepted, TransactionalState
from tanist.wire.amqp10.events import Delivery, Disposed, Flowed, Writable
from tanist.wire.amqp10.performatives import Begin, Detach, Disposition, Flow, Transfer
from tests.broker.wire.amqp10.pair import Raw, frames, linked, of


def flow(raw: Raw, credit: int | None, count: int | None = 0, **fields) -> list:
    """The peer grants ``credit``, having seen ``count`` deliveries."""
    window = fields.pop("window", 100)
    seen = fields.pop("seen", 0)
    return raw.say(Flow(seen, window, 0, 100, 1, count, credit, **fields))


def flows(raw: Raw) -> list[Flow]:
    return [item for item in raw.sent() if isinstance(item, Flow)]


def test_a_delivery_is_a_transfer_with_its_message():
    raw = Raw().begun()
    sender = raw.receiver(2)
    assert sender.send(b"\xff\0tag", b"body", prefix=b"head ") == 0
    assert sender.send(b"b", b"more", settled=True) == 1
    (first, transfer, payload), (_, second, _) = frames(raw.server.data_to_send())
    assert first == 0
    assert isinstance(transfer, Transfer)
    assert (transfer.handle, transfer.delivery_id, transfer.delivery_tag) == (0, 0, b"\xff\0tag")
    assert (transfer.settled, transfer.more, transfer.message_format) == (False, False, 0)
    assert payload == b"head body"
    assert isinstance(second, Transfer)
    assert (second.delivery_id, second.settled) == (1, True)


def test_state_and_format_travel():
    raw = Raw().begun()
    sender = raw.receiver(2)
    sender.send(b"t", b"body", state=TransactionalState(b"txn"), message_format=77)
    ((_, transfer, payload),) = frames(raw.server.data_to_send())
    assert isinstance(transfer, Transfer)
    assert isinstance(transfer.state, TransactionalState)
    assert transfer.state.txn_id == b"txn"
    assert transfer.message_format == 77
    assert payload == b"body"
    assert sender.waiting == 0


def test_credit_is_exact():
    raw = Raw().begun()
    sender = raw.receiver(3)
    assert sender.credit == 3
    for number in range(3):
        sender.send(b"%d" % number, b"")
    assert sender.credit == 0
    with pytest.raises(LocalProtocolError):
        sender.send(b"t", b"")
    # The peer granted five more when it had seen two: of these one is used up already.
    flow(raw, 5, 2)
    assert sender.credit == 4
    flow(raw, 0, 3)
    assert sender.credit == 0
    flow(raw, None, 3)
    assert sender.credit == 0
    flow(raw, 2, None)
    assert sender.credit == 0, "without a count the peer has seen nothing: three are under way"


@pytest.mark.parametrize("tag", [b"", b"x" * 33])
def test_a_wrong_tag_is_a_bug_of_ours(tag):
    sender = Raw().begun().receiver(1)
    with pytest.raises(LocalProtocolError):
        sender.send(tag, b"")
    assert sender.credit == 1


def test_a_drain_gives_the_rest_of_the_credit_back():
    raw = Raw().begun()
    sender = raw.receiver(10)
    (event,) = flow(raw, 10, 0, drain=True)
    assert isinstance(event, Flowed)
    assert sender.drain
    sender.send(b"t", b"the only one")
    sender.drained()
    assert (sender.credit, sender.drain) == (0, False)
    transfer, answer = raw.sent()
    assert isinstance(transfer, Transfer)
    assert isinstance(answer, Flow)
    assert (answer.handle, answer.delivery_count, answer.link_credit) == (0, 10, 0)
    assert answer.drain
    assert answer.next_outgoing_id == 1
    sender.drained()
    assert raw.sent() == []
    flow(raw, 5, 10, drain=True)
    assert sender.credit == 5
    sender.drained()
    assert flows(raw)[0].delivery_count == 15


def test_a_drain_that_uses_all_the_credit_is_answered_too():
    raw = Raw().begun()
    sender = raw.receiver(1)
    flow(raw, 1, 0, drain=True)
    sender.send(b"t", b"")
    sender.drained()
    transfer, answer = raw.sent()
    assert isinstance(transfer, Transfer)
    assert isinstance(answer, Flow)
    assert (answer.delivery_count, answer.link_credit) == (1, 0)


def test_an_echo_is_answered_with_what_is_so_at_the_end_of_the_step():
    raw = Raw().begun()
    sender = raw.receiver(10)
    sender.available = 4
    flow(raw, 10, 0, echo=True)
    sender.send(b"t", b"")
    transfer, answer = raw.sent()
    assert isinstance(transfer, Transfer)
    assert isinstance(answer, Flow)
    assert (answer.delivery_count, answer.link_credit, answer.available) == (1, 9, 4)
    assert not answer.drain
    assert not answer.echo


def test_what_waits_for_the_window_is_not_counted_to_the_peer():
    raw = Raw().begun(Begin(None, 0, 1, 100))
    sender = raw.receiver()
    flow(raw, 10, 0, window=1)
    for number in range(3):
        assert sender.send(b"%d" % number, b"") == number
    assert (sender.credit, sender.waiting) == (7, 2)
    assert not sender.session.writable
    assert len(raw.sent()) == 1
    flow(raw, 10, 0, window=0, seen=1, echo=True)
    assert sender.credit == 7
    (answer,) = flows(raw)
    assert (answer.delivery_count, answer.link_credit) == (1, 9)
    events = flow(raw, 10, 0, window=5, seen=1)
    assert [type(event) for event in events] == [Writable, Flowed]
    assert sender.session.writable
    assert [item.delivery_id for item in raw.sent()] == [1, 2]


def test_a_drain_is_answered_behind_what_waits():
    raw = Raw().begun(Begin(None, 0, 1, 100))
    sender = raw.receiver()
    flow(raw, 10, 0, window=1, drain=True)
    sender.send(b"0", b"")
    sender.send(b"1", b"")
    sender.drained()
    assert [type(item) for item in raw.sent()] == [Transfer]
    flow(raw, None, None, window=0, seen=1, echo=True)
    assert raw.sent() == []
    raw.say(Flow(1, 1, 0, 100))
    transfer, answer = raw.sent()
    assert isinstance(transfer, Transfer)
    assert isinstance(answer, Flow)
    assert (answer.delivery_count, answer.link_credit, answer.drain) == (10, 0, True)


def test_a_dead_link_drops_what_waits_and_leaves_no_gap():
    raw = Raw().begun(Begin(None, 0, 1, 100))
    one = raw.receiver(handle=1, name="one")
    two = raw.receiver(handle=2, name="two")
    for handle in (1, 2):
        raw.say(Flow(0, 1, 0, 100, handle, 0, 10))
    assert one.send(b"a", b"") == 0
    assert one.send(b"b", b"") == 1
    assert two.send(b"c", b"") == 2
    raw.say(Detach(1, True))
    assert two.session.writable is False
    raw.say(Flow(1, 10, 0, 100))
    assert two.send(b"d", b"") == 3
    transfers = [item for item in raw.sent() if isinstance(item, Transfer)]
    assert [(item.delivery_id, item.delivery_tag) for item in transfers] == [
        (0, b"a"),
        (1, b"c"),
        (2, b"d"),
    ]
    events = raw.say(Disposition(True, 0, 2, True, Accepted()))
    (disposed,) = of(Disposed, events)
    assert (disposed.first, disposed.last) == (0, 3)
    two.session.settle_sent(0, 3)
    assert [(item.first, item.last) for item in raw.sent()] == [(0, 2)]


def test_many_frames_of_512_octets():
    pair, _, receiver = linked()
    receiver.flow(3)
    pair.run()
    pair.server._out.frame_max = 512
    sender = pair.server_link("in")
    for size in range(440, 3000, 97):
        message = bytes(range(256)) * 12
        sender.send(b"t%d" % size, message[:size], prefix=message[:17])
        (event,) = of(Delivery, pair.run())
        assert event.payload == message[:17] + message[:size]
        assert not event.settled
        receiver.flow(3)
        pair.run()


def test_a_receiver_that_is_ahead_of_us_loses_nothing():
    raw = Raw().begun()
    sender = raw.receiver(3)
    flow(raw, 5, 2)
    assert sender.credit == 5


def test_the_owner_hears_that_it_may_write_also_when_what_waited_was_dropped():
    raw = Raw().begun(Begin(None, 0, 1, 100))
    sender = raw.receiver()
    flow(raw, 10, 0, window=1)
    sender.send(b"0", b"")
    sender.send(b"1", b"")
    session = sender.session
    assert not session.writable
    sender.detach()
    assert session.writable
    events = raw.say(Flow(1, 1, 0, 100))
    assert [type(event) for event in events] == [Writable]
    assert raw.say(Flow(1, 1, 0, 100)) == []

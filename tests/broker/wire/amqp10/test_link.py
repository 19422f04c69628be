"""Attach, refuse, detach: what the owners say and what the peers hear."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from tanist.types import LocalProtocolError
from tanist.wire.amqp10.composites import Coordinator, Source, Target
from tanist.wire.amqp10.connection import ConnectionSettings
from tanist.wire.amqp10.events import Attached, Attaching, Detached, Ended, Failed, Flowed
from tanist.wire.amqp10.link import Link
from tanist.wire.amqp10.performatives import Attach, Begin, Detach, End, Flow
from tanist.wire.amqp10.receiver import Receiver
from tanist.wire.amqp10.sender import Sender
from tests.broker.wire.amqp10.pair import Pair, Raw, linked, of


def attaching(raw: Raw, attach: Attach) -> Link:
    (event,) = raw.say(attach)
    assert isinstance(event, Attaching)
    return event.link


def test_an_attach_is_answered_by_the_owner():
    raw = Raw(auto=False).begun()
    attach = Attach("name", 4, True, 1, 1, Source("q", durable=2), Target("me"))
    attach.properties = {"a": 1}
    attach.max_message_size = 77
    attach.unsettled = {b"tag": None}
    attach.incomplete_unsettled = True
    (event,) = raw.say(attach)
    assert isinstance(event, Attaching)
    assert isinstance(event.link, Sender)
    assert event.attach.unsettled == {b"tag": None}
    assert event.attach.incomplete_unsettled
    assert raw.sent() == []
    event.link.attach_ok(
        Source("queue"),
        Target("me"),
        rcv_settle_mode=0,
        max_message_size=9,
        offered_capabilities=("queue",),
        properties={"b": 2},
    )
    (ours,) = raw.sent()
    assert isinstance(ours, Attach)
    assert (ours.name, ours.handle, ours.role) == ("name", 0, False)
    assert (ours.snd_settle_mode, ours.rcv_settle_mode) == (1, 0)
    assert (event.link.snd_settle_mode, event.link.rcv_settle_mode) == (1, 0)
    assert (ours.initial_delivery_count, ours.max_message_size) == (0, 9)
    assert isinstance(ours.source, Source)
    assert ours.source.address == "queue"
    assert ours.offered_capabilities == ("queue",)
    assert ours.properties == {"b": 2}
    assert event.link.max_message_size == 77
    assert event.link.remote is None, "it may be large"
    with pytest.raises(LocalProtocolError):
        event.link.attach_ok(Source(), Target())
    with pytest.raises(LocalProtocolError):
        event.link.refuse("amqp:not-found", "late")


def test_a_coordinator_is_a_target_like_others():
    raw = Raw(auto=False).begun()
    link = attaching(raw, Attach("tx", 0, False, source=Source(), target=Coordinator(("l",))))
    assert isinstance(link, Receiver)
    link.attach_ok(Source(), Coordinator(("amqp:local-transactions",)))
    (ours,) = raw.sent()
    assert isinstance(ours, Attach)
    assert isinstance(ours.target, Coordinator)
    assert ours.initial_delivery_count is None


@pytest.mark.parametrize("role", [False, True])
def test_a_refused_link_is_attached_without_a_terminus_and_detached(role):
    raw = Raw(auto=False).begun()
    link = attaching(raw, Attach("n", 3, role, source=Source("q"), target=Target("q")))
    link.refuse("amqp:not-found", "no such queue", {"q": 1})
    assert not link.alive
    attach, detach = raw.sent()
    assert isinstance(attach, Attach)
    assert (attach.source is None, attach.target is None) == (role, not role)
    assert isinstance(detach, Detach)
    assert detach.closed
    assert detach.error is not None
    assert (detach.error.condition, detach.error.info) == ("amqp:not-found", {"q": 1})
    link.attach_ok(Source(), Target())
    assert raw.sent() == []
    (event,) = raw.say(Detach(3, True))
    assert isinstance(event, Detached)
    assert event.link is link
    assert raw.server.sessions[0].links == {}


def test_a_client_hears_of_a_refusal():
    pair = Pair(auto=False)
    link = pair.session().receiver("r", Source("q"), Target())
    link.flow(10)
    pair.run()
    (event,) = of(Attaching, pair.server_events)
    event.link.refuse("amqp:unauthorized-access", "no")
    attached, detached = pair.run()
    assert isinstance(attached, Attached)
    assert attached.attach.source is None
    assert isinstance(detached, Detached)
    assert detached.error is not None
    assert detached.error.condition == "amqp:unauthorized-access"
    link.detach()
    pair.run()
    assert pair.server_session.links == {}


@pytest.mark.parametrize("closed", [False, True])
def test_a_detach_is_answered_alike_when_the_owner_is_ready(closed):
    pair, sender, _ = linked(auto=True)
    pair.owner.auto = False
    sender.detach(closed)
    pair.run()
    (event,) = of(Detached, pair.server_events)
    assert event.closed == closed
    assert event.link.alive
    assert not sender.alive
    assert sender.handle in sender.session.links, "until the peer has confirmed"
    event.link.detach()
    (confirmed,) = pair.run()
    assert isinstance(confirmed, Detached)
    assert confirmed.link is sender
    assert confirmed.closed == closed
    assert not confirmed.ours
    assert sender.handle not in sender.session.links
    event.link.detach()
    assert pair.run() == []


def test_the_answer_to_a_close_is_a_close():
    pair, sender, _ = linked()
    pair.owner.auto = False
    sender.detach(True)
    pair.run()
    (event,) = of(Detached, pair.server_events)
    event.link.detach(False)
    (confirmed,) = pair.run()
    assert isinstance(confirmed, Detached)
    assert confirmed.closed


def test_both_may_detach_at_once():
    pair, sender, _ = linked()
    theirs = pair.server_link("out")
    sender.detach()
    theirs.detach(True, "amqp:link:detach-forced", "away")
    told = pair.run()
    (event,) = of(Detached, told)
    assert event.error is not None
    assert event.error.condition == "amqp:link:detach-forced"
    (other,) = of(Detached, pair.server_events)
    assert other.link is theirs
    assert len(pair.server_session.links) == 1


def test_a_handle_may_be_used_again_before_the_answer():
    raw = Raw(auto=False).begun()
    first = attaching(raw, Attach("a", 0, False, source=Source(), target=Target()))
    first.attach_ok(Source(), Target())
    events = raw.say(Detach(0, True), Attach("b", 0, False, source=Source(), target=Target()))
    assert [type(event) for event in events] == [Detached, Attaching]
    second = raw.link("b")
    second.attach_ok(Source(), Target())
    first.detach()
    assert second.handle != first.handle
    assert second.alive
    assert raw.say(Flow(0, 9, 0, 9, 0, 0, available=1))[0].link is second


def test_the_same_name_may_be_attached_again_while_the_first_lives():
    raw = Raw(auto=False).begun()
    first = attaching(raw, Attach("a", 0, True, source=Source(), target=Target()))
    second = attaching(raw, Attach("a", 1, True, source=Source(), target=Target()))
    assert first is not second, "who steals from whom is for the owner to say"
    first.refuse("amqp:link:stolen", "by another")
    second.attach_ok(Source(), Target())
    assert second.alive


def test_frames_that_cross_our_detach_are_ignored():
    raw = Raw().begun()
    link = raw.receiver()
    link.detach(True, "amqp:resource-deleted", "the queue is gone")
    raw.sent()
    assert raw.say(Flow(0, 100, 0, 100, 1, 0, 10)) == []
    assert link.credit == 0
    (event,) = raw.say(Detach(1, True))
    assert isinstance(event, Detached)
    (ended,) = raw.say(Flow(0, 100, 0, 100, 1, 0, 10))
    assert isinstance(ended, Ended)
    assert ended.ours
    assert ended.error is not None
    assert ended.error.condition == "amqp:session:errant-link"


def test_a_wrong_handle_ends_the_session_only():
    raw = Raw().begun()
    link = raw.receiver(5)
    raw.say(Begin(None, 0, 1, 1), channel=1)
    raw.sent()
    (ended,) = raw.say(Attach("again", 1, True))
    assert isinstance(ended, Ended)
    assert ended.error is not None
    assert ended.error.condition == "amqp:session:handle-in-use"
    assert not link.alive
    assert link.credit == 0
    assert [type(item) for item in raw.sent()] == [End]
    assert raw.say(Attach("ignored", 2, True), Flow(0, 9, 0, 9, 99)) == []
    assert raw.say(End()) == []
    assert list(raw.server.sessions) == [1]
    link.detach()
    link.session.end()
    assert raw.sent() == []


def test_a_handle_above_the_agreed_closes_the_connection():
    raw = Raw(ConnectionSettings(handle_max=3)).begun()
    (failed,) = of(Failed, raw.say(Attach("n", 4, True)))
    assert failed.condition == "amqp:connection:framing-error"


def test_more_links_than_either_side_takes():
    raw = Raw(auto=False).begun(Begin(None, 0, 9, 9, handle_max=1))
    events = raw.say(*(Attach(f"n{number}", number, True) for number in range(3)))
    assert [type(event) for event in events] == [Attaching, Attaching, Ended]
    raw = Raw(ConnectionSettings(links_max=2), auto=False).begun()
    events = raw.say(*(Attach(f"n{number}", number, True) for number in range(3)))
    assert [type(event) for event in events] == [Attaching, Attaching, Ended]
    raw.say(End())
    raw.say(Begin(None, 0, 9, 9))
    assert [type(event) for event in raw.say(Attach("n", 0, True))] == [Attaching]


def test_a_client_runs_out_of_handles():
    pair = Pair(server=ConnectionSettings(handle_max=1))
    session = pair.session()
    session.sender("a", None, None)
    with pytest.raises(LocalProtocolError):
        session.sender("a", None, None)
    session.receiver("a", None, None)
    with pytest.raises(LocalProtocolError):
        session.sender("b", None, None)
    session.end()
    with pytest.raises(LocalProtocolError):
        session.sender("c", None, None)


def test_ten_thousand_links_one_after_the_other_cost_nothing():
    pair = Pair()
    session = pair.session()

    def cycles(count: int) -> None:
        for number in range(count):
            link: Link
            if number % 2:
                link = session.sender(f"link {number}", Source(), Target("q"))
            else:
                link = session.receiver(f"link {number}", Source("q"), Target())
            pair.run()
            assert link.handle == 0
            link.detach()
            pair.run()
            pair.client_events.clear()
            pair.server_events.clear()

    cycles(100)
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    cycles(1000)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 20_000
    cycles(9000)
    assert session.links == pair.server_session.links == {}


def test_flow_for_a_link_that_is_not_answered_yet_counts():
    raw = Raw(auto=False).begun()
    link = attaching(raw, Attach("a", 0, True, source=Source(), target=Target()))
    assert isinstance(link, Sender)
    (event,) = raw.say(Flow(0, 9, 0, 9, 0, 0, 7))
    assert isinstance(event, Flowed)
    with pytest.raises(LocalProtocolError):
        link.send(b"t", b"too early")
    link.attach_ok(Source(), Target())
    assert link.credit == 7


def test_a_flow_is_not_sent_before_our_attach():
    raw = Raw(auto=False).begun()
    sender = attaching(raw, Attach("a", 0, True, source=Source(), target=Target()))
    receiver = attaching(raw, Attach("b", 1, False, source=Source(), target=Target()))
    raw.say(Flow(0, 9, 0, 9, 0, 0, 7, echo=True))
    assert isinstance(receiver, Receiver)
    receiver.flow(5)
    assert raw.sent() == []
    sender.attach_ok(Source(), Target())
    receiver.attach_ok(Source(), Target())
    sent = raw.sent()
    assert [type(item) for item in sent] == [Attach, Attach, Flow, Flow]
    assert [item.link_credit for item in sent if isinstance(item, Flow)] == [7, 5]


def test_a_flow_is_not_sent_behind_the_peers_detach():
    raw = Raw(auto=False).begun()
    link = attaching(raw, Attach("a", 0, True, source=Source(), target=Target()))
    link.attach_ok(Source(), Target())
    raw.sent()
    raw.say(Flow(0, 9, 0, 9, 0, 0, 7, echo=True), Detach(0, True))
    assert raw.sent() == []
    link.detach()
    assert [type(item) for item in raw.sent()] == [Detach]

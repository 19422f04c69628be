"""A peer's bookkeeping: what is under way, what was acknowledged."""

from __future__ import annotations

from uuid import UUID

from tanist.ha.membership import BrokerInfo
from tanist.ha.peer import NEWS, STEP, Peer, Phase
from tanist.ha.roles import Status
from tests.broker.ha.link_peer import LinkPeer


def new_peer() -> Peer:
    return Peer(1, LinkPeer().session, BrokerInfo(UUID(int=2), Status.JOINING), 10.0)


def test_batches_move_the_acknowledged_index_steps_and_news_do_not() -> None:
    peer = new_peer()
    for index, size in ((STEP, 5), (7, 10), (NEWS, 3), (9, 20)):
        peer.sent(index, size, 11.0)
    assert (peer.in_flight_bytes, peer.steps) == (38, 1)
    peer.completed(1)
    assert (peer.acked_index, peer.steps) == (0, 0)
    peer.completed(2)
    assert (peer.acked_index, peer.in_flight_bytes) == (7, 20)
    peer.completed(99)
    assert (peer.acked_index, peer.in_flight_bytes, len(peer.in_flight)) == (9, 0, 0)


def test_what_was_sent_before_it_started_over_does_not_count() -> None:
    peer = new_peer()
    peer.sent(7, 1, 0.0)
    peer.acked_index = 20
    peer.sent(STEP, 1, 0.0)
    peer.completed(2)
    assert (peer.acked_index, peer.steps) == (20, 0)


def test_it_is_whole_when_no_step_is_missing() -> None:
    peer = new_peer()
    peer.sent(STEP, 1, 0.0)
    assert not peer.whole
    peer.completed(1)
    assert peer.whole
    peer.phase = Phase.FILLING
    assert not peer.whole


def test_news_that_must_be_heard_are_noticed_when_they_are() -> None:
    peer = new_peer()
    peer.sent(NEWS, 1, 0.0)
    peer.sent(NEWS, 1, 0.0)
    peer.told = peer.in_flight[-1]
    peer.completed(1)
    assert peer.told is not None
    peer.completed(1)
    assert peer.told is None


def test_silence_is_the_age_of_the_oldest_transfer() -> None:
    peer = new_peer()
    assert peer.silent_s(50.0) == 0.0
    peer.sent(3, 1, 20.0)
    peer.sent(4, 1, 30.0)
    assert peer.silent_s(50.0) == 30.0
    peer.completed(1)
    assert peer.silent_s(50.0) == 20.0

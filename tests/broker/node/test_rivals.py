"""Epochs that others tell of: a primary stops, or goes on under a newer one, or lets it be."""

from __future__ import annotations

from uuid import UUID

import pytest

from tanist.ha.log import Log
from tanist.ha.roles import Status
from tanist.ha.standing import PeerStatus
from tanist.ha.url import Address
from tanist.node.rivals import Rivals
from tests.broker.node.network import Guest, Host, Network, cluster, promote, running

ME, OTHER, THIRD = UUID(int=1), UUID(int=2), UUID(int=3)
MINE, THEIRS = UUID(int=11), UUID(int=12)


class Scene:
    """A primary of epoch 3 whose dials nobody answers: the test says what was heard."""

    def __init__(self, may_renew: bool = True) -> None:
        log = Log()
        log.begin_epoch(3, MINE)
        self.links = Host(Network(), "me", 1).node.cluster.links
        self.rivals = Rivals(ME, log, self.links)
        self.rivals.may_renew = may_renew

    def asks(self) -> bool:
        """All others have been asked and not all have answered."""
        return bool(self.links.verifying)

    def answered(self, *peers: PeerStatus) -> None:
        """All who answered have done so."""
        self.links.heard = list(peers)
        self.links.verifying.clear()

    def look(self, peer: PeerStatus) -> str:
        """What it says to a member at once: why it stops."""
        return self.rivals.look(peer, 0, 1.0, [Address("tcp", "peer", 1)]).stop

    def after_asking(self, *peers: PeerStatus) -> tuple[str, int]:
        """It saw the first one, asked all and heard these."""
        assert self.look(peers[0]) == ""
        assert self.asks()
        undecided = self.rivals.decide(0)
        assert (undecided.stop, undecided.past) == ("", 0)
        self.answered(*peers)
        verdict = self.rivals.decide(0)
        return verdict.stop, verdict.past


def backup(
    epoch: int, *in_sync: UUID, status: Status = Status.READY, owner: UUID = THEIRS
) -> PeerStatus:
    return PeerStatus(OTHER, status, epoch, owner, in_sync=list(in_sync))


def test_our_own_followers_and_older_ones_are_nobodys_rivals() -> None:
    scene = Scene()
    assert scene.look(backup(3, OTHER, owner=MINE)) == ""
    assert scene.look(backup(2, OTHER)) == ""
    assert scene.look(backup(3, OTHER)) == "", "not newer: it refuses us, and says so"
    assert not scene.asks()
    assert scene.rivals.decide(0).past == 0


def test_a_newer_epoch_that_went_on_without_us_deposes_us() -> None:
    scene = Scene()
    assert "broker 00000000-0000-0000-0000-000000000002 is at epoch 4" in scene.look(
        backup(4, OTHER, THIRD)
    )


@pytest.mark.parametrize("epoch", [3, 4, 9])
def test_an_epoch_that_counted_on_us_is_renewed_past(epoch: int) -> None:
    assert Scene().after_asking(backup(epoch, OTHER, ME)) == ("", epoch)


def test_who_only_caught_up_in_an_epoch_like_ours_has_nothing_to_lose() -> None:
    peer = backup(3, status=Status.CATCHUP)
    assert Scene().after_asking(peer) == ("", 3)
    assert "epoch 4" in Scene().look(backup(4, status=Status.CATCHUP))


def test_one_of_all_who_knows_better_is_believed() -> None:
    knows = PeerStatus(THIRD, Status.READY, 4, THEIRS, in_sync=[OTHER, THIRD])
    stop, past = Scene().after_asking(backup(4, OTHER, ME), knows)
    assert "broker 00000000-0000-0000-0000-000000000003" in stop
    assert past == 0


def test_a_living_primary_of_a_newer_epoch_deposes_us_though_it_counts_on_us() -> None:
    leads = PeerStatus(THIRD, Status.ACTIVE, 4, THEIRS, in_sync=[THIRD, ME])
    assert "epoch 4" in Scene().look(leads)
    assert "epoch 4" in Scene().after_asking(backup(4, OTHER, ME), leads)[0]


def test_who_is_gone_when_all_were_asked_changes_nothing() -> None:
    scene = Scene()
    assert scene.look(backup(4, OTHER, ME)) == ""
    scene.answered()
    verdict = scene.rivals.decide(0)
    assert (verdict.stop, verdict.past) == ("", 0)


def test_who_had_not_everything_does_not_renew() -> None:
    scene = Scene(may_renew=False)
    assert "epoch 4" in scene.look(backup(4, OTHER, ME))
    assert scene.look(backup(3, OTHER, ME)) == ""
    assert not scene.asks()


# -- nodes together ------------------------------------------------------------------------


def test_a_follower_that_was_out_of_reach_comes_back_and_follows_the_new_primary() -> None:
    network, (a, b, c, d) = running("a", "b", "c", "d")
    b.freeze()
    a.kill()
    assert promote(c) == ""
    network.advance(1.0)
    assert d.node.cluster.log.epoch == 2
    d.freeze()
    c.kill()
    b.thaw()
    assert promote(b) == "", "d does not answer: the same epoch once more"
    d.thaw()
    assert (b.node.cluster.log.epoch, d.node.cluster.log.epoch) == (2, 2)
    session = Guest(b).session()
    declared = session.do("queue.declare", queue="q")
    network.advance(20.0)
    assert declared in session.completed
    assert (b.status, d.status) == ("active", "ready")
    assert (b.node.cluster.log.epoch, d.node.cluster.log.epoch) == (3, 3)
    assert "q" in d.node.broker.queues
    assert any("going on with epoch 3" in line for line in b.log)


def test_a_new_epoch_is_told_to_all_who_follow() -> None:
    network, (a, b) = cluster("a", "b")
    assert promote(a) == ""
    network.advance(2.0)
    assert b.status == "ready"
    session = Guest(a).session()
    a.node.cluster.rivals.may_renew = True
    a.node.cluster._renew(7)
    a.network.run()
    declared = session.do("queue.declare", queue="q")
    network.advance(2.0)
    assert declared in session.completed
    assert (a.node.cluster.log.epoch, b.node.cluster.log.epoch) == (7, 7)
    assert (a.status, b.status) == ("active", "ready")
    assert "q" in b.node.broker.queues

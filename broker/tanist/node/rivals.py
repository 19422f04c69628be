"""Epochs of others, as a primary hears of them: does it stop, or go on under a newer one?

An epoch is numbered by the broker that is promoted, one higher than all it hears of. What it cannot
hear may have been promoted as well: a broker that was promoted and died, say, and whose follower is
out of reach. When that follower is back it tells of an epoch that is not older than ours and not in
our history, and follows nobody older than that.

* If the in-sync set that the follower was told of last has us in it, that other primary has
  confirmed nothing that we lack: nobody is dropped before all others of the set know. Then we were
  promoted rightly, and *renew*: we go on under an epoch that is newer than all.
* If not, or if it is a primary itself, we are the one that was left behind, and stop.

All members are asked before we renew, because one of them may know better. Where a command decides
over the in-sync set it also numbers the epochs, and a newer one is always a reason to stop.
"""

from __future__ import annotations

from uuid import UUID

from tanist.ha.log import Log
from tanist.ha.roles import Status
from tanist.ha.standing import PeerStatus
from tanist.ha.url import Address
from tanist.node.links import Links


class Verdict:
    """``stop``: why we must stop, empty if we need not. ``past``: renew past this epoch, if > 0."""

    __slots__ = ("past", "stop")

    def __init__(self, stop: str = "", past: int = 0) -> None:
        self.stop = stop
        self.past = past


class Rivals:
    """What a primary makes of the epochs of others."""

    def __init__(self, system_id: UUID, log: Log, links: Links) -> None:
        self._own = system_id
        self._log = log
        self._links = links
        self._asking = False
        self.may_renew = False
        """We had everything when we were promoted, and nobody else numbers the epochs."""

    def look(
        self, peer: PeerStatus, confirmed: int, now: float, addresses: list[Address]
    ) -> Verdict:
        """A member told where it stands; ``confirmed``: how much this primary has confirmed."""
        if self._recognises_us(peer):
            if not self._asking and not self._links.verifying:
                self._asking = True
                self._links.verify(now, addresses)
            return Verdict()
        return self._judge([peer], confirmed)

    def decide(self, confirmed: int) -> Verdict:
        """Call now and then: whether all were asked, and what follows from it."""
        if not self._asking or self._links.verifying:
            return Verdict()
        self._asking = False
        heard = self._links.heard
        verdict = self._judge(heard, confirmed)
        if not verdict.stop:
            verdict.past = max(
                [peer.epoch for peer in heard if self._recognises_us(peer)], default=0
            )
        return verdict

    def _judge(self, peers: list[PeerStatus], confirmed: int) -> Verdict:
        epoch = self._log.epoch
        for peer in peers:
            if not self._recognises_us(peer) and peer.deposes(self._own, epoch, confirmed):
                return Verdict(
                    f"deposed; this primary is of epoch {epoch}, broker {peer.system_id} is at "
                    f"epoch {peer.epoch}"
                )
        return Verdict()

    def _recognises_us(self, peer: PeerStatus) -> bool:
        """It is at an epoch that we do not know of, whose primary has not gone on without us."""
        log = self._log
        if not self.may_renew or peer.is_primary or peer.epoch < log.epoch:
            return False
        if (peer.epoch, peer.owner) == (log.epoch, log.owner):
            return False
        if peer.epoch == log.epoch and peer.status is not Status.READY:
            return True  # it holds nothing that anybody could need
        return self._own in peer.in_sync

"""What a broker sees of the other members, and what is wrong with it: two primaries.

Every dial tells who answers and where it stands; every member dials all others every few seconds
(``links``). Two primaries are a split brain: the older one stops as soon as it hears of the newer
epoch, but a broker that sees two must not keep it to itself meanwhile.

One that died is seen as primary until somebody dials it again. So two primaries are a *suspicion*
first: all are looked at once more, and only if both still say so it is a *problem*.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from tanist.ha.roles import status_name
from tanist.ha.standing import PeerStatus

NEVER: Final = float("inf")


class Sight:
    """What answered at an address, and when (seconds)."""

    __slots__ = ("at", "peer")

    def __init__(self, peer: PeerStatus, at: float) -> None:
        self.peer = peer
        self.at = at


class Outlook:
    """The other members as last seen, by address. ``problem``: a line for people, or empty."""

    def __init__(self) -> None:
        self.seen: dict[str, Sight] = {}
        self.problem = ""
        self._suspected_at = NEVER
        self._known: set[UUID] = set()

    def look(self, address: str, peer: PeerStatus | None, now: float) -> None:
        """``peer`` answered at ``address``; None: nobody did."""
        if peer is None:
            self.seen.pop(address, None)
        else:
            self.seen[address] = Sight(peer, now)

    def suspects(self, is_primary: bool, now: float) -> bool:
        """Whether everybody should be looked at again now: there seem to be two primaries."""
        primaries = self._primaries()
        if len(primaries) + is_primary < 2:
            self._suspected_at = NEVER
            return False
        if self._suspected_at < NEVER:
            return False
        self._suspected_at = now
        return True

    def judge(self, is_primary: bool, epoch: int) -> bool:
        """Set ``problem``; true if it is another one now. ``epoch`` is our own."""
        sure = [s for s in self._primaries().values() if s.at > self._suspected_at]
        known = {sight.peer.system_id for sight in sure}
        if len(known) + is_primary < 2:
            known = set()
        news = known != self._known
        self._known = known
        self.problem = ""
        if known:
            names = [
                f"{s.peer.system_id} ({status_name(s.peer.status)}, epoch {s.peer.epoch})"
                for s in sure
            ]
            if is_primary:
                names.append(f"this broker (epoch {epoch})")
            self.problem = (
                f"Two primaries: {' and '.join(names)}. Stop the one of the older epoch; it "
                "confirms nothing that the other's backups lack"
            )
        return news

    def _primaries(self) -> dict[UUID, Sight]:
        """The others that said they are primary, each once."""
        found: dict[UUID, Sight] = {}
        for sight in self.seen.values():
            if sight.peer.is_primary:
                known = found.get(sight.peer.system_id)
                if known is None or known.at < sight.at:
                    found[sight.peer.system_id] = sight
        return found

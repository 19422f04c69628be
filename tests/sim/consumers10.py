"""Consumers and browsers of AMQP 1.0: credit in batches or drained fetches, all outcomes.

A delivery counts as redelivered when its header's delivery-count is not 0, which is what Qpid JMS
tells its applications. One that goes away closes its connection, or its link only; what it had
prefetched comes again.
"""

from __future__ import annotations

from tanist.wire.amqp10.composites import (
    Accepted,
    DeliveryState,
    Modified,
    Rejected,
    Released,
    Source,
    Target,
)
from tanist.wire.amqp10.events import Delivery, Disposed
from tanist.wire.amqp10.link import Link
from tanist.wire.amqp10.performatives import Attach
from tanist.wire.amqp10.receiver import Receiver
from tanist.wire.amqp10.session import Session
from tanist.wire.amqp10.values import Described, Fields, ULong, Value
from tests.sim.clients import Site
from tests.sim.clients10 import NOT_FOUND, RESOURCE_DELETED, RESOURCE_LOCKED, Client10
from tests.sim.consumers import Consumer, Selection
from tests.sim.history import Severed
from tests.sim.messages10 import read_message
from tests.sim.plan import ClientPlan

FETCH_S = 0.3
"""The pause after a fetch that brought nothing."""

UNSETTLED, SETTLED = 0, 1
FIRST, SECOND = 0, 1
"""Settle modes of senders and of receivers."""

SELECTOR = 0x0000468C00000004
"""Descriptor of apache.org:selector-filter:string."""

SEEN: Fields = {"x-opt-seen": 1}
"""What a consumer adds to messages that it gives back. Replicas must have it, too."""

LOST_OUTCOME = Modified(delivery_failed=True)
"""What the link says becomes of deliveries that are not settled when it ends, as Qpid JMS does."""


class Consumer10(Consumer, Client10):
    """Speaks 1.0; ``plan.fetches``, ``plan.second`` and the usual ones are its manners."""

    def __init__(
        self,
        site: Site,
        name: str,
        plan: ClientPlan,
        queue: str,
        *,
        reject_every: int = 0,
        browse: bool = False,
        capabilities: tuple[str, ...] = (),
        selection: Selection | None = None,
    ) -> None:
        """``capabilities``: of its source."""
        self._capabilities = capabilities
        self._link: Receiver | None = None
        self._attached = False
        self._open: set[int] = set()
        """Deliveries that it thinks about."""
        self._resting = False
        """After a fetch that brought nothing."""
        self._fetched = 0
        """Messages that the last fetch brought."""
        self._left = 0
        super().__init__(
            site, name, plan, queue, reject_every=reject_every, browse=browse, selection=selection
        )

    @property
    def subscribed(self) -> bool:
        """See ``Consumer``."""
        return self._attached

    # -- coming and going -------------------------------------------------------------------

    def source(self) -> Source:
        """What the link takes from."""
        return Source(
            address=self.queue,
            distribution_mode="copy" if self._browse else None,
            default_outcome=LOST_OUTCOME,
            filter=self._filter(),
            capabilities=self._capabilities,
        )

    def _filter(self) -> dict[str, Value] | None:
        selection = self.selection
        return selection and {"selector": Described(ULong(SELECTOR), selection.text)}

    @property
    def link_name(self) -> str:
        """The name of the link, the same after every reconnect."""
        return f"{self.queue}>{self.name}"

    def on_session(self, session: Session) -> None:
        """Attach, with credit."""
        self._link = session.receiver(
            self.link_name,
            self.source(),
            Target(address=self.name),
            UNSETTLED if self.settles or self._browse else SETTLED,
            SECOND if self.plan.second and self.settles else FIRST,
        )
        self._grant()

    def on_attached(self, link: Link, attach: Attach) -> None:
        """The subscription is there."""
        if link is not self._link:
            return
        self._attached = True
        self.record_subscribed()

    def on_lost(self) -> None:
        """See ``Consumer``."""
        self._forget()
        super().on_lost()

    def _forget(self) -> None:
        self._link = None
        self._attached = self._resting = False
        self._open.clear()

    def go_away(self) -> None:
        """Close the connection, or every other time the link only."""
        self._left += 1
        link = self._link
        if link is None or not self._attached or self._left % 2:
            self.leave()
            return
        if not self.plan.accept and not self._browse:
            self.site.record(Severed(self.world.now, self.name, self.queue, self.plan.window))
        self.detach(link)

    def detach(self, link: Receiver, closed: bool = True) -> None:
        """Give the link up; what it was given comes again."""
        self._forget()
        link.detach(closed)
        self.flush()

    def go_back(self) -> None:
        """Attach the link again if only that was closed."""
        session = self.session
        if session is not None and self._link is None:
            self.connections += 1
            self.on_session(session)
            self.flush()
        else:
            super().go_back()

    # -- credit -----------------------------------------------------------------------------

    def _grant(self) -> None:
        """Let the broker send what there is room for."""
        if self._link is not None:
            room = self.plan.window - len(self._open)
            self._link.flow(room, drain=self.plan.fetches)

    def on_flow(self, link: Link) -> None:
        """A fetch is complete when no credit is left and all that came was looked at."""
        self._look()

    def _look(self) -> None:
        """Grant credit again when it is time."""
        link, window = self._link, self.plan.window
        if link is None:
            return
        if self.plan.fetches:
            if link.credit or self._open or self._resting:
                return
            if self._fetched:
                self._fetch()
            else:
                self._resting = True
                self.later(FETCH_S, self._fetch)
        elif self.plan.windowed:
            if link.credit + len(self._open) <= window // 2:
                self._grant()
        elif not link.credit and not self._open:
            self._grant()

    def _fetch(self) -> None:
        self._resting = False
        self._fetched = 0
        self._grant()

    # -- messages ---------------------------------------------------------------------------

    def on_delivery(self, event: Delivery) -> None:
        """A message."""
        if event.link is not self._link:
            return
        read = read_message(event.payload)
        self._open.add(event.id)
        self._fetched += 1
        self.received_one(event.id, read.producer, read.number, read.failures > 0)

    def _settle(self, delivery: int, producer: str, number: int) -> None:
        if delivery in self._open:
            super()._settle(delivery, producer, number)
            self._look()

    def processed(self, delivery: int) -> None:
        """See ``Consumer``. What was browsed is settled, without effect."""
        self._open.discard(delivery)
        if self._browse:
            self._say(delivery, Accepted())

    def accept(self, delivery: int) -> None:
        """See ``Consumer``."""
        self._say(delivery, Accepted())

    def reject(self, delivery: int) -> None:
        """See ``Consumer``."""
        self._say(delivery, Rejected())

    def release(self, delivery: int, marked: bool) -> None:
        """See ``Consumer``; who refuses says that it is for others only."""
        if marked:
            self._say(delivery, Modified(delivery_failed=True, message_annotations=SEEN))
        elif self.plan.refuses:
            self._say(delivery, Modified(undeliverable_here=True))
        else:
            self._say(delivery, Released())

    def _say(self, delivery: int, outcome: DeliveryState) -> None:
        session = self.session
        assert session is not None
        if self.plan.second and self.settles:
            session.dispose(delivery, delivery, outcome)
        else:
            session.settle(delivery, delivery, outcome)

    def on_disposed(self, event: Disposed) -> None:
        """The broker settled, too: nothing is left to be done."""


class PatientConsumer10(Consumer10):
    """One whose queue may be away, or somebody else's, for a while: it tries again."""

    tolerates = frozenset({NOT_FOUND, RESOURCE_LOCKED, RESOURCE_DELETED})

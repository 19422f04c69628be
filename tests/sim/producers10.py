"""Producers of AMQP 1.0: unsettled transfers, and a map of what is not settled yet.

Of the genuine clients Qpid JMS resends what is unsettled when it has reconnected, in order and
without a mark; applications on Proton and rhea keep a map of their own to do so, and may mark what
they send again by its delivery-count. Those that keep none do not know what became of the messages
that were unsettled when the connection broke: each may be there, once.
"""

from __future__ import annotations

from collections import deque

from tanist.wire.amqp10.composites import Accepted, Rejected, Source, Target
from tanist.wire.amqp10.events import Disposed
from tanist.wire.amqp10.link import Link
from tanist.wire.amqp10.sections import encode_data
from tanist.wire.amqp10.sender import Sender
from tanist.wire.amqp10.session import Session
from tests.sim.clients import Site
from tests.sim.clients10 import Client10
from tests.sim.messages10 import sections_before_body
from tests.sim.plan import ClientPlan
from tests.sim.producers import Producer, Route, Router

RELAY = ""
"""The address of the anonymous relay, to which each message says where it goes."""


class Producer10(Producer, Client10):
    """Speaks 1.0; ``plan.resends``, ``plan.marks`` and ``plan.relay`` are its manners."""

    def __init__(
        self,
        site: Site,
        name: str,
        plan: ClientPlan,
        router: Router,
        padding: int = 0,
        capabilities: tuple[str, ...] = (),
    ) -> None:
        """``capabilities``: of its targets, the relay left out."""
        self._capabilities = capabilities
        self._links: dict[str, Sender] = {}
        self._line: deque[int] = deque()
        """What waits for credit."""
        self._sent: set[int] = set()
        self._unsettled: dict[int, int] = {}
        """Delivery -> number."""
        self._sections: dict[tuple[Route, bool], bytes] = {}
        super().__init__(site, name, plan, router, padding)

    def on_session(self, session: Session) -> None:
        """Go on."""
        self.resume()
        if self.done:
            self.leave()

    def on_lost(self) -> None:
        """Links are gone; who does not resend forgets what was under way."""
        self._links = {}
        self._line.clear()
        self._unsettled = {}
        if not self.plan.resends:
            for number in [number for number in self.unconfirmed if number in self._sent]:
                del self.unconfirmed[number]
                self.count("left unknown")

    def on_flow(self, link: Link) -> None:
        """Credit."""
        self._pump()

    def on_disposed(self, event: Disposed) -> None:
        """Outcomes: nothing but "accepted" is expected."""
        ids = [number for number in self._unsettled if event.first <= number <= event.last]
        for number in [self._unsettled.pop(delivery) for delivery in ids]:
            if isinstance(event.state, Accepted):
                self.confirmed(number)
                continue
            error = event.state.error if isinstance(event.state, Rejected) else None
            self.on_refused("" if error is None else error.condition, f"{number}: {event.state!r}")
            self.unconfirmed.pop(number, None)
        self.go_on()

    def transmit(self, number: int, again: bool) -> None:
        """See ``Producer``: as soon as there is credit."""
        self._line.append(number)
        self._pump()

    def _pump(self) -> None:
        line = self._line
        while line:
            link = self._link(self.unconfirmed[line[0]])
            if link is None or link.credit <= 0:
                return
            self._send(link, line.popleft())

    def _link(self, route: Route) -> Sender | None:
        """The link for messages that go this way, attached when it is needed first."""
        session = self.session
        if session is None:
            return None
        address = RELAY if self.plan.relay else self._address(route)
        link = self._links.get(address)
        if link is None:
            capabilities = self._capabilities if address else ()
            target = Target(address=address or None, capabilities=capabilities)
            link = session.sender(f"{self.name}>{address}", Source(address=self.name), target)
            self._links[address] = link
        return link

    def _address(self, route: Route) -> str:
        return route.exchange or route.key

    def _send(self, link: Sender, number: int) -> None:
        route = self.unconfirmed[number]
        again = number in self._sent
        self._sent.add(number)
        marked = again and self.plan.marks
        prefix = self._sections.get((route, marked))
        if prefix is None:
            to = self._address(route) if self.plan.relay else ""
            prefix = sections_before_body(route, to, int(marked))
            self._sections[route, marked] = prefix
        self.record_sent(number, again, self.plan.marks)
        tag = link.delivery_count.to_bytes(4, "big")
        delivery = link.send(tag, encode_data(self.body(number)), prefix=prefix)
        self._unsettled[delivery] = number

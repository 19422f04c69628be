"""Producers: numbered messages, a window of unconfirmed ones, resending after each reconnect.

Where a message goes and where it must arrive is told by a ``Router``: it depends on the number of
the message only. Those of 0-10 mark what they send again as redelivered, as the C++ and the legacy
Java client do; like the latter some go on with their old command ids.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tanist.wire.amqp010.codec import encode_header, make
from tanist.wire.amqp010.events import Completed, Event
from tanist.wire.amqp010.session import Session
from tanist.wire.amqp010.transfer import encode_transfer
from tanist.wire.amqp010.values import Struct, Value
from tests.sim.clients import SimClient, Site
from tests.sim.clients010 import ID_MASK, Client010
from tests.sim.history import Confirmed, Sent
from tests.sim.plan import ClientPlan

STARTLED_MAX = 5
"""A startled producer sends so many messages at most: more trouble may come."""

SYNC_EVERY = 7
"""A producer asks for completion of so many messages at once; the broker must not need it."""


class Route(NamedTuple):
    """Where a message is sent, with which properties, and where it must arrive (see ``Sent``)."""

    exchange: str
    key: str
    targets: tuple[str, ...]
    headers: tuple[tuple[str, str], ...] = ()
    ttl_s: float = 0.0
    delay_s: float = 0.0


Router = Callable[[int], Route]


def encode_message(route: Route, again: bool) -> bytes:
    """The header segment of a message."""
    structs: list[Struct] = [
        make(
            "message.delivery-properties",
            routing_key=route.key,
            redelivered=again,
            ttl=int(route.ttl_s * 1000) or None,
        )
    ]
    if route.headers:
        headers: dict[str, Value] = dict(route.headers)
        structs.append(make("message.message-properties", application_headers=headers))
    return encode_header(structs)


class Producer(SimClient):
    """Sends ``plan.count`` messages, ``plan.window`` unconfirmed at most; ``padding``: bytes added
    to each body. What protocols differ in is ``transmit``.
    """

    def __init__(
        self, site: Site, name: str, plan: ClientPlan, router: Router, padding: int = 0
    ) -> None:
        self.next_number = 1
        self.unconfirmed: dict[int, Route] = {}
        """What has to be confirmed yet, in order."""
        self._router = router
        self._padding = b"." * padding
        super().__init__(site, name, plan)

    @property
    def done(self) -> bool:
        """Everything was sent, and confirmed or given up."""
        return self.next_number > self.plan.count and not self.unconfirmed

    def transmit(self, number: int, again: bool) -> None:
        """Send message ``number`` of ``unconfirmed``. There is a session."""
        raise NotImplementedError

    def on_startled(self) -> None:
        """A few more."""
        self._fill(self.dice.randrange(1, STARTLED_MAX + 1))

    def resume(self) -> None:
        """Resend what was not confirmed, in order, then go on."""
        for number in self.unconfirmed:
            self.transmit(number, again=True)
        self._more()

    def confirmed(self, number: int) -> None:
        """The broker has taken message ``number``; it may say so more than once."""
        if self.unconfirmed.pop(number, None) is not None:
            self.site.record(Confirmed(self.world.now, self.name, number))
            self.count("acknowledged")

    def go_on(self) -> None:
        """There may be room in the window, or nothing left to do."""
        if self.site.calm:
            self._fill(self.plan.window)
        if self.done:
            self.leave()

    def body(self, number: int) -> bytes:
        """The body of a message."""
        return f"{self.name}:{number}:".encode() + self._padding

    def record_sent(self, number: int, again: bool, marked: bool = True) -> None:
        """A message goes out; ``marked``: if it is sent ``again`` it says so."""
        route = self.unconfirmed[number]
        self.site.record(
            Sent(
                self.world.now,
                self.name,
                number,
                route.targets,
                again,
                route.ttl_s,
                marked=marked or not again,
                delay_s=route.delay_s,
            )
        )
        self.count("sent again" if again else "sent")

    def _more(self) -> None:
        """A burst, and another one after the pause."""
        self._fill(self.dice.randrange(1, self.plan.window + 1))
        if self.next_number <= self.plan.count:
            self.later(self.plan.pause_s, self._more)

    def _fill(self, burst: int) -> None:
        """Send what the window has room for, ``burst`` messages at most."""
        plan = self.plan
        if self.session is None:
            return
        while burst and len(self.unconfirmed) < plan.window and self.next_number <= plan.count:
            burst -= 1
            number = self.next_number
            self.next_number += 1
            self.unconfirmed[number] = self._router(number)
            self.transmit(number, again=False)


class Producer010(Producer, Client010):
    """Speaks 0-10. ``prepare``: commands sent first in every session."""

    def __init__(
        self,
        site: Site,
        name: str,
        plan: ClientPlan,
        router: Router,
        padding: int = 0,
        prepare: tuple[Struct, ...] = (),
    ) -> None:
        self._prepare = prepare
        self._ids: dict[int, int] = {}
        self._headers: dict[tuple[Route, bool], bytes] = {}
        self._heads: dict[str, bytes] = {}
        self._next_id = 0
        super().__init__(site, name, plan, router, padding)

    def on_session(self, session: Session) -> None:
        """Declare what is needed, and go on."""
        self._ids = {}
        if self.plan.resume and self._next_id:
            session.resume_at(self._next_id)
        for command in self._prepare:
            session.send(command)
        self.resume()

    def on_event(self, event: Event) -> None:
        """Confirmations."""
        if isinstance(event, Completed):
            for first, last in event.ranges:
                for step in range(((last - first) & ID_MASK) + 1):
                    number = self._ids.pop((first + step) & ID_MASK, 0)
                    if number:
                        self.confirmed(number)
            self.go_on()

    def transmit(self, number: int, again: bool) -> None:
        """See ``Producer``."""
        session = self.session
        assert session is not None
        route = self.unconfirmed[number]
        header = self._headers.get((route, again))
        if header is None:
            header = self._headers[route, again] = encode_message(route, again)
        head = self._heads.get(route.exchange)
        if head is None:
            accept_mode = 1 if self.plan.accept else 0
            head = self._heads[route.exchange] = encode_transfer(route.exchange, accept_mode, 0)
        self.record_sent(number, again)
        self._ids[session.send_transfer(head, header, self.body(number))] = number
        self._next_id = session.next_outgoing
        if number % SYNC_EVERY == 0:
            session.send(make("execution.sync"), sync=True)

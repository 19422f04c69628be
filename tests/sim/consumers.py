"""Consumers and browsers: credit, accepting, releasing, rejecting, going away and coming back."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tanist.wire.amqp010.codec import make
from tanist.wire.amqp010.events import Completed, Event, Transfer
from tanist.wire.amqp010.session import Session
from tanist.wire.amqp010.transfer import scan_header
from tanist.wire.amqp010.values import Struct
from tests.sim.clients import SimClient, Site
from tests.sim.clients010 import Client010, covers
from tests.sim.history import Received, Rejected, Released, Severed, Subscribed
from tests.sim.plan import ClientPlan
from tests.sim.watch import Violation

UNLIMITED = 0xFFFFFFFF
RESOURCE_LOCKED = 405
NOT_FOUND = 404
RESOURCE_DELETED = 408
HURRY = 10
"""So many times faster do consumers think when nothing breaks any more."""

SELECTOR = "x-apache-selector"


def name_of(body: bytes) -> tuple[str, int]:
    """Producer and number of a simulated message. Raises: Violation if it is none."""
    parts = body.split(b":", 2)
    if len(parts) != 3 or not parts[1].isdigit():
        raise Violation("unexpected", f"a message that nobody sent: {body[:60]!r}")
    return parts[0].decode(), int(parts[1])


class Selection(NamedTuple):
    """A selector, and which numbers of messages it means."""

    text: str
    wants: Callable[[int], bool]


class Consumer(SimClient):
    """Receives from ``queue``; thinks a little before it accepts.

    ``reject_every``: every so-many-th message of a producer is rejected. ``browse``: it looks and
    takes nothing. ``selection``: it wants nothing else. Protocols differ in how they subscribe and
    in the three verdicts.
    """

    def __init__(
        self,
        site: Site,
        name: str,
        plan: ClientPlan,
        queue: str,
        *,
        reject_every: int = 0,
        browse: bool = False,
        selection: Selection | None = None,
    ) -> None:
        self.queue = queue
        self.received = 0
        self.selection = selection
        self._reject_every = reject_every
        self._browse = browse
        self._returns = True
        super().__init__(site, name, plan)
        if plan.leave_s:
            self.world.after(plan.leave_s, self._away)

    @property
    def subscribed(self) -> bool:
        """Its subscription is confirmed, and there."""
        raise NotImplementedError

    @property
    def settles(self) -> bool:
        """It has to say what becomes of what it gets."""
        return self.plan.accept and not self._browse

    def finish(self) -> None:
        """Leave for good."""
        self._returns = False
        self.leave()

    def go_away(self) -> None:
        """Leave for a while."""
        self.leave()

    def go_back(self) -> None:
        """Be there again."""
        self.come_back()

    def _away(self) -> None:
        """Go away in order, and come back a little later."""
        if self._returns:
            self.count("consumer left")
            self.go_away()
            self.world.after(self.plan.leave_s / 4, self._back)

    def _back(self) -> None:
        if self._returns:
            self.go_back()
            self.world.after(self.plan.leave_s, self._away)

    def on_lost(self) -> None:
        """What was not accepted will come again; what needs no accept is lost with the link."""
        at_most_once = not self.plan.accept and not self._browse
        if self.running or at_most_once:
            credit = self.plan.window if at_most_once else 0
            self.site.record(Severed(self.world.now, self.name, self.queue, credit))

    def record_subscribed(self) -> None:
        """The subscription is there."""
        self.site.record(Subscribed(self.world.now, self.name, self.queue))

    def received_one(self, delivery: int, producer: str, number: int, redelivered: bool) -> None:
        """A message came; ``delivery`` names it within the session.

        Raises: Violation if it was not selected.
        """
        if self.selection is not None and not self.selection.wants(number):
            raise Violation("unexpected", f"{self.name} got {producer}:{number}, selects others")
        self.received += 1
        self.count("browsed" if self._browse else "received")
        self.site.record(
            Received(
                self.world.now,
                self.name,
                self.connections,
                self.queue,
                producer,
                number,
                redelivered,
                self._browse,
            )
        )
        pause_s = self.plan.pause_s / HURRY if self.site.calm else self.plan.pause_s
        if pause_s:
            self.later(pause_s, lambda: self._settle(delivery, producer, number))
        else:
            self._settle(delivery, producer, number)

    def _settle(self, delivery: int, producer: str, number: int) -> None:
        plan = self.plan
        if self.session is None:
            return
        self.processed(delivery)
        if not self.settles:
            return
        now = self.world.now
        if self._reject_every and number % self._reject_every == 0:
            self.site.record(Rejected(now, self.queue, producer, number))
            self.count("rejected")
            self.reject(delivery)
        elif plan.release_every and self.received % plan.release_every == 0:
            marked = self.received % (2 * plan.release_every) == 0
            if not marked:
                self.site.record(Released(now, self.queue, producer, number))
            self.count("released")
            self.release(delivery, marked)
        else:
            self.accept(delivery)

    def processed(self, delivery: int) -> None:
        """It was looked at: what comes next may come."""
        raise NotImplementedError

    def accept(self, delivery: int) -> None:
        """It is taken for good."""
        raise NotImplementedError

    def reject(self, delivery: int) -> None:
        """It is no good."""
        raise NotImplementedError

    def release(self, delivery: int, marked: bool) -> None:
        """It is given back; ``marked``: the next one must be told that it was delivered."""
        raise NotImplementedError


class Consumer010(Consumer, Client010):
    """Speaks 0-10. ``prepare``: commands sent first in every session."""

    def __init__(
        self,
        site: Site,
        name: str,
        plan: ClientPlan,
        queue: str,
        *,
        prepare: tuple[Struct, ...] = (),
        reject_every: int = 0,
        browse: bool = False,
        selection: Selection | None = None,
    ) -> None:
        self._prepare = prepare
        self._credit = 0
        self._subscribing = -1
        """Wire id of the sync behind the subscription."""
        super().__init__(
            site, name, plan, queue, reject_every=reject_every, browse=browse, selection=selection
        )

    @property
    def subscribed(self) -> bool:
        """See ``Consumer``."""
        return self.session is not None and self._subscribing < 0

    def on_session(self, session: Session) -> None:
        """Subscribe with credit for ``plan.window`` messages."""
        for command in self._prepare:
            session.send(command)
        subscribe = make(
            "message.subscribe",
            queue=self.queue,
            destination="d",
            accept_mode=0 if self.settles else 1,
            acquire_mode=1 if self._browse else 0,
            arguments=self.selection and {SELECTOR: self.selection.text.encode()},
        )
        session.send(subscribe)
        mode = 1 if self.plan.windowed else 0
        session.send(make("message.set-flow-mode", destination="d", flow_mode=mode))
        session.send(make("message.flow", destination="d", unit=1, value=UNLIMITED))
        self._grant(session)
        self._subscribing = session.send(make("execution.sync"), sync=True)

    def _grant(self, session: Session) -> None:
        self._credit = self.plan.window
        session.send(make("message.flow", destination="d", unit=0, value=self.plan.window))

    def on_lost(self) -> None:
        """See ``Consumer``."""
        self._subscribing = -1
        super().on_lost()

    def on_event(self, event: Event) -> None:
        """A message, or the confirmation of the subscription."""
        if isinstance(event, Completed):
            if self._subscribing >= 0 and covers(event, self._subscribing):
                self._subscribing = -1
                self.record_subscribed()
        elif isinstance(event, Transfer):
            redelivered = scan_header(event.header).redelivered
            self.received_one(event.id, *name_of(event.body), redelivered)

    def _there(self) -> Session:
        assert self.session is not None
        return self.session

    def processed(self, delivery: int) -> None:
        """See ``Consumer``."""
        session = self._there()
        session.complete(delivery, delivery)
        self._credit -= 1
        if not self.plan.windowed and self._credit <= 0:
            self._grant(session)

    def accept(self, delivery: int) -> None:
        """See ``Consumer``."""
        self._there().send_accept([(delivery, delivery)])

    def reject(self, delivery: int) -> None:
        """See ``Consumer``."""
        ids = [(delivery, delivery)]
        self._there().send(make("message.reject", transfers=ids, code=0, text=""))

    def release(self, delivery: int, marked: bool) -> None:
        """See ``Consumer``."""
        ids = [(delivery, delivery)]
        self._there().send(make("message.release", transfers=ids, set_redelivered=marked))


class PatientConsumer010(Consumer010):
    """One whose queue may be away, or somebody else's, for a while: it tries again."""

    tolerates = frozenset({NOT_FOUND, RESOURCE_LOCKED, RESOURCE_DELETED})

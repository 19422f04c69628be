"""Consumers and browsers: credit, accepting, releasing, rejecting, going away and coming back."""

from __future__ import annotations

from typing import ClassVar

from tanist.wire.amqp010.codec import make
from tanist.wire.amqp010.events import Completed, Event, Transfer
from tanist.wire.amqp010.session import Session
from tanist.wire.amqp010.transfer import scan_header
from tanist.wire.amqp010.values import Struct
from tests.sim.clients import SimClient, Site, covers
from tests.sim.history import Received, Rejected, Released, Severed, Subscribed
from tests.sim.plan import ClientPlan
from tests.sim.watch import Violation

UNLIMITED = 0xFFFFFFFF
RESOURCE_LOCKED = 405
NOT_FOUND = 404
RESOURCE_DELETED = 408


def body_of(event: Transfer) -> tuple[str, int]:
    """Producer and number of a simulated message. Raises: Violation if it is none."""
    parts = event.body.split(b":", 2)
    if len(parts) != 3 or not parts[1].isdigit():
        raise Violation("unexpected", f"a message that nobody sent: {event.body[:60]!r}")
    return parts[0].decode(), int(parts[1])


class Consumer(SimClient):
    """Receives from ``queue``; thinks a little before it accepts.

    ``prepare``: commands sent first in every session. ``reject_every``: every so-many-th message of
    a producer is rejected. ``browse``: it looks and takes nothing.
    """

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
    ) -> None:
        self.queue = queue
        self.received = 0
        self._prepare = prepare
        self._reject_every = reject_every
        self._browse = browse
        self._credit = 0
        self._returns = True
        self._subscribing = -1
        """Wire id of the sync behind the subscription."""
        super().__init__(site, name, plan)
        if plan.leave_s:
            self.world.after(plan.leave_s, self._away)

    @property
    def subscribed(self) -> bool:
        """Its subscription is confirmed, and there."""
        return self.session is not None and self._subscribing < 0

    def finish(self) -> None:
        """Leave for good."""
        self._returns = False
        self.leave()

    def _away(self) -> None:
        """Go away in order, and come back a little later."""
        if self._returns:
            self.world.counts["consumer left"] += 1
            self.leave()
            self.world.after(self.plan.leave_s / 4, self._back)

    def _back(self) -> None:
        if self._returns:
            self.come_back()
            self.world.after(self.plan.leave_s, self._away)

    def on_session(self, session: Session) -> None:
        """Subscribe with credit for ``plan.window`` messages."""
        plan = self.plan
        for command in self._prepare:
            session.send(command)
        subscribe = make(
            "message.subscribe",
            queue=self.queue,
            destination="d",
            accept_mode=0 if plan.accept and not self._browse else 1,
            acquire_mode=1 if self._browse else 0,
        )
        session.send(subscribe)
        mode = 1 if plan.windowed else 0
        session.send(make("message.set-flow-mode", destination="d", flow_mode=mode))
        session.send(make("message.flow", destination="d", unit=1, value=UNLIMITED))
        self._grant(session)
        self._subscribing = session.send(make("execution.sync"), sync=True)

    def _grant(self, session: Session) -> None:
        self._credit = self.plan.window
        session.send(make("message.flow", destination="d", unit=0, value=self.plan.window))

    def on_lost(self) -> None:
        """What was not accepted will come again; what needs no accept is lost with the link."""
        self._subscribing = -1
        settles = not self.plan.accept and not self._browse
        if self.running or settles:
            credit = self.plan.window if settles else 0
            self.site.record(Severed(self.world.now, self.name, self.queue, credit))

    def on_event(self, event: Event) -> None:
        """A message, or the confirmation of the subscription."""
        if isinstance(event, Completed):
            if self._subscribing >= 0 and covers(event, self._subscribing):
                self._subscribing = -1
                self.site.record(Subscribed(self.world.now, self.name, self.queue))
        elif isinstance(event, Transfer):
            self._received(event)

    def _received(self, event: Transfer) -> None:
        producer, number = body_of(event)
        redelivered = scan_header(event.header).redelivered
        self.received += 1
        self.world.counts["browsed" if self._browse else "received"] += 1
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
        command_id = event.id
        if self.plan.pause_s:
            self.later(self.plan.pause_s, lambda: self._settle(command_id, producer, number))
        else:
            self._settle(command_id, producer, number)

    def _settle(self, command_id: int, producer: str, number: int) -> None:
        session, plan = self.session, self.plan
        if session is None:
            return
        session.complete(command_id, command_id)
        self._credit -= 1
        if not plan.windowed and self._credit <= 0:
            self._grant(session)
        if self._browse or not plan.accept:
            return
        ids = [(command_id, command_id)]
        now = self.world.now
        if self._reject_every and number % self._reject_every == 0:
            self.site.record(Rejected(now, self.queue, producer, number))
            self.world.counts["rejected"] += 1
            session.send(make("message.reject", transfers=ids, code=0, text=""))
        elif plan.release_every and self.received % plan.release_every == 0:
            marked = self.received % (2 * plan.release_every) == 0
            if not marked:
                self.site.record(Released(now, self.queue, producer, number))
            self.world.counts["released"] += 1
            session.send(make("message.release", transfers=ids, set_redelivered=marked))
        else:
            session.send_accept(ids)


class PatientConsumer(Consumer):
    """One whose queue may be away, or somebody else's, for a while: it tries again."""

    tolerates: ClassVar[frozenset[int]] = frozenset({NOT_FOUND, RESOURCE_LOCKED, RESOURCE_DELETED})

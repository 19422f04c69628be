"""Transactional clients: take from one queue, publish to others, commit or roll back.

One transaction takes up to ``plan.window`` messages from the source, publishes one message for each
to the default exchange with all ``outputs`` as keys, and commits; every so often it rolls back.
What happens to a transaction whose connection breaks is *aborted* before commit was sent, and
*unknown* afterwards: nothing is sent again, as the genuine clients report it.
"""

from __future__ import annotations

from tanist.wire.amqp010.codec import make
from tanist.wire.amqp010.events import Completed, Event, Transfer
from tanist.wire.amqp010.session import Session
from tanist.wire.amqp010.transfer import encode_transfer, scan_header
from tests.sim.clients import SimClient, Site, covers
from tests.sim.consumers import UNLIMITED, body_of
from tests.sim.history import Ended, Received, Sent, Taken
from tests.sim.plan import ClientPlan
from tests.sim.producers import Route, encode_message

ROLLBACK_EVERY = 5
HEAD = encode_transfer("", 1, 0)


class Mover(SimClient):
    """Moves messages from ``source`` to ``outputs`` in transactions."""

    def __init__(
        self, site: Site, name: str, plan: ClientPlan, source: str, outputs: tuple[str, ...]
    ) -> None:
        self.source = source
        self.outputs = outputs
        self.finishing = False
        self._number = 0
        self._count = 0
        self._taken: list[tuple[int, str, int]] = []
        self._accepted: list[tuple[int, str, int]] = []
        self._name = ""
        """The transaction under way, "" for none."""
        self._commits = True
        self._ending = -1
        """Wire id of its commit or rollback, -1 before that was sent."""
        super().__init__(site, name, plan)

    def finish(self) -> None:
        """Begin no transaction any more, and leave when the one under way has ended."""
        self.finishing = True
        if not self._name:
            self.leave()

    def on_session(self, session: Session) -> None:
        """A new session begins a transaction and takes messages into it."""
        self._taken = []
        session.send(make("tx.select"))
        session.send(make("message.subscribe", queue=self.source, destination="d", accept_mode=0))
        session.send(make("message.set-flow-mode", destination="d", flow_mode=1))
        session.send(make("message.flow", destination="d", unit=1, value=UNLIMITED))
        session.send(make("message.flow", destination="d", unit=0, value=2 * self.plan.window))

    def on_lost(self) -> None:
        """Nobody will ever tell how a commit under way ended."""
        if self._name:
            self._ended("unknown" if self._commits and self._ending >= 0 else "aborted")
        if self.finishing:
            self.leave()

    def on_startled(self) -> None:
        """End the transaction under way now, or begin one and end it."""
        if not self._name:
            self._transact()
        if self._name and self._ending < 0:
            self._end()

    def on_event(self, event: Event) -> None:
        """A message to take, or the end of a transaction."""
        if isinstance(event, Transfer):
            self._take_one(event)
        elif isinstance(event, Completed) and self._ending >= 0 and covers(event, self._ending):
            self._ended("committed" if self._commits else "aborted")
            self._go_on()

    def _take_one(self, event: Transfer) -> None:
        producer, number = body_of(event)
        redelivered = scan_header(event.header).redelivered
        self.site.record(
            Received(
                self.world.now,
                self.name,
                self.connections,
                self.source,
                producer,
                number,
                redelivered,
            )
        )
        self.world.counts["received"] += 1
        self._taken.append((event.id, producer, number))
        if len(self._taken) == 1:
            self.later(self.plan.pause_s, self._transact)

    def _transact(self) -> None:
        """Publish and accept; commit or roll back a little later."""
        session = self.session
        if session is None or self._name or not self._taken or self.finishing:
            return
        self._count += 1
        self._name = f"{self.name}#{self._count}"
        self._commits = self._count % ROLLBACK_EVERY != 0
        self._accepted = self._taken[: self.plan.window]
        del self._taken[: self.plan.window]
        now = self.world.now
        for command_id, producer, number in self._accepted:
            self._publish(session)
            if self._commits:
                self.site.record(Taken(now, self._name, self.source, producer, number))
            session.send_accept([(command_id, command_id)])
            session.complete(command_id, command_id)
        self.later(self.plan.pause_s, self._end)

    def _end(self) -> None:
        session = self.session
        if session is None or not self._name or self._ending >= 0:
            return
        if self._commits:
            self._ending = session.send(make("tx.commit"), sync=True)
            return
        self._ending = session.send(make("tx.rollback"), sync=True)
        ids = [(command_id, command_id) for command_id, _, _ in self._accepted]
        session.send(make("message.release", transfers=ids, set_redelivered=True))

    def _publish(self, session: Session) -> None:
        self._number += 1
        body = f"{self.name}:{self._number}:".encode()
        self.site.record(
            Sent(
                self.world.now,
                self.name,
                self._number,
                self.outputs,
                transaction=self._name,
            )
        )
        for queue in self.outputs:
            header = encode_message(Route("", queue, ()), False)
            session.send_transfer(HEAD, header, body)

    def _ended(self, outcome: str) -> None:
        self.site.record(Ended(self.world.now, self._name, outcome))
        self._name = ""
        self._ending = -1
        self.world.counts[f"transactions {outcome}"] += 1

    def _go_on(self) -> None:
        if self.finishing:
            self.leave()
        elif self._taken:
            self.later(self.plan.pause_s, self._transact)

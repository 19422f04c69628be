"""Transactional clients: take from one queue, publish to others, commit or roll back.

One transaction takes up to ``plan.window`` messages from the source, publishes one message for each
to all ``outputs``, and commits; every so often it rolls back. What happens to a transaction whose
connection breaks is *aborted* before commit was sent, and *unknown* afterwards: nothing is sent
again, as the genuine clients report it.
"""

from __future__ import annotations

from typing import NamedTuple

from tanist.wire.amqp010.codec import make
from tanist.wire.amqp010.events import Completed, Event, Transfer
from tanist.wire.amqp010.session import Session
from tanist.wire.amqp010.transfer import encode_transfer, scan_header
from tests.sim.clients import SimClient, Site
from tests.sim.clients010 import Client010, covers
from tests.sim.consumers import UNLIMITED, name_of
from tests.sim.history import Ended, Received, Sent, Taken
from tests.sim.plan import ClientPlan
from tests.sim.producers import Route, encode_message

ROLLBACK_EVERY = 5
HEAD = encode_transfer("", 1, 0)


class Taking(NamedTuple):
    """A message that waits to be accepted: its delivery within the session, and which it is."""

    delivery: int
    producer: str
    number: int


class Mover(SimClient):
    """Moves messages from ``source`` to ``outputs`` in transactions, one at a time.

    Protocols differ in ``begin``, ``publish``, ``accept`` and ``end``.
    """

    def __init__(
        self, site: Site, name: str, plan: ClientPlan, source: str, outputs: tuple[str, ...]
    ) -> None:
        self.source = source
        self.outputs = outputs
        self.finishing = False
        self.commits = True
        """What the transaction under way is to end with."""
        self.waiting: list[Taking] = []
        """What came and is in no transaction yet."""
        self.accepted: list[Taking] = []
        """What is in the one under way."""
        self._number = 0
        self._count = 0
        self._name = ""
        """The transaction under way, "" for none."""
        self._ends = False
        """Its commit or rollback was sent."""
        super().__init__(site, name, plan)

    # -- for the protocols ------------------------------------------------------------------

    def begin(self) -> bool:
        """Begin a transaction; False: not yet, ``fill`` will be called."""
        return True

    def publish(self, number: int) -> None:
        """Publish message ``number`` to all outputs, within the transaction."""
        raise NotImplementedError

    def accept(self, taking: Taking) -> None:
        """Accept a message, within the transaction."""
        raise NotImplementedError

    def end(self) -> None:
        """Commit or roll back, as ``commits`` says; ``ended`` when it is answered."""
        raise NotImplementedError

    def body(self, number: int) -> bytes:
        """The body of a message."""
        return f"{self.name}:{number}:".encode()

    # -- one transaction after the other ----------------------------------------------------

    def finish(self) -> None:
        """Begin no transaction any more, and leave when the one under way has ended."""
        self.finishing = True
        if not self._name:
            self.leave()

    def forget(self) -> None:
        """A new session: what an old one was given comes again."""
        self.waiting = []

    def on_lost(self) -> None:
        """Nobody will ever tell how a commit under way ended."""
        if self._name:
            self.ended("unknown" if self.commits and self._ends else "aborted")
        if self.finishing:
            self.leave()

    def on_startled(self) -> None:
        """End the transaction under way now, or begin one and end it."""
        if not self._name:
            self._transact()
        self._end()

    def take_one(self, taking: Taking, redelivered: bool) -> None:
        """A message came."""
        self.site.record(
            Received(
                self.world.now,
                self.name,
                self.connections,
                self.source,
                taking.producer,
                taking.number,
                redelivered,
            )
        )
        self.count("received")
        self.waiting.append(taking)
        if len(self.waiting) == 1:
            self.later(self.plan.pause_s, self._transact)

    def _transact(self) -> None:
        """Begin a transaction, if there is anything to take into it."""
        if self.session is None or self._name or not self.waiting or self.finishing:
            return
        self._count += 1
        self._name = f"{self.name}#{self._count}"
        self.commits = self._count % ROLLBACK_EVERY != 0
        self.accepted = []
        if self.begin():
            self.fill()

    def fill(self) -> None:
        """The transaction has begun: publish and accept; commit or roll back a little later."""
        self.accepted = self.waiting[: self.plan.window]
        del self.waiting[: self.plan.window]
        now = self.world.now
        for taking in self.accepted:
            self._number += 1
            self.site.record(
                Sent(now, self.name, self._number, self.outputs, transaction=self._name)
            )
            self.publish(self._number)
            if self.commits:
                _, producer, number = taking
                self.site.record(Taken(now, self._name, self.source, producer, number))
            self.accept(taking)
        self.later(self.plan.pause_s, self._end)

    def _end(self) -> None:
        if self.session is not None and self.accepted and self._name and not self._ends:
            self._ends = True
            self.end()

    def ended(self, outcome: str) -> None:
        """The transaction is over: ``committed``, ``aborted`` or ``unknown``."""
        self.site.record(Ended(self.world.now, self._name, outcome))
        self._name = ""
        self.accepted = []
        self._ends = False
        self.count(f"transactions {outcome}")

    def go_on(self) -> None:
        """The next one."""
        if self.finishing:
            self.leave()
        elif self.waiting:
            self.later(self.plan.pause_s, self._transact)


class Mover010(Mover, Client010):
    """Speaks 0-10: its session is transactional, and always within a transaction."""

    def __init__(
        self, site: Site, name: str, plan: ClientPlan, source: str, outputs: tuple[str, ...]
    ) -> None:
        self._ending = -1
        """Wire id of the commit or rollback under way."""
        super().__init__(site, name, plan, source, outputs)

    def on_session(self, session: Session) -> None:
        """A new session begins a transaction and takes messages into it."""
        self.forget()
        self._ending = -1
        session.send(make("tx.select"))
        session.send(make("message.subscribe", queue=self.source, destination="d", accept_mode=0))
        session.send(make("message.set-flow-mode", destination="d", flow_mode=1))
        session.send(make("message.flow", destination="d", unit=1, value=UNLIMITED))
        session.send(make("message.flow", destination="d", unit=0, value=2 * self.plan.window))

    def on_event(self, event: Event) -> None:
        """A message to take, or the end of a transaction."""
        if isinstance(event, Transfer):
            redelivered = scan_header(event.header).redelivered
            self.take_one(Taking(event.id, *name_of(event.body)), redelivered)
        elif isinstance(event, Completed) and self._ending >= 0 and covers(event, self._ending):
            self._ending = -1
            self.ended("committed" if self.commits else "aborted")
            self.go_on()

    def _there(self) -> Session:
        assert self.session is not None
        return self.session

    def publish(self, number: int) -> None:
        """See ``Mover``: to the default exchange."""
        for queue in self.outputs:
            header = encode_message(Route("", queue, ()), False)
            self._there().send_transfer(HEAD, header, self.body(number))

    def accept(self, taking: Taking) -> None:
        """See ``Mover``."""
        session = self._there()
        session.send_accept([(taking.delivery, taking.delivery)])
        session.complete(taking.delivery, taking.delivery)

    def end(self) -> None:
        """See ``Mover``. What was accepted in vain is released."""
        session = self._there()
        if self.commits:
            self._ending = session.send(make("tx.commit"), sync=True)
            return
        self._ending = session.send(make("tx.rollback"), sync=True)
        ids = [(taking.delivery, taking.delivery) for taking in self.accepted]
        session.send(make("message.release", transfers=ids, set_redelivered=True))

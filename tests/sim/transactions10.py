"""Transactional clients of AMQP 1.0: a coordinator, and a transaction declared for each round.

What they publish and accept carries the transaction's id. Some settle what they accept at once, as
Qpid JMS does, and get it again after a rollback; the others settle when the transaction is over.
"""

from __future__ import annotations

from tanist.wire.amqp10.composites import (
    Accepted,
    Coordinator,
    Declare,
    Declared,
    Discharge,
    Modified,
    Rejected,
    Source,
    Target,
    TransactionalState,
)
from tanist.wire.amqp10.events import Delivery, Disposed
from tanist.wire.amqp10.link import Link
from tanist.wire.amqp10.receiver import Receiver
from tanist.wire.amqp10.sections import encode_body_value, encode_data
from tanist.wire.amqp10.sender import Sender
from tanist.wire.amqp10.session import Session
from tanist.wire.amqp10.values import Value
from tests.sim.clients import Site
from tests.sim.clients10 import Client10
from tests.sim.consumers10 import LOST_OUTCOME
from tests.sim.messages10 import read_message, sections_before_body
from tests.sim.plan import ClientPlan
from tests.sim.producers import Route
from tests.sim.transactions import Mover, Taking


class Mover10(Mover, Client10):
    """Speaks 1.0."""

    def __init__(
        self, site: Site, name: str, plan: ClientPlan, source: str, outputs: tuple[str, ...]
    ) -> None:
        self._coordinator: Sender | None = None
        self._receiver: Receiver | None = None
        self._senders: list[Sender] = []
        self._wants = False
        """A transaction is to be declared as soon as there is credit for all of it."""
        self._asking = -1
        """The delivery of the request under way: declare or discharge."""
        self._txn_id = b""
        super().__init__(site, name, plan, source, outputs)

    def on_session(self, session: Session) -> None:
        """Attach to everything, the coordinator last."""
        self.forget()
        self._wants = False
        self._asking = -1
        origin = Source(address=self.name)
        self._senders = [
            session.sender(f"{self.name}>{queue}", origin, Target(address=queue))
            for queue in self.outputs
        ]
        self._coordinator = session.sender(f"{self.name}>", origin, Coordinator())
        source = Source(address=self.source, default_outcome=LOST_OUTCOME)
        self._receiver = session.receiver(
            f"{self.source}>{self.name}", source, Target(address=self.name)
        )
        self._receiver.flow(2 * self.plan.window)

    # -- requests ---------------------------------------------------------------------------

    def begin(self) -> bool:
        """See ``Mover``: declare it."""
        self._wants = True
        self._declare()
        return False

    def on_flow(self, link: Link) -> None:
        """Credit, perhaps what was waited for."""
        self._declare()

    def _declare(self) -> None:
        enough = all(sender.credit >= self.plan.window for sender in self._senders)
        coordinator = self._coordinator
        if self._wants and enough and coordinator is not None and coordinator.credit > 0:
            self._wants = False
            self._ask(Declare())

    def end(self) -> None:
        """See ``Mover``: discharge it."""
        self._ask(Discharge(self._txn_id, fail=not self.commits))

    def _ask(self, request: Value) -> None:
        coordinator = self._coordinator
        assert coordinator is not None
        tag = coordinator.delivery_count.to_bytes(4, "big")
        self._asking = coordinator.send(tag, encode_body_value(request))

    def on_disposed(self, event: Disposed) -> None:
        """The answer to a request, or a provisional outcome."""
        if not event.role or not event.first <= self._asking <= event.last:
            return
        self._asking = -1
        state = event.state
        if isinstance(state, Declared):
            self._txn_id = state.txn_id
            self.fill()
        elif isinstance(state, Accepted):
            self._over("committed" if self.commits else "aborted")
        else:
            error = state.error if isinstance(state, Rejected) else None
            self.on_refused("" if error is None else error.condition, repr(state))
            self._over("aborted")

    def _over(self, outcome: str) -> None:
        session = self.session
        assert session is not None
        if outcome == "aborted" and self.plan.second:
            for taking in self.accepted:
                delivery = taking.delivery
                session.settle(delivery, delivery, Modified(delivery_failed=True))
        self.ended(outcome)
        if self._receiver is not None:
            self._receiver.flow(2 * self.plan.window - len(self.waiting))
        self.go_on()

    # -- messages ---------------------------------------------------------------------------

    def on_delivery(self, event: Delivery) -> None:
        """A message to take."""
        read = read_message(event.payload)
        self.take_one(Taking(event.id, read.producer, read.number), read.failures > 0)

    def publish(self, number: int) -> None:
        """See ``Mover``."""
        state = TransactionalState(self._txn_id)
        payload = sections_before_body(Route("", "", ()), "", 0) + encode_data(self.body(number))
        for sender in self._senders:
            sender.send(sender.delivery_count.to_bytes(4, "big"), payload, state=state)

    def accept(self, taking: Taking) -> None:
        """See ``Mover``."""
        session = self.session
        assert session is not None
        state = TransactionalState(self._txn_id, Accepted())
        if self.plan.second:
            session.dispose(taking.delivery, taking.delivery, state)
        else:
            session.settle(taking.delivery, taking.delivery, state)

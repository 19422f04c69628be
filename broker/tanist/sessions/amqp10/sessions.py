"""All 1.0 sessions of a node: events of client connections in, commands to the broker out.

The node hands in what a connection reports once it is open; the rest of a step is done for all
protocols alike (``sessions.work``). A ``BrokerError`` refuses a link, rejects a delivery or ends a
link; it never ends a session. Exclusive queues and dynamic nodes belong to the connection, as
Jakarta Messaging wants it of temporary queues, and are gone with it.
"""

from __future__ import annotations

from tanist.core.broker import Broker
from tanist.sessions.amqp10 import outcomes, transactions
from tanist.sessions.amqp10.attaching import Attaching
from tanist.sessions.amqp10.consumer import Consumer
from tanist.sessions.amqp10.link import Link10
from tanist.sessions.amqp10.nodes import Nodes
from tanist.sessions.amqp10.producer import Producer
from tanist.sessions.amqp10.settings import SessionSettings
from tanist.sessions.amqp10.state import SessionState
from tanist.sessions.translation.lookup import lookup
from tanist.sessions.work import StepWork
from tanist.wire.amqp10 import events
from tanist.wire.amqp10.composites import TransactionalState


class Sessions10:
    """The 1.0 sessions of one node. ``work``: what they leave for the end of the step."""

    __slots__ = ("attaching", "broker", "nodes", "settings", "work")

    def __init__(self, broker: Broker, work: StepWork, settings: SessionSettings) -> None:
        """Raises: BrokerError (INVALID_ARGUMENT) for a pattern that is no regular expression."""
        self.broker = broker
        self.work = work
        self.settings = settings
        self.nodes = Nodes(broker, work, settings)
        self.attaching = Attaching(self.nodes, settings)
        broker.lookup = lookup

    def on_event(self, link: Link10, event: events.Event) -> None:
        """Handle an event of ``link``'s connection, other than those of opening and closing."""
        if isinstance(event, events.Delivery):
            producer = event.link.context
            if isinstance(producer, Producer) and producer.alive:
                producer.receive(event)
        elif isinstance(event, events.Disposed):
            self._disposed(event)
        elif isinstance(event, events.Flowed):
            attached = event.link.context
            if isinstance(attached, Consumer):
                if attached.alive:
                    attached.flowed(event)
            elif isinstance(attached, Producer):
                attached.refill()
        else:
            self._on_session(link, event)

    def _on_session(self, link: Link10, event: events.Event) -> None:
        """Sessions and links come and go."""
        if isinstance(event, events.Begun):
            begun = SessionState(link, event.session, self.work, self.broker.now)
            event.session.context = begun
            link.states.append(begun)
        elif isinstance(event, (events.Attaching, events.Detached)):
            state = event.link.session.context
            if not isinstance(state, SessionState) or not state.alive:
                return
            if isinstance(event, events.Attaching):
                self.attaching.attach(state, event.link, event.attach)
            else:
                self.attaching.detached(state, event.link, event.closed)
        elif isinstance(event, (events.Ended, events.Writable)):
            state = event.session.context
            if not isinstance(state, SessionState):
                return
            if isinstance(event, events.Ended):
                state.end(self.broker)
            else:
                state.wake(self.broker)

    def _disposed(self, event: events.Disposed) -> None:
        state = event.session.context
        if not event.role or not isinstance(state, SessionState) or not state.alive:
            return  # the sender's side of it is settled here already
        if isinstance(event.state, TransactionalState):
            transactions.disposed(self.broker, state, event)
        else:
            outcomes.disposed(self.broker, state, event)

    def close_link(self, link: Link10) -> None:
        """The connection is gone: all its sessions end, and its nodes. Idempotent."""
        link.closed = True
        link.writable = False
        for state in list(link.states):
            state.end(self.broker)
        for dynamic in list(self.nodes.dynamics.values()):
            if dynamic.actor.owner is link:
                dynamic.delete()
        self.broker.release_owner(link)

    def sessions_of(self, link: Link10) -> list[SessionState]:
        """The sessions of ``link`` that have begun, oldest first (a new list)."""
        return list(link.states)

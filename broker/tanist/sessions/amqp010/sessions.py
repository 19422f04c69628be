"""All 0-10 sessions of a node: events of client connections in, commands to the broker out.

The node hands in events (Attached, Transfer, Command, Completed, Detached); the rest of a step is
done for all protocols alike (``sessions.work``).

A ``BrokerError`` of a command becomes execution.exception and the end of its session; the other
sessions of the connection live on. A message whose header breaks the protocol ends the connection.
Session names belong to a user (specification 9.2); what happens when a name is attached twice is
told at ``_attach``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tanist.core.broker import Broker
from tanist.sessions.amqp010 import exchanges, messages, publishing, queues, transactions
from tanist.sessions.amqp010.link import Link010
from tanist.sessions.amqp010.outcome import AFTER_EARLIER, AFTER_RECORDS, LATER
from tanist.sessions.amqp010.state import SessionBroken, SessionState
from tanist.sessions.translation.lookup import lookup
from tanist.sessions.work import StepWork
from tanist.types import BrokerError, Condition, FramingError
from tanist.wire.amqp010.events import Attached, Command, Completed, Detached, Event, Transfer
from tanist.wire.amqp010.session import Session

SESSION_BUSY: Final = 1
"""session.detach-code: the name is attached by somebody who is there."""

TRANSFER_CLASS: Final = 4
TRANSFER_CODE: Final = 1
"""Codes of message.transfer, for execution.exception."""

STALE_S: Final = 2.0
"""A connection silent for this long (and for its heartbeat interval) no longer defends a name."""

CommandFunction = Callable[[Broker, SessionState, Command], int]


def sync(broker: Broker, state: SessionState, command: Command) -> int:
    """execution.sync: complete when everything before it is."""
    return AFTER_EARLIER


COMMANDS: Final[dict[str, CommandFunction]] = {
    "execution.sync": sync,
    "message.accept": messages.accept,
    "message.release": messages.release,
    "message.reject": messages.reject,
    "message.acquire": messages.acquire,
    "message.subscribe": messages.subscribe,
    "message.cancel": messages.cancel,
    "message.set-flow-mode": messages.set_flow_mode,
    "message.flow": messages.flow,
    "message.flush": messages.flush,
    "message.stop": messages.stop,
    "tx.select": transactions.select,
    "tx.commit": transactions.commit,
    "tx.rollback": transactions.rollback,
    "exchange.declare": exchanges.declare,
    "exchange.delete": exchanges.delete,
    "exchange.query": exchanges.query,
    "exchange.bind": exchanges.bind,
    "exchange.unbind": exchanges.unbind,
    "exchange.bound": exchanges.bound,
    "queue.declare": queues.declare,
    "queue.delete": queues.delete,
    "queue.purge": queues.purge,
    "queue.query": queues.query,
}
"""What we execute. Any other command of the specification is answered with not-implemented."""


CONFIRM_BY_FAILING: Final = frozenset({"exchange.delete", "exchange.unbind", "queue.delete"})
"""A client in doubt asks for these again, and takes not-found for "done". So the answer waits until
all in-sync backups know that it is gone, as the answer to the first one did."""


class Sessions:
    """The sessions of one node. ``check_user_ids``: authentication is on, user-ids must match.

    ``work``: where they leave what is to be done at the end of the step.
    """

    __slots__ = ("_names", "broker", "check_user_ids", "refused", "work")

    def __init__(self, broker: Broker, work: StepWork, check_user_ids: bool = False) -> None:
        self.broker = broker
        self.check_user_ids = check_user_ids
        self.refused = 0
        self._names: dict[tuple[str, str], SessionState] = {}
        self.work = work
        broker.lookup = lookup

    def on_event(self, link: Link010, event: Event) -> None:
        """Handle an event of ``link``'s connection; other events than the five are ignored.

        Events of a session that ended meanwhile are ignored too.
        """
        if isinstance(event, Transfer):
            state = event.session.context
            if isinstance(state, SessionState) and state.alive and state.failure is None:
                try:
                    publishing.publish(self.broker, state, event, self.check_user_ids)
                except FramingError as broken:
                    link.connection.close(broken.condition.code, broken.text)
                    self.close_link(link)
                except BrokerError as error:
                    self._fail(state, error, event.id, TRANSFER_CLASS, TRANSFER_CODE)
        elif isinstance(event, Command):
            state = event.session.context
            if isinstance(state, SessionState) and state.alive and state.failure is None:
                self._execute(state, event)
        elif isinstance(event, Completed):
            state = event.session.context
            if isinstance(state, SessionState) and state.alive:
                messages.completed(self.broker, state, event.ranges)
        elif isinstance(event, Attached):
            self._attach(link, event.session, event.force)
        elif isinstance(event, Detached):
            state = event.session.context
            if isinstance(state, SessionState):
                state.end(self.broker)

    # -- links --------------------------------------------------------------------------------

    def close_link(self, link: Link010) -> None:
        """The connection is gone: all its sessions end. Idempotent."""
        link.closed = True
        link.writable = False
        for state in list(link.states):
            state.end(self.broker)

    def sessions_of(self, link: Link010) -> list[SessionState]:
        """The attached sessions of ``link``, oldest first (a new list)."""
        return list(link.states)

    @property
    def count(self) -> int:
        """Sessions attached now."""
        return len(self._names)

    # -- the life of a session ----------------------------------------------------------------

    def _attach(self, link: Link010, session: Session, force: bool) -> None:
        """Take the name, or refuse it.

        Python re-attaches with ``force`` after a reconnect, C++ and Java without, under the old
        name, while the old connection may still look open to us (clients.md R9). So a name is
        taken from its holder when the peer insists, or when the holder's connection has said
        nothing for longer than 2 s and its own heartbeat interval, or on the same connection;
        the old session ends, what it had not accepted is released. Against a holder that is
        evidently alive the answer is session-busy: the Java client uses the name of its first
        session to find out that its client id is in use. (Without heartbeats an idle client looks
        like a dead one; the clients that share names on purpose ask for heartbeats.)
        """
        key = (link.user, session.name)
        holder = self._names.get(key)
        if holder is not None:
            if not force and not self._is_stale(holder.link):
                self.refused += 1
                session.refuse(SESSION_BUSY)
                return
            holder.session.refuse(SESSION_BUSY)
            holder.end(self.broker)
        state = SessionState(link, session, self.work, self._names, self.broker.now)
        session.context = state
        link.states.append(state)
        self._names[key] = state

    def _is_stale(self, link: Link010) -> bool:
        silence_s = self.broker.now - link.heard_at
        return link.closed or silence_s > max(STALE_S, float(link.connection.heartbeat_s))

    def _execute(self, state: SessionState, command: Command) -> None:
        struct = command.struct
        function = COMMANDS.get(struct.name)
        broker = self.broker
        recorded = len(broker.journal)
        try:
            if function is None:
                raise BrokerError(Condition.NOT_IMPLEMENTED, f"{struct.name} is not implemented")
            outcome = function(broker, state, command)
            if outcome == LATER:
                return
            if len(broker.journal) > recorded or outcome == AFTER_RECORDS:
                state.hold(command.id)
            elif outcome == AFTER_EARLIER:
                state.finish_after_earlier(command.id)
            else:
                state.session.complete(command.id, command.id)
        except BrokerError as error:
            definition = struct.definition
            if error.condition is Condition.NOT_FOUND and struct.name in CONFIRM_BY_FAILING:
                state.fail_after_records(
                    SessionBroken(
                        state,
                        error.condition,
                        error.text,
                        command.id,
                        definition.class_code,
                        definition.code,
                    )
                )
                return
            self._fail(state, error, command.id, definition.class_code, definition.code)

    def _fail(
        self, state: SessionState, error: BrokerError, command_id: int, class_code: int, code: int
    ) -> None:
        state.session.exception(error.condition.code, error.text, command_id, class_code, code)
        state.end(self.broker)

"""The class "message" except transfer: subscribing, credit, and settling what was delivered.

Each function executes one command for ``state`` and returns an outcome (``outcome``); it raises
BrokerError, which ends the session. Transfers are named by ranges of our command ids; ids that are
not outstanding are ignored (they were settled, or settled by a cancel on a lost session). Only
entries that the session still holds are settled in the broker: a browsed one is not ours, unless
``message.acquire`` made it so. Specification 9.2, 9.3, clients.md 0.2.
"""

from __future__ import annotations

from typing import Final

from tanist.core.broker import Broker
from tanist.core.follower import Follower
from tanist.core.records import Entry
from tanist.core.subscription import Subscription
from tanist.sessions.amqp010 import feed
from tanist.sessions.amqp010.consumer import (
    ACCEPT_EXPLICIT,
    ACCEPT_NONE,
    NOT_ACQUIRED,
    PRE_ACQUIRED,
    Consumer,
)
from tanist.sessions.amqp010.outcome import AFTER_EARLIER, AT_ONCE, LATER
from tanist.sessions.amqp010.ranges import Runs, merged, select
from tanist.sessions.amqp010.selecting import interest_of
from tanist.sessions.amqp010.state import Delivery, SessionState
from tanist.types import BrokerError, Condition
from tanist.wire.amqp010.codec import make
from tanist.wire.amqp010.events import Command

SUBSCRIPTIONS_MAX: Final = 4096
"""Subscriptions of one session: applications use a few, a loop must end."""

FLUSHES_MAX: Final = 4096
"""Unfinished flushes of one session: applications wait for each."""

RESULT_RANGES_MAX = 8000
"""Ranges in one result: a sequence-set holds 8191."""

FLOW_CREDIT: Final = 0
FLOW_WINDOW: Final = 1


def subscribe(broker: Broker, state: SessionState, command: Command) -> int:
    """message.subscribe: begins in window mode, as in the original, without credit.

    One that asks for replication is another matter (``feed``).
    Raises: BrokerError: 404, 405, 408, 506, 530 destination in use, 531, 542 for what is no
    selector.
    """
    struct = command.struct
    destination = struct.text("destination")
    accept_mode = struct.number("accept_mode", ACCEPT_EXPLICIT)
    acquire_mode = struct.number("acquire_mode", PRE_ACQUIRED)
    if accept_mode not in (ACCEPT_EXPLICIT, ACCEPT_NONE):
        raise BrokerError(Condition.ILLEGAL_ARGUMENT, f"accept-mode {accept_mode} does not exist")
    if acquire_mode not in (PRE_ACQUIRED, NOT_ACQUIRED):
        raise BrokerError(Condition.ILLEGAL_ARGUMENT, f"acquire-mode {acquire_mode} does not exist")
    if destination in state.subscriptions:
        raise BrokerError(
            Condition.NOT_ALLOWED, f"Consumer tags must be unique: {destination} is in use"
        )
    if len(state.subscriptions) >= SUBSCRIPTIONS_MAX:
        raise BrokerError(
            Condition.RESOURCE_LIMIT_EXCEEDED,
            f"session {state.name} has {SUBSCRIPTIONS_MAX} subscriptions, cancel some",
        )
    arguments = struct.map("arguments")
    if feed.is_replicating(arguments):
        follower = feed.subscribe(broker, state, struct, accept_mode, acquire_mode)
        state.subscriptions[destination] = follower
        return AT_ONCE
    subscription = broker.subscribe(
        struct.text("queue"),
        destination,
        Consumer(broker, state, destination, accept_mode, acquire_mode),
        acquire_mode == PRE_ACQUIRED,
        struct.flag("exclusive"),
        arguments,
        state.actor,
        interest_of(arguments, broker.lookup),
    )
    state.subscriptions[destination] = subscription
    broker.set_window(subscription, True)
    return AT_ONCE


def cancel(broker: Broker, state: SessionState, command: Command) -> int:
    """message.cancel: what was delivered stays with the session. Raises: BrokerError: 404."""
    subscription = _subscription(state, command)
    del state.subscriptions[subscription.name]
    broker.cancel(subscription)
    subscription.sink.flushed(subscription)
    return AT_ONCE


def set_flow_mode(broker: Broker, state: SessionState, command: Command) -> int:
    """message.set-flow-mode. Raises: BrokerError: 404, 531."""
    mode = command.struct.number("flow_mode")
    if mode not in (FLOW_CREDIT, FLOW_WINDOW):
        raise BrokerError(Condition.ILLEGAL_ARGUMENT, f"flow-mode {mode} does not exist")
    broker.set_window(_subscription(state, command), mode == FLOW_WINDOW)
    return AT_ONCE


def flow(broker: Broker, state: SessionState, command: Command) -> int:
    """message.flow. Raises: BrokerError: 404, 542."""
    struct = command.struct
    broker.flow(_subscription(state, command), struct.number("unit"), struct.number("value"))
    return AT_ONCE


def flush(broker: Broker, state: SessionState, command: Command) -> int:
    """message.flush: all that is available goes out before the completion.

    That may take several steps when it is much. Raises: BrokerError: 404, 506 too many at once,
    540 for a replicating subscription.
    """
    subscription = _subscription(state, command)
    if isinstance(subscription, Follower):
        raise BrokerError(
            Condition.NOT_IMPLEMENTED, "message.flush is not for replicating subscriptions"
        )
    sink = subscription.sink
    assert isinstance(sink, Consumer)
    if broker.flush(subscription):
        return AT_ONCE
    if state.flushes >= FLUSHES_MAX:
        raise BrokerError(
            Condition.RESOURCE_LIMIT_EXCEEDED,
            f"session {state.name} has {FLUSHES_MAX} unfinished flushes: wait for one",
        )
    state.flushes += 1
    sink.flush_ids.append(command.id)
    return LATER


def stop(broker: Broker, state: SessionState, command: Command) -> int:
    """message.stop: nothing is under way once it completes. Raises: BrokerError: 404."""
    subscription = _subscription(state, command)
    broker.stop(subscription)
    return AFTER_EARLIER if subscription.flushing else AT_ONCE


def accept(broker: Broker, state: SessionState, command: Command) -> int:
    """message.accept: the messages are consumed, in a transaction at its commit.

    A copy that accepts consumes nothing: it says that it has the messages.
    """
    if state.copying:
        _accept_copies(broker, state, command)
    ids = select(state.unacked, command.struct.ranges("transfers"))
    transaction = state.transaction
    if transaction is not None:
        for command_id in ids:
            transaction.accepts[command_id] = state.unacked[command_id]
        return AT_ONCE
    entries = _take(state, ids)
    if entries:
        broker.dequeue(entries)
    return AT_ONCE


def _accept_copies(broker: Broker, state: SessionState, command: Command) -> None:
    copying = state.copying
    for command_id in select(copying, command.struct.ranges("transfers")):
        delivery = copying.pop(command_id)
        follower = delivery.subscription
        if isinstance(follower, Follower):
            follower.accepted(delivery.entry.position, broker.now)


def release(broker: Broker, state: SessionState, command: Command) -> int:
    """message.release: back to the queue; without set-redelivered as if never delivered."""
    struct = command.struct
    entries = _take(state, select(state.unacked, struct.ranges("transfers")))
    if entries:
        broker.release(entries, struct.flag("set_redelivered"))
    return AT_ONCE


def reject(broker: Broker, state: SessionState, command: Command) -> int:
    """message.reject: to the alternate exchange of the queue, else dropped."""
    entries = _take(state, select(state.unacked, command.struct.ranges("transfers")))
    if entries:
        broker.reject(entries)
    return AT_ONCE


def acquire(broker: Broker, state: SessionState, command: Command) -> int:
    """message.acquire: browsed messages that nobody has become the session's; says which."""
    acquired: list[int] = []
    by_subscription: dict[Subscription, list[Delivery]] = {}
    ids: dict[int, int] = {}
    for command_id in select(state.unacked, command.struct.ranges("transfers")):
        delivery = state.unacked[command_id]
        by_subscription.setdefault(delivery.subscription, []).append(delivery)
        ids[id(delivery.entry)] = command_id
    for subscription, deliveries in by_subscription.items():
        for entry in broker.acquire([delivery.entry for delivery in deliveries], subscription):
            acquired.append(ids[id(entry)])
    runs: Runs = merged([(command_id, command_id) for command_id in acquired])
    state.result(command.id, make("message.acquired", transfers=runs[:RESULT_RANGES_MAX]))
    return AT_ONCE


def completed(broker: Broker, state: SessionState, ranges: Runs) -> None:
    """The client completed transfers: window credit comes back."""
    windowed = state.windowed
    if not windowed:
        return
    subscription: Subscription | None = None
    count = size = 0
    for command_id in select(windowed, ranges):
        delivery = windowed.pop(command_id)
        if delivery.subscription is not subscription:
            if subscription is not None and not subscription.closed:
                broker.completed(subscription, count, size)
            subscription = delivery.subscription
            count = size = 0
        count += 1
        size += delivery.entry.message.size
    if subscription is not None and not subscription.closed:
        broker.completed(subscription, count, size)


def _take(state: SessionState, ids: list[int]) -> list[Entry]:
    """Forget the deliveries ``ids``; the entries among them that the session holds."""
    unacked = state.unacked
    entries: list[Entry] = []
    for command_id in ids:
        delivery = unacked.pop(command_id)
        entry = delivery.entry
        if entry.holder is delivery.subscription:
            entries.append(entry)
    return entries


def _subscription(state: SessionState, command: Command) -> Subscription:
    destination = command.struct.text("destination")
    subscription = state.subscriptions.get(destination)
    if subscription is None:
        raise BrokerError(
            Condition.NOT_FOUND, f"Unknown destination {destination} session={state.name}"
        )
    return subscription

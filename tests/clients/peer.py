"""An AMQP 1.0 broker for tests of the client programs: queues in memory, one process, easy to kill.

Runs with the Python that has Proton (``clients/setup``), so it imports nothing of this repository:
``python peer.py PORT [--accept N] [--count N] [--discharge N]``. A queue exists as soon as it is
named. Unsettled deliveries of a link that ends go back to their places, counted. ``--accept N``:
accept N messages, then say nothing of those that come. ``--count N``: every message was delivered
in vain N times before. Everything that happens is a line of JSON on stdout; a line of JSON on stdin
is a command: ``{"close": CONDITION}`` closes every connection, ``{"detach": CONDITION}`` every
link, ``{"accept": N}`` changes the number.

What a link asks for is told and not obeyed: a selector selects nothing here, a subscription is a
queue. Local transactions are obeyed: what is sent or accepted in one counts when it is discharged.
``--discharge N``: answer N discharges, then say nothing to those that come; ``{"refuse": true}``:
reject every one from now on.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections import deque

from proton import Condition, Delivery, Described, Disposition, Link, Message, Terminus, ulong
from proton.handlers import MessagingHandler
from proton.reactor import ApplicationEvent, Container, EventInjector

WINDOW = 200
"""Credit for each sender."""

IDLE_S = 2.0
"""A client that sent nothing for so long is dropped."""

DECLARED = 0x33
TRANSACTIONAL = 0x34
"""Delivery states of transactions that Proton has no word for: the codes of their descriptors."""

DECLARE = ("amqp:declare:list", 0x31)
DISCHARGE = ("amqp:discharge:list", 0x32)
"""What a coordinator is sent: descriptors, by name or by code."""


def say(**fields) -> None:
    """One line on stdout."""
    sys.stdout.write(json.dumps(fields, default=str) + "\n")
    sys.stdout.flush()


def symbols(data) -> list[str]:
    """The symbols of a field that is one symbol or an array of them."""
    data.rewind()
    if not data.next():
        return []
    value = data.get_object()
    return [str(word) for word in getattr(value, "elements", [value])]


def filters(data) -> dict[str, list]:
    """The filters of a source by name: the descriptor and the value of each."""
    data.rewind()
    if not data.next():
        return {}
    given = data.get_dict()
    return {str(name): [each.descriptor, each.value] for name, each in given.items()}


def name_of(delivery) -> bytes:
    """The transaction that the other side's state of a delivery names."""
    return bytes(delivery.remote.data[0])


def told(terminus) -> dict[str, object]:
    """What a link asks of its terminus."""
    return {
        "attached": terminus.address,
        "capabilities": symbols(terminus.capabilities),
        "durable": terminus.durability,
        "expires": terminus.expiry_policy != Terminus.EXPIRE_NEVER,
        "filters": filters(terminus.filter),
    }


class Entry:
    """A message on a queue; ``position`` keeps its place."""

    def __init__(self, position: int, message: Message, count: int) -> None:
        self.position = position
        self.message = message
        self.count = count


class Queue:
    """Entries in order, and the links that want them."""

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque()
        self.links: list = []
        self.last = 0

    def add(self, message: Message, count: int) -> None:
        """Put a message at the end."""
        self.last += 1
        self.entries.append(Entry(self.last, message, count))

    def back(self, entries: list[Entry], counted: bool) -> None:
        """Put entries back to their places."""
        for entry in entries:
            entry.count += counted
        merged = sorted([*entries, *self.entries], key=lambda entry: entry.position)
        self.entries = deque(merged)


class Transaction:
    """What was sent, and what was accepted of whose deliveries, since it was declared."""

    def __init__(self) -> None:
        self.sent: list[tuple[Queue, Message]] = []
        self.accepted: list[tuple[Link, str]] = []


class Peer(MessagingHandler):
    """The broker."""

    def __init__(self, given: argparse.Namespace) -> None:
        super().__init__(prefetch=WINDOW, auto_accept=False)
        self.port = given.port
        self.count = given.count
        self.accept_left = given.accept
        self.discharge_left = given.discharge
        self.refuses = False
        self.transactions: dict[bytes, Transaction] = {}
        self.declared = 0
        self.queues: dict[str, Queue] = {}
        self.connections: list = []
        self.links: list = []
        self.unsettled: dict = {}  # link -> {tag: entry}
        self.commands = EventInjector()

    def on_start(self, event) -> None:
        event.container.listen(f"127.0.0.1:{self.port}")
        event.container.selectable(self.commands)
        threading.Thread(target=self.read_commands, daemon=True).start()
        say(listening=self.port)

    def read_commands(self) -> None:
        """Hand the commands from stdin to the reactor's thread."""
        for line in sys.stdin:
            self.commands.trigger(ApplicationEvent("command", subject=json.loads(line)))

    def on_command(self, event) -> None:
        """Carry out a command from stdin."""
        command = event.subject
        self.accept_left = command.get("accept", self.accept_left)
        self.refuses = command.get("refuse", self.refuses)
        if "detach" in command:
            for link in self.links:
                link.condition = Condition(command["detach"], "told to")
                link.close()
                if link in self.unsettled:
                    self.end(link)
        if "close" in command:
            for connection in self.connections:
                connection.condition = Condition(command["close"], "told to")
                connection.close()

    def on_connection_bound(self, event) -> None:
        event.transport.idle_timeout = IDLE_S  # clients are told half of it, as by other brokers

    def on_connection_opening(self, event) -> None:
        self.connections.append(event.connection)
        say(opened=event.connection.remote_container, idle=event.transport.remote_idle_timeout)

    def on_connection_closing(self, event) -> None:
        say(closed=event.connection.remote_container)
        self.forget(event.connection)

    def on_disconnected(self, event) -> None:
        self.forget(event.connection)

    def forget(self, connection) -> None:
        """A connection is gone: what its links held goes back."""
        if connection in self.connections:
            self.connections.remove(connection)
        for link in [link for link in self.links if link.connection == connection]:
            self.links.remove(link)
            if link in self.unsettled:
                self.end(link)

    def on_link_opening(self, event) -> None:
        link = event.link
        self.links.append(link)
        if link.remote_target.type == Terminus.COORDINATOR:
            link.target.type = Terminus.COORDINATOR
            say(coordinator=link.name, capabilities=symbols(link.remote_target.capabilities))
            return
        asked = link.remote_source if link.is_sender else link.remote_target
        terminus = link.source if link.is_sender else link.target
        terminus.copy(asked)
        link.source.copy(link.remote_source)
        link.target.copy(link.remote_target)
        queue = self.queues.setdefault(asked.address, Queue())
        say(name=link.name, sends=link.is_receiver, **told(asked))
        if link.is_sender:
            queue.links.append(link)
            self.unsettled[link] = {}

    def on_link_closing(self, event) -> None:
        self.left(event.link, True)

    def on_link_remote_detach(self, event) -> None:
        self.left(event.link, False)
        event.link.detach()

    def left(self, link, closed: bool) -> None:
        """A client ended a link: for good, or only for now."""
        say(detached=link.name, for_good=closed)
        self.links.remove(link)
        if link in self.unsettled:
            self.end(link)

    def end(self, link) -> None:
        """A consumer is gone."""
        queue = self.queues[link.source.address]
        queue.links.remove(link)
        queue.back(list(self.unsettled.pop(link).values()), True)
        self.deliver(queue)

    def on_sendable(self, event) -> None:
        if event.link.source.address in self.queues:
            self.deliver(self.queues[event.link.source.address])

    def on_link_flow(self, event) -> None:
        link = event.link
        if link.is_sender and link in self.unsettled:
            self.deliver(self.queues[link.source.address])
            if link.drain_mode:
                link.drained()

    def deliver(self, queue: Queue) -> None:
        """Send what is there to whoever has credit."""
        for link in queue.links:
            while queue.entries and link.credit > 0:
                entry = queue.entries.popleft()
                entry.message.delivery_count = entry.count
                delivery = link.send(entry.message)
                self.unsettled[link][delivery.tag] = entry

    def on_message(self, event) -> None:
        if event.link.remote_target.type == Terminus.COORDINATOR:
            self.coordinate(event.delivery, event.message.body)
            return
        message, properties = event.message, event.message.properties or {}
        transaction, more = self.transaction_of(event.delivery), {}
        if transaction is not None:
            more["transaction"] = name_of(event.delivery).decode()
        if "kind" in properties:
            more["kind"] = properties["kind"]
        say(
            got=[properties.get("producer"), properties.get("sn")],
            durable=message.durable,
            length=len(message.body),
            body=type(message.body).__name__,
            **more,
        )
        if self.accept_left == 0:
            return
        self.accept_left -= 1
        queue = self.queues[event.link.target.address]
        if transaction is not None:
            transaction.sent.append((queue, message))
            accepted = Described(ulong(Disposition.ACCEPTED), [])
            self.answer(event.delivery, TRANSACTIONAL, [name_of(event.delivery), accepted])
            return
        queue.add(message, self.count)
        self.accept(event.delivery)
        self.deliver(queue)

    def transaction_of(self, delivery) -> Transaction | None:
        """The open transaction that a delivery is part of."""
        if delivery.remote_state != TRANSACTIONAL:
            return None
        return self.transactions[name_of(delivery)]

    def answer(self, delivery, state: int, data: list | None = None) -> None:
        """Settle what was sent to us."""
        delivery.local.data = data
        delivery.update(state)
        delivery.settle()

    def coordinate(self, delivery, body: Described) -> None:
        """Declare or discharge a transaction."""
        if body.descriptor in DECLARE:
            self.declared += 1
            name = f"t{self.declared}".encode()
            self.transactions[name] = Transaction()
            self.answer(delivery, DECLARED, [name])
            return
        assert body.descriptor in DISCHARGE
        name, failed = bytes(body.value[0]), bool(body.value[1])
        transaction = self.transactions[name]
        say(
            discharged=name.decode(),
            failed=failed,
            sent=len(transaction.sent),
            accepted=len(transaction.accepted),
        )
        if self.discharge_left == 0:
            return
        self.discharge_left -= 1
        del self.transactions[name]
        failed = failed or self.refuses
        if self.refuses:
            delivery.local.condition = Condition("amqp:transaction:rollback", "told to")
        self.answer(delivery, Delivery.REJECTED if self.refuses else Delivery.ACCEPTED)
        self.conclude(transaction, failed)

    def conclude(self, transaction: Transaction, failed: bool) -> None:
        """What a transaction did is done, or undone."""
        for link, tag in transaction.accepted:
            entry = self.unsettled.get(link, {}).pop(tag, None)
            if failed and entry is not None:
                queue = self.queues[link.source.address]
                queue.back([entry], True)
                self.deliver(queue)
        for queue, message in [] if failed else transaction.sent:
            queue.add(message, self.count)
            self.deliver(queue)

    def on_delivery(self, event) -> None:
        """What is accepted in a transaction; for other outcomes Proton calls the methods below."""
        if event.link.is_sender and event.delivery.updated:
            transaction = self.transaction_of(event.delivery)
            if transaction is not None:
                transaction.accepted.append((event.link, event.delivery.tag))

    def on_accepted(self, event) -> None:
        self.unsettled.get(event.link, {}).pop(event.delivery.tag, None)

    on_rejected = on_accepted

    def on_released(self, event) -> None:
        entry = self.unsettled.get(event.link, {}).pop(event.delivery.tag, None)
        if entry is not None:
            counted = event.delivery.remote_state == event.delivery.MODIFIED
            queue = self.queues[event.link.source.address]
            queue.back([entry], counted and event.delivery.remote.failed)
            self.deliver(queue)


def main() -> None:
    """Read the command line and serve until killed."""
    options = argparse.ArgumentParser()
    options.add_argument("port", type=int)
    options.add_argument("--accept", type=int, default=-1)
    options.add_argument("--count", type=int, default=0)
    options.add_argument("--discharge", type=int, default=-1)
    Container(Peer(options.parse_args())).run()


if __name__ == "__main__":
    main()

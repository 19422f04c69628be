"""Management's commands on the messages of a queue: purge some, move them, reroute them.

``Relocation`` adds them to ``Bindings``. A command is a ``Removal``, carried out in pieces of up to
``PIECE_MESSAGES`` messages, because a step must be short and a batch must fit one message of the
replication link. Each piece is whole: what leaves the source and what arrives elsewhere stand in
one journal, so a failover finds every message in exactly one place. It takes available entries
only, in order, and only those that were there when the command began.

A target that is full refuses a piece before anything of it is done (qpidd-compat 5.2, 5.3).
"""

from __future__ import annotations

from typing import Final

from tanist.core.bindings import Bindings
from tanist.core.exchange import Exchange, text
from tanist.core.message import Message
from tanist.core.policy import Demand
from tanist.core.queue import Queue
from tanist.core.records import Entry
from tanist.types import BrokerError, Condition

PIECE_MESSAGES: Final = 2048
"""Entries looked at in one piece: some ten milliseconds of a step when they go elsewhere."""

PIECE_BYTES: Final = 8 * 1024 * 1024
"""Bytes of messages in one piece (and at least one message): far below what one batch may hold."""

NO_LIMIT: Final = 1 << 62


class HeaderFilter:
    """Fits messages whose application header ``key`` is the text ``value``."""

    __slots__ = ("key", "value")

    def __init__(self, key: str, value: str) -> None:
        self.key = key
        self.value = value


class Removal:
    """A purge, move or reroute under way: ``Relocation.remove_piece`` until it says True.

    ``source``: the queue that is emptied. ``queue`` or ``exchange``: where the messages go, both
    None to drop them. ``left``: how many more may be taken. ``last_position``: entries behind it
    came later and stay. ``done``: how many were taken.
    """

    __slots__ = (
        "cursor",
        "done",
        "exchange",
        "fits",
        "last_position",
        "left",
        "queue",
        "source",
    )

    def __init__(
        self,
        source: Queue,
        count_max: int,
        fits: HeaderFilter | None,
        queue: Queue | None,
        exchange: Exchange | None,
    ) -> None:
        self.source = source
        self.queue = queue
        self.exchange = exchange
        self.fits = fits
        self.left = count_max or NO_LIMIT
        self.cursor = 0
        self.last_position = source.last_position
        self.done = 0


class Relocation(Bindings):
    """Exchanges and bindings, and messages that management takes from one place to another."""

    __slots__ = ()

    def purge_some(self, name: str, count_max: int, fits: HeaderFilter | None) -> Removal:
        """Begin to drop up to ``count_max`` (0 = all) available entries of queue ``name``.

        Raises: BrokerError (ILLEGAL_ARGUMENT, NOT_FOUND; NOT_ALLOWED on a replica).
        """
        return Removal(self._removable(name), count_max, fits, None, None)

    def move_some(
        self, name: str, target: str, count_max: int, fits: HeaderFilter | None
    ) -> Removal:
        """Begin to move up to ``count_max`` (0 = all) available entries to queue ``target``.

        Raises: BrokerError (ILLEGAL_ARGUMENT: also when both are the same; NOT_FOUND; NOT_ALLOWED
        on a replica).
        """
        source = self._removable(name)
        queue = self._removable(target)
        if queue is source:
            raise BrokerError(
                Condition.ILLEGAL_ARGUMENT, f"Cannot move messages of {name} to itself"
            )
        return Removal(source, count_max, fits, queue, None)

    def reroute_some(
        self, name: str, exchange: str | None, count_max: int, fits: HeaderFilter | None
    ) -> Removal:
        """Begin to route up to ``count_max`` (0 = all) available entries through ``exchange``.

        None: through the queue's alternate exchange. What the exchange (and its alternates) route
        nowhere is dropped, as anything that is published to it.
        Raises: BrokerError (ILLEGAL_ARGUMENT; NOT_FOUND: queue, exchange, or no alternate exchange;
        NOT_ALLOWED on a replica).
        """
        source = self._removable(name)
        if exchange is None:
            if not source.alternate_exchange:
                raise BrokerError(
                    Condition.NOT_FOUND, f"Queue {name} has no alternate exchange; name an exchange"
                )
            exchange = source.alternate_exchange
        return Removal(source, count_max, fits, None, self.find_exchange(exchange))

    def _removable(self, name: str) -> Queue:
        queue = self.find_queue(name)
        self._require_writable(queue)
        return queue

    def remove_piece(self, removal: Removal) -> bool:
        """Do one piece. Return True when there is no more to do; else call again soon.

        Raises: BrokerError (RESOURCE_LIMIT_EXCEEDED: a target has no room; NOT_FOUND: the target is
        gone; NOT_ALLOWED: a target is another broker's replica). Nothing of the piece is done then,
        and the earlier ones stay done: ``removal.done`` says how many messages.
        """
        source = removal.source
        if source.deleted:
            return True
        entries = self._choose(removal)
        if entries:
            positions = [entry.position for entry in entries]
            if removal.queue is None and removal.exchange is None:
                source.discards_purge += len(entries)
                self._remove(source, positions)
            else:
                self._relocate(removal, entries, positions)
            removal.done += len(entries)
        return removal.left <= 0 or removal.cursor >= removal.last_position

    def _choose(self, removal: Removal) -> list[Entry]:
        """The entries of the next piece; the cursor is behind them."""
        chosen: list[Entry] = []
        ordering = removal.source.ordering
        size = 0
        for _ in range(PIECE_MESSAGES):
            entry = ordering.after(removal.cursor)
            if entry is None or entry.position > removal.last_position:
                removal.cursor = removal.last_position
                break
            size += entry.message.size
            if chosen and size > PIECE_BYTES:
                break
            removal.cursor = entry.position
            if removal.fits is None or self._fits(removal.fits, entry.message):
                chosen.append(entry)
                removal.left -= 1
                if removal.left <= 0:
                    break
        return chosen

    def _fits(self, wanted: HeaderFilter, message: Message) -> bool:
        headers = message.headers
        if headers is None:
            headers = message.headers = self._headers_of(message)
        return text(headers.get(wanted.key)) == wanted.value

    def _relocate(self, removal: Removal, entries: list[Entry], positions: list[int]) -> None:
        """Take ``entries`` out and put them where they go, or nothing at all."""
        inbox = len(self.agent_inbox)
        try:
            routes = self._routes(removal, entries)
        except BrokerError:
            del self.agent_inbox[inbox:]
            raise
        self._remove(removal.source, positions)
        for message, queues, copies in routes:
            if removal.exchange is not None:
                removal.exchange.received += 1
                removal.exchange.received_bytes += message.size
                self._count_routed(removal.exchange, message, copies)
            for queue in queues:
                victims = queue.policy.make_room(queue, message, True)
                if victims:
                    self.dequeue(victims)
                self._push(queue, message)
        if removal.exchange is not None:
            removal.source.reroutes += len(entries)

    def _routes(
        self, removal: Removal, entries: list[Entry]
    ) -> list[tuple[Message, list[Queue], int]]:
        """Where each message goes, and how many got it, an agent included.

        Raises: BrokerError, see ``remove_piece``.
        """
        routes: list[tuple[Message, list[Queue], int]] = []
        demands: dict[Queue, Demand] = {}
        for entry in entries:
            message = entry.message
            queues, copies = self._targets(removal, message)
            routes.append((message, queues, copies))
            for queue in queues:
                demands.setdefault(queue, Demand()).add(message.size)
        for queue, demand in demands.items():
            self._require_writable(queue)
            if queue is not removal.source:  # what comes back to it has room: it has just left
                queue.policy.require_room(queue, demand)
        return routes

    def _targets(self, removal: Removal, message: Message) -> tuple[list[Queue], int]:
        target = removal.queue
        if target is not None:
            if target.deleted:
                raise BrokerError(Condition.NOT_FOUND, f"Queue {target.name} was deleted meanwhile")
            return [target], 1
        exchange = removal.exchange
        assert exchange is not None
        if self.exchanges.get(exchange.name) is not exchange:
            raise BrokerError(
                Condition.NOT_FOUND, f"Exchange {exchange.name} was deleted meanwhile"
            )
        queues: list[Queue] = []
        observed = self._resolve(exchange, message, queues)
        takers = [
            queue for queue in queues if not (queue.choosy and self._declines(queue, message))
        ]
        return takers, len(queues) + observed

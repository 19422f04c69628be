"""What comes to one copy of a queue, done to the local queue and confirmed.

``Inflow`` has the session's part of a copy's link (``replica`` has the connection's): it subscribes
as the original does, saying which messages are here (``ha.queue_link``), puts in what comes and
drops what is gone. A transfer is accepted and completed when the records that it caused are safe
here (``sessions.held``), and on those who copy from here.

It puts itself into ``touched`` when it holds something; then it must be flushed before the journal
is drained, and sealed after that (``replicas``).
"""

from __future__ import annotations

from uuid import UUID

from tanist.core.broker import Broker
from tanist.core.follower import IdRanges, Pledge
from tanist.core.message import NEVER, Message
from tanist.core.queue import Queue
from tanist.core.source import Source
from tanist.ha.membership import BrokerInfo
from tanist.ha.queue_link import (
    GONE,
    IDS_ARGUMENT,
    LINEAGE_ARGUMENT,
    NOTHING,
    RANGES_MAX,
    REPSUB,
    REPSUB_ARGUMENT,
    SETS_MAX,
    STANDING,
    SYNC_ARGUMENT,
    Standing,
    Stream,
    encode_ids,
)
from tanist.ha.standing import INFO_PROPERTY
from tanist.node.config import NodeConfig
from tanist.sessions.amqp010.holding import Holding
from tanist.sessions.amqp010.publishing import TTL_MS_MAX
from tanist.sessions.amqp010.ranges import Runs
from tanist.sessions.amqp010.state import ACCEPT_RANGES_MAX
from tanist.sessions.held import Held
from tanist.types import CREDIT_UNLIMITED, FramingError
from tanist.wire.amqp010.codec import make
from tanist.wire.amqp010.events import Command, Transfer
from tanist.wire.amqp010.session import Session
from tanist.wire.amqp010.transfer import scan_header
from tanist.wire.amqp010.values import Value, int32


class Inflow(Held):
    """One copy's session, over all the links that it has.

    ``standing``: what we are to the source, None if it does not say or there is no link.
    """

    def __init__(
        self, config: NodeConfig, broker: Broker, queue: Queue, touched: list[Inflow]
    ) -> None:
        self._config = config
        self._broker = broker
        self.queue = queue
        self._touched = touched
        self._session: Session | None = None
        self._stream = Stream()
        self._holding = Holding()
        self._received = 0
        self.standing: Standing | None = None

    @property
    def source(self) -> Source:
        """Where the queue is copied from."""
        source = self.queue.source
        assert source is not None
        return source

    @property
    def lag(self) -> int:
        """How many messages have still to come, at most; -1 if nobody knows."""
        standing = self.standing
        return -1 if standing is None else max(0, standing.behind - self._received)

    # -- the session --------------------------------------------------------------------------

    def begin(self, session: Session, info: BrokerInfo, ours: bool) -> None:
        """Subscribe on a new ``session``. ``info``: who we are. ``ours``: so is the source."""
        self._session = session
        self._stream = Stream()
        destination = f"qpid.ha-q:{self.queue.name}"
        lineage = self.source.lineage
        arguments: dict[str, Value] = {
            REPSUB_ARGUMENT: REPSUB,
            INFO_PROPERTY: info.to_map(),
            IDS_ARGUMENT: encode_ids(self._snapshot(SETS_MAX if ours else 1)),
            LINEAGE_ARGUMENT: b"" if lineage is None else lineage.bytes,
        }
        if not ours:
            arguments[SYNC_ARGUMENT] = int32(1)
        session.send(
            make(
                "message.subscribe",
                queue=self.queue.name,
                destination=destination,
                accept_mode=0,
                acquire_mode=1,
                arguments=arguments,
            )
        )
        session.send(make("message.set-flow-mode", destination=destination, flow_mode=1))
        for unit, limit in ((0, self._config.ha_flow_messages), (1, self._config.ha_flow_bytes)):
            value = limit or CREDIT_UNLIMITED
            session.send(make("message.flow", destination=destination, unit=unit, value=value))

    def _snapshot(self, sets: int) -> IdRanges:
        """The ids that are here. What does not fit is dropped, and comes again."""
        ranges = self.source.copies.ranges()
        fit = sets * RANGES_MAX
        for first, last in ranges[fit:]:
            self._broker.copy_out(self.queue, first, last)
        self.flush()
        return ranges[:fit]

    def end(self) -> None:
        """The session is over; what it had not confirmed comes again, or is known to be here."""
        self._session = None
        self._holding.clear()
        self.standing = None

    def command(self, event: Command) -> None:
        """The source sent a command without content: execution.sync, as far as we know."""
        self._hold(event.id, False)

    def transfer(self, event: Transfer) -> None:
        """A message or an event came. Raises: BrokerError if it makes no sense."""
        number = self._stream.take(event.header, event.body)
        if number >= 0:
            self._received += 1
            self._broker.copy_in(self.queue, number, self._message(event))
        elif number == GONE:
            for first, last in self._stream.gone:
                self._broker.copy_out(self.queue, first, last)
            self._stream.gone = []
        elif number == STANDING:
            self._stand(self._stream.standing)
        else:
            assert number == NOTHING
        self._hold(event.id, True)

    def _stand(self, standing: Standing | None) -> None:
        assert standing is not None
        known = self.source.lineage
        if known is None:
            self._broker.set_source(self.queue, self.source.url, standing.lineage)
        elif known != standing.lineage:
            raise FramingError("the source changed the lineage of the queue")
        self._received = 0
        self.standing = standing

    def _message(self, event: Transfer) -> Message:
        """The message as it was published, but for the time it has still to live."""
        properties = scan_header(event.header)
        expires_at = NEVER
        if 0 < properties.ttl_ms <= TTL_MS_MAX:
            expires_at = self._broker.now + properties.ttl_ms / 1000
        return Message(
            event.header,
            event.body,
            properties.exchange,
            properties.routing_key,
            properties.durable,
            properties.priority,
            expires_at,
            properties.redelivered,
            event.bodiless,
        )

    # -- confirming ---------------------------------------------------------------------------

    def _hold(self, command_id: int, accept: bool) -> None:
        if self._holding.add(command_id):
            self._touched.append(self)
        if accept:
            self._holding.add_accept(command_id)

    def flush(self) -> None:
        """The step is about to be recorded."""
        self._broker.note_copied(self.queue)

    def pledge(self, pledge: Pledge) -> None:
        """See ``Held``."""
        self._holding.pledge = pledge

    def kept(self) -> None:
        """See ``Held``."""
        self.open_gate(self._holding.opened)

    def seal(self, index: int) -> None:
        """See ``Held``."""
        self._holding.seal(index)

    def open_gate(self, index: int) -> None:
        """See ``Held``."""
        session = self._session
        runs: Runs = []
        accepts: Runs = []
        self._holding.open(index, runs, accepts)
        if session is None:
            return
        for at in range(0, len(accepts), ACCEPT_RANGES_MAX):
            session.send_accept(accepts[at : at + ACCEPT_RANGES_MAX])
        for first, last in runs:
            session.complete(first, last)


def session_name(queue: str, link: UUID, tag: str) -> str:
    """What the original calls a bridge's session."""
    return f"qpid.bridge_session_qpid.ha-q:{queue}.{link}_{tag}"

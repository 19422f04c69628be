"""Sender and receiver tasks, and the declaration of a queue: each is the handler of its own link.

Proton does not send again what was not settled when a connection was lost. So a sender keeps every
message that it handed over until its outcome is known (``unconfirmed``), and hands those over again,
first and in their order, when there is a connection again.

The library would carry old links over to the next connection, with credit that the new broker never
gave, and with messages that were handed over but not written: these would overtake the ones sent
again. So every task frees its session when the connection is lost and opens a new one afterwards.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

from proton import (
    UNDESCRIBED,
    Array,
    Connection,
    Data,
    Delivery,
    Event,
    Message,
    Session,
    symbol,
    timestamp,
)
from proton.handlers import MessagingHandler, TransactionHandler
from proton.reactor import DurableSubscription, Selector, SenderOption

import values

if TYPE_CHECKING:
    from client import Client

BLOCK = 100  # messages announced at once; the protocol's limit
TICK_S = 0.005  # of a sender with a rate
ACK_S = 0.01  # a message waits at most so long for its acknowledgement when no other comes
LOOK_S = 0.05  # how often a receiver looks whether it was quiet for long enough
DRAIN_S = 2.0  # patience with a broker that does not answer when a receiver ends
FAILURES_MAX = 20  # connections in a row that brought a task no further: then it is our own mistake

OUTCOMES = {
    "accept": Delivery.ACCEPTED, "reject": Delivery.REJECTED, "release": Delivery.RELEASED,
    "modify": Delivery.MODIFIED,
}  # fmt: skip


class CreateQueue(SenderOption):
    """Asks a broker to create the queue that a link names: qpid::messaging asks in the same way."""

    def __init__(self, durable: bool) -> None:
        self.durable = durable

    def apply(self, sender: Any) -> None:
        words = [symbol("create-on-demand"), symbol("queue")]
        sender.target.capabilities.put_object(Array(UNDESCRIBED, Data.SYMBOL, *words))
        if self.durable:
            sender.target.properties.put_dict({symbol("durable"): True})


def new_message(request: dict[str, Any], sn: int) -> Message:
    """The message with this number, as a ``send`` wants it."""
    due = None
    if request.get("delay_ms", 0):
        at_ms = time.time_ns() // 1_000_000 + request["delay_ms"]
        due = {symbol("x-opt-delivery-time"): timestamp(at_ms)}
    properties = {"producer": request["producer"], "sn": sn}
    if request.get("kinds", 0):
        properties["kind"] = sn % request["kinds"]
    return Message(
        body=f"{request['producer']}:{sn}:".ljust(request.get("body_bytes", 100), "x"),
        properties=properties,
        durable=bool(request.get("durable", False)),
        annotations=due,
    )


class Task(MessagingHandler):
    """One task; ``client`` attaches it to every new connection and detaches it from lost ones."""

    def __init__(self, client: Client, request: dict[str, Any]) -> None:
        super().__init__(prefetch=0, auto_accept=False)
        self.client = client
        self.report = client.report
        self.request = request
        self.id: int = request["id"]
        self.session: Session | None = None
        self.link: Any = None
        self.attached_since: float | None = None  # None: no link that the broker has opened
        self.count = 0
        self.stopping = False
        self.over = False
        self.failures = 0  # connections given up since the last progress
        self.progressed = 0  # what progress() was then

    def attach(self, connection: Connection) -> None:
        """There is a connection: open a session and a link."""
        self.session = connection.session()
        self.session.open()
        self.link = self.open_link(self.session, f"{self.client.unique}-{self.id}-{time.monotonic_ns()}")

    def open_link(self, session: Session, name: str) -> Any:
        """The task's link."""
        raise NotImplementedError

    def detach(self) -> None:
        """The connection is lost."""
        if self.session is not None:
            self.session.free()
        self.session = self.link = self.attached_since = None

    def on_link_opened(self, event: Event) -> None:
        if self.is_refused(event):
            return  # the reason follows, in a detach
        self.attached_since = time.monotonic()
        self.begin()

    def is_refused(self, event: Event) -> bool:
        """Whether the broker opened the link only to close it."""
        terminus = event.link.remote_target if event.link.is_sender else event.link.remote_source
        return terminus.address is None

    def begin(self) -> None:
        """The broker has opened the link."""

    def on_link_error(self, event: Event) -> None:
        if event.link == self.link:
            self.client.link_failed(self, str(event.link.remote_condition))

    def on_link_closed(self, event: Event) -> None:
        if event.link == self.link and not self.over:
            self.client.link_failed(self, "the broker closed the link")

    def stop(self) -> None:
        """End in good order."""
        self.stopping = True
        self.work()

    def work(self) -> None:
        """Go on, as far as possible."""

    def progress(self) -> int:
        """Grows with what was done."""
        return self.count

    def may_go_on(self) -> bool:
        """Counts a connection that was given up; false when that leads nowhere."""
        self.failures = self.failures + 1 if self.progress() == self.progressed else 1
        self.progressed = self.progress()
        return self.failures < FAILURES_MAX

    def doubt(self, reason: str) -> int:
        """The library gave the connection up: prepare for the next; how many messages are sent again."""
        return 0

    def report_rest(self) -> None:
        """Report the outcome of what has none."""

    def end(self, reason: str) -> None:
        """Close the link, report what is open and the end, once."""
        if self.over:
            return
        self.over = True
        if self.link is not None:
            self.close_link()
            self.session.close()
        self.report_rest()
        self.client.forget(self)
        self.report_end(reason)

    def close_link(self) -> None:
        """End the link for good."""
        self.link.close()

    def report_end(self, reason: str) -> None:
        """Tell that the task is over."""
        self.report.event("ended", task=self.id, reason=reason, count=self.count)


class Answering(Task):
    """A task that is over with the answer to its request."""

    def report_end(self, reason: str) -> None:
        if reason:
            self.report.reply("failed", self.request, reason=reason)
        else:
            self.report.reply("done", self.request)


class DeclareTask(Answering):
    """Answers its request when the broker has the queue."""

    def open_link(self, session: Session, name: str) -> Any:
        option = CreateQueue(bool(self.request.get("durable", False)))
        return self.client.container.create_sender(
            session, self.request["queue"], name=name, handler=self, options=option
        )

    def begin(self) -> None:
        self.end("")


class PutTask(Answering):
    """Sends one message that carries a value."""

    def __init__(self, client: Client, request: dict[str, Any]) -> None:
        super().__init__(client, request)
        self.message = values.message(request["place"], request["value"])
        self._sent = False

    def open_link(self, session: Session, name: str) -> Any:
        self._sent = False
        queue = self.request["queue"]
        return self.client.container.create_sender(session, queue, name=name, handler=self)

    def on_sendable(self, event: Event) -> None:
        if event.link == self.link and not self._sent:
            self._sent = True
            self.link.send(self.message)

    def on_accepted(self, event: Event) -> None:
        self.end("")

    def on_settled(self, event: Event) -> None:
        if event.delivery.remote_state != Delivery.ACCEPTED:
            self.end(f"not accepted: {event.delivery.remote_state} {event.delivery.remote.condition}")


class TakeTask(Answering):
    """Receives one message that carries a value."""

    def __init__(self, client: Client, request: dict[str, Any]) -> None:
        super().__init__(client, request)
        client.later(float(request.get("timeout_s", 5.0)), lambda: self.end("no message came"))

    def open_link(self, session: Session, name: str) -> Any:
        queue = self.request["queue"]
        return self.client.container.create_receiver(session, queue, name=name, handler=self)

    def begin(self) -> None:
        self.link.flow(1)

    def on_message(self, event: Event) -> None:
        if self.over or event.link != self.link:
            return
        self.accept(event.delivery)
        try:
            value = values.found(self.request["place"], event.message)
        except (KeyError, TypeError) as error:
            self.end(f"{type(error).__name__}: {error}")
            return
        self.report.reply("taken", self.request, value=value)
        self.over = True
        self.link.close()
        self.session.close()
        self.client.forget(self)


class SendTask(Task):
    """``count`` messages were announced, the first ``handed`` of them given to the library at least once;
    ``unconfirmed`` have no outcome, those of them in ``again`` must be given to it once more."""

    def __init__(self, client: Client, request: dict[str, Any]) -> None:
        super().__init__(client, request)
        self.first: int = request["first_sn"]
        self.total: int = request["count"]
        self.producer: str = request["producer"]
        self.window = max(1, request.get("window", 100))
        self.rate = float(request.get("rate_per_s", 0.0))
        self.handed = 0
        self.confirmed = 0
        self.unconfirmed: dict[int, None] = {}  # in the order of handing over
        self.again: deque[int] = deque()
        self._doubted: set[int] = set()  # reported as `info`
        self.started: float | None = None
        self._ticking = False

    def open_link(self, session: Session, name: str) -> Any:
        queue = self.request["queue"]
        return self.client.container.create_sender(session, queue, name=name, handler=self)

    def begin(self) -> None:
        if self.started is None:
            self.started = time.monotonic()
        self.work()

    def on_sendable(self, event: Event) -> None:
        self.work()

    def work(self) -> None:
        if self.over:
            return
        if self.attached_since is not None:
            while self.link.credit > 0 and self._hand_over_next():
                pass
        if not self.unconfirmed and (self.stopping or self._is_all_handed()):
            self.end("count" if self._is_all_announced() else "stopped")

    def _is_all_announced(self) -> bool:
        return bool(self.total) and self.count >= self.total

    def _is_all_handed(self) -> bool:
        return self._is_all_announced() and self.handed == self.count

    def _hand_over_next(self) -> bool:
        """Gives the next message to the library; false if there is none now."""
        if self.again:
            self._hand_over(self.again.popleft())
            return True
        if self.stopping or len(self.unconfirmed) >= self.window:
            return False
        if self.handed == self.count and not self._announce():
            return False
        sn = self.first + self.handed
        self.handed += 1
        self.unconfirmed[sn] = None
        self._hand_over(sn)
        return True

    def _announce(self) -> bool:
        """Announces the next messages; false if none is due."""
        block = min(BLOCK, self.window)
        if self.total:
            block = min(block, self.total - self.count)
        if self.rate > 0:
            block = min(block, int((time.monotonic() - self.started) * self.rate) + 1 - self.count)
        if block <= 0:
            if not self._is_all_announced():
                self._tick()
            return False
        first = self.first + self.count
        self.count += block
        self.report.invoke(self.id, self.producer, first, first + block - 1)
        return True

    def _tick(self) -> None:
        if not self._ticking:
            self._ticking = True
            due = self.started + self.count / self.rate - time.monotonic()
            self.client.later(max(TICK_S, due), self._ticked)

    def _ticked(self) -> None:
        self._ticking = False
        self.work()

    def _hand_over(self, sn: int) -> None:
        self.link.send(new_message(self.request, sn), tag=str(sn))

    def on_accepted(self, event: Event) -> None:
        self._outcome(event, "ok")

    def on_rejected(self, event: Event) -> None:
        self._outcome(event, "fail", reason=f"rejected: {event.delivery.remote.condition}")

    def on_released(self, event: Event) -> None:
        """The broker did not take it: give it to the library again."""
        sn = int(event.delivery.tag)
        if event.link == self.link and sn in self.unconfirmed:
            self.again.append(sn)
            self.work()

    def on_settled(self, event: Event) -> None:
        if event.delivery.remote_state not in (Delivery.RELEASED, Delivery.MODIFIED):
            self._outcome(event, "info", reason="settled without an outcome")

    def _outcome(self, event: Event, kind: str, **extra: Any) -> None:
        """Reports the outcome of one message, unless it has one."""
        sn = int(event.delivery.tag)
        if event.link == self.link and sn in self.unconfirmed:
            del self.unconfirmed[sn]
            self._doubted.discard(sn)
            self.confirmed += 1
            self.report.message(kind, self.id, self.producer, sn, **extra)
            self.work()

    def progress(self) -> int:
        return self.confirmed

    def detach(self) -> None:
        super().detach()
        self.again = deque(self.unconfirmed)

    def doubt(self, reason: str) -> int:
        self._report_doubt(reason)
        return len(self.unconfirmed)

    def _report_doubt(self, reason: str) -> None:
        for sn in self.unconfirmed:
            if sn not in self._doubted:
                self._doubted.add(sn)
                self.report.message("info", self.id, self.producer, sn, reason=reason)

    def report_rest(self) -> None:
        self._report_doubt("not acknowledged")
        for number in range(self.handed, self.count):
            self.report.message("fail", self.id, self.producer, self.first + number, reason="not sent")


class ReceiveTask(Task, TransactionHandler):
    """Both ``receive`` and ``drain``. With ``hold``, ``unacked`` keeps what `settle` will be about."""

    def __init__(self, client: Client, request: dict[str, Any]) -> None:
        super().__init__(client, request)
        self.prefetch = max(1, request.get("prefetch", 100))
        self.ack_every = max(1, request.get("ack_every", 1))
        self.limit: int = request.get("count", 0)
        self.is_drain = request["type"] == "drain"
        self.idle_s = float(request.get("empty_s" if self.is_drain else "idle_s", 0.0))
        self.hold = bool(request.get("hold", False))
        self.transactional = self.hold and bool(request.get("transaction", False))
        self.transaction: Any = None
        self._rolling_back: dict[str, Any] = {}  # the request that asked for it
        self.unacked: list[tuple[Delivery, str, int]] = []
        self.quiet_since = time.monotonic()
        self._ending = ""  # the reason, while the broker is asked to take back what it may still send
        self._acking = False
        if self.idle_s > 0:
            client.later(LOOK_S, self._look)

    def open_link(self, session: Session, name: str) -> Any:
        queue = self.request["queue"]
        if self.transactional:  # the library's session for the connection, which has the coordinator's link
            return self.client.container.create_receiver(
                self.client.connection, queue, name=name, handler=self
            )
        selector, subscription = self.request.get("selector", ""), self.request.get("subscription", "")
        options = [Selector(selector)] if selector else []
        if subscription:
            name = subscription
            options.append(DurableSubscription())
        return self.client.container.create_receiver(
            session, queue, name=name, handler=self, options=options
        )

    def close_link(self) -> None:
        if self.request.get("subscription"):
            self.link.detach()  # the subscription stays
        else:
            super().close_link()

    def begin(self) -> None:
        if self._ending:
            self.end(self._ending)
        elif self.transactional:
            # Settled with the acceptance: else the library releases them after an abort, which says that
            # they were never delivered.
            self.client.container.declare_transaction(
                self.client.connection, handler=self, settle_before_discharge=True
            )
        elif self.hold:
            self.link.flow(self.limit - self.count)
        else:
            self.link.flow(self.prefetch)

    def on_transaction_declared(self, event: Event) -> None:
        self.transaction = event.transaction
        self.link.flow(self.limit - self.count)

    def on_transaction_declare_failed(self, event: Event) -> None:
        self.client.link_failed(self, "the broker declares no transaction")

    def on_transaction_aborted(self, event: Event) -> None:
        if self._rolling_back:
            request, self._rolling_back = self._rolling_back, {}
            self._settled(request)

    def give_outcome(self, request: dict[str, Any]) -> None:
        """Gives what is held the outcome of the request, and answers it."""
        outcome = request["outcome"]
        if self.transactional != (outcome == "rollback"):
            self.report.reply("unsupported", request, request="settle", reason=f"{outcome} of this task")
        elif outcome == "rollback":
            self._rolling_back = request
            self.transaction.abort()
        else:
            for delivery, _, _ in self.unacked:
                delivery.local.failed = outcome == "modify"
                delivery.update(OUTCOMES[outcome])
                delivery.settle()
            self._settled(request)

    def _settled(self, request: dict[str, Any]) -> None:
        held, self.unacked = self.unacked, []
        for _, producer, sn in held:
            self.report.message("settled", self.id, producer, sn, outcome=request["outcome"])
        self.report.reply("done", request)

    def work(self) -> None:
        if self.stopping:
            self._finish("stopped")

    def on_message(self, event: Event) -> None:
        if event.link != self.link or self.over:
            return
        if self._ending:
            self.release(event.delivery, delivered=False)
            self._drained()
            return
        self.quiet_since = time.monotonic()
        self._take(event.message, event.delivery)
        if self.hold:
            return
        if self.limit and self.count >= self.limit:
            self._finish("count")
        else:
            self.link.flow(1)

    def _take(self, message: Message, delivery: Delivery) -> None:
        properties = message.properties or {}
        if "producer" not in properties or "sn" not in properties:
            text = "ValueError: a message without producer and sn"
            self.report.event("error", text=text, task=self.id)
            self.accept(delivery)
            return
        producer, sn = properties["producer"], int(properties["sn"])
        self.count += 1
        self.unacked.append((delivery, producer, sn))
        before = message.delivery_count
        self.report.message(
            "received", self.id, producer, sn,
            redelivered=before > 0, count=before, first_acquirer=bool(message.first_acquirer),
        )  # fmt: skip
        if self.hold:
            if self.transaction is not None:
                self.transaction.accept(delivery)
        elif len(self.unacked) >= self.ack_every:
            self._acknowledge()
        elif not self._acking:
            self._acking = True
            self.client.later(ACK_S, self._acknowledge_rest)

    def _acknowledge_rest(self) -> None:
        self._acking = False
        self._acknowledge()

    def _acknowledge(self) -> None:
        if self.hold:
            return
        unacked, self.unacked = self.unacked, []
        for delivery, producer, sn in unacked:
            self.accept(delivery)
            self.report.message("acked", self.id, producer, sn, unknown=False)

    def _look(self) -> None:
        if self.over:
            return
        self.client.later(LOOK_S, self._look)
        since = self.quiet_since
        if self.is_drain:
            if self.attached_since is None:
                return
            since = max(since, self.attached_since)
        if time.monotonic() - since >= self.idle_s:
            self._finish("empty" if self.is_drain else "idle")

    def _finish(self, reason: str) -> None:
        """Acknowledges, then takes the credit back, so that no message is on its way when the link ends."""
        if self._ending:
            return
        self._ending = reason
        self._acknowledge()
        if self.attached_since is None:
            self.end(reason)
            return
        self.link.drain(0)
        self.client.later(DRAIN_S, lambda: self.end(reason))
        self._drained()

    def on_link_flow(self, event: Event) -> None:
        if self._ending and event.link == self.link:
            self._drained()

    def _drained(self) -> None:
        if not self.link.draining():
            self.end(self._ending)

    def detach(self) -> None:
        super().detach()
        for _, producer, sn in () if self.hold else self.unacked:  # the acknowledgement has nowhere to go; these come again
            self.report.message("acked", self.id, producer, sn, unknown=True)
        self.unacked = []
        if self._ending:
            self.end(self._ending)

    def report_rest(self) -> None:
        self._acknowledge()

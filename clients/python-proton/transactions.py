"""Tasks that work in local transactions, one after the other.

The library offers ``Container.declare_transaction``, whose link to the coordinator belongs to the
connection and survives its loss, with credit and declarations of the time before. So each task opens
such a link itself, in its own session, which is freed when the connection is lost.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from proton import Delivery, Event, Session, Terminus, symbol
from proton.handlers import MessagingHandler, TransactionHandler
from proton.reactor import Transaction

from tasks import ACK_S, TICK_S, ReceiveTask, Task, new_message

if TYPE_CHECKING:
    from client import Client


class Coordinator(MessagingHandler):
    """The link to the broker's coordinator: gives answers to the transactions that they are for."""

    def __init__(self, task: Task, session: Session, name: str) -> None:
        super().__init__(prefetch=0, auto_accept=False)
        self.task = task
        self.link = task.client.container.create_sender(session, None, name=name, handler=self)
        self.link.target.type = Terminus.COORDINATOR
        self.link.target.capabilities.put_object(symbol("amqp:local-transactions"))

    def declare(self, handler: TransactionHandler) -> Transaction:
        """Begin a transaction."""
        # Settled with the acceptance: else the library releases what was accepted after an abort, which
        # says that it was never delivered.
        return Transaction(self.link, handler, settle_before_discharge=True)

    def on_settled(self, event: Event) -> None:
        event.transaction = event.delivery.transaction
        event.transaction.handle_outcome(event)

    def on_link_error(self, event: Event) -> None:
        if not self.task.over and self.task.session == event.link.session:
            self.task.client.link_failed(self.task, str(event.link.remote_condition))


class TransactedSendTask(Task, TransactionHandler):
    """``count`` messages were announced, ``handed`` of them given to the library, ``settled`` have an
    outcome; between the last two is the open transaction."""

    def __init__(self, client: Client, request: dict[str, Any]) -> None:
        super().__init__(client, request)
        self.size: int = request["transaction"]
        self.rollback_every: int = request.get("rollback_every", 0)
        self.total: int = request["count"]
        self.rate = float(request.get("rate_per_s", 0.0))
        self.coordinator: Coordinator | None = None
        self.transaction: Transaction | None = None
        self.transactions = 0
        self.handed = 0
        self.settled = 0
        self._discharging = False
        self._committing = False
        self._ticking = False
        self._started = time.monotonic()

    def open_link(self, session: Session, name: str) -> Any:
        self.coordinator = Coordinator(self, session, f"{name}-coordinator")
        queue = self.request["queue"]
        return self.client.container.create_sender(session, queue, name=name, handler=self)

    def begin(self) -> None:
        self._go_on()

    def _go_on(self) -> None:
        """Begin the next transaction, unless there is no more."""
        if self.stopping or (self.total and self.count >= self.total):
            self.end("stopped" if self.stopping else "count")
        else:
            self.transaction = self.coordinator.declare(self)

    def on_transaction_declared(self, event: Event) -> None:
        if self.over or event.transaction != self.transaction:
            return
        first = self.request["first_sn"] + self.count
        block = min(self.size, self.total - self.count) if self.total else self.size
        self.transactions += 1
        self.count += block
        self._discharging = self._committing = False
        self.report.invoke(self.id, self.request["producer"], first, first + block - 1)
        self.work()

    def on_transaction_declare_failed(self, event: Event) -> None:
        if event.transaction == self.transaction:
            self.client.link_failed(self, "the broker declares no transaction")

    def on_sendable(self, event: Event) -> None:
        self.work()

    def work(self) -> None:
        """Hand over what is due of the open transaction, then end it."""
        if self.over or self._discharging:
            return
        if self.attached_since is None or self.settled == self.count:
            if self.stopping:
                self.end("stopped")
            return
        while self.handed < self.count and self.link.credit > 0:
            wait = self._started + self.handed / self.rate - time.monotonic() if self.rate else 0
            if wait > 0:
                self._tick(wait)
                return
            sn = self.request["first_sn"] + self.handed
            self.handed += 1
            self.transaction.send(self.link, new_message(self.request, sn), tag=str(sn))
        if self.handed == self.count:
            self._discharging = True
            if self.rollback_every and self.transactions % self.rollback_every == 0:
                self.transaction.abort()
            else:
                self._committing = True
                self.transaction.commit()

    def _tick(self, wait: float) -> None:
        if not self._ticking:
            self._ticking = True
            self.client.later(max(TICK_S, wait), self._ticked)

    def _ticked(self) -> None:
        self._ticking = False
        self.work()

    def on_transaction_committed(self, event: Event) -> None:
        self._ended(event, "ok")

    def on_transaction_aborted(self, event: Event) -> None:
        self._ended(event, "fail", "rolled back")

    def on_transaction_commit_failed(self, event: Event) -> None:
        self._ended(event, "fail", f"refused: {event.delivery.remote.condition}")

    def _ended(self, event: Event, kind: str, reason: str = "") -> None:
        if event.transaction == self.transaction:
            self._outcome(kind, reason)
            self._go_on()

    def _outcome(self, kind: str, reason: str) -> None:
        """Report the outcome of the open transaction, if there is one."""
        extra = {"reason": reason} if reason else {}
        for number in range(self.settled, self.count):
            sn = self.request["first_sn"] + number
            self.report.message(kind, self.id, self.request["producer"], sn, **extra)
        self.settled = self.handed = self.count
        self.transaction = None
        self._discharging = False

    def progress(self) -> int:
        return self.settled

    def detach(self) -> None:
        super().detach()
        self._outcome("info" if self._committing else "fail", "the connection was lost")
        self.work()

    def report_rest(self) -> None:
        self._outcome("info" if self._committing else "fail", "the transaction was not finished")


class TransactedReceiveTask(ReceiveTask):
    """``unacked`` is what was received since ``_committing`` was put into the open transaction."""

    def __init__(self, client: Client, request: dict[str, Any]) -> None:
        super().__init__(client, request)
        self.coordinator: Coordinator | None = None
        self.number = 1
        self._declared = False
        self._committing: list[tuple[Delivery, str, int]] = []

    def open_link(self, session: Session, name: str) -> Any:
        self.coordinator = Coordinator(self, session, f"{name}-coordinator")
        return super().open_link(session, name)

    def begin(self) -> None:
        super().begin()
        if not self.over:
            self._declare()

    def _declare(self) -> None:
        self._declared = False
        self.transaction = self.coordinator.declare(self)

    def on_transaction_declared(self, event: Event) -> None:
        if self.over or event.transaction != self.transaction:
            return
        self._declared = True
        if len(self.unacked) >= self.ack_every or self._ending:
            self._acknowledge()
        elif self.unacked and not self._acking:
            self._acking = True
            self.client.later(ACK_S, self._acknowledge_rest)

    def on_transaction_declare_failed(self, event: Event) -> None:
        if event.transaction == self.transaction:
            super().on_transaction_declare_failed(event)

    def _acknowledge(self) -> None:
        """Commit what was received, unless a commit is under way, after which it is tried again."""
        if self._declared and self.unacked and not self._committing:
            self._committing, self.unacked = self.unacked, []
            for delivery, _, _ in self._committing:
                self.transaction.accept(delivery)
            self.transaction.commit()

    def on_transaction_committed(self, event: Event) -> None:
        if event.transaction != self.transaction:
            return
        self._acked(False)
        self._declare()
        if self._ending:
            self._drained()

    def on_transaction_commit_failed(self, event: Event) -> None:
        if event.transaction == self.transaction:
            self.client.link_failed(self, f"refused: {event.delivery.remote.condition}")

    def _acked(self, unknown: bool) -> None:
        """Report the transaction whose commit was asked for, if there is one."""
        committed, self._committing = self._committing, []
        for _, producer, sn in committed:
            self.report.message(
                "acked", self.id, producer, sn, unknown=unknown, transaction=self.number
            )
        if committed:
            self.number += 1
            self.report.flush()  # no line spans the end of a transaction

    def _drained(self) -> None:
        if not self._committing and not self.unacked:
            super()._drained()

    def detach(self) -> None:
        self.report_rest()
        super().detach()

    def report_rest(self) -> None:
        """What was not committed comes again: a transaction of its own that never was."""
        self._declared = False
        self._acked(True)
        self._committing, self.unacked = self.unacked, []
        self._acked(True)

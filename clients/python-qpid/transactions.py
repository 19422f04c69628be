"""A sender whose messages are in local transactions, one after the other.

A failover ends a transactional session for good: the library says ``TransactionAborted`` when it had
not asked for a commit, ``TransactionUnknown`` when it had and got no answer. Then the task opens
another session and goes on with the next transaction.
"""
from __future__ import print_function

import time

from qpid.messaging import TransactionError

from tasks import POLL_S, SETTLE_S, Task, address, new_message


class TransactedSendTask(Task):
    """``count`` messages were announced; those of the last transaction have no outcome yet if ``open``."""

    def __init__(self, client, request):
        Task.__init__(self, client, request)
        self.size = request["transaction"]
        self.rollback_every = request.get("rollback_every", 0)
        self.total = request["count"]
        self.rate = float(request.get("rate_per_s", 0.0))
        self.transactions = 0
        self.settled = 0
        self.open = False
        self.committing = False
        self.started = time.time()

    def progress(self):
        return self.settled

    def work_on(self, connection):
        while True:
            try:
                return self._work_on(connection)
            except TransactionError as error:
                self._outcome("info" if self.committing else "fail", str(error))
                if self.stopping.wait(POLL_S):
                    return "stopped"

    def _work_on(self, connection):
        session = connection.session(transactional=True)
        sender = session.sender(address(self.request["queue"], "{node: {type: queue}}"), capacity=self.size)
        while not self.stopping.is_set() and not (self.total and self.count >= self.total):
            self._announce()
            self._hand_over(sender)
            if self.rollback_every and self.transactions % self.rollback_every == 0:
                session.rollback()
                self._outcome("fail", "rolled back")
            else:
                self.committing = True
                session.commit()
                self._outcome("ok")
        session.close(timeout=SETTLE_S)
        return "stopped" if self.stopping.is_set() else "count"

    def _announce(self):
        """Announces the next transaction."""
        first = self.request["first_sn"] + self.count
        self.transactions += 1
        block = min(self.size, self.total - self.count) if self.total else self.size
        self.count += block
        self.open, self.committing = True, False
        self.report.invoke(self.id, self.request["producer"], first, first + block - 1)

    def _hand_over(self, sender):
        """Gives the announced messages to the library, each when it is due."""
        for number in range(self.settled, self.count):
            if self.rate > 0:
                time.sleep(max(0.0, self.started + number / self.rate - time.time()))
            sender.send(new_message(self.request, self.request["first_sn"] + number), sync=False)

    def _outcome(self, kind, reason=""):
        """Reports the outcome of the open transaction, if there is one."""
        if not self.open:
            return
        self.open = False
        first = self.request["first_sn"]
        extra = {"reason": reason} if reason else {}
        self.report.messages(
            kind, self.id, self.request["producer"], first + self.settled, first + self.count - 1, **extra
        )
        self.settled = self.count

    def doubt(self, reason):
        self.settle()
        return 0

    def settle(self):
        self._outcome("info" if self.committing else "fail", "the transaction was not finished")

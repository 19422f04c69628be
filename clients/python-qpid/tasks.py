"""Sender and receiver tasks: one thread and one qpid.messaging session each.

Only the library's public interface is used. It sends again by itself, in order, what the broker
had not completed when a connection was lost (capability ``resend``), so a sequence number is
handed over once. ``Sender.unsettled()`` counts what is not acknowledged; the library settles in
order, so the acknowledged messages are always the first ones sent.

Now and then the library gives a connection up for good (an assertion of its own, a dead I/O thread).
If the drill allows it, a task then goes on with a new connection: a sender reports what it had handed
over and is not acknowledged as ``info`` and hands it over again, under the same numbers.
"""
from __future__ import print_function

import re
import sys
import threading
import time

from qpid.messaging import Empty, InsufficientCapacity, Message, Timeout, TransactionError
from qpid.messaging.constants import REJECTED, RELEASED
from qpid.messaging.message import Disposition

BLOCK = 100  # messages announced at once; the protocol's limit
POLL_S = 0.1  # how soon a blocked task sees that it shall stop
SETTLE_S = 10.0  # patience with a broker that does not answer when a receiver ends
FAILURES_MAX = 20  # connections in a row that brought a task no further: then it is our own mistake
OUTCOMES = {
    "accept": None,
    "reject": Disposition(REJECTED),
    "release": Disposition(RELEASED),
    "modify": Disposition(RELEASED, set_redelivered=True),
    "rollback": None,
}

PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*$")


def address(queue, options):
    """A qpid.messaging address of the plain queue ``queue``."""
    name = str(queue)
    if not PLAIN_NAME.match(name):
        name = "'%s'" % name.replace("\\", "\\\\").replace("'", "\\'")
    return "%s; %s" % (name, options)


def sink(request):
    """The address that a ``send`` names."""
    return address(request["queue"], "{node: {type: %s}}" % ("topic" if request.get("topic") else "queue"))


def source(request):
    """The address that a ``receive`` or ``drain`` names."""
    selector, subscription = request.get("selector", ""), request.get("subscription", "")
    if subscription:  # the library unbinds its own ones when it closes them; so a queue that is bound
        options = "{create: always, node: {type: queue, durable: True, x-bindings: [{exchange: '%s', key: '#'}]}}"
        return address(subscription, options % str(request["queue"]))
    if not selector:
        return sink(request)
    text = selector.replace("\\", "\\\\").replace('"', '\\"')
    options = '{node: {type: queue}, link: {x-subscribe: {arguments: {x-apache-selector: "%s"}}}}'
    return address(request["queue"], options % str(text))


def declare(connection, queue, durable):
    """Creates the queue if it is missing."""
    session = connection.session()
    try:
        options = "{create: always, node: {type: queue, durable: %s}}" % bool(durable)
        session.sender(address(queue, options)).close()
    finally:
        session.close()


def put(connection, queue, message):
    """Sends one message; returns when the broker has it."""
    session = connection.session()
    try:
        session.sender(address(queue, "{node: {type: queue}}")).send(message, sync=True, timeout=SETTLE_S)
    finally:
        session.close()


def take(connection, queue, timeout_s):
    """Receives and acknowledges one message. Raises Empty."""
    session = connection.session()
    try:
        message = session.receiver(address(queue, "{node: {type: queue}}")).fetch(timeout=timeout_s)
        session.acknowledge(message)
        return message
    finally:
        session.close()


def new_message(request, sn):
    """The message with this number, as a ``send`` wants it."""
    body = u"%s:%d:" % (request["producer"], sn)
    properties = {"producer": request["producer"], "sn": sn}
    if request.get("kinds", 0):
        properties["kind"] = sn % request["kinds"]
    return Message(
        body.ljust(request.get("body_bytes", 100), u"x"),
        properties=properties,
        durable=bool(request.get("durable", False)),
    )


class Task(threading.Thread):
    """One task. ``work_on`` does the work with one connection and returns the reason of its end."""

    def __init__(self, client, request):
        threading.Thread.__init__(self, name="%s-%s" % (request["type"], request["id"]))
        self.daemon = True
        self.client = client
        self.report = client.report
        self.request = request
        self.id = request["id"]
        self.stopping = threading.Event()
        self.closing = threading.Event()
        self.count = 0
        self._settled = threading.Lock()  # taken once, by whoever reports the end

    def stop(self):
        self.stopping.set()

    def run(self):
        try:
            reason = self.work()
        except Exception as error:  # whatever the library raises belongs in the history
            self.report.event("error", text=describe(error), task=self.id, fatal=True)
            reason = "error"
        self.end(reason)

    def work(self):
        """With one connection after the other; raises when that leads nowhere."""
        failures = 0
        while True:
            connection, before = self.client.connection, self.progress()
            try:
                return self.work_on(connection)
            except Exception as error:
                if self.closing.is_set():
                    return "stopped"
                failures = failures + 1 if self.progress() == before else 0
                if not self.client.may_reopen or failures >= FAILURES_MAX:
                    raise
                reason = describe(error)
                in_doubt = self.doubt(reason)
                self.client.reopen(connection, reason)
                self.report.event("reopened", task=self.id, reason=reason, in_doubt=in_doubt)

    def progress(self):
        """Grows with what was done."""
        return self.count

    def doubt(self, reason):
        """The connection is gone for good: prepare to go on; how many messages are sent again."""
        return 0

    def end(self, reason):
        """Reports what is open and the end, once."""
        if not self._settled.acquire(False):
            return
        self.settle()
        self.report.event("ended", task=self.id, reason=reason, count=self.count)
        self.client.forget(self)

    def settle(self):
        pass


class SendTask(Task):
    """Messages are counted from 0: ``count`` were announced, ``handed`` of them are with the library,
    ``settled`` of these are acknowledged; ``touched`` were handed over once, perhaps to a connection
    that is gone."""

    def __init__(self, client, request):
        Task.__init__(self, client, request)
        self.first = request["first_sn"]
        self.total = request["count"]
        self.producer = request["producer"]
        self.window = max(1, request.get("window", 100))
        self.rate = float(request.get("rate_per_s", 0.0))
        self.handed = 0
        self.touched = 0
        self.settled = 0
        self.sender = None
        self.started = None

    def progress(self):
        return self.settled

    def work_on(self, connection):
        session = connection.session()
        self.sender = session.sender(sink(self.request), capacity=self.window)
        if self.started is None:
            self.started = time.time()
        while not self.stopping.is_set() and (self.handed < self.count or not self._all_announced()):
            if self.handed == self.count and not self._announce():
                time.sleep(min(0.002, 0.5 / self.rate))
                self._acknowledged()
            else:
                self._hand_over()
        self._await_rest()
        if self.closing.is_set():
            return "stopped"
        session.close(timeout=SETTLE_S)
        return "count" if self._all_announced() else "stopped"

    def _all_announced(self):
        return bool(self.total) and self.count >= self.total

    def _announce(self):
        """Announces the next messages; false if none is due."""
        block = min(BLOCK, self.window)
        if self.total:
            block = min(block, self.total - self.count)
        if self.rate > 0:
            block = min(block, int((time.time() - self.started) * self.rate) + 1 - self.count)
        if block <= 0:
            return False
        first = self.first + self.count
        self.count += block
        self.report.invoke(self.id, self.producer, first, first + block - 1)
        return True

    def _hand_over(self):
        """Gives the next message to the library, unless told to stop before."""
        message = new_message(self.request, self.first + self.handed)
        touched = self.touched
        while not self.stopping.is_set():
            self.touched = max(touched, self.handed + 1)  # inside the library's send: it may be sent
            try:
                self.sender.send(message, sync=False, timeout=POLL_S)
            except InsufficientCapacity:  # surely not taken
                self.touched = touched
                self._acknowledged()
                continue
            self.handed += 1
            self._acknowledged()
            return

    def _acknowledged(self):
        """Reports what was acknowledged since the last time."""
        settled = self.handed - self.sender.unsettled()
        if settled > self.settled:
            first = self.first + self.settled
            self.settled = settled
            last = self.first + settled - 1
            self.report.messages("ok", self.id, self.producer, first, last)

    def _await_rest(self):
        while self.settled < self.handed and not self.closing.is_set():
            try:
                self.sender.sync(timeout=POLL_S)
            except Timeout:
                pass
            self._acknowledged()

    def doubt(self, reason):
        self._in_doubt(reason)
        self.sender = None
        self.handed = self.settled
        return self.touched - self.settled

    def settle(self):
        self._in_doubt("not acknowledged")
        if self.touched < self.count:
            self._outcome("fail", self.touched, self.count, "not sent")

    def _in_doubt(self, reason):
        if self.sender is not None:
            try:
                self._acknowledged()
            except Exception as error:  # the library disables its objects when its I/O thread dies
                print("unsettled: %s" % describe(error), file=sys.stderr)
        if self.settled < self.touched:
            self._outcome("info", self.settled, self.touched, reason)

    def _outcome(self, kind, start, end, reason):
        """The outcome of the messages ``start`` to ``end - 1``."""
        first, last = self.first + start, self.first + end - 1
        self.report.messages(kind, self.id, self.producer, first, last, reason=reason)


class ReceiveTask(Task):
    """Both ``receive`` and ``drain``. With ``hold``, ``unacked`` keeps what `settle` will be about."""

    def __init__(self, client, request):
        Task.__init__(self, client, request)
        self.prefetch = max(1, request.get("prefetch", 100))
        self.ack_every = max(1, request.get("ack_every", 1))
        self.limit = request.get("count", 0)
        self.drain = request["type"] == "drain"
        self.idle_s = float(request.get("empty_s" if self.drain else "idle_s", 0.0))
        self.hold = bool(request.get("hold", False))
        self.transactional = bool(request.get("transaction", False))
        self.transaction = 1  # the number of the open one
        self.outcome = None  # the request to settle, until it is carried out
        self.unacked = []  # (producer, sn) in the order of reception
        self.session = None

    def work_on(self, connection):
        while True:
            try:
                return self._work_on(connection)
            except TransactionError:  # a failover ends the session, and with it the transaction
                if self.hold:
                    raise
                self._acked(unknown=True)
                if self.stopping.wait(POLL_S):
                    return "stopped"

    def _work_on(self, connection):
        self.session = connection.session(transactional=self.transactional)
        receiver = self.session.receiver(
            source(self.request),
            capacity=0 if self.hold else self.prefetch,  # what is held needs no successor
        )
        reason = self._hold(receiver) if self.hold else self._receive(receiver)
        self._acknowledge()
        if not self.closing.is_set():
            self._finish(receiver)
        return reason

    def doubt(self, reason):
        self.unacked = []  # these come again
        return 0

    def _receive(self, receiver):
        quiet_since = time.time()
        while not self.stopping.is_set():
            try:
                self.session.next_receiver(timeout=0.02 if self.unacked else POLL_S)
            except Empty:
                self._acknowledge()
                now = time.time()
                if self.drain:
                    quiet_since = max(quiet_since, self.client.link.connected_since(now))
                if self.idle_s > 0 and now - quiet_since >= self.idle_s:
                    return "empty" if self.drain else "idle"
                continue
            self._take(receiver.fetch(timeout=0))
            quiet_since = time.time()
            if self.limit and self.count >= self.limit:
                return "count"
        return "stopped"

    def _hold(self, receiver):
        """Takes so many messages, and keeps them until they get an outcome."""
        while not self.stopping.is_set():
            if self.outcome is not None:
                request, self.outcome = self.outcome, None
                self._settle(request)
            try:
                if self.count < self.limit:
                    self._take(receiver.fetch(timeout=POLL_S))
                else:
                    self.stopping.wait(POLL_S)
            except Empty:
                pass
        return "stopped"

    def _settle(self, request):
        """Gives what is held the outcome of the request, and answers it."""
        outcome = request["outcome"]
        self.session.acknowledge(disposition=OUTCOMES[outcome], sync=True)
        if outcome == "rollback":
            self.session.rollback(timeout=SETTLE_S)
        held, self.unacked = self.unacked, []
        for producer, sn in held:
            self.report.messages("settled", self.id, producer, sn, sn, outcome=outcome)
        self.report.reply("done", request)

    def _take(self, message):
        properties = message.properties
        if "producer" not in properties or "sn" not in properties:
            self.report.event("error", text="ValueError: a message without producer and sn", task=self.id)
            self.session.acknowledge(message, sync=False)
            return
        producer, sn = properties["producer"], int(properties["sn"])
        self.count += 1
        self.unacked.append((producer, sn))
        redelivered = bool(message.redelivered)
        self.report.messages(
            "received", self.id, producer, sn, sn, redelivered=redelivered, count=None
        )
        if len(self.unacked) >= self.ack_every:
            self._acknowledge()

    def _acknowledge(self):
        if self.hold or not self.unacked:
            return
        unknown = True
        try:
            self.session.acknowledge(sync=False)
            if self.transactional:
                self.session.commit()
            unknown = False
        finally:
            self._acked(unknown)

    def _acked(self, unknown):
        unacked, self.unacked = self.unacked, []
        extra = {"transaction": self.transaction} if self.transactional else {}
        for producer, sn in unacked:
            self.report.messages("acked", self.id, producer, sn, sn, unknown=unknown, **extra)
        if unacked and self.transactional:
            self.transaction += 1
            self.report.flush()  # no line spans the end of a transaction

    def _finish(self, receiver):
        # Closing releases what the library still buffers, and kills its engine if that came before a
        # failover (such messages have lost their ids, and come again anyway). So they are taken out
        # first; what has an id is released on the broker when the session ends.
        try:
            self.session.sync(timeout=SETTLE_S)
            for _ in range(receiver.available()):
                receiver.fetch(timeout=0)
            self.session.close(timeout=SETTLE_S)
        except Empty:
            self.session.close(timeout=SETTLE_S)
        except Timeout as error:
            self.report.event("error", text=describe(error), task=self.id)


def describe(error):
    """One line for a human; the library puts whole tracebacks into its errors."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return "%s: %s" % (type(error).__name__, lines[-1].strip() if lines else "")

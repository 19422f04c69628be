"""A client program of the drill: qpid.messaging 1.36 (AMQP 0-10), Python 2.7.

Reads requests from stdin and writes replies and events to stdout, as docs/client-protocol.md says;
free text goes to stderr. Started by ``run`` beside this file. Tasks are in tasks.py, lines in
reporter.py; here are the requests and the life of the connection.
"""
from __future__ import print_function

import json
import logging
import os
import platform
import re
import sys
import threading
import time

from qpid.messaging import Connection
from qpid.messaging.util import auto_fetch_reconnect_urls
from qpid.selector import Selector

import values
from reporter import Reporter, now_ns
from tasks import OUTCOMES, ReceiveTask, SendTask, declare, describe, put, take
from transactions import TransactedSendTask

PROTOCOL = 2
VERSION = "1.36.0"
CLOSE_S = 1.0  # each for the tasks and for the connection; the protocol allows 2
CAPABILITIES = [
    "send", "receive", "heartbeat", "reconnect", "resend", "redelivered", "connection_events",
    "failover_exchange", "reopen", "hold", "transaction", "selector", "subscribe", "values", "auth",
]

RECONNECT_INTERVAL_S = 0.2
"""Between two walks through the list of addresses."""

ATTEMPTS_MAX = 100  # at opening a connection anew
OPEN_S = 15.0  # each; the library waits for ever for an I/O thread that has died meanwhile

LOST = re.compile(r"recoverable error\[attempt \d+\]: (.*)", re.DOTALL)
BACK = re.compile(r"reconnect succeeded: (.*)")


class Link(logging.Handler):
    """The connection's ups and downs, as the library's log tells them: it has no other hook."""

    def __init__(self, report):
        logging.Handler.__init__(self)
        self._report = report
        self._open = False  # connected once
        self._since = None  # time.time() of the last connection, None while lost

    def opened(self):
        self._open = True
        self._since = time.time()

    def connected_since(self, now):
        """When the present connection began; ``now`` while there is none."""
        since = self._since
        return now if since is None else since

    def emit(self, record):
        text = record.getMessage()
        lost = LOST.match(text)
        if lost and self._open:
            self.lost(lost.group(1))
        back = BACK.match(text)
        if back and self._open and self._since is None:
            self._since = time.time()
            self._report.event("reconnected", address=back.group(1))

    def lost(self, reason):
        """Tells that the connection is lost, unless it was told already."""
        if self._since is not None:
            self._since = None
            self._report.event("disconnected", reason=reason.strip())


class Client(object):
    def __init__(self, out):
        self.report = Reporter(out)
        self.link = Link(self.report)
        self.connection = None
        self.ready = False
        self.may_reopen = False
        self._wanted = None  # the request that told how to connect
        self._tasks = {}
        self._lock = threading.Lock()
        self._reopening = threading.Lock()

    def serve(self, lines):
        """Carries out requests until ``close`` or the end of the input, then ends the process."""
        while True:
            line = lines.readline()
            if not line:
                self.close()
            if line.strip():
                self._request(line)

    def _request(self, line):
        try:
            request = json.loads(line)
            kind, _ = request["type"], request["id"]
        except (ValueError, KeyError, TypeError) as error:
            text = "%s: not a request: %r" % (type(error).__name__, line[:200])
            self.report.event("error", text=text)
            return
        method = {
            "init": self._init, "connect": self._connect, "declare": self._declare, "send": self._send,
            "receive": self._receive, "drain": self._receive, "settle": self._settle, "put": self._put,
            "take": self._take, "stop": self._stop, "close": self.close,
        }.get(kind)
        if method is None:
            self.report.reply("unsupported", request, request=str(kind), reason="no such request")
            return
        try:
            method(request)
        except Exception as error:  # a bad request must not end the program
            self._failed(request, error)

    def _failed(self, request, error):
        self.report.reply("failed", request, reason=describe(error))

    def _init(self, request):
        if request.get("protocol") != PROTOCOL:
            self.report.reply("failed", request, reason="speaks protocol %d only" % PROTOCOL)
            return
        self.report.reply(
            "init_ok", request, client="python-qpid", protocol=PROTOCOL, capabilities=CAPABILITIES,
            versions={"qpid-python": VERSION, "python": platform.python_version(), "machine": platform.platform()},
            now_ns=now_ns(),
        )

    def _in_thread(self, request, action):
        """``action`` may block for long; other requests must still be answered."""
        def run():
            try:
                action(request)
            except Exception as error:
                self._failed(request, error)
            else:
                self.report.reply("done", request)
        thread = threading.Thread(target=run, name="%s-%s" % (request["type"], request["id"]))
        thread.daemon = True
        thread.start()

    def _connect(self, request):
        failover = request.get("failover", "addresses")
        if failover not in ("addresses", "exchange"):
            self.report.reply("unsupported", request, request="connect", reason="failover %s" % failover)
            return
        if self.connection is not None:
            raise ValueError("already connected")
        self.connection = new_connection(request)
        self._in_thread(request, self._open)

    def _open(self, request):
        try:
            open_connection(self.connection, request)
        except Exception:
            self.connection = None
            raise
        self._wanted = request
        self.link.opened()
        self.ready = True
        self.may_reopen = bool(request.get("reopen", False))

    def reopen(self, broken, reason):
        """The library gave ``broken`` up for good: open another one, unless another task did. Blocks
        for as long as it takes."""
        with self._reopening:
            if self.connection is not broken:
                return
            self.link.lost(reason)
            try:
                broken.detach(timeout=CLOSE_S)
            except Exception as error:  # it is broken
                print("detach: %s" % error, file=sys.stderr)
            self.connection = self._open_anew()
            self.link.opened()

    def _open_anew(self):
        attempts = 0
        while True:
            attempts += 1
            if Selector.DEFAULT is not None and Selector.DEFAULT.exception:
                Selector.DEFAULT = None  # the library's I/O thread has died: let it start another
            connection = new_connection(self._wanted)
            try:
                open_connection(connection, self._wanted, OPEN_S)
                return connection
            except Exception as error:
                print("open: %s" % describe(error), file=sys.stderr)
                if attempts >= ATTEMPTS_MAX:
                    raise
                time.sleep(RECONNECT_INTERVAL_S)

    def _declare(self, request):
        self._need_connection()
        self._in_thread(
            request, lambda _: declare(self.connection, request["queue"], request.get("durable", False))
        )

    def _settle(self, request):
        tasks = self._some_tasks(request["task"])
        if len(tasks) != 1 or not getattr(tasks[0], "hold", False):
            raise ValueError("no such task that holds messages")
        outcome = request["outcome"]
        if outcome not in OUTCOMES or tasks[0].transactional != (outcome == "rollback"):
            reason = "%s of this task" % outcome
            self.report.reply("unsupported", request, request="settle", reason=reason)
            return
        tasks[0].outcome = request

    def _put(self, request):
        self._need_connection()
        try:
            message = values.message(request["place"], request["value"])
        except values.Unsupported as error:
            self.report.reply("unsupported", request, request="put", reason=str(error))
            return
        self._in_thread(request, lambda _: put(self.connection, request["queue"], message))

    def _take(self, request):
        self._need_connection()

        def action():
            try:
                received = take(self.connection, request["queue"], request.get("timeout_s", 5.0))
                self.report.reply("taken", request, value=values.found(request["place"], received))
            except Exception as error:
                self._failed(request, error)
        thread = threading.Thread(target=action, name="take-%s" % request["id"])
        thread.daemon = True
        thread.start()

    def _send(self, request):
        self._begin(request, TransactedSendTask if request.get("transaction") else SendTask)

    def _receive(self, request):
        self._begin(request, ReceiveTask)

    def _begin(self, request, kind):
        self._need_connection()
        task = kind(self, request)
        with self._lock:
            self._tasks[task.id] = task
        self.report.reply("done", request)
        task.start()

    def _need_connection(self):
        if not self.ready:
            raise ValueError("not connected")

    def forget(self, task):
        with self._lock:
            self._tasks.pop(task.id, None)

    def _some_tasks(self, number):
        with self._lock:
            if number == 0:
                return list(self._tasks.values())
            return [task for task in [self._tasks.get(number)] if task is not None]

    def _stop(self, request):
        self.report.reply("done", request)
        for task in self._some_tasks(request.get("task", 0)):
            task.stop()

    def close(self, request=None):
        """Ends the process; ``request`` is None when the input has ended."""
        tasks = self._some_tasks(0)
        for task in tasks:
            task.closing.set()
            task.stop()
        deadline = time.time() + CLOSE_S
        for task in tasks:
            task.join(max(0.0, deadline - time.time()))
        closing = threading.Thread(target=self._close_connection)
        closing.daemon = True
        closing.start()
        closing.join(CLOSE_S)
        for task in tasks:
            ending = threading.Thread(target=task.end, args=("stopped",))  # may wait for a lock of the library
            ending.daemon = True
            ending.start()
            ending.join(0.2)
        if request is not None:
            self.report.reply("done", request)
        self.report.flush()
        os._exit(0)  # threads of the library may be blocked for good

    def _close_connection(self):
        if self.ready:
            try:
                self.connection.close(timeout=CLOSE_S)
            except Exception as error:
                print("close: %s" % error, file=sys.stderr)


def open_connection(connection, request, timeout=None):
    """Opens it; blocks for as long as it takes, or raises Timeout."""
    connection.open(timeout=timeout)
    if request.get("failover") == "exchange":
        auto_fetch_reconnect_urls(connection)


def new_connection(request):
    """A Connection, not yet open. Raises ConnectionError for options that the library does not know."""
    options = {
        "reconnect": bool(request.get("reconnect", True)),
        "reconnect_interval": RECONNECT_INTERVAL_S,
        "tcp_nodelay": True,
    }
    heartbeat = request.get("heartbeat_s", 0)
    if heartbeat:
        options["heartbeat"] = heartbeat
    for name, value in request.get("options", {}).items():
        options[str(name)] = _typed(value)
    for name in ("username", "password"):
        if name in options:
            options[name] = str(request["options"][name])
    addresses = [str(address) for address in request["addresses"]]
    return Connection(addresses[0], reconnect_urls=addresses[1:], **options)


def _typed(text):
    """Options travel as strings: the bool, int or float that it spells, else the string."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return str(text)


def main():
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not break the protocol
    client = Client(out)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("qpid.messaging").addHandler(client.link)
    client.serve(sys.stdin)


if __name__ == "__main__":
    main()

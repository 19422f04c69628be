"""A client program of the drill: Qpid Proton for Python (AMQP 1.0).

Reads requests from stdin and writes replies and events to stdout, as docs/client-protocol.md says;
free text goes to stderr. Started by ``run`` beside this file. Tasks are in tasks.py, lines in
reporter.py; here are the requests and the life of the connection.

Everything happens in the thread of Proton's container; a second thread only reads stdin and hands
the lines over.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any, TextIO

from proton import Connection, Event
from proton.handlers import IOHandler, MessagingHandler
from proton.reactor import ApplicationEvent, Backoff, Container, EventInjector

from reporter import Reporter
from tasks import Answering, DeclareTask, PutTask, ReceiveTask, SendTask, TakeTask, Task
from transactions import TransactedReceiveTask, TransactedSendTask

PROTOCOL = 2
TASKS_S = 1.0
CLOSE_S = 0.8
"""For the tasks, and for the connection afterwards; the protocol allows 2 in all."""

RETRY_S = 0.2
"""Between two addresses, after the first walk through the list; the library's own goes up to 10."""

CAPABILITIES = [
    "send", "receive", "heartbeat", "reconnect", "redelivered", "delivery_count",
    "connection_events", "reopen", "hold", "transaction", "selector", "subscribe", "delay", "values", "auth",
]  # fmt: skip

OPTIONS: dict[str, Callable[[str], Any]] = {
    "username": str,
    "password": str,
    "allowed_mechs": str,
    "virtual_host": str,
    "max_frame_size": int,
    "sasl_enabled": lambda text: text.lower() == "true",
}
"""What ``Container.connect`` takes, and the type of each; its word for username is user."""


class Delays(Backoff):
    """The library's back-off object goes on where it was after each failover; this one starts anew."""

    def __iter__(self) -> Iterator[float]:
        yield 0.0
        while True:
            yield RETRY_S


class Timer(MessagingHandler):
    """Calls back once."""

    def __init__(self, call: Callable[[], None]) -> None:
        super().__init__()
        self._call = call

    def on_timer_task(self, event: Event) -> None:
        self._call()


class Sockets(IOHandler):
    """The library's own fails when a connection is lost at the moment at which a heartbeat is due: it
    looks for what it has just let go (apache/qpid-proton, pull request 364)."""

    def on_selectable_expired(self, event: Event) -> None:
        if event.selectable._transport is not None:
            super().on_selectable_expired(event)


class Client(MessagingHandler):
    """Requests, and the one connection."""

    def __init__(self, out: TextIO) -> None:
        super().__init__(prefetch=0, auto_accept=False)
        self.name = "python-proton"
        self.capabilities = CAPABILITIES
        self.report = Reporter(out, self.later)
        self.container = Container(self, global_handler=Sockets())
        self.unique = f"python-proton-{os.getpid()}-{time.monotonic_ns():x}"
        self.connection: Connection | None = None
        self.tasks: dict[int, Task] = {}
        self._lines = EventInjector()
        self._wanted: dict[str, Any] = {}  # the request that told how to connect
        self._connecting = False  # it has no answer yet
        self._open = False
        self._opened_once = False
        self._reopening: list[tuple[Task, dict[str, Any]]] = []  # what `reopened` will say
        self._closing: dict[str, Any] | None = None  # the request to close, or {} at the end of stdin

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Call ``call`` in this thread after so many seconds."""
        self.container.schedule(seconds, Timer(call))

    # --------------------------------------------------------------------------------- requests

    def on_start(self, event: Event) -> None:
        self.container.selectable(self._lines)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            if line.strip():
                self._lines.trigger(ApplicationEvent("line", subject=line))
        self._lines.trigger(ApplicationEvent("line", subject=""))

    def on_line(self, event: Event) -> None:
        line = event.subject
        if not line:
            self._close({})
            return
        try:
            request = json.loads(line)
            kind, _ = request["type"], request["id"]
        except (ValueError, KeyError, TypeError) as error:
            self.report.event("error", text=f"{type(error).__name__}: not a request: {line[:200]!r}")
            return
        method = {
            "init": self._init, "connect": self._connect, "declare": self._begin, "send": self._begin,
            "receive": self._begin, "drain": self._begin, "settle": self._settle, "put": self._begin,
            "take": self._begin, "stop": self._stop, "close": self._close,
        }.get(kind)  # fmt: skip
        if method is None:
            self.report.reply("unsupported", request, request=str(kind), reason="no such request")
            return
        try:
            method(request)
        except Exception as error:  # a bad request must not end the program
            self.report.reply("failed", request, reason=f"{type(error).__name__}: {error}")

    def _init(self, request: dict[str, Any]) -> None:
        if request.get("protocol") != PROTOCOL:
            self.report.reply("failed", request, reason=f"speaks protocol {PROTOCOL} only")
            return
        self.unique = f"{request.get('name', 'python-proton')}-{os.getpid()}-{time.monotonic_ns():x}"
        self.container.container_id = self.unique
        versions = {
            "python-qpid-proton": version("python-qpid-proton"),
            "python": platform.python_version(),
            "machine": platform.platform(),
        }
        self.report.reply(
            "init_ok", request, client=self.name, protocol=PROTOCOL, versions=versions,
            capabilities=self.capabilities, now_ns=time.monotonic_ns(),
        )  # fmt: skip

    def _connect(self, request: dict[str, Any]) -> None:
        failover = request.get("failover", "addresses")
        if failover != "addresses":
            self.report.reply("unsupported", request, request="connect", reason=f"failover {failover}")
            return
        if self.connection is not None:
            raise ValueError("already connected")
        self.connection = self._new_connection(request)
        self._wanted = request
        self._connecting = True

    def _new_connection(self, request: dict[str, Any]) -> Connection:
        """Begin to connect. Raises: ValueError for options that the library does not know."""
        options = {}
        for name, text in request.get("options", {}).items():
            if name not in OPTIONS:
                raise ValueError(f"unknown option {name}")
            options["user" if name == "username" else name] = OPTIONS[name](text)
        heartbeat_s = request.get("heartbeat_s", 0)
        return self.container.connect(
            urls=[f"amqp://{address}" for address in request["addresses"]],
            reconnect=Delays() if request.get("reconnect", True) else False,
            # Enforced as given, half of it is told to the broker, which sends twice in that time.
            heartbeat=2 * heartbeat_s if heartbeat_s else None,
            **options,
        )

    def _begin(self, request: dict[str, Any]) -> None:
        """Begin a task or a declaration."""
        if not self._opened_once:
            raise ValueError("not connected")
        kinds: dict[str, type[Task]] = {
            "send": SendTask, "declare": DeclareTask, "put": PutTask, "take": TakeTask
        }  # fmt: skip
        kind = kinds.get(request["type"], ReceiveTask)
        if request.get("transaction") and not request.get("hold"):
            kind = TransactedSendTask if kind is SendTask else TransactedReceiveTask
        task = kind(self, request)
        self.tasks[task.id] = task
        if not isinstance(task, Answering):
            self.report.reply("done", request)
        if self._open:
            task.attach(self.connection)

    def _settle(self, request: dict[str, Any]) -> None:
        task = self.tasks.get(request["task"])
        if not isinstance(task, ReceiveTask) or not task.hold:
            raise ValueError("no such task that holds messages")
        task.give_outcome(request)

    def _stop(self, request: dict[str, Any]) -> None:
        self.report.reply("done", request)
        number = request.get("task", 0)
        for task in list(self.tasks.values()):
            if number in (0, task.id):
                task.stop()

    def forget(self, task: Task) -> None:
        """A task is over."""
        self.tasks.pop(task.id, None)

    # ------------------------------------------------------------------------------- connection

    def on_connection_opened(self, event: Event) -> None:
        if event.connection != self.connection:
            return
        self._open = True
        if self._connecting:
            self._connecting = False
            self._opened_once = True
            self.report.reply("done", self._wanted)
        else:
            url = event.connection.url
            self.report.event("reconnected", address=f"{url.host}:{url.port}")
        for task, fields in self._reopening:
            if not task.over:
                self.report.event("reopened", task=task.id, **fields)
        self._reopening = []
        for task in list(self.tasks.values()):
            task.attach(self.connection)

    def on_disconnected(self, event: Event) -> None:
        if event.connection != self.connection:
            return
        condition = event.transport.condition if event.transport is not None else None
        reason = str(condition or "disconnected")
        self._lost(reason)
        if self._wanted.get("reconnect", True) is False:
            self._gave_up(reason)

    def on_transport_error(self, event: Event) -> None:
        condition = event.transport.condition
        print(f"transport: {condition}", file=sys.stderr)
        if self._connecting and condition is not None and condition.name == "amqp:unauthorized-access":
            self._gave_up(str(condition))

    def on_connection_error(self, event: Event) -> None:
        """The broker closed the connection with a reason that the library holds for final."""
        if event.connection == self.connection:
            self._gave_up(str(event.connection.remote_condition))

    def on_connection_closed(self, event: Event) -> None:
        if event.connection != self.connection:
            return
        if self._closing is not None:
            self._exit()
        self._gave_up("the broker closed the connection")

    def on_session_error(self, event: Event) -> None:
        for task in list(self.tasks.values()):
            if task.session == event.session:
                self.link_failed(task, str(event.session.remote_condition))

    def link_failed(self, task: Task, reason: str) -> None:
        """The broker ended the link of a task. Only a new connection may help."""
        if isinstance(task, Answering):
            task.end(reason)
        elif self._wanted.get("reopen", False):
            self._gave_up(reason)
        else:
            self.report.event("error", text=reason, task=task.id, fatal=True)
            task.end("error")

    def _lost(self, reason: str) -> None:
        if not self._open:
            return
        self._open = False
        for task in list(self.tasks.values()):
            task.detach()
        self.report.event("disconnected", reason=reason)

    def _gave_up(self, reason: str) -> None:
        """This connection will not come back."""
        if self.connection is None or self._closing is not None:
            return
        given_up, self.connection = self.connection, None
        was_open = self._open
        self._lost(reason)
        given_up.close()
        if self._connecting:
            self._connecting = False
            self.report.reply("failed", self._wanted, reason=reason)
        elif self._wanted.get("reopen", False) and (not was_open or self._may_go_on(reason)):
            self.later(RETRY_S, self._reopen)
        else:
            self.report.event("error", text=reason, fatal=True)
            for task in list(self.tasks.values()):
                task.end("error")

    def _may_go_on(self, reason: str) -> bool:
        """Every task prepares for the next connection; false if one was brought no further by many."""
        tasks = list(self.tasks.values())
        if not all([task.may_go_on() for task in tasks]):
            return False
        self._reopening = [
            (task, {"reason": reason, "in_doubt": task.doubt(reason)})
            for task in tasks
            if not isinstance(task, Answering)
        ]
        return True

    def _reopen(self) -> None:
        if self._closing is None:
            self.connection = self._new_connection(self._wanted)

    # -------------------------------------------------------------------------------------- end

    def _close(self, request: dict[str, Any]) -> None:
        """End the process; ``request`` is empty when the input has ended."""
        if self._closing is not None:
            return
        self._closing = request
        for task in list(self.tasks.values()):
            task.stop()
        self._await_tasks(time.monotonic() + TASKS_S)

    def _await_tasks(self, deadline: float) -> None:
        """Give the tasks time to end, then close the connection."""
        if self.tasks and self._open and time.monotonic() < deadline:
            self.later(0.02, lambda: self._await_tasks(deadline))
            return
        for task in list(self.tasks.values()):
            task.end("stopped")
        if self.connection is None or not self._open:
            self._exit()
        self.connection.close()
        self.later(CLOSE_S, self._exit)

    def _exit(self) -> None:
        if self._closing:
            self.report.reply("done", self._closing)
        self.report.flush()
        os._exit(0)  # the library may have timers and connections that nobody wants any more


def main() -> None:
    """Serve until ``close`` or the end of the input."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not break the protocol
    Client(out).container.run()


if __name__ == "__main__":
    main()

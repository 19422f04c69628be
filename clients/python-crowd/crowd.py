"""A crowd: as the program python-proton, but with a connection of its own for each task that sends or
receives, so that one process is a thousand clients. Each has the library's own reconnect logic.

Declarations and drains use the one connection that `connect` opened.
"""

from __future__ import annotations

import os
from typing import Any, TextIO

from client import Client, Delays
from proton import Connection, Event
from proton.handlers import MessagingHandler
from tasks import ReceiveTask, SendTask, Task

NAME = "python-crowd"
CAPABILITIES = [
    "send", "receive", "heartbeat", "reconnect", "redelivered", "delivery_count",
    "connection_events", "crowd",
]  # fmt: skip


class Member(MessagingHandler):
    """One client of the crowd: to its task what ``Client`` is to those of python-proton."""

    def __init__(self, crowd: Crowd, request: dict[str, Any], wanted: dict[str, Any]) -> None:
        super().__init__(prefetch=0, auto_accept=False)
        self.crowd = crowd
        self.report = crowd.report
        self.container = crowd.container
        self.later = crowd.later
        self.unique = f"{crowd.unique}-{request['id']}"
        kind = SendTask if request["type"] == "send" else ReceiveTask
        self.task: Task = kind(self, request)  # type: ignore[arg-type]
        self._opened_once = self._open = False
        heartbeat_s = wanted.get("heartbeat_s", 0)
        self.connection: Connection = self.container.connect(
            urls=[f"amqp://{address}" for address in wanted["addresses"]],
            reconnect=Delays(),
            heartbeat=2 * heartbeat_s if heartbeat_s else None,
            handler=self,
        )

    def on_connection_opened(self, event: Event) -> None:
        self._open = True
        if self._opened_once:
            url = event.connection.url
            self.report.event("reconnected", address=f"{url.host}:{url.port}")
        self._opened_once = True
        self.task.attach(self.connection)

    def on_disconnected(self, event: Event) -> None:
        if not self._open:
            return
        self._open = False
        self.task.detach()
        condition = event.transport.condition if event.transport is not None else None
        self.report.event("disconnected", reason=str(condition or "disconnected"))

    def on_connection_error(self, event: Event) -> None:
        self.link_failed(self.task, str(event.connection.remote_condition))

    def link_failed(self, task: Task, reason: str) -> None:
        """The broker ended the link: nobody helps this client."""
        self.report.event("error", text=reason, task=task.id, fatal=True)
        task.end("error")

    def forget(self, task: Task) -> None:
        """The task is over, and so is this client."""
        self.crowd.members.pop(task.id, None)
        self.connection.close()


class Crowd(Client):
    """Begins a member for each task that sends or receives."""

    def __init__(self, out: TextIO) -> None:
        super().__init__(out)
        self.name, self.capabilities = NAME, CAPABILITIES
        self.members: dict[int, Member] = {}

    def _begin(self, request: dict[str, Any]) -> None:
        if request["type"] not in ("send", "receive"):
            super()._begin(request)
            return
        if not self._opened_once:
            raise ValueError("not connected")
        self.members[request["id"]] = Member(self, request, self._wanted)
        self.report.reply("done", request)

    def _stop(self, request: dict[str, Any]) -> None:
        super()._stop(request)
        number = request.get("task", 0)
        for member in list(self.members.values()):
            if number in (0, member.task.id):
                member.task.stop()

    def _settle(self, request: dict[str, Any]) -> None:
        raise ValueError("a crowd holds nothing")


def main() -> None:
    """Serve until ``close`` or the end of the input."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not break the protocol
    Crowd(out).container.run()


if __name__ == "__main__":
    main()

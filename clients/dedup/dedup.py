"""A consumer that handles each message once, though it may arrive twice: Qpid Proton, Python.

    dedup.py HOST:PORT[,HOST:PORT...] QUEUE LEDGER IDLE_SECONDS

See README.md for why it is made so.
"""

from __future__ import annotations

import os
import sys
import time

from proton import Event
from proton.handlers import IOHandler, MessagingHandler
from proton.reactor import Container

CREDIT = 20
HEARTBEAT_S = 2.0
RETRY_S = [0, 0.1, 0.2, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] * 100


class Sockets(IOHandler):
    """Without it the library may fail when a connection is lost while a heartbeat is due."""

    def on_selectable_expired(self, event: Event) -> None:
        if event.selectable._transport is not None:
            super().on_selectable_expired(event)


class Ledger:
    """What was handled: a line per message, on disk before the message is acknowledged."""

    def __init__(self, path: str) -> None:
        self.file = open(path, "ab+")  # noqa: SIM115  # for the life of the process
        self.file.seek(0)
        text = self.file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self.file.truncate(len(whole))  # we died while writing the last line: it was not handled
        self.seen = set(whole.decode().splitlines())

    def handle(self, producer: str, sn: int) -> bool:
        """Do what is to be done with a message, unless that was done before."""
        line = f"{producer} {sn}"
        if line in self.seen:
            return False
        self.file.write(line.encode() + b"\n")  # the work; yours goes here, in the same transaction
        self.file.flush()
        os.fsync(self.file.fileno())
        self.seen.add(line)
        return True


class Consumer(MessagingHandler):
    """Receives, handles, and only then accepts."""

    def __init__(self, urls: list[str], queue: str, ledger: Ledger, idle_s: float) -> None:
        super().__init__(prefetch=CREDIT, auto_accept=False)
        self.urls = urls
        self.queue = queue
        self.ledger = ledger
        self.idle_s = idle_s
        self.last = time.monotonic()
        self.handled = self.duplicates = 0

    def on_start(self, event: Event) -> None:
        connection = event.container.connect(
            urls=self.urls, reconnect=RETRY_S, heartbeat=HEARTBEAT_S
        )
        event.container.create_receiver(connection, self.queue)
        event.container.schedule(0.1, self)

    def on_message(self, event: Event) -> None:
        self.last = time.monotonic()
        properties = event.message.properties
        if self.ledger.handle(properties["producer"], properties["sn"]):
            self.handled += 1
        else:
            self.duplicates += 1
        self.accept(event.delivery)

    def on_timer_task(self, event: Event) -> None:
        if time.monotonic() - self.last > self.idle_s:
            print(f"handled {self.handled}, duplicates {self.duplicates}", flush=True)
            os._exit(0)
        event.container.schedule(0.1, self)


if __name__ == "__main__":
    addresses, name, path, seconds = sys.argv[1:]
    members = [f"amqp://{address}" for address in addresses.split(",")]
    consumer = Consumer(members, name, Ledger(path), float(seconds))
    Container(consumer, global_handler=Sockets()).run()

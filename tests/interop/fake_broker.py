"""A stand-in for three replicated brokers, so that the drill can be tested without a broker.

Takes the options of ``qpidd`` that the drill passes. "Replication" is a log file that all nodes of
a run share (the parent of --data-dir): each operation is written to it before it is confirmed, and
a promoted node reads it. Speaks JSON lines, not AMQP. FAKE_FAULT in the environment breaks a
promise: ``lose`` confirms every 20th message without taking it, ``invent`` adds one,
``again`` gives messages out again without a mark, ``traceback`` logs one, ``crash`` ends the
promoted broker soon, ``keep`` says that it changed its public URL, and does not, ``forget`` marks
nothing that comes again, ``hoard`` never gives anything back, ``hasty`` delays nothing, ``eager``
keeps something of what is rolled back, ``sloppy`` forgets the first acknowledgement of a
transaction, ``blind`` takes no notice of selectors, ``absent`` keeps nothing for a subscription
from which nobody receives, ``amnesia`` knows no durable subscription after a promotion,
``impatient`` drops each client a while after it came, ``differ`` has backups
hold something else.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import selectors
import signal
import socket
import sys
import threading
import time
from pathlib import Path

ADMIN = ("digest", "status", "query", "promote", "others", "set", "configure")


FAULT = os.environ.get("FAKE_FAULT", "")

PATIENCE_S = 1.5

SELECTED = {"kind = 0": (0,), "kind BETWEEN 1 AND 2 AND producer LIKE '%.%'": (1, 2)}


class State:
    def __init__(self, folder: Path, others: list[str], public_url: str) -> None:
        self.status = "joining"
        self.others = others
        self.public_url = public_url
        self.queues: dict[str, list[list]] = {}  # [producer, sn, redelivered]
        self.routes: dict[str, str] = {}  # from a queue to the one behind its alternate exchange
        self.topics: dict[str, dict[str, bool]] = {}  # their queues, and whether each is durable
        self.asked: dict[str, float] = {}  # by queue of a topic: when somebody last did
        self.due: dict[tuple, float] = {}  # by message, monotonic seconds
        self.log_path = folder / "replicated.log"
        self.log = None
        self.gathering = False

    def promote(self) -> None:
        fault = os.environ.get("FAKE_FAULT", "")
        if self.log_path.exists():
            left: dict[tuple, None] = {}
            for line in self.log_path.read_text().splitlines():
                operation, *key = json.loads(line)
                if operation == "due":
                    self.due[tuple(key[:2])] = key[2]
                elif operation == "subscribe":
                    if fault != "amnesia":
                        self.topics.setdefault(key[0], {})[key[1]] = True
                elif operation == "put":
                    left[tuple(key)] = None
                elif fault != "again":
                    left.pop(tuple(key), None)
            for queue, producer, sn in left:
                marked = fault not in ("again", "forget")
                self.queues.setdefault(queue, []).append([producer, sn, marked])
            if fault == "crash":
                threading.Timer(0.3, lambda: os._exit(9)).start()
        self.log = self.log_path.open("a")
        self.status = "active"

    def write(self, *operation) -> None:
        self.log.write(json.dumps(operation) + "\n")
        if not self.gathering:
            self.log.flush()

    @contextlib.contextmanager
    def together(self):
        """What is written inside is in the log whole, or not at all if the broker is killed."""
        self.gathering = True
        yield
        self.gathering = False
        self.log.flush()


class Connection:
    """One client. Everything runs in one thread, one request per turn, so that nobody starves."""

    def __init__(self, state: State, sock: socket.socket) -> None:
        self.state = state
        self.sock = sock
        self.buffer = b""
        self.began = time.monotonic()
        self.held: dict[tuple, list] = {}

    def readable(self) -> bool:
        """Serve what arrived; False when the connection is over."""
        try:
            data = self.sock.recv(65536)
            self.buffer += data
            while b"\n" in self.buffer:
                line, self.buffer = self.buffer.split(b"\n", 1)
                request = json.loads(line)
                if request["op"] not in ADMIN and self.state.status != "active":
                    return False
                if FAULT == "impatient" and time.monotonic() - self.began > PATIENCE_S:
                    return False
                answer = getattr(self, request["op"])(**request)
                self.sock.sendall(json.dumps(answer).encode() + b"\n")
            return bool(data)
        except (OSError, ValueError):
            return False

    def give_back(self) -> None:
        if FAULT == "hoard":
            return
        for (queue, _, _), entry in reversed(self.held.items()):
            entry[2] = FAULT != "forget"
            self.state.queues[queue].insert(0, entry)

    def status(self, **_):
        return self.state.status

    def digest(self, **_):
        other = FAULT == "differ" and self.state.status != "active"
        queue = {"messages": 3, "digest": "ff" if other else "00"}
        return json.dumps({"status": self.state.status, "queues": {"q": queue}})

    def query(self, **_):
        members = []
        for address in self.state.others:
            host, port = address.split(":")
            try:
                ready = ask(address, "status", 0.2) == "ready"
            except (OSError, ValueError):
                continue
            members.append({"host-name": host, "port": int(port), "status": 2 if ready else 1})
        return json.dumps({"status": self.state.status, "members": members})

    def promote(self, **_):
        if self.state.status != "active":
            self.state.promote()
        return "promoted"

    def others(self, **_):
        return self.state.others

    def set(self, url, **_):
        if os.environ.get("FAKE_FAULT") != "keep":
            self.state.public_url = url
        return "changed"

    def hello(self, **_):
        return "hello"

    def addresses(self, **_):
        known = self.state.public_url
        return [] if known == "none" else known.split(",")

    def put(self, queue, producer, sn, due=0, **_):
        if due and FAULT != "hasty":
            self.state.due[producer, sn] = due
            self.state.write("due", producer, sn, due)
        if os.environ.get("FAKE_FAULT") != "lose" or sn % 20:
            self.state.queues.setdefault(queue, []).append([producer, sn, False])
            self.state.write("put", queue, producer, sn)
        if os.environ.get("FAKE_FAULT") == "invent" and sn == 50:
            self.state.queues[queue].append(["nobody", 1, False])
            self.state.write("put", queue, "nobody", 1)  # or a kill might take it back
        return "ok"

    def publish(self, queue, producer, sn, **_):
        for name, durable in self.state.topics.get(queue, {}).items():
            if FAULT == "absent" and time.monotonic() - self.state.asked.get(name, 0) > 0.5:
                continue
            self.state.queues.setdefault(name, []).append([producer, sn, False])
            if durable:
                self.state.write("put", name, producer, sn)
        return "ok"

    def get(self, queue, selector="", topic="", durable=False, **_):
        if topic:
            self.state.asked[queue] = time.monotonic()
            if queue not in self.state.topics.setdefault(topic, {}):
                self.state.topics[topic][queue] = durable
                if durable:
                    self.state.write("subscribe", topic, queue)
        entries = self.state.queues.setdefault(queue, [])
        due, now = self.state.due, time.monotonic()
        wanted = SELECTED.get("" if FAULT == "blind" else selector, range(4))
        at = next((i for i, e in enumerate(entries) if due.get((e[0], e[1]), 0) <= now
                   and (not selector or e[1] % 4 in wanted)), None)  # fmt: skip
        if at is None:
            return None
        entry = entries.pop(at)
        self.held[queue, entry[0], entry[1]] = entry
        return entry

    def configure(self, words, **_):
        if words[0] == "bind":
            self.state.routes[words[3]] = words[2]
        return "done" if words[0] in ("add", "bind") else f"no such command: {words}"

    def settle(self, queue, producer, sn, outcome, **_):
        entry = self.held.pop((queue, producer, sn))
        if outcome == "accept":
            return self.ack(queue, producer, sn)
        if outcome == "reject":
            self.state.write("ack", queue, producer, sn)
            if queue in self.state.routes:
                self.state.queues.setdefault(self.state.routes[queue], []).append(entry)
        else:
            entry[2] = outcome != "release" and FAULT != "forget"
            self.state.queues[queue].append(entry)
        return "ok"

    def commit(self, queue, producer, sns, **_):
        with self.state.together():
            for sn in sns:
                self.put(queue, producer, sn)
        return "ok"

    def rollback(self, queue, producer, sns, **_):
        return self.commit(queue, producer, sns[:1]) if FAULT == "eager" else "ok"

    def ack_all(self, queue, keys, **_):
        if any((queue, *key) not in self.held for key in keys):
            return "rolled back"  # of another connection
        with self.state.together():
            for producer, sn in keys[1:] if FAULT == "sloppy" else keys:
                self.ack(queue, producer, sn)
        return "ok"

    def ack(self, queue, producer, sn, **_):
        if self.held.pop((queue, producer, sn), None):
            self.state.write("ack", queue, producer, sn)
        return "ok"


def ask(address: str, op: str, timeout: float) -> str:
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=timeout) as sock:
        file = sock.makefile("rw")
        file.write(json.dumps({"op": op}) + "\n")
        file.flush()
        return json.loads(file.readline())


def join(state: State) -> None:
    """Become a ready backup as soon as somebody is active."""
    while state.status == "joining":
        for address in state.others:
            try:
                if ask(address, "status", 1) == "active" and state.status == "joining":
                    state.status = "ready"
            except (OSError, ValueError):
                continue
        time.sleep(0.02)


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("socket-fd", "port"):
        parser.add_argument(f"--{name}", type=int)
    for name in ("data-dir", "ha-brokers-url", "ha-public-url", "log-to-file"):
        parser.add_argument(f"--{name}")
    options, _ = parser.parse_known_args()
    text = "Traceback (most recent call last):\n  File x\nKeyError: 1\n"
    Path(options.log_to_file).write_text(
        text if os.environ.get("FAKE_FAULT") == "traceback" else "2026 [HA] info Started\n"
    )
    listener = socket.socket(fileno=options.socket_fd)
    others = [a for a in options.ha_brokers_url.split(",") if not a.endswith(f":{options.port}")]
    state = State(Path(options.data_dir).parent, others, options.ha_public_url)
    threading.Thread(target=join, args=(state,), daemon=True).start()
    serve(state, listener)


def serve(state: State, listener: socket.socket) -> None:
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ, None)
    while True:
        for key, _ in selector.select():
            connection = key.data
            if connection is None:
                sock, _ = listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(sock, selectors.EVENT_READ, Connection(state, sock))
            elif not connection.readable():
                selector.unregister(connection.sock)
                connection.give_back()
                connection.sock.close()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    main()

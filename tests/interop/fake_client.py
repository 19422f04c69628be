"""A client program for the stand-in broker: the client protocol in its simplest form.

One connection per task, one request at a time; sends again by itself after a reconnect. FAKE_CLIENT
in the environment makes it bad: ``missing`` (cannot run), ``liar`` (says done to what it does not
know), ``mute`` (says nothing), ``babble`` (writes no JSON), ``crash`` (dies in mid-stream),
``give-up`` (its library gives the connection of a sender up in mid-stream), ``simple`` (knows
no failover but from the addresses that it is given, and neither holding, delays nor values),
``garbler`` (hands out other values than it got), ``clumsy`` (its library has no transactions, and
rejects nothing), ``drowsy`` (its receivers take a hundred messages and no more, and its first drain
of a queue finds nothing), ``late`` (its receivers need half a second to begin). ``telling`` makes
it better: it says that it tells of lost connections.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time

LOCK = threading.Lock()
FAULT = os.environ.get("FAKE_CLIENT", "")


def write(type_: str, **fields) -> None:
    with LOCK:
        sys.stdout.write(json.dumps({"type": type_, **fields}) + "\n")
        sys.stdout.flush()


def event(type_: str, **fields) -> None:
    write(type_, t=time.monotonic_ns(), **fields)


class Link:
    """A connection that comes back by itself."""

    def __init__(self, addresses: list[str]) -> None:
        self.addresses = addresses
        self.file = self.sock = None

    def open(self) -> None:
        while True:
            for address in self.addresses:
                host, port = address.split(":")
                try:
                    sock = socket.create_connection((host, int(port)), timeout=5)
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self.sock = sock
                    self.file = sock.makefile("rw")
                    if self.once({"op": "hello"}) == "hello":
                        return
                except (OSError, ValueError):
                    pass
            time.sleep(0.02)

    def once(self, request: dict):
        self.file.write(json.dumps(request) + "\n")
        self.file.flush()
        return json.loads(self.file.readline())

    def ask(self, **request):
        """The answer, and whether the connection was lost meanwhile."""
        lost = False
        while True:
            try:
                return self.once(request), lost
            except (OSError, ValueError) as error:
                lost = True
                event("disconnected", reason=str(error))
                self.open()
                event("reconnected")


class Tasks:
    def __init__(self) -> None:
        self.addresses: list[str] = []
        self.reopen = False
        self.stopped: set[int] = set()
        self.held: dict[int, list] = {}
        self.drained: set[str] = set()

    def follow(self, link: Link, given: list[str]) -> None:
        """Ask again and again which addresses there are."""
        while True:
            try:
                self.addresses[:] = given + link.once({"op": "addresses"})
            except (OSError, ValueError):
                link.open()
            time.sleep(0.02)

    def over(self, task: int) -> bool:
        return task in self.stopped or 0 in self.stopped

    def send(
        self, id, queue, producer, first_sn, count, rate_per_s, window, delay_ms=0, topic=False, **_
    ):
        op = "publish" if topic else "put"
        link = Link(self.addresses)
        link.open()
        sn = first_sn
        while not self.over(id) and (not count or sn < first_sn + count):
            block = min(window, 20)
            if count:
                block = min(block, first_sn + count - sn)
            event("invoke", task=id, producer=producer, sns=[[sn, sn + block - 1]])
            for i in range(sn, sn + block):
                due = time.monotonic() + delay_ms / 1000 if delay_ms else 0
                link.ask(op=op, queue=queue, producer=producer, sn=i, due=due)
                if FAULT == "crash" and i > 100:
                    os._exit(3)
                if FAULT == "give-up" and i == 105:
                    batch = {"task": id, "producer": producer, "sns": [[sn, i]]}
                    event("info", **batch, reason="the library gave up")
                    if not self.reopen:
                        event("error", text="GaveUp", task=id, fatal=True)
                        return
                    event("reopened", task=id, reason="GaveUp", in_doubt=i - sn + 1)
                    for doubtful in range(sn, i + 1):
                        link.ask(op="put", queue=queue, producer=producer, sn=doubtful)
            event("ok", task=id, producer=producer, sns=[[sn, sn + block - 1]])
            sn += block
            if rate_per_s:
                time.sleep(block / rate_per_s)
        reason = "stopped" if self.over(id) else "count"
        event("ended", task=id, reason=reason, count=sn - first_sn)

    def transact(self, id, queue, producer, first_sn, transaction, rollback_every, **_):
        """Transactions until told to stop; the broker hears of one at its end only."""
        link = Link(self.addresses)
        link.open()
        number = 0
        while not self.over(id):
            sns = list(
                range(first_sn + number * transaction, first_sn + (number + 1) * transaction)
            )
            number += 1
            batch = {"task": id, "producer": producer, "sns": [[sns[0], sns[-1]]]}
            event("invoke", **batch)
            time.sleep(0.02)
            back = number % rollback_every == 0
            answer = self.discharge(
                link, op="rollback" if back else "commit", queue=queue, producer=producer, sns=sns
            )
            if back:
                event(
                    "fail", **batch, reason="rolled back" if answer else "the connection was lost"
                )
            else:
                event("ok" if answer else "info", **batch)
        event("ended", task=id, reason="stopped", count=number * transaction)

    def discharge(self, link, **request):
        """The answer, None if the connection was lost."""
        try:
            return link.once(request)
        except (OSError, ValueError) as error:
            event("disconnected", reason=str(error))
            link.open()
            event("reconnected")
            return None

    def receive_in_transactions(self, id, queue, ack_every, **_):
        link = Link(self.addresses)
        link.open()
        done, number = 0, 1
        while not self.over(id):
            entry, _ = link.ask(op="get", queue=queue)
            taken = []
            while entry is not None and len(taken) < ack_every:
                taken.append(entry)
                batch = {"task": id, "producer": entry[0], "sns": [[entry[1], entry[1]]]}
                event("received", **batch, redelivered=entry[2], count=None)
                entry = self.discharge(link, op="get", queue=queue) if len(taken) < ack_every else 0
            if not taken:
                time.sleep(0.005)
                continue
            keys = [[producer, sn] for producer, sn, _ in taken]
            answer = self.discharge(link, op="ack_all", queue=queue, keys=keys)
            for producer, sn, _ in taken:
                batch = {"task": id, "producer": producer, "sns": [[sn, sn]]}
                event("acked", **batch, unknown=answer != "ok", transaction=number)
            number += 1
            done += len(taken)
        event("ended", task=id, reason="stopped", count=done)

    def hold(self, id, queue, count, **_):
        link = Link(self.addresses)
        link.open()
        held = []
        while len(held) < count and not self.over(id):
            entry, _ = link.ask(op="get", queue=queue)
            if entry is None:
                time.sleep(0.005)
                continue
            held.append(entry)
            batch = {"task": id, "producer": entry[0], "sns": [[entry[1], entry[1]]]}
            event("received", **batch, redelivered=entry[2], count=int(entry[2]))
        self.held[id] = [link, queue, held]
        while not self.over(id):
            time.sleep(0.005)
        link.file.close()
        link.sock.close()
        event("ended", task=id, reason="stopped", count=len(held))

    def settle(self, id, task, outcome):
        while task not in self.held:
            time.sleep(0.005)
        if FAULT == "clumsy" and outcome == "reject":
            write("unsupported", in_reply_to=id, request="settle", reason="never rejects")
            return
        link, queue, held = self.held[task]
        for producer, sn, _ in held:
            link.once({"op": "settle", "queue": queue, "producer": producer, "sn": sn,
                       "outcome": outcome})  # fmt: skip
            event("settled", task=task, producer=producer, sns=[[sn, sn]], outcome=outcome)
        write("done", in_reply_to=id)

    def put(self, id, queue, place, value):
        if value["type"] == "char":
            write("unsupported", in_reply_to=id, request="put", reason="no chars here")
            return
        link = Link(self.addresses)
        link.open()
        link.once({"op": "put", "queue": queue, "producer": place, "sn": json.dumps(value)})
        write("done", in_reply_to=id)

    def take(self, id, queue, place, timeout_s):
        link = Link(self.addresses)
        link.open()
        until = time.monotonic() + timeout_s
        while (entry := link.once({"op": "get", "queue": queue})) is None:
            if time.monotonic() > until:
                write("failed", in_reply_to=id, reason="no message came")
                return
        link.once({"op": "ack", "queue": queue, "producer": entry[0], "sn": entry[1]})
        value = json.loads(entry[1])
        if FAULT == "garbler" and value["type"] == "int":
            value["value"] = "7"
        write("taken", in_reply_to=id, value=value)

    def receive(self, id, queue, empty_s=0.0, selector="", topic=False, subscription="", **_):
        asked = {"queue": queue, "selector": selector}
        if topic:
            queue = subscription or f"{os.getpid()}.{id}"
            asked |= {"topic": asked["queue"], "queue": queue, "durable": bool(subscription)}
        link = Link(self.addresses)
        link.open()
        if FAULT == "late":
            time.sleep(0.5)
        done, last, reason = 0, time.monotonic(), "stopped"
        while not self.over(id):
            if FAULT == "drowsy" and not empty_s and done == 100:
                time.sleep(0.005)
                continue
            entry, _ = link.ask(op="get", **asked)
            if entry is None:
                if empty_s and time.monotonic() - last > empty_s:
                    reason = "empty"
                    break
                time.sleep(0.005)
                continue
            producer, sn, redelivered = entry
            batch = {"task": id, "producer": producer, "sns": [[sn, sn]]}
            event("received", **batch, redelivered=redelivered, count=None)
            link.ask(op="ack", queue=queue, producer=producer, sn=sn)
            event("acked", **batch)
            done, last = done + 1, time.monotonic()
        event("ended", task=id, reason=reason, count=done)

    def drain(self, id, queue, empty_s, **_):
        if FAULT == "drowsy" and queue not in self.drained:
            self.drained.add(queue)
            event("ended", task=id, reason="empty", count=0)
        else:
            self.receive(id, queue, empty_s)


def begin(task, request: dict) -> None:
    arguments = {key: value for key, value in request.items() if key != "type"}
    threading.Thread(target=task, kwargs=arguments, daemon=True).start()


def answer(tasks: Tasks, request: dict) -> None:
    kind, number = request["type"], request["id"]
    if kind == "init":
        can = ["send", "receive", "resend", "failover_exchange", "hold", "delay", "values"]
        can += ["selector", "subscribe"]
        can += ["connection_events"] if FAULT == "telling" else []
        can += [] if FAULT == "clumsy" else ["transaction"]
        write(
            "init_ok", in_reply_to=number, client="fake", protocol=2, versions={"fake": "1"},
            capabilities=can[:3] if FAULT == "simple" else can, now_ns=time.monotonic_ns(),
        )  # fmt: skip
    elif kind == "connect":
        tasks.addresses = request["addresses"]
        tasks.reopen = request["reopen"]
        link = Link(tasks.addresses)
        link.open()
        if request["failover"] == "exchange":
            given = list(tasks.addresses)
            tasks.addresses += link.once({"op": "addresses"})
            threading.Thread(target=tasks.follow, args=(link, given), daemon=True).start()
        write("done", in_reply_to=number)
    elif kind in ("send", "receive", "drain"):
        write("done", in_reply_to=number)
        task = getattr(tasks, kind)
        if request.get("transaction"):
            task = tasks.transact if kind == "send" else tasks.receive_in_transactions
        begin(tasks.hold if request.get("hold") else task, request)
    elif kind in ("settle", "put", "take"):
        begin(getattr(tasks, kind), request)
    elif kind == "stop":
        tasks.stopped.add(request["task"])
        write("done", in_reply_to=number)
    elif kind in ("declare", "close") or FAULT == "liar":
        write("done", in_reply_to=number)
        if kind == "close":
            os._exit(0)
    else:
        write("unsupported", in_reply_to=number, request=kind)


def main() -> None:
    if FAULT == "missing":
        print("no fake runtime", file=sys.stderr)
        sys.exit(127)
    if FAULT == "babble":
        print("hello, I am a client")
    tasks = Tasks()
    for line in sys.stdin:
        if FAULT != "mute":
            answer(tasks, json.loads(line))
    os._exit(0)


if __name__ == "__main__":
    main()

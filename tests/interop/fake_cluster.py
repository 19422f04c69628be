"""The commands of a profile for stand-in brokers: a cluster that elects whoever answers first.

    fake_cluster.py VERB, with the DRILL_ variables of docs/external-brokers.md

FAKE_CLUSTER in the environment makes it bad: ``stuck`` (nobody is elected after the first one),
``absent`` (it is not on this machine), ``lazy`` (nobody is ever ready), ``clinging`` (nobody ends).
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
FAULT = os.environ.get("FAKE_CLUSTER", "")


def folder() -> Path:
    return Path(os.environ["DRILL_FOLDER"])


def node() -> str:
    return os.environ["DRILL_NODE"]


def address(name: str) -> tuple[str, int]:
    return "127.0.0.1", int(os.environ[f"DRILL_{name.upper()}_AMQP"])


def ask(name: str, op: str) -> str:
    try:
        with socket.create_connection(address(name), timeout=1) as sock:
            file = sock.makefile("rw")
            file.write(json.dumps({"op": op}) + "\n")
            file.flush()
            return json.loads(file.readline())
    except (OSError, ValueError):
        return ""


def elect() -> str:
    """Who is active; if nobody is, the first that answers from now on."""
    names = os.environ["DRILL_NODES"].split()
    there = {name: ask(name, "status") for name in names}
    active = [name for name, status in there.items() if status == "active"]
    known = folder() / "leader"
    if not active and not (FAULT == "stuck" and known.exists()):
        active = [name for name, status in there.items() if status]
        if active:
            ask(active[0], "promote")
    if active:
        known.write_text(active[0])
    return active[0] if active else ""


def pid() -> int:
    return int((folder() / f"{node()}.pid").read_text())


def gone() -> bool:
    for _ in range(100):
        try:
            os.kill(pid(), 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def start() -> None:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(address(node()))
    listener.listen()
    names = os.environ["DRILL_NODES"].split()
    data = folder() / node()
    data.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [
            sys.executable, str(HERE / "fake_broker.py"), f"--socket-fd={listener.fileno()}",
            f"--port={address(node())[1]}", f"--data-dir={data}", "--ha-public-url=none",
            f"--log-to-file={folder() / node()}.log",
            "--ha-brokers-url=" + ",".join("{}:{}".format(*address(name)) for name in names),
        ],
        pass_fds=[listener.fileno()], stdin=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    (folder() / f"{node()}.pid").write_text(str(process.pid))


def end(number: int) -> bool:
    os.kill(pid(), number)
    return gone()


def declare() -> None:
    with (folder() / "declared").open("a") as file:
        file.write(f"{node()} {os.environ['DRILL_QUEUE']}\n")


def main(verb: str) -> int:
    if verb == "needs":
        print("looking\nno stand-ins here" if FAULT == "absent" else "all there")
        return FAULT == "absent"
    if verb == "version":
        print("Stand-in\n1.2.3")
    elif verb == "start":
        start()
    elif verb == "pid":
        print(pid())
    elif verb == "ready":
        return FAULT == "lazy" or not elect() or ask(node(), "status") not in ("active", "ready")
    elif verb == "leader":
        print(f"the leader is\n{elect()}")
    elif verb == "declare":
        declare()
    elif verb in ("suspend", "resume"):
        os.kill(pid(), signal.SIGSTOP if verb == "suspend" else signal.SIGCONT)
    elif verb == "stop":
        return FAULT == "clinging" or not end(signal.SIGTERM)
    elif verb == "kill":
        return not end(signal.SIGKILL)
    elif verb in ("prepare", "cleanup"):
        (folder() / verb).write_text(os.environ["DRILL_SHARED"])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

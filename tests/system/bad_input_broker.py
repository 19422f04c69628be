"""The brokers that the tests of bad input attack, and what must hold after each attack.

``attacked`` is the fixture: it gives the broker of this test's ``kind`` and looks at it afterwards.
Whatever was done, the process lives, a client that did nothing wrong was served all the time and
never waited for more than a second of the broker's work, a new client can declare, publish and
receive, memory went back to where it was, and the log has no traceback and few lines.

Three kinds: ``free`` takes anybody and belongs to no cluster; ``primary`` takes anybody and is the
promoted member of a cluster; ``guarded`` is one that wants passwords. A broker that an attack has
killed is started again, so that each attack is judged by itself.

A test module names this module in ``pytest_plugins``.
"""

from __future__ import annotations

import itertools
import socket
import time

import pytest
from bad_input_peer import HEADER, BrokerUnderAttack, Watch, control, key

from tanist.wire.amqp010.codec import encode_map, make
from tanist.wire.amqp010.events import Transfer

MIB = 1024 * 1024
ANSWER_S = 1.0
"""Nobody waits longer, neither the attacker for its end nor anybody else for an answer."""

BUSY = 5
"""Where the broker has much to do for its answer, a machine that others use takes so much longer at
most; what the broker itself works for it is measured."""

GROWTH_MAX = 32 * MIB
"""Memory that may stay after an attack."""

PEAK_MAX = 96 * MIB
"""Memory that may be needed during an attack: the write buffer of one connection has 64 MiB."""

LOG_LINES_MAX = 20
NEGOTIATE_MS = 800
MANAGEMENT = "org.apache.qpid.ha:habroker:ha-broker"
PASSWORDS = "alice:wonderland\nlink:secret\n"
CLUSTER = ["--ha-cluster=yes", "--ha-replicate=all"]
LINK = ["--ha-username=link", "--ha-password=secret", "--ha-mechanism=PLAIN"]
WORDS = {
    "free": ["--auth=no", "--connection-backlog=200", f"--max-negotiate-time={NEGOTIATE_MS}"],
    "primary": ["--auth=no", *CLUSTER],
    "guarded": ["--auth=yes", *CLUSTER, *LINK],
}
"""Command lines by kind of broker."""

SETTINGS = {"guarded": {"username": "alice", "password": "wonderland"}}
"""How ordinary clients log in."""

CLOSE = control("connection.close", reply_code=200, reply_text="bye")
COMPLETED = b"\2\x0a"
"""Class and code of session.completed."""


class Brokers:
    """The brokers of this module; one that was killed by an attack is started again."""

    def __init__(self, folder) -> None:
        self._folder = folder
        self._counter = itertools.count()
        self._running = {}
        self._passwords = folder / "passwords"
        self._passwords.write_text(PASSWORDS)

    def get(self, kind):
        """A broker that lives, and the watch on it."""
        if kind in self._running:
            broker, watch = self._running[kind]
            if not is_dead(broker) and watch.trouble is None:
                return broker, watch
            self._end(kind)
        words = [*WORDS[kind]]
        if kind == "guarded":
            words.append(f"--password-file={self._passwords}")
        broker = self.start(f"{kind}{next(self._counter)}", *words, settings=SETTINGS.get(kind))
        if kind != "free":
            promote(broker)
        self._running[kind] = broker, Watch(broker)
        return self._running[kind]

    def start(self, name, *words, settings=None):
        """Start another broker; the caller ends it."""
        return BrokerUnderAttack(self._folder, name, *words, settings=settings)

    def _end(self, kind):
        broker, watch = self._running.pop(kind)
        broker.end()
        watch.stop()

    def end(self):
        """Stop all."""
        for kind in list(self._running):
            self._end(kind)


def is_dead(broker):
    """Whether the process has ended, or is about to."""
    return broker.process.poll() is not None or "] critical" in broker.log()


@pytest.fixture(scope="module")
def brokers(tmp_path_factory):
    """The brokers of a module, started when they are wanted."""
    running = Brokers(tmp_path_factory.mktemp("brokers"))
    yield running
    running.end()


class Limits:
    """What an attack may cost; a test that is about size raises them."""

    growth = GROWTH_MAX
    peak = PEAK_MAX


@pytest.fixture
def limits():
    """The limits of this test."""
    return Limits()


@pytest.fixture
def kind():
    """The broker that is attacked; tests of another one say so by parametrising this."""
    return "free"


on_primary = pytest.mark.parametrize("kind", ["primary"])
on_guarded = pytest.mark.parametrize("kind", ["guarded"])


def named(cases):
    """Parametrise ``octets`` by name."""
    return pytest.mark.parametrize("octets", cases.values(), ids=cases.keys())


@pytest.fixture
def attacked(brokers, kind, limits):
    """The broker to attack; afterwards it must be as if nothing had happened."""
    broker, watch = brokers.get(kind)
    before, logged = broker.memory(), len(broker.log())
    broker.forget_peak()
    watch.forget()
    rounds = watch.rounds
    yield broker
    assert not is_dead(broker), f"the broker is dead: {broker.log()[-3000:]}"
    began, worked = time.monotonic(), broker.cpu_s()
    serve_somebody(broker)
    answered_s, work_s = time.monotonic() - began, broker.cpu_s() - worked
    wait_until(lambda: watch.rounds > rounds or watch.trouble, "the bystander is served")
    lines = broker.log()[logged:].splitlines()
    assert not [line for line in lines if "Traceback" in line or "] critical" in line]
    assert watch.trouble is None, watch.trouble
    assert max(work_s, watch.work_s) < ANSWER_S
    assert max(answered_s, watch.longest_s) < BUSY * ANSWER_S
    assert len(lines) <= LOG_LINES_MAX, lines[:3]
    assert broker.memory("VmHWM") - before < limits.peak
    wait_until(lambda: broker.memory() - before < limits.growth, "memory goes back")


def wait_until(done, what, within=3.0):
    """Poll."""
    end = time.monotonic() + within
    while not done():
        assert time.monotonic() < end, f"not within {within} s: {what}"
        time.sleep(0.02)


def serve_somebody(broker):
    """A new client declares, publishes and receives."""
    with broker.peer() as peer:
        peer.send("queue.declare", queue="somebody", exclusive=True, auto_delete=True)
        peer.subscribe("somebody")
        peer.publish("somebody", b"hello")
        assert peer.wait(Transfer, within=BUSY * ANSWER_S).body == b"hello"


def request(opcode, **reply_to):
    """The header of a request to the management agent."""
    return [
        key("broker"),
        make(
            "message.message-properties",
            app_id=b"qmf2",
            reply_to=make("message.reply-to", **reply_to) if reply_to else None,
            application_headers={"method": "request", "qmf.opcode": opcode},
        ),
    ]


def manage(peer, method, **arguments):
    """Call a method of the habroker and wait until it was done."""
    body = {
        "_object_id": {"_object_name": MANAGEMENT},
        "_method_name": method,
        "_arguments": arguments,
    }
    header = request("_method_request", exchange="amq.direct", routing_key="nobody")
    peer.publish("broker", encode_map(body), "qmf.default.direct", header)
    peer.sync()


def promote(broker):
    """Make it the primary."""
    with broker.peer(client_properties={"qpid.ha-admin": 1}) as peer:
        manage(peer, "promote")


def greeted(broker):
    """A connection on which the headers have been exchanged and connection.start was read."""
    peer = socket.create_connection(("127.0.0.1", broker.port), ANSWER_S)
    peer.sendall(HEADER)
    assert peer.recv(65536)[:8] == HEADER
    return peer


def read_to_the_end(peer, within=ANSWER_S):
    """All that still comes. Raises: TimeoutError if the connection stays."""
    got, end = b"", time.monotonic() + within
    try:
        while True:
            peer.settimeout(max(0.01, end - time.monotonic()))
            data = peer.recv(65536)
            if not data:
                return got
            got += data
    except ConnectionResetError:
        return got

"""Bad input never crashes, never hangs, never loses: good frames that ask for what cannot be.

Commands with impossible arguments, answers that are much longer than their questions, credit
without end, patterns and bindings made to be slow, times beyond all time, messages that nobody can
read, and requests that the management agent does not understand. See ``test_bad_input``.
"""

from __future__ import annotations

import contextlib
import itertools
import time

import pytest
from bad_input_broker import (
    ANSWER_S,
    BUSY,
    MANAGEMENT,
    MIB,
    manage,
    on_primary,
    request,
    serve_somebody,
)
from bad_input_peer import UNLIMITED, key
from bad_octets import sized

from tanist.wire.amqp010.codec import encode_header, encode_map, make
from tanist.wire.amqp010.events import Closed, Transfer
from tanist.wire.amqp010.values import uint8, uint32, uint64

pytest_plugins = ["bad_input_broker"]


@pytest.mark.parametrize(
    ("name", "fields", "code"),
    [
        ("queue.declare", {"queue": ""}, 531),
        ("queue.declare", {"queue": "q", "arguments": {"qpid.max_count": -1}}, 542),
        ("queue.declare", {"queue": "q", "arguments": {"qpid.max_size": "9" * 5000}}, 542),
        ("queue.declare", {"queue": "q", "arguments": {"qpid.max_size": {"a": [1.5]}}}, 542),
        ("queue.declare", {"queue": "q", "arguments": {"qpid.replicate": b"\xff" * 999}}, 542),
        ("queue.declare", {"queue": "q", "alternate_exchange": "none"}, 404),
        ("exchange.declare", {"exchange": "e", "type": "no"}, 404),
        ("exchange.declare", {"exchange": "amq.x", "type": "topic"}, 530),
        ("exchange.delete", {"exchange": ""}, 542),
        ("exchange.bind", {"queue": "watch", "exchange": "", "binding_key": "k"}, 542),
        ("message.subscribe", {"queue": "watch", "destination": "d", "accept_mode": 9}, 531),
        ("message.subscribe", {"queue": "watch", "destination": "d", "acquire_mode": 0}, 405),
        ("message.flow", {"destination": "x" * 255, "unit": 0, "value": 1}, 404),
        ("message.cancel", {"destination": ""}, 404),
        ("message.set-flow-mode", {"destination": "d", "flow_mode": 200}, 531),
        ("message.resume", {"destination": "d", "resume_id": "x" * 60_000}, 540),
        ("dtx.select", {}, 540),
        ("tx.commit", {}, 503),
        ("file.qos", {}, 540),
        ("stream.cancel", {"consumer_tag": "x"}, 540),
    ],
)
def test_commands_that_cannot_be(attacked, name, fields, code):
    with attacked.peer() as peer:
        peer.send(name, **fields)
        assert peer.failed() == code


def test_names_as_long_as_they_can_be(attacked):
    longest = "\N{SNOWMAN}" * 85
    with attacked.peer() as peer:
        peer.send("queue.declare", queue=longest, exclusive=True, auto_delete=True)
        peer.send("exchange.declare", exchange=longest, type="topic")
        peer.send("exchange.bind", queue=longest, exchange=longest, binding_key=longest)
        peer.subscribe(longest, destination=longest)
        peer.publish(longest, b"x", longest)
        assert peer.wait(Transfer, within=ANSWER_S).destination == longest
        peer.call("exchange.delete", exchange=longest)


def test_arguments_do_not_grow_in_memory(attacked):
    """A megabyte of small numbers is a hundred megabytes of Python."""
    with attacked.peer() as peer:
        numbers = [uint8(n % 251) for n in range(250_000)]
        for n in range(4):
            queue = {"queue": f"args{n}", "exclusive": True, "auto_delete": True}
            with contextlib.suppress(ConnectionError):
                peer.call("queue.declare", arguments={"x": numbers}, **queue)


def test_short_questions_with_long_answers(attacked):
    with attacked.peer() as peer:
        queue = {"queue": "long", "exclusive": True, "auto_delete": True}
        with contextlib.suppress(ConnectionError):
            peer.call("queue.declare", arguments={"x": b"y" * 60_000}, **queue)
            for _ in range(4000):
                peer.send("queue.query", queue="long")
            peer.push()
        time.sleep(0.5)


def test_credit_without_end(attacked):
    with attacked.peer() as peer:
        peer.call("queue.declare", queue="credit", exclusive=True, auto_delete=True)
        peer.subscribe("credit")
        for value in (UNLIMITED, UNLIMITED - 1, 0):
            for unit in (0, 1):
                for _ in range(500):
                    peer.send("message.flow", destination="d", unit=unit, value=value)
        peer.publish("credit", b"x")
        assert peer.wait(Transfer, within=ANSWER_S).body == b"x"
        peer.send("message.flow", destination="d", unit=2, value=1)
        assert peer.failed() == 542


def test_a_client_that_never_reads(attacked):
    with attacked.peer() as peer, attacked.peer() as friend:
        queue = {"queue": "unread", "auto_delete": True}
        peer.call("queue.declare", arguments={"qpid.max_size": 8 * MIB}, **queue)
        for destination in "abcdefgh":
            peer.subscribe("unread", destination, accept_mode=0, acquire_mode=1)
        peer.push()
        for _ in range(100):
            friend.publish("unread", bytes(65_536))
        friend.sync()
        for _ in range(200):
            peer.send("message.flush", destination="a")
        peer.push()
        friend.sync(ANSWER_S)


def test_many_consumers(attacked):
    with attacked.peer() as peer:
        peer.call("queue.declare", queue="many", exclusive=True, auto_delete=True)
        for n in range(4096):
            peer.send("message.subscribe", queue="many", destination=f"{n}", acquire_mode=0)
        peer.sync()
        for n in reversed(range(2048, 4096)):
            peer.send("message.cancel", destination=f"{n}")
        peer.sync()
        for _ in range(100):
            peer.publish("many", b"x")
        peer.sync()


PATTERNS = ("#." * 127 + "#", "*.#." * 60 + "*", "#.a." * 60 + "b", "*." * 120 + "#", "." * 255)


@pytest.mark.parametrize("pattern", PATTERNS, ids=range(len(PATTERNS)))
def test_wildcards_without_end(attacked, pattern):
    with attacked.peer() as peer, contextlib.suppress(ConnectionError):
        peer.call("queue.declare", queue="topics", exclusive=True, auto_delete=True)
        binding = {"exchange": "amq.topic", "binding_key": pattern[:255]}
        peer.call("exchange.bind", queue="topics", **binding)
        for n in range(50):
            peer.publish("a." * 120 + str(n), b"x", "amq.topic")
        peer.sync(BUSY * ANSWER_S)


def test_patterns_that_share_nothing(attacked):
    """A key of 119 words against 3,000 patterns, which are long and all different."""
    words = [chr(0x41 + n) for n in range(60)]
    with attacked.peer() as peer:
        peer.call("queue.declare", queue="topics", exclusive=True, auto_delete=True)
        with contextlib.suppress(ConnectionError):
            for n in range(3000):
                left = [
                    word for at, word in enumerate(words) if at not in (n % 59, n * 7 % 61, n // 59)
                ]
                binding = {"exchange": "amq.topic", "binding_key": "#." + ".#.".join(left)}
                peer.send("exchange.bind", queue="topics", **binding)
            peer.sync()
            peer.publish(".".join(words + words[:-1]), b"x", "amq.topic")
            peer.sync()


def test_headers_bindings_with_all_that_there_is(attacked):
    odd = {
        "a": 1.5,
        "b": [1, "x"],
        "c": {"d": None},
        "e": uint64(2**64 - 1),
        "f": b"\xff",
        "g": None,
    }
    with attacked.peer() as peer:
        peer.call("queue.declare", queue="heads", exclusive=True, auto_delete=True)
        for n, match in itertools.product(range(300), ("all", "any")):
            arguments = {"x-match": match, "n": uint32(n), **odd}
            binding = {"exchange": "amq.match", "binding_key": f"{n}{match}"}
            peer.send("exchange.bind", queue="heads", arguments=arguments, **binding)
        properties = make("message.message-properties", application_headers=odd)
        for _ in range(20):
            peer.publish("", b"x", "amq.match", [key(""), properties])
        for _ in range(100):
            peer.send("exchange.bound", exchange="amq.match", queue="heads", arguments={"n": 7})
        peer.sync(BUSY * ANSWER_S)


def test_questions_about_many_bindings(attacked):
    with attacked.peer() as peer:
        peer.call("queue.declare", queue="bound", exclusive=True, auto_delete=True)
        for n in range(5000):
            binding = {"exchange": "amq.match", "binding_key": f"{n}"}
            arguments = {"x-match": "all", "n": uint32(n)}
            peer.send("exchange.bind", queue="bound", arguments=arguments, **binding)
        peer.sync(BUSY * ANSWER_S)
        for _ in range(1000):
            peer.send("exchange.bound", exchange="amq.match", queue="bound", arguments={"n": "x"})
        peer.sync(BUSY * ANSWER_S)


@pytest.mark.parametrize("ttl", [2**64 - 1, 2**64 - 4096, 2**63, 1])
@pytest.mark.parametrize("kind", ["free", "primary"])
def test_times_to_live_beyond_all_time(attacked, ttl):
    with attacked.peer() as peer:
        peer.call("queue.declare", queue="ttl", exclusive=True, auto_delete=True)
        peer.call("queue.declare", queue="ttl2")
        peer.publish("ttl2", b"x", structs=[key("ttl2", ttl=ttl)])
        peer.call("queue.delete", queue="ttl2")
        peer.subscribe("ttl")
        peer.publish("ttl", b"x", structs=[key("ttl", ttl=ttl, timestamp=2**64 - 1)])
        peer.publish("ttl", b"y", structs=[key("ttl", expiration=2**64 - 1, priority=255)])
        bodies = [b"x"] if ttl > 1 else []
        while (body := peer.wait(Transfer, within=ANSWER_S).body) != b"y":
            bodies = [b for b in bodies if b != body]
        assert not bodies


BROKEN_PROPERTIES = sized(b"\4\3\0\1\xff\xff\xff\xff")
"""Message-properties whose application headers announce 4 GiB."""


def test_a_message_whose_headers_cannot_be_read(attacked):
    """It is refused, or nobody has to read its headers, or they count as none."""
    header = encode_header([key("broken")]) + BROKEN_PROPERTIES
    with attacked.peer() as peer:
        alternate = {"queue": "heads", "exclusive": True, "auto_delete": True}
        peer.call("queue.declare", **alternate)
        binding = {"exchange": "amq.match", "binding_key": "k", "arguments": {"x-match": "all"}}
        peer.call("exchange.bind", queue="heads", **binding)
        for reject in (True, False):
            with attacked.peer() as other, contextlib.suppress(ConnectionError):
                queue = {"queue": "broken", "exclusive": True, "auto_delete": True}
                other.call("queue.declare", alternate_exchange="amq.match", **queue)
                other.publish("broken", b"x", header=header)
                other.sync()
                if reject:
                    other.subscribe("broken", accept_mode=0)
                    sent = other.wait(Transfer, Closed, within=ANSWER_S)
                    if isinstance(sent, Transfer):
                        other.call("message.reject", transfers=[(sent.id, sent.id)], code=0)
        peer.sync()


NAMELESS = {"_object_name": b"\xff" * 40_000}
REQUESTS = {
    "no body": b"",
    "garbage": b"garbage garbage",
    "map that lies": b"\xff\xff\xff\xff\0\0\0\1",
    "empty map": encode_map({}),
    "numbers for maps": encode_map({"_object_id": 1, "_method_name": 2, "_arguments": 3}),
    "lists for maps": encode_map({"_schema_id": [1], "_what": ["OBJECT"], "_object_id": []}),
    "a name of octets": encode_map({"_what": b"OBJECT", "_object_id": NAMELESS}),
    "a method of octets": encode_map({"_object_id": NAMELESS, "_method_name": b"\xff" * 9000}),
    "a method of controls": encode_map(
        {"_object_id": {"_object_name": MANAGEMENT}, "_method_name": "\1" * 30_000}
    ),
    "an unknown class": encode_map(
        {"_what": "OBJECT", "_schema_id": {"_class_name": b"\xff" * 60_000}}
    ),
    "too long": encode_map({"x": bytes(200_000)}),
}
OPCODES = ("_query_request", "_method_request", "_agent_locate_request", "", "\1" * 300, "_x")
REPLY_TO = (
    {},
    {"exchange": "amq.direct", "routing_key": "nobody"},
    {"exchange": "never", "routing_key": "x"},
    {"exchange": "qmf.default.direct", "routing_key": "broker"},
    {"exchange": "qmf.default.topic", "routing_key": "console.request.agent_locate"},
    {"exchange": "qpid.management", "routing_key": "broker"},
    {"exchange": "", "routing_key": "\N{SNOWMAN}" * 85},
)


@pytest.mark.parametrize("kind", ["free", "primary"])
@pytest.mark.parametrize("name", REQUESTS)
def test_requests_that_nobody_understands(attacked, name):
    with attacked.peer() as peer:
        for opcode, reply_to in itertools.product(OPCODES, REPLY_TO):
            header = request(opcode, **reply_to)
            for exchange in ("qmf.default.direct", "qmf.default.topic", "qpid.management"):
                peer.publish("broker", REQUESTS[name], exchange, header)
        peer.sync(BUSY * ANSWER_S)


@on_primary
@pytest.mark.parametrize(
    "url",
    ["a:" + "1" * 5000, b"\xff" * 40_000, b"\xff" * 40_000 + b":x", "," * 300, "amqp:@:/", "\0", 7],
    ids=["digits", "octets", "octets and a bad port", "commas", "signs", "zero", "a number"],
)
def test_urls_that_are_none(attacked, url):
    with attacked.peer(client_properties={"qpid.ha-admin": 1}) as peer:
        for method in ("setPublicUrl", "setBrokersUrl"):
            manage(peer, method, url=url)
            body = {"_what": "OBJECT", "_schema_id": {"_class_name": "habroker"}}
            header = request("_query_request", exchange="amq.direct", routing_key="nobody")
            peer.publish("broker", encode_map(body), "qmf.default.direct", header)
            peer.sync(ANSWER_S)
            serve_somebody(attacked)
            manage(peer, method, url="")


@on_primary
def test_messages_to_the_failover_exchange_go_nowhere(attacked):
    with attacked.peer() as peer:
        peer.call("queue.declare", queue="fail", exclusive=True, auto_delete=True)
        peer.call("exchange.bind", queue="fail", exchange="amq.failover", binding_key="")
        peer.subscribe("fail")
        peer.publish("amq.failover", b"forged", "amq.failover")
        peer.sync()
        assert not [e for e in peer.events if isinstance(e, Transfer)]

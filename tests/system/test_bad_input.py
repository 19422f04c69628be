"""Bad input never crashes, never hangs, never loses: octets that break the protocol.

Every test is one attack on a running qpidd; what must hold afterwards is checked by the fixture
``attacked`` (``bad_input_broker``). What the attacker itself must see stands in the test: mostly
connection.close 501 and the end of its connection, within a second.

Here: protocol headers, SASL, tune, frames, encodings and sessions. ``test_bad_commands`` has what
is well-formed and asks for too much, ``test_bad_replication`` what pretends to be a broker. Classes
of CVE-2015-0203, -0223, -0224, CVE-2016-3094, CVE-2018-8030, CVE-2019-0200.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time

import pytest
from bad_input_broker import (
    ANSWER_S,
    BUSY,
    CLOSE,
    COMPLETED,
    MIB,
    NEGOTIATE_MS,
    greeted,
    named,
    on_guarded,
    read_to_the_end,
)
from bad_input_peer import HEADER, UNLIMITED, command, control, frame, key, message
from bad_octets import (
    COMMANDS,
    CONTROLS,
    EARLY,
    FRAMES,
    HEADERS,
    NOT_AMQP,
    START_OKS,
    TRANSFER,
    map_of,
    sized,
    start_ok,
)

pytest_plugins = ["bad_input_broker"]

# -- before anybody is known ----------------------------------------------------------------


@named(NOT_AMQP)
def test_another_protocol_is_told_ours_and_dropped(attacked, octets):
    with socket.create_connection(("127.0.0.1", attacked.port), ANSWER_S) as peer:
        peer.sendall(octets)
        got = b""
        with contextlib.suppress(ConnectionResetError):
            while data := peer.recv(4096):
                got += data
        assert got in (HEADER, b"")


@named({**EARLY, **{f"frame: {n}": o for n, o in FRAMES.items()}})
def test_octets_of_a_stranger_end_its_connection(attacked, octets):
    with greeted(attacked) as peer:
        with contextlib.suppress(ConnectionError):
            peer.sendall(octets)
        read_to_the_end(peer)


@named(START_OKS)
def test_properties_of_a_stranger_end_its_connection(attacked, octets):
    with greeted(attacked) as peer:
        peer.sendall(octets)
        assert b"\x01\x0b" in read_to_the_end(peer), "connection.close"


SILENCES = {
    "nothing": b"",
    "an octet": b"A",
    "the header": HEADER,
    "half a frame": HEADER + b"\x0f\0\0",
    "up to tune": HEADER + start_ok(map_of(), "ANONYMOUS"),
}


def test_silent_strangers_are_dropped(attacked):
    waiting = {name: [] for name in SILENCES}
    for name, octets in SILENCES.items():
        for _ in range(20):
            peer = socket.create_connection(("127.0.0.1", attacked.port))
            peer.sendall(octets)
            waiting[name].append(peer)
    end = time.monotonic() + NEGOTIATE_MS / 1000 + ANSWER_S
    kept = set()
    for name, peers in waiting.items():
        for peer in peers:
            try:
                read_to_the_end(peer, end - time.monotonic())
            except TimeoutError:
                kept.add(name)
            peer.close()
    assert not kept


def test_large_properties_of_strangers_are_not_kept(attacked):
    numbers = b"".join(b"\2" + bytes((n % 251,)) for n in range(60_000))
    octets = start_ok(map_of(b"\1a\xa9" + sized((60_000).to_bytes(4, "big") + numbers)))
    peers = [greeted(attacked) for _ in range(20)]
    for peer in peers:
        with contextlib.suppress(ConnectionError):
            peer.sendall(octets)
    time.sleep(0.3)
    for peer in peers:
        peer.close()


@pytest.mark.parametrize("octets", [b"", HEADER, HEADER + frame(b"x" * 900)[:500]])
def test_resets_in_the_middle(attacked, octets):
    for _ in range(50):
        peer = socket.create_connection(("127.0.0.1", attacked.port))
        peer.sendall(octets)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()


# -- SASL and tune ----------------------------------------------------------------------------


CREDENTIALS = {
    "not offered": ("CRAM-MD5", b""),
    "anonymous though not offered": ("ANONYMOUS", b"guest"),
    "no mechanism": ("", b""),
    "a long mechanism": ("A" * 255, b""),
    "no response": ("PLAIN", None),
    "empty": ("PLAIN", b""),
    "no zero": ("PLAIN", b"alice"),
    "one zero": ("PLAIN", b"alice\0wonderland"),
    "three zeros": ("PLAIN", b"\0alice\0wonderland\0"),
    "only zeros": ("PLAIN", bytes(4000)),
    "acting as another": ("PLAIN", b"bob\0alice\0wonderland"),
    "nobody": ("PLAIN", b"\0\0"),
    "wrong password": ("PLAIN", b"\0alice\0wonder"),
    "no password": ("PLAIN", b"\0alice\0"),
    "not utf-8": ("PLAIN", b"\0\xff\xfe\0x"),
    "control characters": ("PLAIN", b"\0al\nice\0x"),
    "a long user": ("PLAIN", b"\0" + b"a" * 3000 + b"\0x"),
    "a long password": ("PLAIN", b"\0alice\0" + b"a" * 50_000),
}


@on_guarded
@pytest.mark.parametrize("name", CREDENTIALS)
def test_bad_credentials_are_refused(attacked, name):
    with greeted(attacked) as peer:
        mechanism, response = CREDENTIALS[name]
        fields = {"client_properties": {}, "locale": "en_US", "mechanism": mechanism}
        peer.sendall(control("connection.start-ok", response=response, **fields))
        data = peer.recv(65536)
        assert data[12:16] == b"\x01\x0b\x03\x00", "connection.close"
        assert data[16:18] == (320).to_bytes(2, "big")
        peer.sendall(control("connection.close-ok"))
        read_to_the_end(peer)


@on_guarded
def test_nobody_gets_past_sasl(attacked):
    for octets in EARLY.values():
        with greeted(attacked) as peer:
            with contextlib.suppress(ConnectionError):
                peer.sendall(octets)
            assert b"\x01\x08" not in read_to_the_end(peer), "connection.open-ok"


@pytest.mark.parametrize(
    ("channel_max", "frame_max", "heartbeat", "good"),
    [
        (65534, 65535, 0, True),
        (0, 4096, 65535, True),
        (65535, 65535, 0, False),
        (10, 0, 0, False),
        (10, 1, 0, False),
        (10, 12, 0, False),
        (10, 4095, 0, False),
    ],
)
def test_the_extremes_of_tune(attacked, channel_max, frame_max, heartbeat, good):
    with greeted(attacked) as peer:
        peer.sendall(start_ok(map_of(), "ANONYMOUS"))
        assert peer.recv(65536)[12:14] == b"\1\5", "connection.tune"
        peer.sendall(
            control(
                "connection.tune-ok",
                channel_max=channel_max,
                max_frame_size=frame_max,
                heartbeat=heartbeat,
            )
        )
        if good:
            peer.sendall(control("connection.open", virtual_host=""))
            assert peer.recv(65536)[12:14] == b"\1\x08", "connection.open-ok"
        else:
            assert b"\x01\x0b" in read_to_the_end(peer), "connection.close"


def test_a_frame_above_what_was_agreed(attacked):
    with attacked.peer(max_frame_size=4096) as peer:
        peer.raw(frame(bytes(4096), 1))
        assert peer.ended() == 501
    with attacked.peer(channel_max=3) as peer:
        peer.raw(control("session.attach", 4, name=b"x"))
        assert peer.ended() == 501


@pytest.mark.parametrize("steps", range(4))
def test_close_in_every_state(attacked, steps):
    words = [
        start_ok(map_of(), "ANONYMOUS"),
        control("connection.tune-ok", channel_max=9, max_frame_size=65535, heartbeat=0),
        control("connection.open", virtual_host=""),
    ]
    with greeted(attacked) as peer:
        for word in words[:steps]:
            peer.sendall(word)
            if word is not words[1]:
                assert peer.recv(65536)
        peer.sendall(CLOSE * 3)
        assert read_to_the_end(peer)[12:14] == b"\x01\x0c", "connection.close-ok"


# -- frames and encodings of a client ---------------------------------------------------------


@named({**FRAMES, **CONTROLS, **COMMANDS})
def test_octets_of_a_client_end_its_connection(attacked, octets):
    with attacked.peer() as peer:
        peer.sync()
        peer.raw(octets)
        assert peer.ended() == 501


@named(HEADERS)
def test_header_segments_of_a_client_end_its_connection(attacked, octets):
    with attacked.peer() as peer:
        peer.sync()
        peer.raw(message(octets, b"body"))
        assert peer.ended() == 501


def test_a_message_without_a_header_is_a_message(attacked):
    with attacked.peer() as peer:
        peer.sync()
        peer.session.send_transfer(TRANSFER, b"", b"", bodiless=True)
        peer.session.send_transfer(TRANSFER, b"", b"x")
        peer.sync(ANSWER_S)


def test_a_reset_within_a_message(attacked):
    for _ in range(20):
        with attacked.peer() as peer:
            peer.sync()
            peer.raw(frame(TRANSFER, 1, flags=0x0B) + frame(bytes(9000), 3, flags=0x06)[:500])
            linger = struct.pack("ii", 1, 0)
            peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def test_messages_that_never_end(attacked, limits):
    """Each may take what the largest message takes, and gives it back: three do not add up.

    (To the process, that is. How much of it the allocator returns to the system, and when, varies.)
    """
    limits.peak = limits.growth = 400 * MIB
    more = frame(bytes(65_000), 3, flags=0x04) * 16
    for _ in range(3):
        with attacked.peer() as peer:
            peer.sync()
            peer.raw(frame(TRANSFER, 1, flags=0x0B) + frame(b"", 3, flags=0x06))
            with contextlib.suppress(ConnectionError):
                for _ in range(300):
                    peer.socket.sendall(more)
            assert peer.ended() in (501, 0)  # 0: a reset may overtake the last words


def test_incomplete_commands_on_all_channels(attacked):
    with attacked.peer() as peer:
        peer.raw(b"".join(frame(TRANSFER, 1, n, flags=0x0B) for n in range(65_000)))
        assert peer.ended() in (501, 0)


def test_octets_one_by_one_cost_linear_time(attacked):
    with attacked.peer() as peer:
        peer.sync()
        spent = []
        for size in (16_384, 65_536):
            octets = message([key("never")], bytes(size - 200))
            before = attacked.cpu_s()
            for at in range(len(octets)):
                peer.socket.send(octets[at : at + 1])
            assert peer.socket.recv(4096)[12:14] == COMPLETED
            spent.append(attacked.cpu_s() - before)
        assert spent[1] < 8 * max(spent[0], 0.05), f"4 times the octets: {spent} s"


def test_empty_frames_without_end(attacked):
    with attacked.peer() as peer:
        peer.sync()
        peer.raw(frame(TRANSFER, 1, flags=0x0B) + frame(b"", 3, flags=0x06))
        for _ in range(20):
            peer.raw(frame(b"", 3, flags=0x04) * 5000)


# -- sessions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "octets",
    [
        control("session.gap", 5, commands=[(0, 7)]),
        control("session.completed", 5, commands=[(0, 0x7FFFFFFF)]),
        control("session.known-completed", 5, commands=[(0, 0x7FFFFFFF)]),
        control("session.flush", 5, completed=True, confirmed=True, expected=True),
        control("session.command-point", 5, command_id=0, command_offset=0),
        control("session.detach", 5, name=b"x"),
        control("session.request-timeout", 5, timeout=UNLIMITED),
    ],
    ids=["gap", "completed", "known-completed", "flush", "point", "detach", "request-timeout"],
)
def test_session_controls_without_a_session(attacked, octets):
    with attacked.peer() as peer:
        peer.raw(octets)
        assert peer.socket.recv(4096)[12:14] == b"\2\4", "session.detached"
        peer.raw(frame(TRANSFER, 1, 5) + control("session.detached", 5, name=b"x", code=0))
        peer.sync()


@pytest.mark.parametrize(
    "octets",
    [
        command("execution.sync"),
        control("session.gap", commands=[(0, 0x7FFFFFFF)]),
        control("session.command-point", command_id=0, command_offset=1),
        control("session.attached", name=b"x"),
        control("session.detach", name=b"another"),
    ],
    ids=["command before command-point", "gap", "offset", "attached", "detach of another"],
)
def test_a_session_that_breaks_its_rules_ends(attacked, octets):
    with attacked.peer() as peer:
        peer.raw(octets)
        assert peer.failed() in (409, 540, 542)


def test_the_largest_ranges_cost_nothing(attacked):
    whole = [(0, 0x7FFFFFFF), (0x80000000, UNLIMITED)]
    many = [(n * 5, n * 5 + 2) for n in range(8180)]
    with attacked.peer() as peer:
        peer.call("queue.declare", queue="ranges", exclusive=True, auto_delete=True)
        peer.subscribe("ranges", accept_mode=0, credit=100)
        for _ in range(200):
            peer.publish("ranges", b"x")
        for ranges in (whole, many, [(0, 0x7FFFFFFF)] * 8180):
            for name in ("accept", "release", "reject", "acquire"):
                code = {"code": 0} if name == "reject" else {}
                peer.send(f"message.{name}", transfers=ranges, **code)
            for name in ("completed", "known-completed"):
                peer.raw(control(f"session.{name}", commands=ranges))
            peer.raw(control("session.completed", commands=ranges, timely_reply=True))
        peer.sync()


def test_accepts_for_what_was_never_delivered(attacked):
    with attacked.peer() as peer:
        for number in range(2000):
            peer.send("message.accept", transfers=[(number * 7, number * 7 + 3)])
            peer.send("message.release", transfers=[(number, UNLIMITED >> 1)])
        peer.sync()


def test_flush_of_a_session_full_of_holes(attacked):
    with attacked.peer() as peer:
        peer.sync()
        holes = b"".join(
            control("session.command-point", command_id=n * 3, command_offset=0)
            + command("execution.sync")
            for n in range(1, 9000)
        )
        peer.raw(holes)
        peer.raw(control("session.flush", confirmed=True, expected=True))
        peer.raw(CLOSE)
        read_to_the_end(peer.socket, BUSY * ANSWER_S)


def test_flushes_of_a_session_full_of_holes(attacked):
    with attacked.peer() as peer:
        peer.sync()
        for n in range(1, 4000):
            peer.raw(
                control("session.command-point", command_id=n * 3, command_offset=0)
                + command("execution.sync")
            )
        time.sleep(0.2)
        peer.raw(control("session.flush", confirmed=True) * 4000)
        time.sleep(0.3)


def test_jumps_without_end(attacked):
    with attacked.peer() as peer:
        peer.sync()
        jumps = b"".join(
            control("session.command-point", command_id=n * 3, command_offset=0)
            + command("message.accept", transfers=[(0, 0)])
            for n in range(1, 3001)
        )
        peer.raw(jumps)
        assert peer.socket.recv(4096)[12:14] == COMPLETED


def test_sessions_on_all_channels(attacked):
    with attacked.peer(attached=False) as peer:
        attach = b"".join(control("session.attach", n, name=b"s%d" % n) for n in range(5000))
        peer.raw(attach + b"".join(frame(TRANSFER, 1, n) for n in range(65_535)))
        peer.raw(CLOSE)
        assert read_to_the_end(peer.socket, BUSY * ANSWER_S).endswith(b"\1\x0c\0\0"), "close-ok"


def test_one_session_again_and_again(attacked):
    with attacked.peer(attached=False) as peer:
        peer.raw(
            b"".join(
                control("session.attach", 0, name=b"s%d" % n)
                + control("session.command-point", command_id=0, command_offset=0)
                + command("message.subscribe", queue="none", destination="d")
                + control("session.detach", 0, name=b"s%d" % n)
                for n in range(2000)
            )
        )
        peer.raw(CLOSE)
        assert read_to_the_end(peer.socket, BUSY * ANSWER_S).endswith(b"\1\x0c\0\0"), "close-ok"


def test_a_storm_of_exceptions(attacked):
    """Each failing command ends its session; its client begins another one, 3,000 times."""
    with attacked.peer(attached=False) as peer:
        for n in range(3000):
            name = b"s%d" % n
            peer.raw(
                control("session.attach", name=name)
                + control("session.command-point", command_id=0, command_offset=0)
                + command("queue.delete", queue="never") * 3
                + control("session.detached", name=name, code=0)
            )
            if n % 100 == 99:
                with contextlib.suppress(TimeoutError):
                    peer.read(0.001)
        peer.raw(CLOSE)
        assert read_to_the_end(peer.socket, BUSY * ANSWER_S).endswith(b"\1\x0c\0\0"), "close-ok"


# -- many at once -----------------------------------------------------------------------------


def test_a_flood_of_rubbish_is_few_lines_of_log(attacked):
    for _ in range(100):
        with greeted(attacked) as peer:
            peer.sendall(FRAMES["size 0"])
            read_to_the_end(peer)


def test_large_messages_that_never_end_are_forgotten(attacked, limits):
    """Their memory must not wait for the garbage collector, which an idle broker never calls."""
    limits.peak = 200 * MIB
    more = frame(bytes(65_000), 3, flags=0x04) * 16
    for _ in range(4):
        with attacked.peer() as peer:
            peer.sync()
            peer.raw(frame(TRANSFER, 1, flags=0x0B) + frame(b"", 3, flags=0x06))
            for _ in range(60):
                peer.raw(more)
        time.sleep(0.1)

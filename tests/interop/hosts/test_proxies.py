"""Routes between sockets of this test; nobody speaks AMQP."""

from __future__ import annotations

import socket
import time

import pytest

from tanist_interop.hosts import proxies
from tanist_interop.hosts.ports import choose
from tanist_interop.hosts.proxies import CLIENTS, Proxies


class Ends:
    """Both ends of one connection from node 0 to node 1."""

    def __init__(self, links, listener, dialler=0) -> None:
        host, port = links.address(dialler, 1).split(":")
        self.near = socket.create_connection((host, int(port)), timeout=2)
        listener.settimeout(2)
        self.far, _ = listener.accept()
        self.far.settimeout(2)

    def quiet(self, end, seconds=0.2):
        """Whether nothing comes here for so long."""
        end.settimeout(seconds)
        try:
            return not end.recv(1)
        except TimeoutError:
            return True
        finally:
            end.settimeout(2)

    def close(self):
        self.near.close()
        self.far.close()


@pytest.fixture
def listener():
    (out,) = choose(1)
    yield out
    out.close()


@pytest.fixture
def links(listener):
    subject = Proxies()
    subject.start(["127.0.0.1:1", f"127.0.0.1:{listener.getsockname()[1]}"], clients=True)
    yield subject
    subject.close()
    subject.close()


@pytest.fixture
def ends(links, listener):
    subject = Ends(links, listener)
    yield subject
    subject.close()


def over(end):
    """Whether the connection is gone."""
    try:
        return end.recv(1) == b""
    except ConnectionResetError:
        return True


def test_it_passes_both_ways_and_ends(ends):
    ends.near.sendall(b"there")
    assert ends.far.recv(9) == b"there"
    ends.far.sendall(b"back")
    assert ends.near.recv(9) == b"back"
    ends.far.sendall(b"last")
    ends.far.close()
    assert ends.near.recv(9) == b"last"
    assert over(ends.near)


def test_a_node_that_is_not_there(links):
    host, port = links.address(1, 0).split(":")
    with socket.create_connection((host, int(port)), timeout=2) as end:
        assert over(end)


def test_a_blocked_way_keeps_what_comes(links, ends):
    links.block(0, 1)
    ends.near.sendall(b"kept")
    assert ends.quiet(ends.far)
    ends.far.sendall(b"the other way")
    assert ends.near.recv(99) == b"the other way"
    links.unblock(0, 1)
    assert ends.far.recv(9) == b"kept"


def test_the_end_of_a_connection_is_kept_as_well(links, ends):
    links.block(0, 1)
    ends.near.close()
    assert ends.quiet(ends.far)
    links.unblock(0, 1)
    assert over(ends.far)


def test_no_new_connection_over_a_blocked_way(links, ends):
    links.block(1, 0)
    host, port = links.address(0, 1).split(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=1)
    links.unblock(1, 0)
    socket.create_connection((host, int(port)), timeout=1).close()


def test_other_links_go_on(links, listener):
    links.block(0, 1)
    ends = Ends(links, listener, CLIENTS)
    ends.near.sendall(b"x")
    assert ends.far.recv(1) == b"x"
    ends.close()


def test_what_is_severed_is_lost(links, ends):
    links.block(0, 1)
    ends.near.sendall(b"lost")
    assert ends.quiet(ends.far)
    links.sever(0, 1)
    links.unblock(0, 1)
    assert over(ends.far)
    assert over(ends.near)


def test_an_address_that_moves(links, ends, listener):
    ends.near.sendall(b"x")
    assert ends.far.recv(1) == b"x"
    links.point(0, 1, 0)  # where nobody listens
    host, port = links.address(0, 1).split(":")
    with socket.create_connection((host, int(port)), timeout=2) as end:
        assert over(end)
    ends.near.sendall(b"y")
    assert ends.far.recv(1) == b"y", "what is there stays where it is"


def test_a_slow_link(links, ends):
    links.slow(0, 1, 0.2, 0.0)
    began = time.monotonic()
    ends.near.sendall(b"x")
    assert ends.far.recv(1) == b"x"
    assert time.monotonic() - began >= 0.2


def test_a_narrow_link(links, ends):
    links.slow(0, 1, 0.0, 10_000.0)
    began = time.monotonic()
    ends.near.sendall(b"x" * 3_000)
    left = 3_000
    while left:
        left -= len(ends.far.recv(left))
    assert time.monotonic() - began >= 0.29


def test_what_is_kept_is_bounded(links, ends, monkeypatch):
    monkeypatch.setattr(proxies, "HELD_MAX_BYTES", 10_000)
    links.block(0, 1)
    ends.near.settimeout(0.3)
    with pytest.raises(TimeoutError):
        ends.near.sendall(b"x" * 50_000_000)


def test_a_lossy_link_stalls_and_breaks(links, ends, monkeypatch):
    monkeypatch.setattr(proxies, "PAUSE_S", (0.01, 0.02))
    monkeypatch.setattr(proxies, "STALL_S", (0.05, 0.06))
    links.lossy(0, 1, 7)
    longest, last = 0.0, time.monotonic()
    until = last + 20.0
    try:
        while last < until:
            ends.near.sendall(b"x")
            if not ends.far.recv(1):
                break
            now = time.monotonic()
            longest, last = max(longest, now - last), now
    except (ConnectionResetError, BrokenPipeError):
        pass
    assert longest > 0.04, "it never stalled"
    assert last < until, "it never broke"
    links.lossy(0, 1, None)


def test_a_tap_sees_and_changes_what_passes(links, listener):
    seen = []

    def tap(connection, forth, data):
        seen.append((forth, data))
        return data.upper() if forth else data

    links.tap(0, 1, tap)
    ends = Ends(links, listener)
    ends.near.sendall(b"there")
    assert ends.far.recv(9) == b"THERE"
    ends.far.sendall(b"back")
    assert ends.near.recv(9) == b"back"
    assert seen == [(True, b"there"), (False, b"back")]
    ends.close()

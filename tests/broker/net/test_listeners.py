"""Listening sockets: real ones on the loopback, and inherited descriptors."""

from __future__ import annotations

import os
import socket

import pytest
from twisted.internet.testing import MemoryReactorClock

from tanist.net import listeners
from tanist.net.listeners import (
    Acceptor,
    ListenError,
    adopt,
    import_socket,
    open_sockets,
    socket_port,
    socket_text,
)


@pytest.fixture
def opened():
    sockets = []
    yield sockets
    for each in sockets:
        each.close()


def test_port_0_gives_one_port_for_all_families(opened):
    opened += open_sockets([], 0, 5)
    assert opened
    assert len({socket_port(each) for each in opened}) == 1
    assert socket_port(opened[0]) > 0
    with socket.create_connection(("127.0.0.1", socket_port(opened[0])), timeout=5):
        pass


def test_the_loopback_by_interface_name_and_by_address_is_opened_once(opened):
    names = {name for _, name in socket.if_nameindex()}
    loopback = "lo" if "lo" in names else "lo0"
    opened += open_sockets([loopback, "127.0.0.1", "127.0.0.1"], 0, 5)
    hosts = [each.getsockname()[0] for each in opened]
    assert hosts.count("127.0.0.1") == 1


def test_brackets_around_ipv6(opened):
    try:
        opened += open_sockets(["[::1]"], 0, 5)
    except ListenError:
        pytest.skip("no IPv6 on this machine")
    assert socket_text(opened[0]) == f"[::1]:{socket_port(opened[0])}"


def test_a_port_in_use_is_refused_and_nothing_stays_open(opened):
    opened += open_sockets(["127.0.0.1"], 0, 5)
    with pytest.raises(ListenError, match=f"port {socket_port(opened[0])}"):
        open_sockets(["127.0.0.1"], socket_port(opened[0]), 5)


def test_a_clash_of_a_chosen_port_is_tried_again(opened, monkeypatch):
    calls = []
    real = listeners._open_all

    def clash_first(addresses, port, backlog):
        calls.append(port)
        if len(calls) == 1:
            raise OSError(98, "Address already in use")
        return real(addresses, port, backlog)

    monkeypatch.setattr(listeners, "_open_all", clash_first)
    monkeypatch.setattr(listeners.errno, "EADDRINUSE", 98)
    opened += open_sockets(["127.0.0.1"], 0, 5)
    assert calls == [0, 0]


def test_no_common_port_at_all(monkeypatch):
    def clash(addresses, port, backlog):
        raise OSError(listeners.errno.EADDRINUSE, "in use")

    monkeypatch.setattr(listeners, "_open_all", clash)
    with pytest.raises(ListenError, match="no port is free"):
        open_sockets(["127.0.0.1"], 0, 5)


def test_an_address_of_another_machine():
    with pytest.raises(ListenError, match="Cannot listen on port 0"):
        open_sockets(["192.0.2.1"], 0, 5)


def test_an_interface_that_does_not_exist():
    with pytest.raises(ListenError, match="Cannot resolve interface nic77"):
        open_sockets(["nic77.invalid"], 0, 5)


def test_an_inherited_socket(opened):
    mine = socket.create_server(("127.0.0.1", 0))
    opened.append(mine)
    imported = import_socket(os.dup(mine.fileno()))
    opened.append(imported)
    assert socket_text(imported) == f"127.0.0.1:{mine.getsockname()[1]}"


def test_bad_descriptors_are_refused_and_not_closed(tmp_path):
    with (tmp_path / "file").open("w") as file:
        with pytest.raises(ListenError, match="Cannot import socket"):
            import_socket(file.fileno())
        file.write("still open")
    with socket.socket() as idle:
        with pytest.raises(ListenError, match="it is not listening"):
            import_socket(idle.fileno())
        idle.getsockname()
    with pytest.raises(ListenError, match="Cannot import socket 9999"):
        import_socket(9999)


def test_a_socket_without_a_port(opened, tmp_path):
    unix = socket.socket(socket.AF_UNIX)
    opened.append(unix)
    unix.bind(str(tmp_path / "s"))
    assert socket_port(unix) == 0
    assert socket_text(unix) == str(tmp_path / "s")


def test_adopting_hands_the_descriptor_over_and_closes_ours():
    reactor = MemoryReactorClock()
    listening = socket.create_server(("127.0.0.1", 0))
    fd = listening.fileno()
    made = object()
    adopt(reactor, listening, Acceptor(lambda: made))
    adopted_fd, family, acceptor = reactor.adoptedPorts[0]
    assert (adopted_fd, family) == (fd, socket.AF_INET)
    assert acceptor.buildProtocol(None) is made
    assert listening.fileno() == -1

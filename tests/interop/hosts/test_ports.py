from __future__ import annotations

import socket

import pytest

from tanist_interop.hosts import ports
from tanist_interop.hosts.ports import choose, ephemeral_range, listen


def test_ports_are_free_distinct_and_not_ephemeral():
    listeners = choose(3)
    low, high = ephemeral_range()
    numbers = [listener.getsockname()[1] for listener in listeners]
    assert len(set(numbers)) == 3
    assert not any(low <= number <= high for number in numbers)
    for listener in listeners:
        listener.close()
    for number in numbers:
        listen(number).close()  # free again, and at once


def test_a_taken_port_is_refused():
    (listener,) = choose(1)
    with listener, pytest.raises(OSError, match=r".+"):
        listen(listener.getsockname()[1])


def test_a_closed_port_refuses_connections():
    (listener,) = choose(1)
    address = listener.getsockname()
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=1)


def test_giving_up(monkeypatch):
    monkeypatch.setattr(ports, "ephemeral_range", lambda: (0, 65535))
    with pytest.raises(OSError, match="no 2 free ports"):
        choose(2)


def test_a_machine_without_proc_has_the_usual_range(monkeypatch):
    monkeypatch.setattr(ports.Path, "read_text", lambda *_: "nonsense")
    assert ephemeral_range() == ports.FALLBACK_RANGE

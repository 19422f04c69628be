"""Connections ring once when they have something to write, and again only when it was taken."""

from __future__ import annotations

import pytest

from tanist.wire.amqp010 import connection as amqp010
from tanist.wire.amqp10 import connection as amqp10
from tanist.wire.amqp10 import settings as settings10
from tanist.wire.bell import Bell
from tanist.wire.negotiate import HEADER_0_10, HEADER_1_0

Made = tuple[amqp010.Connection | amqp10.Connection, bytes]


def made(protocol: str, bell: Bell) -> Made:
    if protocol == "0-10":
        settings = amqp010.ConnectionSettings(role="server")
        return amqp010.Connection(settings, 0.0, bell), HEADER_0_10
    return amqp10.Connection(settings10.ConnectionSettings(role="server"), 0.0, bell), HEADER_1_0


@pytest.mark.parametrize("protocol", ["0-10", "1.0"])
def test_it_rings_once_for_all_that_waits(protocol: str) -> None:
    line: list[int] = []
    connection, header = made(protocol, Bell(line, 7))
    assert line == []
    assert not connection.has_data()
    for octet in header:
        assert line == []
        connection.receive_data(bytes((octet,)), 0.0)
    assert line == [7]
    connection.receive_data(b"\x00" * 12, 0.0)
    assert line == [7], "the answer to what is wrong waits behind the header"
    assert connection.has_data()
    assert connection.data_to_send().startswith(header)
    assert not connection.has_data()


def test_what_a_session_announces_later_rings_too() -> None:
    """A completion is only noted until the end of the step."""
    line: list[int] = []
    server = amqp010.Connection(amqp010.ConnectionSettings(role="server"), 0.0, Bell(line, 1))
    client = amqp010.Connection(amqp010.ConnectionSettings(role="client"), 0.0)
    for _ in range(6):
        for event in server.receive_data(client.data_to_send(), 0.0):
            if isinstance(event, amqp010.SaslStart):
                server.sasl_accept("x")
            elif isinstance(event, amqp010.Opening):
                server.open_ok([])
        client.receive_data(server.data_to_send(), 0.0)
    session = client.attach("s")
    server.receive_data(client.data_to_send(), 0.0)
    client.receive_data(server.data_to_send(), 0.0)
    number = session.send(amqp010.make("execution.sync"))
    line.clear()
    server.receive_data(client.data_to_send(), 0.0)
    assert line == []
    server.sessions[session.channel].complete(number, number)
    assert line == [1]

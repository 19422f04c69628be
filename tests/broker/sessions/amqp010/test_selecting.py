"""``x-apache-selector``: what a 0-10 consumer gets, and what is said to a wrong one."""

from __future__ import annotations

import pytest
from session_peer import Client, ClientSession, MiniNode

from tanist.core.message import AMQP_1_0, Message
from tanist.sessions.amqp010.selecting import SELECTOR_ARGUMENT, interest_of
from tanist.sessions.translation import lookup
from tanist.wire.amqp10.sections import encode_data, encode_map_section

APPLICATION_PROPERTIES = 0x74


@pytest.fixture(name="node")
def a_node() -> MiniNode:
    return MiniNode()


@pytest.fixture(name="session")
def a_session(node: MiniNode) -> ClientSession:
    session = Client(node).attach()
    session.do("queue.declare", queue="q")
    return session


def send(session: ClientSession, body: bytes, **headers: object) -> None:
    session.publish("q", body, properties={"application_headers": headers})


def select(session: ClientSession, text: object, destination: str = "d", **more: object) -> None:
    session.subscribe("q", destination, arguments={SELECTOR_ARGUMENT: text}, **more)


def test_only_what_matches_is_delivered_and_the_rest_stays(
    node: MiniNode, session: ClientSession
) -> None:
    send(session, b"1", colour="red", size=3)
    send(session, b"2", colour="blue", size=9)
    send(session, b"3", colour="red", size=9)
    select(session, "colour = 'red' AND size > 5")
    assert session.bodies == [b"3"]
    send(session, b"4", colour="red", size=6)
    assert session.bodies == [b"3", b"4"]
    assert node.broker.queues["q"].available == 2
    session.subscribe("q", "rest")
    assert session.bodies[2:] == [b"1", b"2"]


def test_octets_that_are_text_are_a_selector_too(session: ClientSession) -> None:
    send(session, b"1", colour="red")
    send(session, b"2", colour="gr\u00fcn")
    select(session, "colour = 'gr\u00fcn'".encode())
    assert session.bodies == [b"2"]


def test_a_browser_may_select(node: MiniNode, session: ClientSession) -> None:
    send(session, b"1", n=1)
    send(session, b"2", n=2)
    select(session, "n = 2", acquire=1, accept=1)
    assert session.bodies == [b"2"]
    assert node.broker.queues["q"].available == 2


def test_what_is_released_is_selected_anew(session: ClientSession) -> None:
    send(session, b"1", n=1)
    select(session, "NOT JMSRedelivered")
    assert session.bodies == [b"1"]
    message = session.messages[0]
    session.do("message.release", transfers=[(message.id, message.id)], set_redelivered=True)
    assert session.bodies == [b"1"]
    select(session, "JMSRedelivered AND JMSXDeliveryCount = 2", "again")
    assert session.bodies == [b"1", b"1"]
    assert session.messages[1].redelivered


def test_a_flush_with_a_selector(session: ClientSession) -> None:
    for number in range(10):
        send(session, b"%d" % number, n=number)
    select(session, "n >= 8", credit=0)
    session.do("message.flow", destination="d", unit=0, value=5)
    command_id = session.do("message.flush", destination="d")
    assert session.bodies == [b"8", b"9"]
    assert command_id in session.completed
    send(session, b"10", n=10)
    assert session.bodies == [b"8", b"9"]


def test_messages_of_the_other_protocol_are_selected(
    node: MiniNode, session: ClientSession
) -> None:
    for colour in ("red", "blue"):
        properties = encode_map_section(APPLICATION_PROPERTIES, {"colour": colour})
        body = properties + encode_data(colour.encode())
        node.broker.publish(Message(b"", body, "", "q", form=AMQP_1_0), "")
    select(session, "colour = 'blue'")
    assert session.bodies == [b"blue"]


@pytest.mark.parametrize("text", ["", " \t\n", b""])
def test_nothing_but_white_space_is_everything(session: ClientSession, text: object) -> None:
    assert interest_of({SELECTOR_ARGUMENT: text}, lookup) is None
    send(session, b"1")
    select(session, text)
    assert session.bodies == [b"1"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("colour = ", "Invalid selector: "),
        ("colour = 'red", "Invalid selector: "),
        (b"\xff", "x-apache-selector must be text"),
        (7, "x-apache-selector must be text"),
    ],
)
def test_what_is_no_selector_is_refused(
    node: MiniNode, session: ClientSession, text: object, says: str
) -> None:
    select(session, text)
    exception = session.exception
    assert exception is not None
    assert exception.number("error_code") == 542
    assert says in exception.text("description")
    assert node.broker.queues["q"].subscription_count == 0


def test_without_the_argument_there_is_no_interest(node: MiniNode, session: ClientSession) -> None:
    assert interest_of({"qpid.other": "x = 1"}, lookup) is None
    session.subscribe("q")
    assert node.broker.queues["q"].searches == []

"""What a client of AMQP 1.0 may say that records, maps of AMQP 0-10, have no room for.

Whatever ends a step with an exception ends the broker, and the next primary when the client comes
back. Real nodes with a backup, because only they encode records.
"""

from __future__ import annotations

import pytest

from tanist.wire.amqp010.codec import encode_header, make
from tanist.wire.amqp010.transfer import encode_transfer
from tanist.wire.amqp010.values import Array, TypedBytes, Value
from tanist.wire.amqp10.composites import Properties, Source, Target
from tanist.wire.amqp10.encoding import encode_composite
from tanist.wire.amqp10.sections import encode_data
from tanist.wire.amqp10.values import Described, Fields, ULong
from tests.broker.node.guest10 import Guest10
from tests.broker.node.network import Guest, Host, running

HEADERS_FILTER = ULong(0x0000468C00000002)
DURABLE = {"durable": 2, "expiry_policy": "never"}


@pytest.fixture(name="primary")
def a_primary_with_a_backup() -> Host:
    _, (primary, _) = running("a", "b")
    return primary


def still_replicates(primary: Host) -> None:
    session = Guest(primary).session()
    assert session.do("queue.declare", queue="after") in session.completed


def refused(guest: Guest10) -> str:
    """The condition of the last detach."""
    return "".join(
        event.error.condition
        for event in guest.events
        if type(event).__name__ == "Detached" and event.error is not None  # type: ignore[attr-defined]
    )


def test_names_of_properties_of_a_node(primary: Host) -> None:
    guest = Guest10(primary)
    wanted: Fields = {"durable": True, "n" * 300: 1}
    target = Target("made", capabilities=("create-on-demand", "queue"))
    target.dynamic_node_properties = wanted
    guest.session().sender("l", Source(), target)
    guest.pump()
    assert refused(guest) == "amqp:invalid-field"
    still_replicates(primary)


@pytest.mark.parametrize("subject", ["s" * 256, "s" * 70_000])
def test_a_subject(primary: Host, subject: str) -> None:
    guest = Guest10(primary)
    session = guest.session()
    durable = Source("amq.topic", **DURABLE)  # type: ignore[arg-type]
    session.receiver("sub", durable, Target())
    guest.pump()
    link = guest.sender(session, "amq.topic")
    link.send(b"t", encode_composite(Properties(subject=subject)) + encode_data(b"x"))
    guest.pump()
    assert [name for _, _, name in guest.settled()] == ["Rejected"]
    still_replicates(primary)


def test_names_in_the_filter_of_a_durable_subscription(primary: Host) -> None:
    filter = Described(HEADERS_FILTER, {"n" * 300: "v"})
    guest = Guest10(primary)
    source = Source("amq.match", filter={"f": filter}, **DURABLE)  # type: ignore[arg-type]
    guest.session().receiver("sub", source, Target())
    guest.pump()
    assert refused(guest) == "amqp:invalid-field"
    still_replicates(primary)


def test_an_array_of_arrays_of_a_0_10_producer(primary: Host) -> None:
    """Inner arrays of such octets are no arrays in AMQP 1.0."""
    session = Guest(primary).session()
    session.do("queue.declare", queue="q")
    inner = Array(0x20, [TypedBytes(b"abcd", 0x20)])
    headers: dict[str, Value] = {"x-amqp-0-10.app-id": Array(0xAA, [inner]), "h": [1, 2]}
    header = encode_header(
        [
            make("message.delivery-properties", routing_key="q"),
            make("message.message-properties", content_length=1, application_headers=headers),
        ]
    )
    session.session.send_transfer(encode_transfer("", 0, 0), header, b"x")
    session.client.pump()
    guest = Guest10(primary)
    guest.receiver(guest.session(), "q", 1)
    assert len(guest.deliveries) == 1
    still_replicates(primary)

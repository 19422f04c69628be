"""Events are small: one is made for every delivery."""

from __future__ import annotations

import inspect

import pytest

from tanist.wire.amqp10 import events
from tanist.wire.amqp10.composites import Accepted, Error
from tanist.wire.amqp10.events import Delivery, Disposed, Ended, Event, Failed
from tests.broker.wire.amqp10.pair import Raw

KINDS = [
    kind
    for kind in vars(events).values()
    if inspect.isclass(kind) and issubclass(kind, Event) and kind is not Event
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_event_says_what_it_is(kind):
    assert kind.__doc__
    parameters = list(inspect.signature(kind).parameters)
    for name in parameters:
        assert hasattr(kind, name), f"{name} is a slot"


def test_nothing_can_be_hung_on_an_event():
    event = Failed("amqp:not-allowed", "no")
    assert not event.silent
    with pytest.raises(AttributeError):
        event.more = 1  # type: ignore[attr-defined]


def test_a_delivery_and_a_disposition_hold_what_they_were_given():
    link = Raw().begun().sender()
    state = Accepted()
    delivery = Delivery(link, 3, b"tag", True, state, b"payload", 7)
    assert (delivery.link, delivery.id, delivery.tag, delivery.settled) == (link, 3, b"tag", True)
    assert (delivery.state, delivery.payload, delivery.message_format) == (state, b"payload", 7)
    disposed = Disposed(link.session, True, 1, 2, False, state)
    assert (disposed.session, disposed.role) == (link.session, True)
    assert (disposed.first, disposed.last, disposed.settled) == (1, 2, False)
    error = Error("amqp:not-allowed")
    ended = Ended(link.session, error)
    assert (ended.session, ended.error, ended.ours) == (link.session, error, False)

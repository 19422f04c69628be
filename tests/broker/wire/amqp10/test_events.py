"""Events are small, and hold what they were given: one is made for every delivery."""

from __future__ import annotations

import pytest

from tanist.wire.amqp10 import events
from tanist.wire.amqp10.composites import Accepted, Error
from tanist.wire.amqp10.events import Event
from tanist.wire.amqp10.performatives import Attach, Begin, Flow, Open
from tests.broker.wire.amqp10.pair import Raw

LINK = Raw().begun().sender()
SESSION = LINK.session
ERROR = Error("amqp:not-allowed")
ATTACH = Attach("link", 0, True)
BEGIN = Begin(None, 0, 1, 1)
FLOW = Flow(0, 1, 0, 1)
OPEN = Open("container")
STATE = Accepted()

CASES: list[tuple[Event, dict[str, object]]] = [
    (
        events.Delivery(LINK, 3, b"tag", True, STATE, b"payload", 7),
        {
            "link": LINK,
            "id": 3,
            "tag": b"tag",
            "settled": True,
            "state": STATE,
            "payload": b"payload",
            "message_format": 7,
        },
    ),
    (
        events.Disposed(SESSION, True, 1, 2, False, STATE),
        {
            "session": SESSION,
            "role": True,
            "first": 1,
            "last": 2,
            "settled": False,
            "state": STATE,
        },
    ),
    (
        events.SaslStart("PLAIN", b"response", "host"),
        {"mechanism": "PLAIN", "response": b"response", "hostname": "host"},
    ),
    (events.SaslResponse(b"response"), {"response": b"response"}),
    (events.SaslChallenged(b"challenge"), {"challenge": b"challenge"}),
    (events.Opening(OPEN), {"open": OPEN}),
    (events.Opened(OPEN), {"open": OPEN}),
    (events.Begun(SESSION, BEGIN), {"session": SESSION, "begin": BEGIN}),
    (events.Ended(SESSION, ERROR), {"session": SESSION, "error": ERROR, "ours": False}),
    (events.Attaching(LINK, ATTACH), {"link": LINK, "attach": ATTACH}),
    (events.Attached(LINK, ATTACH), {"link": LINK, "attach": ATTACH}),
    (
        events.Detached(LINK, True, None, ours=True),
        {"link": LINK, "closed": True, "error": None, "ours": True},
    ),
    (events.Flowed(LINK, FLOW), {"link": LINK, "flow": FLOW}),
    (events.Writable(SESSION), {"session": SESSION}),
    (events.Closed(ERROR), {"error": ERROR}),
    (
        events.Failed("amqp:not-allowed", "no"),
        {"condition": "amqp:not-allowed", "text": "no", "silent": False},
    ),
]


@pytest.mark.parametrize(("event", "fields"), CASES, ids=[type(case[0]).__name__ for case in CASES])
def test_an_event_holds_what_it_was_given_and_nothing_else(event, fields):
    assert {name: getattr(event, name) for name in fields} == fields
    with pytest.raises(AttributeError):
        event.more = 1


def test_every_event_is_among_the_cases():
    kinds = {
        kind.__name__
        for kind in vars(events).values()
        if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
    }
    assert kinds == {type(event).__name__ for event, _ in CASES}

"""Every notice has its event, with the arguments that consoles know, in their order."""

from __future__ import annotations

import pytest

from tanist.core.notices import (
    Actor,
    BindNotice,
    ExchangeDeclareNotice,
    ExchangeDeleteNotice,
    Notice,
    QueueDeclareNotice,
    QueueDeleteNotice,
    SubscribeNotice,
    UnbindNotice,
    UnsubscribeNotice,
)
from tanist.management.events import describe

ME = Actor("me@QPID", "1.2.3.4:5")
WHO = {"rhost": "1.2.3.4:5", "user": "me@QPID"}

CASES: list[tuple[Notice, str, dict[str, object]]] = [
    (
        QueueDeclareNotice(ME, "q", True, False, True, "alt", {"a": 1}, True),
        "queueDeclare",
        {
            "qName": "q",
            "durable": True,
            "excl": False,
            "autoDel": True,
            "altEx": "alt",
            "args": {"a": 1},
            "disp": "created",
        },
    ),
    (
        ExchangeDeclareNotice(ME, "x", "topic", False, "", {}, False),
        "exchangeDeclare",
        {
            "exName": "x",
            "exType": "topic",
            "altEx": "",
            "durable": False,
            "autoDel": False,
            "args": {},
            "disp": "existing",
        },
    ),
    (QueueDeleteNotice(ME, "q"), "queueDelete", {"qName": "q"}),
    (ExchangeDeleteNotice(ME, "x"), "exchangeDelete", {"exName": "x"}),
    (
        BindNotice(ME, "x", "q", "k", {"b": 2}),
        "bind",
        {"exName": "x", "qName": "q", "key": "k", "args": {"b": 2}},
    ),
    (UnbindNotice(ME, "x", "q", "k"), "unbind", {"exName": "x", "qName": "q", "key": "k"}),
    (
        SubscribeNotice(ME, "q", "d", True, {"c": 3}),
        "subscribe",
        {"qName": "q", "dest": "d", "excl": True, "args": {"c": 3}},
    ),
    (UnsubscribeNotice(ME, "d"), "unsubscribe", {"dest": "d"}),
]


@pytest.mark.parametrize(("notice", "name", "arguments"), CASES, ids=[case[1] for case in CASES])
def test_a_notice_is_described(notice: Notice, name: str, arguments: dict[str, object]) -> None:
    schema, values = describe(notice)
    assert (schema.package, schema.class_name, schema.is_event) == (
        "org.apache.qpid.broker",
        name,
        True,
    )
    assert values == {**WHO, **arguments}
    assert list(values) == [*WHO, *arguments]


def test_classes_differ_in_their_hashes() -> None:
    hashes = {describe(notice)[0].hash for notice, _, _ in CASES}
    assert len(hashes) == len(CASES)

"""Broker events: what changed, for whoever bound a queue to the events' keys.

The core leaves a *notice* of every change that somebody asked for; ``describe`` names the event
class of package ``org.apache.qpid.broker`` and gives its arguments, in the order and under the
names that ``qpid-printevents`` and other consoles know. All of these have severity *inform*.
"""

from __future__ import annotations

from hashlib import md5
from typing import Final, cast
from uuid import UUID

from tanist.core.notices import (
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
from tanist.management.schema import ClassSchema
from tanist.wire.amqp010.values import Value

PACKAGE_BROKER: Final = "org.apache.qpid.broker"


def _event(name: str) -> ClassSchema:
    """An event class; its hash only has to differ from the others' and stay as it is."""
    digest = md5(f"{PACKAGE_BROKER}:{name}".encode(), usedforsecurity=False).digest()
    return ClassSchema(PACKAGE_BROKER, name, UUID(bytes=digest), is_event=True)


QUEUE_DECLARE: Final = _event("queueDeclare")
QUEUE_DELETE: Final = _event("queueDelete")
EXCHANGE_DECLARE: Final = _event("exchangeDeclare")
EXCHANGE_DELETE: Final = _event("exchangeDelete")
BIND: Final = _event("bind")
UNBIND: Final = _event("unbind")
SUBSCRIBE: Final = _event("subscribe")
UNSUBSCRIBE: Final = _event("unsubscribe")


def describe(notice: Notice) -> tuple[ClassSchema, dict[str, Value]]:
    """The event class and the arguments of a notice."""
    values: dict[str, Value] = {"rhost": notice.rhost, "user": notice.user}
    if isinstance(notice, QueueDeclareNotice):
        values["qName"] = notice.name
        values["durable"] = notice.durable
        values["excl"] = notice.exclusive
        values["autoDel"] = notice.auto_delete
        values["altEx"] = notice.alternate_exchange
        values["args"] = _arguments(notice.arguments)
        values["disp"] = _disposition(notice.created)
        return QUEUE_DECLARE, values
    if isinstance(notice, QueueDeleteNotice):
        values["qName"] = notice.name
        return QUEUE_DELETE, values
    if isinstance(notice, ExchangeDeclareNotice):
        values["exName"] = notice.name
        values["exType"] = notice.type
        values["altEx"] = notice.alternate_exchange
        values["durable"] = notice.durable
        values["autoDel"] = False  # as the original always says
        values["args"] = _arguments(notice.arguments)
        values["disp"] = _disposition(notice.created)
        return EXCHANGE_DECLARE, values
    if isinstance(notice, ExchangeDeleteNotice):
        values["exName"] = notice.name
        return EXCHANGE_DELETE, values
    return _describe_binding_or_subscription(notice, values)


def _describe_binding_or_subscription(
    notice: Notice, values: dict[str, Value]
) -> tuple[ClassSchema, dict[str, Value]]:
    if isinstance(notice, BindNotice):
        values["exName"] = notice.exchange
        values["qName"] = notice.queue
        values["key"] = notice.key
        values["args"] = _arguments(notice.arguments)
        return BIND, values
    if isinstance(notice, UnbindNotice):
        values["exName"] = notice.exchange
        values["qName"] = notice.queue
        values["key"] = notice.key
        return UNBIND, values
    if isinstance(notice, SubscribeNotice):
        values["qName"] = notice.queue
        values["dest"] = notice.destination
        values["excl"] = notice.exclusive
        values["args"] = _arguments(notice.arguments)
        return SUBSCRIBE, values
    assert isinstance(notice, UnsubscribeNotice), notice
    values["dest"] = notice.destination
    return UNSUBSCRIBE, values


def _disposition(created: bool) -> str:
    return "created" if created else "existing"


def _arguments(arguments: dict[str, object]) -> dict[str, Value]:
    return cast(dict[str, Value], arguments)

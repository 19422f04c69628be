"""Broker events: what changed, for whoever bound a queue to the events' keys.

The core leaves a *notice* of every change that somebody asked for; ``describe`` names the event
class of package ``org.apache.qpid.broker`` and gives its arguments, in the order and under the
names that ``qpid-printevents`` and other consoles know. All of these have severity *inform*.
"""

from __future__ import annotations

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
from tanist.management.schema import PACKAGE_BROKER, ClassSchema
from tanist.wire.amqp010.values import Value


def _event(name: str, hash: str) -> ClassSchema:
    """An event class, with the original's hash."""
    return ClassSchema(PACKAGE_BROKER, name, UUID(hash), is_event=True)


QUEUE_DECLARE: Final = _event("queueDeclare", "81c14a6d-4e35-0a72-44db-7f8a09d0646e")
QUEUE_DELETE: Final = _event("queueDelete", "fb1ce712-c041-d774-102d-32d71666574b")
EXCHANGE_DECLARE: Final = _event("exchangeDeclare", "ac64abd6-494c-5950-5d78-289e42c15307")
EXCHANGE_DELETE: Final = _event("exchangeDelete", "3dc35f89-ec32-a279-7d53-35469efaa0cf")
BIND: Final = _event("bind", "042af49f-eea7-5cd1-0ac1-10b0e0573cab")
UNBIND: Final = _event("unbind", "70163d9d-b514-8d7c-9ea4-173843d6358a")
SUBSCRIBE: Final = _event("subscribe", "fbe18f36-6e50-34d4-5f4c-41358a379942")
UNSUBSCRIBE: Final = _event("unsubscribe", "37be0dbf-c1e0-5a79-a99b-bcfc5f2499a1")


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

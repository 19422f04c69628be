"""The arguments of queues and exchanges that the broker understands (qpidd-compat 7.1, 7.6).

Unknown arguments are kept and shown, not judged. Numbers may be any integer or numeric text;
negative, fractional and other values are refused with 542 and nothing is created.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tanist.core.selector import Selector
from tanist.types import BrokerError, Condition, ReplicationLevel

REPLICATE: Final = "qpid.replicate"
HA_UUID: Final = "qpid.ha-uuid"
MAX_COUNT: Final = "qpid.max_count"
MAX_SIZE: Final = "qpid.max_size"
POLICY_TYPE: Final = "qpid.policy_type"
NO_LOCAL: Final = "no-local"
FILTER: Final = "qpid.filter"
AUTO_DELETE_TIMEOUT: Final = "qpid.auto_delete_timeout"
EXCLUSIVE_BINDING: Final = "qpid.exclusive-binding"
X_MATCH: Final = "x-match"

DIGITS_MAX: Final = 20
"""Longest number as text: 2**64 has 20 digits."""


@dataclass(frozen=True)
class QueueSettings:
    """What the arguments of a queue mean. Limits: 0 = none. Timeout: seconds, 0 = none.

    ``ring``: a full queue drops its oldest entries; every other policy acts as reject.
    ``no_local``: the queue takes nothing that its own connection publishes. ``selector``: it takes
    only what this matches, None: everything.
    """

    count_max: int = 0
    bytes_max: int = 0
    auto_delete_timeout_s: int = 0
    ring: bool = False
    no_local: bool = False
    selector: Selector | None = None


def number(arguments: Mapping[str, object], name: str, default: int) -> int:
    """The non-negative integer ``arguments[name]``, ``default`` if absent.

    Raises: BrokerError (INVALID_ARGUMENT) for anything that is not one.
    """
    value = arguments.get(name)
    if value is None:
        return default
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit() and len(value) <= DIGITS_MAX):
            raise _bad(name, value)
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _bad(name, value)
    return int(value)


def _bad(name: str, value: object) -> BrokerError:
    return BrokerError(
        Condition.INVALID_ARGUMENT,
        f"Cannot use {name}={str(value)[:64]}: it must be a non-negative integer",
    )


def queue_settings(arguments: Mapping[str, object], queue_limit_bytes: int) -> QueueSettings:
    """Understand a queue's arguments; ``queue_limit_bytes`` is the default of ``qpid.max_size``.

    Raises: BrokerError (INVALID_ARGUMENT).
    """
    return QueueSettings(
        number(arguments, MAX_COUNT, 0),
        number(arguments, MAX_SIZE, queue_limit_bytes),
        number(arguments, AUTO_DELETE_TIMEOUT, 0),
        arguments.get(POLICY_TYPE) in ("ring", b"ring"),
        bool(arguments.get(NO_LOCAL)),
        _selector(arguments.get(FILTER)),
    )


def _selector(value: object) -> Selector | None:
    if value is None:
        return None
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        raise BrokerError(Condition.INVALID_ARGUMENT, f"Cannot use {FILTER}: it must be a selector")
    return Selector.parse(value) if value.strip() else None


def explicit_level(arguments: Mapping[str, object]) -> ReplicationLevel | None:
    """The level that ``qpid.replicate`` names, None if it is not there.

    Raises: BrokerError (INVALID_ARGUMENT) for an unknown word.
    """
    value = arguments.get(REPLICATE)
    if value is None:
        return None
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return ReplicationLevel.parse(str(value)[:64])

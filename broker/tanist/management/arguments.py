"""The arguments of QMF methods, read leniently: any integer type, text or octets, absent or void.

What cannot be read is an ``InvalidParameter`` that names the argument (qpidd-compat 4.2, 5.3).
"""

from __future__ import annotations

from typing import Final

from tanist.core.relocation import HeaderFilter
from tanist.management.codec import text_of
from tanist.management.managed import InvalidParameter
from tanist.wire.amqp010.values import Struct, Value

TRUE: Final = ("true", "yes", "on", "t", "1")
FALSE: Final = ("false", "no", "off", "f", "0", "")
HEADER_MATCH: Final = "header_match_str"

PROPERTIES_DEPTH_MAX: Final = 16
"""Deepest nesting of an object's arguments: records, events and answers wrap them in some levels
more, and all together must stay below ``NESTING_MAX``."""


def text(arguments: dict[str, Value], name: str) -> str:
    """A text, "" when absent. Raises: InvalidParameter."""
    value = arguments.get(name)
    if value is None or isinstance(value, (str, bytes)):
        return text_of(value)
    raise InvalidParameter(f"{name} must be text, not {str(value)[:64]!r}")


def flag(arguments: dict[str, Value], name: str) -> bool:
    """A truth value as boolean, number or word, false when absent. Raises: InvalidParameter."""
    value = arguments.get(name)
    if value is None:
        return False
    if isinstance(value, (bool, int)):
        return bool(value)
    word = text_of(value).lower()
    if isinstance(value, (str, bytes)) and word in TRUE:
        return True
    if isinstance(value, (str, bytes)) and word in FALSE:
        return False
    raise InvalidParameter(f"{name} must be true or false, not {str(value)[:64]!r}")


def count(arguments: dict[str, Value], name: str) -> int:
    """A number that is not negative, 0 when absent. Raises: InvalidParameter."""
    value = arguments.get(name)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidParameter(f"{name} must be a number of 0 or more, not {str(value)[:64]!r}")
    return int(value)


def mapping(arguments: dict[str, Value], name: str) -> dict[str, Value]:
    """A map (a new one), empty when absent. Raises: InvalidParameter."""
    value = arguments.get(name)
    if value is None:
        return {}
    if isinstance(value, dict):
        return dict(value)
    raise InvalidParameter(f"{name} must be a map, not {str(value)[:64]!r}")


def properties(arguments: dict[str, Value], name: str) -> dict[str, Value]:
    """A map that becomes the arguments of an object: not nested too deeply to be shown again.

    Raises: InvalidParameter.
    """
    given = mapping(arguments, name)
    if _depth(given) > PROPERTIES_DEPTH_MAX:
        raise InvalidParameter(f"{name} are nested more than {PROPERTIES_DEPTH_MAX} levels deep")
    return given


def _depth(value: Value) -> int:
    """Levels of maps and lists in a value; what was decoded has few enough to recurse."""
    if isinstance(value, dict):
        return 1 + max([_depth(item) for item in value.values()], default=0)
    if isinstance(value, (list, tuple)):
        return 1 + max([_depth(item) for item in value], default=0)
    if isinstance(value, Struct):
        return 1 + max([_depth(item) for item in value.fields.values()], default=0)
    return 0


def header_filter(arguments: dict[str, Value]) -> HeaderFilter | None:
    """The argument ``filter``: which messages are meant, None for all. Raises: InvalidParameter."""
    given = mapping(arguments, "filter")
    if not given:
        return None
    kind = text(given, "filter_type")
    if kind != HEADER_MATCH:
        raise InvalidParameter(f"filter_type {kind!r} is unknown: use {HEADER_MATCH}")
    wanted = mapping(given, "filter_params")
    key = text(wanted, "header_key")
    if not key:
        raise InvalidParameter("filter_params must name a header_key and a header_value")
    return HeaderFilter(key, text(wanted, "header_value"))

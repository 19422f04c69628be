"""From decoded values to the composite types of AMQP 1.0.

A performative, an outcome, a terminus arrives as a described list. ``composite_of`` finds the
descriptor in ``spec``, by number or by symbol, checks the type of each field, puts in the defaults
and makes an instance of the class of that name. A described type that the specification does not
know stays ``Described`` where an archetype belongs, for somebody else to judge.

Strict but in one place: keys of ``fields`` may be strings instead of symbols, because there is
nothing to confuse them with.

Source: OASIS AMQP 1.0, part 1, 1.4 "Composite type representation"; part 2, 2.7.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tanist.types import FramingError
from tanist.wire.amqp10 import composites, performatives
from tanist.wire.amqp10.decoding import Reader, read_value
from tanist.wire.amqp10.encoding import KEY_TYPES, MESSAGE_ID_CODES, TYPE_CODES, TYPE_NAMES
from tanist.wire.amqp10.spec import (
    ARCHETYPES,
    BY_CODE,
    BY_SYMBOL,
    Definition,
    Field,
)
from tanist.wire.amqp10.values import (
    STRING_CODE,
    Array,
    Composite,
    Described,
    MapPairs,
    Symbol,
    ULong,
    Value,
    type_code,
)

PERFORMATIVE_ITEMS_MAX: Final = 16384
"""Items in one performative: capabilities, properties and unsettled deliveries stay in memory, and
an item of one octet is a hundred there."""

_CLASSES: Final[dict[str, Callable[..., Composite]]] = {
    "open": performatives.Open,
    "begin": performatives.Begin,
    "attach": performatives.Attach,
    "flow": performatives.Flow,
    "transfer": performatives.Transfer,
    "disposition": performatives.Disposition,
    "detach": performatives.Detach,
    "end": performatives.End,
    "close": performatives.Close,
    "sasl-mechanisms": performatives.SaslMechanisms,
    "sasl-init": performatives.SaslInit,
    "sasl-challenge": performatives.SaslChallenge,
    "sasl-response": performatives.SaslResponse,
    "sasl-outcome": performatives.SaslOutcome,
    "error": composites.Error,
    "received": composites.Received,
    "accepted": composites.Accepted,
    "rejected": composites.Rejected,
    "released": composites.Released,
    "modified": composites.Modified,
    "source": composites.Source,
    "target": composites.Target,
    "delete-on-close": composites.DeleteOnClose,
    "delete-on-no-links": composites.DeleteOnNoLinks,
    "delete-on-no-messages": composites.DeleteOnNoMessages,
    "delete-on-no-links-or-messages": composites.DeleteOnNoLinksOrMessages,
    "coordinator": composites.Coordinator,
    "declare": composites.Declare,
    "discharge": composites.Discharge,
    "declared": composites.Declared,
    "transactional-state": composites.TransactionalState,
    "header": composites.Header,
    "properties": composites.Properties,
}


def definition_of(descriptor: Value) -> Definition | None:
    """What the specification says of a descriptor; None if it knows it not."""
    if isinstance(descriptor, Symbol):
        return BY_SYMBOL.get(descriptor)
    if isinstance(descriptor, ULong):
        return BY_CODE.get(descriptor)
    return None


def composite_of(value: Value) -> Composite | None:
    """The composite type that ``value`` describes; None if it is none that the specification knows.

    Raises: FramingError when the descriptor is known, but its list is not as it must be.
    """
    if not isinstance(value, Described):
        return None
    definition = definition_of(value.descriptor)
    if definition is None or definition.name not in _CLASSES:
        return None
    return compose(definition, value.value)


def compose(definition: Definition, value: Value) -> Composite:
    """The class of ``definition`` with the fields in the list ``value``. Raises: FramingError."""
    if not isinstance(value, list) or isinstance(value, (Array, MapPairs)):
        raise FramingError(f"{definition.name}: a list belongs here, no {_type_name(value)}")
    fields = definition.fields
    if len(value) > len(fields):
        raise FramingError(f"{definition.name} with {len(value)} fields, it has {len(fields)}")
    arguments: list[Value] = []
    for at, field in enumerate(fields):
        item = value[at] if at < len(value) else None
        if item is None:
            if field.mandatory:
                raise FramingError(f"{field.where} is mandatory")
            arguments.append(() if field.multiple else field.default)
        else:
            arguments.append(_field(field, item))
    return _CLASSES[definition.name](*arguments)


def _type_name(value: Value) -> str:
    return TYPE_NAMES.get(type_code(value), "value")


def _field(field: Field, item: Value) -> Value:
    """The field, which is there, as the class has it."""
    if field.multiple:
        return _multiple(field, item)
    code = TYPE_CODES.get(field.type)
    if code is not None:
        return _primitive(field, item, code)
    if field.type in KEY_TYPES:
        return check_map(field.where, field.type, item)
    if field.type in ARCHETYPES:
        return _provided(field.where, field.type, item)
    if field.type == "message-id" and type_code(item) not in MESSAGE_ID_CODES:
        raise FramingError(
            f"{field.where} is no ulong, uuid, binary or string but {_type_name(item)}"
        )
    return item


def _primitive(field: Field, item: Value, code: int) -> Value:
    if type_code(item) != code:
        raise FramingError(f"{field.where} is no {field.type} but {_type_name(item)}")
    if isinstance(item, bool):
        return item
    if isinstance(item, int):
        return item + 0  # a plain int: compiled, int() is nothing for what is an int already
    return str(item) if isinstance(item, str) else item


def _multiple(field: Field, item: Value) -> tuple[Value, ...]:
    """One value of the type, or an array of them; null and the empty array are none."""
    code = TYPE_CODES[field.type]
    if not isinstance(item, Array):
        return (_primitive(field, item, code),)
    if item.code != code or item.descriptor is not None:
        found = ("" if item.descriptor is None else "described ") + TYPE_NAMES[item.code]
        raise FramingError(f"{field.where} is an array of {found}, no {field.type}")
    return tuple(str(entry) if isinstance(entry, str) else entry for entry in item)


def check_map(where: str, kind: str, item: Value) -> dict[Value, Value]:
    """``item`` as a dict whose keys are those of ``kind`` (in ``encoding.KEY_TYPES``).

    Raises: FramingError; ``where`` says in its text what the map is.
    """
    if not isinstance(item, dict):
        raise FramingError(f"{where} is no map with plain keys but {_type_name(item)}")
    allowed = KEY_TYPES[kind]
    for key in item:
        code = type_code(key)
        if code not in allowed and (code != STRING_CODE or kind != "fields"):
            raise FramingError(f"{where}: a {_type_name(key)} cannot be a key")
    if kind != "unsettled":
        return item
    return {
        key: None if state is None else _provided(where, "delivery-state", state)
        for key, state in item.items()
    }


def _provided(where: str, archetype: str, item: Value) -> Value:
    if not isinstance(item, Described):
        raise FramingError(f"{where} is no {archetype} but {_type_name(item)}")
    definition = definition_of(item.descriptor)
    if definition is None:
        if archetype == "error":
            raise FramingError(f"{where} is no error but described by {item.descriptor!r}")
        return item
    if definition.name not in ARCHETYPES[archetype]:
        raise FramingError(f"{where}: {definition.name} is no {archetype}")
    return compose(definition, item.value)


def read_performative(data: bytes, start: int, group: str) -> tuple[Composite, int]:
    """The performative (or SASL frame body) at octet ``start``, and where it ends.

    Raises: FramingError, also when it does not belong to ``group`` of ``spec``.
    """
    reader = Reader(data, start, -1, PERFORMATIVE_ITEMS_MAX)
    value = read_value(reader)
    definition = definition_of(value.descriptor) if isinstance(value, Described) else None
    if definition is None or definition.group != group:
        found = value.descriptor if isinstance(value, Described) else _type_name(value)
        raise FramingError(f"no {group} in the frame but {str(found)[:80]}")
    assert isinstance(value, Described)
    return compose(definition, value.value), reader.pos

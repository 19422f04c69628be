"""What ``qpid-config`` prints of exchanges, queues and bindings, and the same as JSON.

Pure functions from the values of managed objects to lines or plain data. The lines are those of the
original, blanks at their ends included: scripts compare them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tanist.cli.tables import cell, table

Values = dict[str, object]
"""The values of one managed object, plain (``qmf_client.plain_map``)."""

REPLICATE: Final = "qpid.replicate"
MSG_SEQUENCE: Final = "qpid.msg_sequence"
IVE: Final = "qpid.ive"
POLICY_TYPE: Final = "qpid.policy_type"
LVQ_KEY: Final = "qpid.last_value_queue_key"
GROUP_HEADER: Final = "qpid.group_header_key"
SHARED_GROUPS: Final = "qpid.shared_msg_group"

STORE_ARGUMENTS: Final = {
    "qpid.file_size": "--file-size",
    "qpid.file_count": "--file-count",
    "qpid.efp_partition_num": "--efp-partition-num",
    "qpid.efp_pool_file_size": "--efp-pool-file-size",
}
LIMIT_ARGUMENTS: Final = {
    "qpid.max_size": "--max-queue-size",
    "qpid.max_count": "--max-queue-count",
    POLICY_TYPE: "--limit-policy",
    LVQ_KEY: "--lvq-key",
}
FLOW_ARGUMENTS: Final = {
    "qpid.flow_stop_size": "--flow-stop-size",
    "qpid.flow_resume_size": "--flow-resume-size",
    "qpid.flow_stop_count": "--flow-stop-count",
    "qpid.flow_resume_count": "--flow-resume-count",
    GROUP_HEADER: "--group-header",
}
"""Arguments that are shown as the option that sets them, in this order."""

OWN_OPTION: Final = frozenset(
    (
        *STORE_ARGUMENTS,
        *LIMIT_ARGUMENTS,
        *FLOW_ARGUMENTS,
        REPLICATE,
        MSG_SEQUENCE,
        IVE,
        SHARED_GROUPS,
    )
)
"""Arguments that are not shown as ``--argument``."""

SHOWN_PROPERTIES: Final = {
    "exchange": ["name", "type", "durable"],
    "queue": ["name", "durable", "autoDelete"],
}
PROPERTIES_MAX: Final = 6
"""Columns of ``list`` for types that have no columns of their own."""


def reference(value: object) -> object:
    """A reference as the name of what it refers to; everything else as it is."""
    if isinstance(value, dict) and "_object_name" in value:
        return str(value["_object_name"]).split(":", 2)[-1]
    return value


def name_of(values: Values, field: str = "name") -> str:
    """A name, or the name that a reference refers to."""
    return cell(reference(values.get(field)))


def arguments_of(values: Values) -> Values:
    """The arguments of an object."""
    arguments = values.get("arguments")
    return arguments if isinstance(arguments, dict) else {}


def matching(objects: list[Values], part: str) -> list[Values]:
    """The objects whose name contains ``part``."""
    return [values for values in objects if part in name_of(values)]


# -- summary ------------------------------------------------------------------------------


def summary_data(exchanges: list[Values], queues: list[Values]) -> Values:
    """How many there are, of which kinds."""
    types: dict[str, int] = {}
    for values in exchanges:
        kind = cell(values.get("type"))
        types[kind] = types.get(kind, 0) + 1
    durable = sum(bool(values.get("durable")) for values in queues)
    return {
        "exchanges": {"total": len(exchanges), "types": types},
        "queues": {
            "total": len(queues),
            "durable": durable,
            "nonDurable": len(queues) - durable,
        },
    }


def summary(exchanges: list[Values], queues: list[Values]) -> list[str]:
    """``summary_data`` as lines."""
    data = summary_data(exchanges, queues)
    lines = [f"Total Exchanges: {len(exchanges)}"]
    kinds = data["exchanges"]
    assert isinstance(kinds, dict)
    lines += [f"{kind:>15}: {count}" for kind, count in kinds["types"].items()]
    counts = data["queues"]
    assert isinstance(counts, dict)
    return [
        *lines,
        "",
        f"   Total Queues: {counts['total']}",
        f"        durable: {counts['durable']}",
        f"    non-durable: {counts['nonDurable']}",
    ]


# -- plain lists --------------------------------------------------------------------------


def exchange_list(exchanges: list[Values]) -> list[str]:
    """One line per exchange, with the options that would make it."""
    width = _width("Exchange Name", exchanges)
    lines = [
        f"{'Type':<10}{'Exchange Name':<{width}}  Attributes",
        "=====" * ((width + 10) // 5 + 5),
    ]
    for values in exchanges:
        words = [f"{cell(values.get('type')):<10}{name_of(values):<{width}} "]
        arguments = arguments_of(values)
        words += _durability(values, arguments)
        if arguments.get(MSG_SEQUENCE):
            words.append("--sequence")
        if arguments.get(IVE):
            words.append("--ive")
        words += _alternate(values)
        lines.append(" ".join(words))
    return lines


def queue_list(queues: list[Values]) -> list[str]:
    """One line per queue, with the options that would make it."""
    width = _width("Queue Name", queues)
    lines = [f"{'Queue Name':<{width}}  Attributes", "=====" * (width // 5 + 5)]
    return lines + [_queue_line(values, width) for values in queues]


def _width(head: str, objects: list[Values]) -> int:
    """How wide the column of names is."""
    return max([len(head), *(len(name_of(values)) for values in objects)])


def _queue_line(values: Values, width: int) -> str:
    arguments = arguments_of(values)
    words = [f"{name_of(values):<{width}} ", *_durability(values, arguments)]
    if values.get("autoDelete"):
        words.append("auto-del")
    if values.get("exclusive"):
        words.append("excl")
    words += _options(arguments, STORE_ARGUMENTS)
    words += _options(arguments, LIMIT_ARGUMENTS)
    words += _alternate(values)
    words += _options(arguments, FLOW_ARGUMENTS)
    if arguments.get(SHARED_GROUPS) == 1:
        words.append("--shared-groups")
    words.append(
        " ".join(
            f"--argument {name}={value}"
            for name, value in arguments.items()
            if name not in OWN_OPTION
        )
    )
    return " ".join(words)


def _durability(values: Values, arguments: Values) -> list[str]:
    words = ["--durable"] if values.get("durable") else []
    if REPLICATE in arguments:
        words.append(f"--replicate={arguments[REPLICATE]}")
    return words


def _alternate(values: Values) -> list[str]:
    name = name_of(values, "altExchange")
    return [f"--alternate-exchange={name}"] if name else []


def _options(arguments: Values, options: dict[str, str]) -> list[str]:
    words = []
    for name, option in options.items():
        if name in arguments:
            value = cell(arguments[name])
            words.append(f"{option}={value.replace('_', '-') if name == POLICY_TYPE else value}")
    return words


# -- lists with bindings ------------------------------------------------------------------


def bindings_by(field: str, bindings: list[Values]) -> dict[str, list[Values]]:
    """The bindings of each object that ``field`` refers to, by its name."""
    found: dict[str, list[Values]] = {}
    for values in bindings:
        found.setdefault(name_of(values, field), []).append(values)
    return found


def exchange_bindings(exchanges: list[Values], bindings: list[Values]) -> list[str]:
    """Each exchange, and under it what is bound to it."""
    by_exchange = bindings_by("exchangeRef", bindings)
    lines = []
    for values in exchanges:
        name = name_of(values)
        lines.append(f"Exchange '{name}' ({cell(values.get('type'))})")
        for binding in by_exchange.get(name, ()):
            lines.append(_binding_line(binding, name_of(binding, "queueRef")))
    return lines


def queue_bindings(queues: list[Values], bindings: list[Values], ignore_default: bool) -> list[str]:
    """Each queue, and under it what it is bound to."""
    by_queue = bindings_by("queueRef", bindings)
    lines = []
    for values in queues:
        name = name_of(values)
        lines.append(f"Queue '{name}'")
        for binding in by_queue.get(name, ()):
            exchange = name_of(binding, "exchangeRef")
            if exchange or not ignore_default:
                lines.append(_binding_line(binding, exchange or "''"))
    return lines


def _binding_line(binding: Values, target: str) -> str:
    line = f"    bind [{cell(binding.get('bindingKey'))}] => {target}"
    arguments = arguments_of(binding)
    return f"{line} {arguments}" if arguments else line


# -- JSON ---------------------------------------------------------------------------------


def object_data(values: Values, names: Sequence[str]) -> Values:
    """Some fields of an object, references as names."""
    return {name: reference(values.get(name)) for name in names}


def exchange_data(values: Values, bindings: list[Values] | None) -> Values:
    """An exchange; with its bindings unless they are None."""
    data = object_data(
        values, ("name", "type", "durable", "autoDelete", "altExchange", "arguments")
    )
    if bindings is not None:
        data["bindings"] = [
            object_data(binding, ("queueRef", "bindingKey", "arguments")) for binding in bindings
        ]
    return data


def queue_data(values: Values, bindings: list[Values] | None) -> Values:
    """A queue; with its bindings unless they are None."""
    data = object_data(
        values, ("name", "durable", "autoDelete", "exclusive", "altExchange", "arguments")
    )
    if bindings is not None:
        data["bindings"] = [
            object_data(binding, ("exchangeRef", "bindingKey", "arguments")) for binding in bindings
        ]
    return data


# -- any class ----------------------------------------------------------------------------


def properties_of(objects: list[Values]) -> list[str]:
    """The names of all values, ``name`` first."""
    names = dict.fromkeys(name for values in objects for name in values)
    return sorted(names, key=lambda name: name != "name")


def object_table(class_name: str, objects: list[Values], wanted: list[str]) -> list[str]:
    """The objects of any class as a table, after a warning for each wanted property it has not."""
    known = properties_of(objects)
    lines = [
        f"Warning: No such property '{name}' for type '{class_name}'"
        for name in wanted
        if name not in known
    ]
    if wanted:
        heads = [name for name in wanted if name in known]
    else:
        heads = SHOWN_PROPERTIES.get(class_name, known[:PROPERTIES_MAX])
    rows = [[reference(values.get(name, "n/a")) for name in heads] for values in objects]
    title = f"Objects of type '{class_name}'"
    return lines + (table(title, heads, rows) if heads else [title])

"""Topologies: which exchanges, queues and bindings a workload has, and where its messages arrive.

Queues are letters, exchanges short names; the work puts its own name before them. ``%`` in a key
is the name of the work: built-in exchanges are shared by all. Keys are unique for each binding,
because exchange.bound cannot tell a binding from two others that have the queue and the key
between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tanist.wire.amqp010.values import Value

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Topology:
    """``exchanges``: name, type, alternate. ``bindings``: exchange, queue, key, arguments.

    ``alternates``: queue -> alternate exchange. ``messages``, sent in turn: exchange, key (of the
    default exchange: a queue), headers, and the targets that each must reach (``history.Sent``).
    """

    queues: tuple[str, ...] = ("a",)
    exchanges: tuple[tuple[str, str, str], ...] = ()
    alternates: Mapping[str, str] = field(default_factory=dict)
    bindings: tuple[tuple[str, str, str, Mapping[str, Value]], ...] = ()
    messages: tuple[tuple[str, str, Headers, tuple[str, ...]], ...] = (("", "a", (), ("a",)),)


def _direct(exchange: str) -> Topology:
    return Topology(
        queues=("a", "b"),
        exchanges=() if exchange.startswith("amq.") else ((exchange, "direct", ""),),
        bindings=(
            (exchange, "a", "%.red", {}),
            (exchange, "b", "%.blue", {}),
            (exchange, "a", "%.blue.too", {}),
            (exchange, "b", "%.also", {}),
        ),
        messages=(
            (exchange, "%.red", (), ("a",)),
            (exchange, "%.blue", (), ("b",)),
            (exchange, "%.blue.too", (), ("a",)),
            (exchange, "%.also", (), ("b",)),
        ),
    )


def _topic(exchange: str) -> Topology:
    return Topology(
        queues=("a", "b", "c"),
        exchanges=() if exchange.startswith("amq.") else ((exchange, "topic", ""),),
        bindings=(
            (exchange, "a", "%.*", {}),
            (exchange, "b", "%.#", {}),
            (exchange, "c", "%.#.z", {}),
            (exchange, "c", "%.y", {}),
        ),
        messages=(
            (exchange, "%.y", (), ("a", "b", "c")),
            (exchange, "%.x", (), ("a", "b")),
            (exchange, "%.x.z", (), ("b", "c")),
            (exchange, "%.x.y", (), ("b",)),
        ),
    )


def _fanout(exchange: str) -> Topology:
    return Topology(
        queues=("a", "b", "c"),
        exchanges=() if exchange.startswith("amq.") else ((exchange, "fanout", ""),),
        bindings=tuple((exchange, queue, "", {}) for queue in "abc"),
        messages=((exchange, "", (), ("a", "b", "c")),),
    )


def _headers(exchange: str) -> Topology:
    return Topology(
        queues=("a", "b"),
        exchanges=() if exchange.startswith("amq.") else ((exchange, "headers", ""),),
        bindings=(
            (exchange, "a", "%.1", {"x-match": "all", "%.color": "red", "%.size": "small"}),
            (exchange, "b", "%.2", {"x-match": "any", "%.color": "red", "%.size": "large"}),
        ),
        messages=(
            (exchange, "", (("%.color", "red"), ("%.size", "small")), ("a", "b")),
            (exchange, "", (("%.color", "red"),), ("b",)),
            (exchange, "", (("%.size", "large"),), ("b",)),
        ),
    )


TOPOLOGIES: dict[str, Topology] = {
    "nothing": Topology(queues=(), messages=()),
    "queue": Topology(),
    "direct": _direct("x"),
    "topic": _topic("x"),
    "fanout": _fanout("x"),
    "headers": _headers("x"),
    "amq.direct": _direct("amq.direct"),
    "amq.topic": _topic("amq.topic"),
    "amq.fanout": _fanout("amq.fanout"),
    "amq.match": _headers("amq.match"),
    "unroutable": Topology(
        queues=("a", "dead"),
        exchanges=(("alt", "fanout", ""), ("x", "direct", "alt")),
        bindings=(("alt", "dead", "", {}), ("x", "a", "%.known", {})),
        messages=(("x", "%.known", (), ("a",)), ("x", "%.unknown", (), ("dead",))),
    ),
    "alternate": Topology(
        queues=("a", "dead"),
        exchanges=(("alt", "fanout", ""),),
        alternates={"a": "alt"},
        bindings=(("alt", "dead", "", {}),),
    ),
    # Queue "a" comes and goes: what is on it, and what comes while it is away, goes to "dead".
    "rescued": Topology(
        queues=("a", "dead"),
        exchanges=(("alt", "fanout", ""), ("x", "direct", "alt")),
        alternates={"a": "alt"},
        bindings=(("alt", "dead", "", {}), ("x", "a", "%.key", {})),
        messages=(("x", "%.key", (), ("a or dead",)),),
    ),
    "subscriber": Topology(
        bindings=(("amq.topic", "a", "%.news.#", {}),),
        messages=(("amq.topic", "%.news.today", (), ("a",)),),
    ),
    "transactions": Topology(queues=("a", "b", "c")),
    "colors": Topology(
        messages=(
            ("", "a", (("color", "red"),), ("a",)),
            ("", "a", (("color", "blue"),), ("a",)),
        ),
    ),
    # The queue is that of a subscription to the topic; the broker makes and binds it.
    "news": Topology(messages=(("amq.topic", "%.news.today", (), ("a",)),)),
}
"""By name, as ``kinds.Kind.topology`` says it."""

"""The plan of a run: everything that a seed decides, as data.

A plan is drawn from a seed (``draw``), executed (``simulation``), printed, saved as JSON, edited
and run again (``run --plan``), and made smaller while it still fails (``shrink``). What happens
within a run by chance (delays of the network, say) comes from dice named after the seed of the
plan, so that a plan is a whole run.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, is_dataclass
from typing import get_args, get_type_hints


@dataclass(frozen=True)
class ClockPlan:
    """One machine's clocks; see ``world.Clock``."""

    rate: float = 1.0
    offset_s: float = 0.0
    wall_offset_s: float = 0.0


@dataclass(frozen=True)
class NetworkPlan:
    """How good the network is when nothing is the matter."""

    delay_min_s: float = 0.001
    delay_max_s: float = 0.005
    spike_probability: float = 0.0
    spike_s: float = 0.0
    split_probability: float = 0.0
    """A write arrives in two pieces."""
    buffer_bytes: int = 1 << 20
    """Bytes under way at which the writer is told that its connection is full."""


@dataclass(frozen=True)
class BrokerPlan:
    """Options of all brokers."""

    heartbeat_s: float = 1.0
    maintenance_s: float = 0.2
    backup_timeout_s: float = 5.0
    purge_interval_s: float = 2.0
    flow_messages: int = 1000
    ack_timeout_s: float = 10.0


@dataclass(frozen=True)
class Fault:
    """Something goes wrong at ``at_s`` and is right again ``for_s`` later.

    ``kind``: a key of ``faults.KINDS``. ``target``: whom it strikes: ``primary``, ``backup``,
    ``any`` or the name of a node. ``choice``: decides what else is open (which backup, which way).
    """

    kind: str
    at_s: float
    for_s: float
    target: str = "any"
    choice: int = 0


@dataclass(frozen=True)
class ClientPlan:
    """Manners of one client. ``host``: the machine it runs on. ``heartbeat_s`` 0: none.

    ``force``: it re-attaches its session (0-10) with force, as Python does; C++ and Java do not.
    """

    host: str = "c0"
    heartbeat_s: int = 1
    force: bool = True
    retry_s: float = 0.05
    startle: bool = False
    """It does what it has to do just before something breaks, not in its own time."""
    count: int = 0
    """Producers: messages in all. Scripts: commands in all."""
    window: int = 10
    """Producers: unconfirmed messages at most. Consumers: credit."""
    pause_s: float = 0.02
    """Producers: between bursts. Consumers: to think before accepting. Transactions: as both."""
    resume: bool = False
    """Producers: after a failover go on with the old command ids, as Java does."""
    accept: bool = True
    """Consumers: explicit accept; else a delivery settles the message, or fails with the link."""
    windowed: bool = True
    """Consumers: window credit; else credit that is granted anew when used up."""
    release_every: int = 0
    """Consumers: give every so many-th message back."""
    leave_s: float = 0.0
    """Consumers: go away in order after so long, and come back."""
    protocol: str = "0-10"
    """"0-10" or "1.0". All that follows is about 1.0."""
    bare: bool = False
    """Without a SASL layer."""
    sole: bool = False
    """The only one with its container-id, as Qpid JMS with a client id."""
    frame_bytes: int = 65536
    """The largest frame it takes."""
    session_window: int = 2048
    """Frames that may be under way to it."""
    resends: bool = True
    """Producers: after a reconnect send again what was unsettled."""
    marks: bool = False
    """Producers: tell by the delivery-count what is sent again."""
    relay: bool = False
    """Producers: one link, and each message says where it goes."""
    fetches: bool = False
    """Consumers: ask for what there is, again and again, with drained credit."""
    refuses: bool = False
    """Consumers: of what they give back, some they do not want again on that link."""
    second: bool = False
    """Consumers, transactions: settle after the broker did."""


MANNERS_10 = (
    "bare",
    "sole",
    "frame_bytes",
    "session_window",
    "resends",
    "marks",
    "relay",
    "fetches",
    "refuses",
    "second",
)
"""Fields of a client's plan that say how it speaks AMQP 1.0."""


@dataclass(frozen=True)
class WorkPlan:
    """One workload; ``kind``: a key of ``kinds.KINDS``. ``choice`` decides what is open."""

    kind: str
    name: str
    choice: int = 0
    producers: list[ClientPlan] = field(default_factory=list)
    consumers: list[ClientPlan] = field(default_factory=list)
    browsers: list[ClientPlan] = field(default_factory=list)
    actors: list[ClientPlan] = field(default_factory=list)
    """What else acts: transactions, whoever purges, deletes, configures."""
    drain: str = "0-10"
    """The protocol of who takes what is left."""


@dataclass(frozen=True)
class Plan:
    """Everything about one run."""

    seed: int
    nodes: int = 3
    detect_s: float = 0.5
    """How long the resource manager must miss the primary before it acts."""
    strict: bool = False
    """Nobody is fenced; an outside record decides who is in sync (``store``)."""
    faults_end_s: float = 12.0
    network: NetworkPlan = NetworkPlan()
    brokers: BrokerPlan = BrokerPlan()
    clocks: list[ClockPlan] = field(default_factory=list)
    """One for each node; missing ones are perfect."""
    faults: list[Fault] = field(default_factory=list)
    works: list[WorkPlan] = field(default_factory=list)

    @property
    def node_names(self) -> list[str]:
        """Names, which are also addresses, of the brokers."""
        return [f"n{number + 1}" for number in range(self.nodes)]

    def to_json(self) -> str:
        """The plan as text that ``from_json`` reads; defaults are left out."""
        return json.dumps(_sparse(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Read a plan.

        Raises: ValueError that names the field if it is none.
        """
        plan = _read(cls, json.loads(text), "plan")
        assert isinstance(plan, cls)
        return plan


def _sparse(value: object) -> object:
    """Dataclasses as dicts without the fields that have their default."""
    if isinstance(value, list):
        return [_sparse(item) for item in value]
    if not is_dataclass(value):
        return value
    kept = {}
    for one in fields(value):
        default = one.default_factory() if callable(one.default_factory) else one.default
        inner = getattr(value, one.name)
        if inner != default:
            kept[one.name] = _sparse(inner)
    return kept


def _read(kind: object, value: object, where: str) -> object:
    """``value`` from JSON as an instance of ``kind``. Raises: ValueError."""
    if isinstance(kind, type) and is_dataclass(kind):
        return _read_fields(kind, value, where)
    if get_args(kind):
        if not isinstance(value, list):
            raise ValueError(f"{where} must be a list, is {value!r}")
        inner = get_args(kind)[0]
        return [_read(inner, item, f"{where}[{at}]") for at, item in enumerate(value)]
    assert isinstance(kind, type)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise ValueError(f"{where} must be {kind.__name__}, is {value!r}")
    return value


def _read_fields(kind: type, value: object, where: str) -> object:
    if not isinstance(value, dict):
        raise ValueError(f"{where} must be an object, is {value!r}")
    hints = get_type_hints(kind)
    for name in value:
        if name not in hints:
            raise ValueError(f"{where} has no field {name}; it has {', '.join(hints)}")
    given = {name: _read(hints[name], inner, f"{where}.{name}") for name, inner in value.items()}
    try:
        return kind(**given)
    except TypeError as error:
        raise ValueError(f"{where}: {error}") from error

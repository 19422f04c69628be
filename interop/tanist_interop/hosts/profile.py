"""A profile: what the drill must know of brokers that are not ours. docs/external-brokers.md.

It is a TOML file with addresses and commands, read once and checked in full, so that what is wrong
with it is told before anything is started. It runs nothing; ``external`` does.

A command is a line for ``sh``. It is run in the folder of the run, with ``DRILL_...`` variables in
its environment that say for which broker it is and where things are.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final, TypeVar

SHIPPED: Final = Path(__file__).parent / "profiles"

OF_CLUSTER: Final = {
    "needs": "exit status 0 if all that the profile needs is on this machine; says what is missing",
    "version": "prints the version of the brokers",
    "prepare": "before anything is started: makes configuration",
    "leader": "prints who leads the queues now, by name (n1, n2, ...) or address",
    "cleanup": "after everything was stopped",
}
"""Commands that are about all brokers."""

OF_BROKER: Final = {
    "start": "starts it, for the first time or again, and returns",
    "stop": "stops it in an orderly way; returns when it is gone",
    "kill": "ends it as SIGKILL does, hung or not; returns when it is gone",
    "suspend": "lets it hang: it takes connections and says nothing",
    "resume": "lets one that hangs go on",
    "promote": "makes it the primary; only for a cluster that does not elect one by itself",
    "ready": "exit status 0 if it serves, or could take over without losing anything",
    "pid": "prints the number of its process, if that is on this machine",
    "declare": "makes the queue DRILL_QUEUE there; else clients make it as they can",
}
"""Commands that are about the broker DRILL_NODE."""

VERBS: Final = {**OF_CLUSTER, **OF_BROKER}

PROTOCOLS: Final = ("amqp1.0", "amqp0-10")

NODES_MAX: Final = 16
"""More brokers than this are a mistake in the file."""

PORT_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
TAKEN: Final = ("node", "nodes", "folder", "profile", "queue")
"""What a port cannot be called: its variable would be another one."""
QUEUE: Final = "{queue}"
ALL: Final = "all"
"""In place of a client program: its options are those of all."""

T = TypeVar("T")


class BadProfile(ValueError):
    """A profile that cannot be used, or that is not there; the text says where and why."""


@dataclass(frozen=True)
class Limits:
    """How long a cluster may take, in seconds; beyond it the run breaks off."""

    form: float = 120.0
    """From the first start until all are ready."""
    command: float = 60.0
    """One command."""
    elect: float = 90.0
    """Until somebody else leads after the leader was hit."""
    ready: float = 120.0
    """Until one that came back is ready."""


@dataclass(frozen=True)
class BrokerSpec:
    """One broker of a cluster; ``address`` may name ports as ``{amqp}``."""

    address: str
    logs: tuple[str, ...] = ()
    """Files in the folder of the run, or elsewhere; patterns as in a shell."""
    commands: Mapping[str, str] = field(default_factory=dict)
    """In place of those of the profile."""


@dataclass(frozen=True)
class Profile:
    """A kind of cluster. ``path`` is the file, ``called`` what it was asked for by."""

    path: Path
    called: str
    name: str
    """Of the product, as reports show it."""
    brokers: tuple[BrokerSpec, ...]
    commands: Mapping[str, str] = field(default_factory=dict)
    address: str = QUEUE
    """What clients call a queue."""
    clients: tuple[str, ...] = PROTOCOLS[:1]
    """Protocols of the client programs that can take part."""
    durable: bool = False
    """Only what is durable is safe: queues and messages are."""
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Of client programs, by their names or ``all``: ``username``, ``password``, and options of
    their libraries."""
    ports: tuple[str, ...] = ()
    """Ports that the drill is to choose for each broker."""
    shared_ports: tuple[str, ...] = ()
    """Ports that the drill is to choose for all together."""
    bad_lines: tuple[str, ...] = ()
    """What must be in no line of a log."""
    remedy: str = ""
    """What brings what ``needs`` misses."""
    limits: Limits = field(default_factory=Limits)

    def command(self, verb: str, node: int = 0) -> str:
        """The command for a broker (or for all), empty if there is none."""
        return self.brokers[node].commands.get(verb, self.commands.get(verb, ""))

    def lacks(self, *verbs: str) -> list[str]:
        """Those of these commands that a broker has not."""
        nodes = range(len(self.brokers))
        return [verb for verb in verbs if not all(self.command(verb, node) for node in nodes)]


def shipped() -> list[str]:
    """The names of the profiles that come with the drill."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def find(called: str) -> Profile:
    """The profile of this file, or of this name among those that come with the drill. Raises:
    BadProfile."""
    path = SHIPPED / f"{called}.toml" if called in shipped() else Path(called)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        names = ", ".join(shipped())
        raise BadProfile(f"no profile {called} ({error}); there are {names}, or a file") from error
    return parse(text, path, called)


def parse(text: str, path: Path, called: str = "") -> Profile:
    """The profile that a file holds. Raises: BadProfile."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadProfile(f"{path}: {error}") from error
    table = Table(values, str(path))
    commands = table.take("commands", dict)
    limits = table.take("limits", dict)
    brokers = table.take("brokers", list)
    ports, shared = table.words("ports"), table.words("shared-ports")
    profile = Profile(
        path=path.resolve(),
        called=called or str(path),
        name=table.take("name", str),
        brokers=tuple(_broker(value, f"{path}: brokers", ports) for value in brokers),
        commands=_commands(commands, f"{path}: commands", VERBS),
        address=table.take("address", str) or QUEUE,
        clients=table.words("clients") or PROTOCOLS[:1],
        durable=table.take("durable", bool),
        options=_options(table.take("options", dict), f"{path}: options"),
        ports=ports,
        shared_ports=shared,
        bad_lines=table.words("bad-lines"),
        remedy=table.take("remedy", str),
        limits=_limits(limits, f"{path}: limits"),
    )
    table.end()
    _check(profile, str(path))
    return profile


class Table:
    """A table of the file of which every key must be known."""

    def __init__(self, values: object, where: str) -> None:
        if not isinstance(values, dict):
            raise BadProfile(f"{where}: must be a table")
        self._left: dict[str, object] = dict(values)
        self._where = where

    def take(self, key: str, kind: type[T]) -> T:
        """The value of a key; an empty one if it is not there. Raises: BadProfile."""
        value = self._left.pop(key, kind())
        if not isinstance(value, kind):
            raise BadProfile(f"{self._where}: {key} must be a {kind.__name__}, not {value!r}")
        return value

    def words(self, key: str) -> tuple[str, ...]:
        """A list of texts. Raises: BadProfile."""
        value = self.take(key, list)
        if not all(isinstance(word, str) and word for word in value):
            raise BadProfile(f"{self._where}: {key} must be a list of texts, not {value!r}")
        return tuple(value)

    def end(self) -> None:
        """Nothing may be left. Raises: BadProfile."""
        if self._left:
            names = ", ".join(sorted(self._left))
            raise BadProfile(f"{self._where}: there is no {names}; see docs/external-brokers.md")


def _broker(value: object, where: str, ports: tuple[str, ...]) -> BrokerSpec:
    table = Table(value, where)
    address, logs = table.take("address", str), table.words("logs")
    commands = _commands(table.take("commands", dict), f"{where}: commands", OF_BROKER)
    table.end()
    unknown = set(re.findall(r"\{(.*?)\}", address)) - set(ports)
    if unknown:
        raise BadProfile(f"{where}: {address!r} names {', '.join(sorted(unknown))}, not in ports")
    host, colon, port = address.rpartition(":")
    if not host or not colon or not (port.isdigit() or port.startswith("{")):
        raise BadProfile(f"{where}: address must be HOST:PORT, not {address!r}")
    return BrokerSpec(address, logs, commands)


def _commands(value: dict[str, object], where: str, known: Mapping[str, str]) -> dict[str, str]:
    for verb, line in value.items():
        if verb not in known:
            raise BadProfile(f"{where}: there is no {verb}; there are {', '.join(known)}")
        if not isinstance(line, str) or not line.strip():
            raise BadProfile(f"{where}: {verb} must be a line for sh, not {line!r}")
    return {verb: str(line) for verb, line in value.items()}


def _options(value: dict[str, object], where: str) -> dict[str, dict[str, str]]:
    out = {}
    for client, given in value.items():
        if not isinstance(given, dict) or not all(isinstance(v, str) for v in given.values()):
            raise BadProfile(f"{where}: {client} must be a table of texts, not {given!r}")
        out[client] = dict(given)
    return out


def _limits(value: dict[str, object], where: str) -> Limits:
    known = {each.name for each in fields(Limits)}
    given: dict[str, float] = {}
    for name, seconds in value.items():
        if name not in known:
            raise BadProfile(f"{where}: there is no {name}; there are {', '.join(sorted(known))}")
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds <= 0:
            raise BadProfile(f"{where}: {name} must be a number of seconds, not {seconds!r}")
        given[name] = float(seconds)
    return Limits(**given)


def _check(profile: Profile, where: str) -> None:
    """What the parts of a profile must be together."""
    if not profile.name:
        raise BadProfile(f"{where}: name, of the product, is missing")
    if not 1 <= len(profile.brokers) <= NODES_MAX:
        raise BadProfile(f"{where}: {len(profile.brokers)} brokers; must be 1 to {NODES_MAX}")
    if profile.address.count(QUEUE) != 1:
        raise BadProfile(f"{where}: address must hold {QUEUE} once, not {profile.address!r}")
    for protocol in profile.clients:
        if protocol not in PROTOCOLS:
            known = ", ".join(PROTOCOLS)
            raise BadProfile(f"{where}: clients: there is no {protocol}; there are {known}")
    for name in (*profile.ports, *profile.shared_ports):
        if not PORT_NAME.fullmatch(name) or name in TAKEN:
            raise BadProfile(f"{where}: a port must be called like amqp, not {name!r}")
    if not profile.lacks("promote") and profile.command("leader"):
        raise BadProfile(f"{where}: promote and leader: either the drill promotes or the cluster")
    for verb, other in (("start", "stop"), ("suspend", "resume"), ("kill", "start")):
        if not profile.lacks(verb) and profile.lacks(other):
            raise BadProfile(f"{where}: commands: {verb} without {other}")

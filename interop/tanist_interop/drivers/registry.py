"""The client programs that this checkout has: one ``client.json`` per folder of ``clients/``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DEFAULT_REMEDY: Final = "clients/setup"

PROTOCOLS: Final = ("amqp0-10", "amqp1.0")
"""What a program may speak to the broker; the first one if it does not say."""

MAX_CLIENTS: Final = 64
"""More folders than this are not clients of ours."""


class BadClient(ValueError):
    """A ``client.json`` that does not say what it must."""


@dataclass(frozen=True)
class Retry:
    """How long a program waits, by its own settings, before it tries again to connect: what it
    cannot be faster than after a failover, whatever the brokers do. With three addresses."""

    least_ms: float
    """From when it noticed the loss to its first try after all addresses failed once; for one that
    waits before that too, to its first try at all."""
    most_ms: float
    """Between two tries of the same address."""
    because: str
    """The settings, for people."""


@dataclass(frozen=True)
class ClientSpec:
    """How to start a client program. ``needs`` and ``remedy`` are for a human."""

    name: str
    folder: Path
    command: tuple[str, ...]
    protocol: str = PROTOCOLS[0]
    """What it speaks to the broker, one of ``PROTOCOLS``."""
    library: str = ""
    needs: str = ""
    remedy: str = DEFAULT_REMEDY
    shared: bool = False
    """One process for its sender and its receiver."""
    crowd: bool = False
    """A connection for each task: only for scenarios with a crowd, and for these only."""
    optional: bool = False
    """Its library cannot be had everywhere: that it is not run is no failure, in CI neither."""
    retry: Retry | None = None
    """None if it does not tell."""


def parse(path: Path) -> ClientSpec:
    """Read one ``client.json``. Raises: BadClient, OSError."""
    try:
        value = json.loads(path.read_text("utf-8"))
        name, command = value["name"], value["command"]
        ok = isinstance(name, str) and isinstance(command, list) and bool(command)
    except (ValueError, KeyError, TypeError) as error:
        raise BadClient(f"{path}: {error!r}") from error
    if not ok or not all(isinstance(word, str) for word in command):
        raise BadClient(f"{path}: name must be a string, command a list of strings")
    speaks = value.get("protocol", PROTOCOLS[0])
    if speaks not in PROTOCOLS:
        raise BadClient(f"{path}: protocol must be one of {', '.join(PROTOCOLS)}")
    return ClientSpec(
        name=name,
        folder=path.parent.resolve(),
        command=tuple(command),
        protocol=speaks,
        library=str(value.get("library", "")),
        needs=str(value.get("needs", "")),
        remedy=str(value.get("setup", DEFAULT_REMEDY)),
        shared=bool(value.get("shared", False)),
        crowd=bool(value.get("crowd", False)),
        optional=bool(value.get("optional", False)),
        retry=_retry(value["retry"], path) if "retry" in value else None,
    )


def _retry(value: dict[str, object], path: Path) -> Retry:
    try:
        least, most = float(str(value["least_ms"])), float(str(value["most_ms"]))
        because = str(value["because"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadClient(f"{path}: retry: {error!r}") from error
    if not 0 <= least <= most:
        raise BadClient(f"{path}: retry: least_ms must be at most most_ms")
    return Retry(least, most, because)


def discover(folder: Path) -> dict[str, ClientSpec]:
    """Every client program below the folder, by name, in a fixed order. Raises: BadClient."""
    paths = sorted(folder.glob("*/client.json"))
    if len(paths) > MAX_CLIENTS:
        raise BadClient(f"{folder}: more than {MAX_CLIENTS} clients")
    specs = [parse(path) for path in paths]
    names = {spec.name: spec for spec in specs}
    if len(names) != len(specs):
        raise BadClient(f"{folder}: two clients with one name")
    return names

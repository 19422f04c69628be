"""An accepted connection: a protocol machine, and who is behind it.

The first bytes choose the protocol (``reception``); each has its own kind of front
(``front010``, ``front10``), which reads the machine's events and tells the node no more than
whether the connection goes on. What a connection is, is decided while it opens (``admission``).
"""

from __future__ import annotations

from enum import IntEnum

from tanist.management.clients import ConnectionFacts
from tanist.sessions.link import ClientLink


class Kind(IntEnum):
    """What an accepted connection turned out to be."""

    OPENING = 0
    CLIENT = 1
    BACKUP = 2


class Verdict(IntEnum):
    """What becomes of a connection after what it sent."""

    GOES_ON = 0
    ENDS = 1
    """By protocol: write what waits, then close."""
    DROP = 2
    """Close TCP at once, without a word."""


class Front:
    """Connection ``number`` of ``peer``, at our address ``local``, since ``since`` (seconds).

    ``heard_at``: when bytes came last. ``link``: its sessions, once a client was let in.
    ``counted``: it counts against max-connections. ``silent``: it ends because the peer said
    nothing for too long. ``fault``: what the peer did wrong, for the log, empty if nothing.
    """

    __slots__ = (
        "counted",
        "fault",
        "heard_at",
        "kind",
        "link",
        "local",
        "number",
        "peer",
        "silent",
        "since",
    )

    def __init__(self, number: int, peer: str, local: str, since: float) -> None:
        self.number = number
        self.peer = peer
        self.local = local
        self.since = since
        self.heard_at = since
        self.kind = Kind.OPENING
        self.link: ClientLink | None = None
        self.counted = False
        self.silent = False
        self.fault = ""

    @property
    def user(self) -> str:
        """Who it is, with realm; empty before that is known."""
        return ""

    @property
    def deadline(self) -> float:
        """When ``tick`` has something to do, seconds."""
        return float("inf")

    def receive(self, data: bytes, now: float) -> Verdict:
        """Bytes arrived: do what they ask for."""
        raise NotImplementedError

    def tick(self, now: float) -> Verdict:
        """Time has passed: send heartbeats, judge silence."""
        return Verdict.GOES_ON

    def data_to_send(self) -> bytes:
        """What waits to be written; the caller must write it."""
        return b""

    def abandon(self) -> None:
        """The transport is gone."""

    def close_sessions(self) -> None:
        """The connection is over, and with it all that its client had."""

    def facts(self) -> ConnectionFacts:
        """What management shows of a client or a backup that was let in."""
        raise NotImplementedError


class Knock(Front):
    """Somebody who has not said yet which protocol he speaks. ``data``: what he said."""

    __slots__ = ("data",)

    def __init__(self, number: int, peer: str, local: str, since: float) -> None:
        super().__init__(number, peer, local, since)
        self.data = b""

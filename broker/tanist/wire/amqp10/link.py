"""One link: a ``Sender`` or a ``Receiver``, by our own role.

A link is made by the peer (``Attaching``: the owner answers with ``attach_ok`` or ``refuse``) or
by the owner (``session.sender``, ``session.receiver``; ``Attached`` follows). It ends by a detach
of both sides, in either order, or with its session. ``alive`` is True as long as the owner may use
it. Which frame is legal when is the table in ``link_state``.

Source: AMQP 1.0, 2.6 "Links".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.wire.amqp10.composites import Coordinator, DeliveryState, Source, Target
from tanist.wire.amqp10.performatives import Attach
from tanist.wire.amqp10.values import Described, Fields

if TYPE_CHECKING:
    from tanist.wire.amqp10.session import Session


class Link:
    """What senders and receivers have in common.

    ``name``: unique among the links of the same direction between two containers. ``role``: ours,
    as in attach: False sends, True receives. ``remote``: the peer's attach, None until it came.
    ``snd_settle_mode`` (0 unsettled, 1 settled, 2 mixed) and ``rcv_settle_mode`` (0 first,
    1 second): as the attach that answered said. ``alive``: the owner may use it. ``context``: a
    free slot for the owner.
    """

    __slots__ = (
        "alive",
        "context",
        "handle",
        "name",
        "rcv_settle_mode",
        "remote",
        "remote_handle",
        "role",
        "session",
        "snd_settle_mode",
        "state",
    )

    def __init__(self, session: Session, name: str, role: bool) -> None:
        self.session = session
        self.name = name
        self.role = role

    def attach_ok(
        self,
        source: Source | Described | None,
        target: Target | Coordinator | Described | None,
        snd_settle_mode: int | None = None,
        rcv_settle_mode: int | None = None,
        max_message_size: int | None = None,
        offered_capabilities: tuple[str, ...] = (),
        desired_capabilities: tuple[str, ...] = (),
        properties: Fields | None = None,
    ) -> None:
        """Answer ``Attaching``: the link is attached between ``source`` and ``target``.

        Settle modes default to what the peer asked for. ``max_message_size`` (octets, None for
        any): larger messages of the peer detach the link. A receiver then grants ``flow``.
        """

    def refuse(self, condition: str, text: str, info: Fields | None = None) -> None:
        """Answer ``Attaching``: no. The peer hears an attach without a terminus and a detach."""

    def detach(
        self, closed: bool = True, condition: str = "", text: str = "", info: Fields | None = None
    ) -> None:
        """Detach, or answer the peer's ``Detached``. The owner must not use the link any more.

        ``closed`` False keeps the terminus alive (to the peer: it may attach to it again).
        Deliveries that still waited for the peer's window are dropped, they were not sent.
        ``Detached`` follows when the peer confirms our own detach.
        """


class Sender(Link):
    """We send. ``credit``: deliveries that may be sent now. ``drain``: the peer wants what there
    is, and the rest of the credit back (``drained``). ``available``: set by the owner, deliveries
    that could be sent with enough credit; told to the peer with the next flow.
    """

    __slots__ = ("available", "credit", "delivery_count", "drain")

    def send(
        self,
        tag: bytes,
        payload: bytes,
        settled: bool = False,
        prefix: bytes = b"",
        state: DeliveryState | None = None,
        message_format: int = 0,
    ) -> int:
        """Send a delivery; returns its id in the session. ``credit`` goes down by one.

        The message is ``prefix + payload`` (a fresh header section before stored octets, without
        joining them). ``tag``: at most 32 octets, unique among the link's unsettled deliveries. If
        the peer's window is shut, the delivery waits in the session (``session.writable``).

        Raises: LocalProtocolError without credit, on a dead link, for a wrong tag.
        """
        raise NotImplementedError

    def drained(self) -> None:
        """All that could be sent was: give the remaining credit back. Nothing if not ``drain``."""


class Receiver(Link):
    """We receive. ``credit``: deliveries that the peer may still send. ``available``: what it said
    it has, None if it never said.
    """

    __slots__ = ("available", "credit", "delivery_count")

    def flow(self, credit: int, drain: bool = False, echo: bool = False) -> None:
        """Set the credit to ``credit`` deliveries from now on; the flow goes out with this step.

        ``drain``: the peer sends what it has and gives up the rest (``Flowed`` follows, or
        deliveries). ``echo``: the peer answers with its own state.
        """


def attach_of(link: Link) -> Attach:
    """The peer's attach. Raises: AssertionError before it came."""
    assert link.remote is not None
    return link.remote

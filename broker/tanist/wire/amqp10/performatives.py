"""The performatives of AMQP 1.0 and the bodies of its SASL frames, one class each.

Attributes are the fields of the specification with underscores, in its order. An absent field is
None, or its default where the specification gives one; ``multiple`` fields are tuples, empty when
absent. Symbols are ``str``, tags ``bytes``, numbers plain ``int``. ``codec.decode_performative``
and ``codec.encode_performative`` turn them into the body of a frame and back.

Source: OASIS AMQP 1.0, part 2, 2.7 "Performatives"; part 5, 5.3.3 "Security frame bodies".
"""

from __future__ import annotations

from typing import Final, TypeAlias

from tanist.wire.amqp10.composites import (
    Coordinator,
    DeliveryState,
    Error,
    Source,
    Target,
)
from tanist.wire.amqp10.values import Composite, Described, Fields

UINT_MAX: Final = 0xFFFF_FFFF
USHORT_MAX: Final = 0xFFFF

Unsettled: TypeAlias = "dict[bytes, DeliveryState | None]"
"""The unsettled deliveries of a link: delivery tag to state."""


class Open(Composite):
    """The first performative of a connection: limits and capabilities of its sender.

    ``max_frame_size`` is in octets and at least 512, ``channel_max`` the highest channel number,
    ``idle_time_out`` in milliseconds (None: never).
    """

    __slots__ = (
        "channel_max",
        "container_id",
        "desired_capabilities",
        "hostname",
        "idle_time_out",
        "incoming_locales",
        "max_frame_size",
        "offered_capabilities",
        "outgoing_locales",
        "properties",
    )

    def __init__(
        self,
        container_id: str,
        hostname: str | None = None,
        max_frame_size: int = UINT_MAX,
        channel_max: int = USHORT_MAX,
        idle_time_out: int | None = None,
        outgoing_locales: tuple[str, ...] = (),
        incoming_locales: tuple[str, ...] = (),
        offered_capabilities: tuple[str, ...] = (),
        desired_capabilities: tuple[str, ...] = (),
        properties: Fields | None = None,
    ) -> None:
        self.container_id = container_id
        self.hostname = hostname
        self.max_frame_size = max_frame_size
        self.channel_max = channel_max
        self.idle_time_out = idle_time_out
        self.outgoing_locales = outgoing_locales
        self.incoming_locales = incoming_locales
        self.offered_capabilities = offered_capabilities
        self.desired_capabilities = desired_capabilities
        self.properties = properties


class Begin(Composite):
    """Begin a session on a channel; ``remote_channel`` names the one that is answered.

    ``next_outgoing_id`` is a transfer number, the windows count transfers.
    """

    __slots__ = (
        "desired_capabilities",
        "handle_max",
        "incoming_window",
        "next_outgoing_id",
        "offered_capabilities",
        "outgoing_window",
        "properties",
        "remote_channel",
    )

    def __init__(
        self,
        remote_channel: int | None,
        next_outgoing_id: int,
        incoming_window: int,
        outgoing_window: int,
        handle_max: int = UINT_MAX,
        offered_capabilities: tuple[str, ...] = (),
        desired_capabilities: tuple[str, ...] = (),
        properties: Fields | None = None,
    ) -> None:
        self.remote_channel = remote_channel
        self.next_outgoing_id = next_outgoing_id
        self.incoming_window = incoming_window
        self.outgoing_window = outgoing_window
        self.handle_max = handle_max
        self.offered_capabilities = offered_capabilities
        self.desired_capabilities = desired_capabilities
        self.properties = properties


class Attach(Composite):
    """Attach a link to a session.

    ``role``: False the sender of this frame sends messages, True it receives them. An unknown kind
    of ``source`` or ``target`` is ``Described``. ``max_message_size`` is in octets, None or 0: any.
    """

    __slots__ = (
        "desired_capabilities",
        "handle",
        "incomplete_unsettled",
        "initial_delivery_count",
        "max_message_size",
        "name",
        "offered_capabilities",
        "properties",
        "rcv_settle_mode",
        "role",
        "snd_settle_mode",
        "source",
        "target",
        "unsettled",
    )

    def __init__(
        self,
        name: str,
        handle: int,
        role: bool,
        snd_settle_mode: int = 2,
        rcv_settle_mode: int = 0,
        source: Source | Described | None = None,
        target: Target | Coordinator | Described | None = None,
        unsettled: Unsettled | None = None,
        incomplete_unsettled: bool = False,
        initial_delivery_count: int | None = None,
        max_message_size: int | None = None,
        offered_capabilities: tuple[str, ...] = (),
        desired_capabilities: tuple[str, ...] = (),
        properties: Fields | None = None,
    ) -> None:
        self.name = name
        self.handle = handle
        self.role = role
        self.snd_settle_mode = snd_settle_mode
        self.rcv_settle_mode = rcv_settle_mode
        self.source = source
        self.target = target
        self.unsettled = unsettled
        self.incomplete_unsettled = incomplete_unsettled
        self.initial_delivery_count = initial_delivery_count
        self.max_message_size = max_message_size
        self.offered_capabilities = offered_capabilities
        self.desired_capabilities = desired_capabilities
        self.properties = properties


class Flow(Composite):
    """The state of a session's windows and, when ``handle`` is there, of a link's credit."""

    __slots__ = (
        "available",
        "delivery_count",
        "drain",
        "echo",
        "handle",
        "incoming_window",
        "link_credit",
        "next_incoming_id",
        "next_outgoing_id",
        "outgoing_window",
        "properties",
    )

    def __init__(
        self,
        next_incoming_id: int | None,
        incoming_window: int,
        next_outgoing_id: int,
        outgoing_window: int,
        handle: int | None = None,
        delivery_count: int | None = None,
        link_credit: int | None = None,
        available: int | None = None,
        drain: bool = False,
        echo: bool = False,
        properties: Fields | None = None,
    ) -> None:
        self.next_incoming_id = next_incoming_id
        self.incoming_window = incoming_window
        self.next_outgoing_id = next_outgoing_id
        self.outgoing_window = outgoing_window
        self.handle = handle
        self.delivery_count = delivery_count
        self.link_credit = link_credit
        self.available = available
        self.drain = drain
        self.echo = echo
        self.properties = properties


class Transfer(Composite):
    """One frame of a delivery; its part of the message follows as the payload of the frame.

    ``settled`` is None when absent, which means "as in an earlier frame, else no".
    """

    __slots__ = (
        "aborted",
        "batchable",
        "delivery_id",
        "delivery_tag",
        "handle",
        "message_format",
        "more",
        "rcv_settle_mode",
        "resume",
        "settled",
        "state",
    )

    def __init__(
        self,
        handle: int,
        delivery_id: int | None = None,
        delivery_tag: bytes | None = None,
        message_format: int | None = None,
        settled: bool | None = None,
        more: bool = False,
        rcv_settle_mode: int | None = None,
        state: DeliveryState | None = None,
        resume: bool = False,
        aborted: bool = False,
        batchable: bool = False,
    ) -> None:
        self.handle = handle
        self.delivery_id = delivery_id
        self.delivery_tag = delivery_tag
        self.message_format = message_format
        self.settled = settled
        self.more = more
        self.rcv_settle_mode = rcv_settle_mode
        self.state = state
        self.resume = resume
        self.aborted = aborted
        self.batchable = batchable


class Disposition(Composite):
    """The state of the deliveries ``first`` to ``last`` (None: the same as ``first``).

    ``role``: False what the sender of messages says, True what their receiver says.
    """

    __slots__ = (
        "batchable",
        "first",
        "last",
        "role",
        "settled",
        "state",
    )

    def __init__(
        self,
        role: bool,
        first: int,
        last: int | None = None,
        settled: bool = False,
        state: DeliveryState | None = None,
        batchable: bool = False,
    ) -> None:
        self.role = role
        self.first = first
        self.last = last
        self.settled = settled
        self.state = state
        self.batchable = batchable


class Detach(Composite):
    """Detach a link; ``closed`` says that it is gone for good."""

    __slots__ = (
        "closed",
        "error",
        "handle",
    )

    def __init__(
        self,
        handle: int,
        closed: bool = False,
        error: Error | None = None,
    ) -> None:
        self.handle = handle
        self.closed = closed
        self.error = error


class End(Composite):
    """End a session, because of ``error`` if there is one."""

    __slots__ = ("error",)

    def __init__(
        self,
        error: Error | None = None,
    ) -> None:
        self.error = error


class Close(Composite):
    """Close the connection, because of ``error`` if there is one."""

    __slots__ = ("error",)

    def __init__(
        self,
        error: Error | None = None,
    ) -> None:
        self.error = error


class SaslMechanisms(Composite):
    """What a server offers; the client answers with ``SaslInit``."""

    __slots__ = ("sasl_server_mechanisms",)

    def __init__(
        self,
        sasl_server_mechanisms: tuple[str, ...],
    ) -> None:
        self.sasl_server_mechanisms = sasl_server_mechanisms


class SaslInit(Composite):
    """The mechanism that a client chose; ``hostname`` is the host it wants to reach."""

    __slots__ = (
        "hostname",
        "initial_response",
        "mechanism",
    )

    def __init__(
        self,
        mechanism: str,
        initial_response: bytes | None = None,
        hostname: str | None = None,
    ) -> None:
        self.mechanism = mechanism
        self.initial_response = initial_response
        self.hostname = hostname


class SaslChallenge(Composite):
    """A challenge of the server's; the client answers with ``SaslResponse``."""

    __slots__ = ("challenge",)

    def __init__(
        self,
        challenge: bytes,
    ) -> None:
        self.challenge = challenge


class SaslResponse(Composite):
    """The answer to a challenge; the server goes on with another one or ``SaslOutcome``."""

    __slots__ = ("response",)

    def __init__(
        self,
        response: bytes,
    ) -> None:
        self.response = response


class SaslOutcome(Composite):
    """How authentication ended: code 0 ok, 1 auth, 2 sys, 3 sys-perm, 4 sys-temp."""

    __slots__ = (
        "additional_data",
        "code",
    )

    def __init__(
        self,
        code: int,
        additional_data: bytes | None = None,
    ) -> None:
        self.code = code
        self.additional_data = additional_data

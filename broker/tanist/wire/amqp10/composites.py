"""The composite types within performatives and messages: error, termini, delivery states,
transaction types, the header and the properties of a message.

Attributes are the fields of the specification with underscores, in its order. An absent field is
None, or its default where the specification gives one; ``multiple`` fields are tuples, empty when
absent. Symbols are ``str``, transaction ids ``bytes``. The keys of the maps (``Fields``) compare
equal to ``str``; a lifetime policy in ``dynamic_node_properties`` or a filter in ``filter`` is a
``Described``, which ``composing.composite_of`` turns into a class of this module.

Source: OASIS AMQP 1.0, part 2, 2.8.14; part 3, 3.2, 3.4 and 3.5; part 4, 4.5.
"""

from __future__ import annotations

from typing import TypeAlias

from tanist.wire.amqp10.values import Composite, Described, Fields, Value

DeliveryState: TypeAlias = (
    "Received | Accepted | Rejected | Released | Modified | Declared | TransactionalState"
    " | Described"
)
"""The state of a delivery; one that the specification does not know is ``Described``."""


class Error(Composite):
    """Why a link, session or connection ended, or a message was rejected."""

    __slots__ = (
        "condition",
        "description",
        "info",
    )

    def __init__(
        self,
        condition: str,
        description: str | None = None,
        info: Fields | None = None,
    ) -> None:
        self.condition = condition
        self.description = description
        self.info = info


class Received(Composite):
    """How much of a delivery has arrived: all before this section and offset (in octets)."""

    __slots__ = (
        "section_number",
        "section_offset",
    )

    def __init__(
        self,
        section_number: int,
        section_offset: int,
    ) -> None:
        self.section_number = section_number
        self.section_offset = section_offset


class Accepted(Composite):
    """The message was processed. Terminal."""

    __slots__ = ()


class Rejected(Composite):
    """The message is invalid and cannot be processed. Terminal."""

    __slots__ = ("error",)

    def __init__(
        self,
        error: Error | None = None,
    ) -> None:
        self.error = error


class Released(Composite):
    """The message was not processed, and its delivery does not count. Terminal."""

    __slots__ = ()


class Modified(Composite):
    """The message was not processed. Terminal.

    ``delivery_failed``: the delivery counts; ``undeliverable_here``: not again to this link;
    ``message_annotations``: to be merged into those of the message.
    """

    __slots__ = (
        "delivery_failed",
        "message_annotations",
        "undeliverable_here",
    )

    def __init__(
        self,
        delivery_failed: bool | None = None,
        undeliverable_here: bool | None = None,
        message_annotations: Fields | None = None,
    ) -> None:
        self.delivery_failed = delivery_failed
        self.undeliverable_here = undeliverable_here
        self.message_annotations = message_annotations


class Source(Composite):
    """Where a link takes messages from.

    ``durable``: 0 none, 1 configuration, 2 unsettled state; ``expiry_policy``: "link-detach",
    "session-end", "connection-close" or "never"; ``timeout`` in seconds.
    """

    __slots__ = (
        "address",
        "capabilities",
        "default_outcome",
        "distribution_mode",
        "durable",
        "dynamic",
        "dynamic_node_properties",
        "expiry_policy",
        "filter",
        "outcomes",
        "timeout",
    )

    def __init__(
        self,
        address: str | None = None,
        durable: int = 0,
        expiry_policy: str = "session-end",
        timeout: int = 0,
        dynamic: bool = False,
        dynamic_node_properties: Fields | None = None,
        distribution_mode: str | None = None,
        filter: Fields | None = None,
        default_outcome: DeliveryState | None = None,
        outcomes: tuple[str, ...] = (),
        capabilities: tuple[str, ...] = (),
    ) -> None:
        self.address = address
        self.durable = durable
        self.expiry_policy = expiry_policy
        self.timeout = timeout
        self.dynamic = dynamic
        self.dynamic_node_properties = dynamic_node_properties
        self.distribution_mode = distribution_mode
        self.filter = filter
        self.default_outcome = default_outcome
        self.outcomes = outcomes
        self.capabilities = capabilities


class Target(Composite):
    """Where a link brings messages to; fields as those of ``Source``."""

    __slots__ = (
        "address",
        "capabilities",
        "durable",
        "dynamic",
        "dynamic_node_properties",
        "expiry_policy",
        "timeout",
    )

    def __init__(
        self,
        address: str | None = None,
        durable: int = 0,
        expiry_policy: str = "session-end",
        timeout: int = 0,
        dynamic: bool = False,
        dynamic_node_properties: Fields | None = None,
        capabilities: tuple[str, ...] = (),
    ) -> None:
        self.address = address
        self.durable = durable
        self.expiry_policy = expiry_policy
        self.timeout = timeout
        self.dynamic = dynamic
        self.dynamic_node_properties = dynamic_node_properties
        self.capabilities = capabilities


class DeleteOnClose(Composite):
    """Lifetime of a dynamic node: until the link that made it is closed."""

    __slots__ = ()


class DeleteOnNoLinks(Composite):
    """Lifetime of a dynamic node: until no link is attached to it."""

    __slots__ = ()


class DeleteOnNoMessages(Composite):
    """Lifetime of a dynamic node: until it holds no messages."""

    __slots__ = ()


class DeleteOnNoLinksOrMessages(Composite):
    """Lifetime of a dynamic node: until it has neither links nor messages."""

    __slots__ = ()


class Coordinator(Composite):
    """The target of a link that controls transactions."""

    __slots__ = ("capabilities",)

    def __init__(
        self,
        capabilities: tuple[str, ...] = (),
    ) -> None:
        self.capabilities = capabilities


class Declare(Composite):
    """Begin a transaction; answered with ``Declared``."""

    __slots__ = ("global_id",)

    def __init__(
        self,
        global_id: Value = None,
    ) -> None:
        self.global_id = global_id


class Discharge(Composite):
    """End a transaction: ``fail`` (True) rolls back, else it commits."""

    __slots__ = (
        "fail",
        "txn_id",
    )

    def __init__(
        self,
        txn_id: bytes,
        fail: bool | None = None,
    ) -> None:
        self.txn_id = txn_id
        self.fail = fail


class Declared(Composite):
    """Outcome of ``Declare``: the id of the new transaction. Terminal."""

    __slots__ = ("txn_id",)

    def __init__(
        self,
        txn_id: bytes,
    ) -> None:
        self.txn_id = txn_id


class TransactionalState(Composite):
    """The state of a delivery within a transaction; ``outcome`` is provisional."""

    __slots__ = (
        "outcome",
        "txn_id",
    )

    def __init__(
        self,
        txn_id: bytes,
        outcome: DeliveryState | None = None,
    ) -> None:
        self.txn_id = txn_id
        self.outcome = outcome


class Header(Composite):
    """The transport header of a message; ``ttl`` is in milliseconds.

    ``delivery_count`` is the number of unsuccessful deliveries so far.
    """

    __slots__ = (
        "delivery_count",
        "durable",
        "first_acquirer",
        "priority",
        "ttl",
    )

    def __init__(
        self,
        durable: bool = False,
        priority: int = 4,
        ttl: int | None = None,
        first_acquirer: bool = False,
        delivery_count: int = 0,
    ) -> None:
        self.durable = durable
        self.priority = priority
        self.ttl = ttl
        self.first_acquirer = first_acquirer
        self.delivery_count = delivery_count


class Properties(Composite):
    """The immutable properties of a message; times are milliseconds since 1970.

    Message ids are ``ULong``, ``UUID``, ``bytes`` or ``str``.
    """

    __slots__ = (
        "absolute_expiry_time",
        "content_encoding",
        "content_type",
        "correlation_id",
        "creation_time",
        "group_id",
        "group_sequence",
        "message_id",
        "reply_to",
        "reply_to_group_id",
        "subject",
        "to",
        "user_id",
    )

    def __init__(
        self,
        message_id: Value = None,
        user_id: bytes | None = None,
        to: str | None = None,
        subject: str | None = None,
        reply_to: str | None = None,
        correlation_id: Value = None,
        content_type: str | None = None,
        content_encoding: str | None = None,
        absolute_expiry_time: int | None = None,
        creation_time: int | None = None,
        group_id: str | None = None,
        group_sequence: int | None = None,
        reply_to_group_id: str | None = None,
    ) -> None:
        self.message_id = message_id
        self.user_id = user_id
        self.to = to
        self.subject = subject
        self.reply_to = reply_to
        self.correlation_id = correlation_id
        self.content_type = content_type
        self.content_encoding = content_encoding
        self.absolute_expiry_time = absolute_expiry_time
        self.creation_time = creation_time
        self.group_id = group_id
        self.group_sequence = group_sequence
        self.reply_to_group_id = reply_to_group_id

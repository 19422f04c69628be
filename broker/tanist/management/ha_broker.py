"""The ``habroker`` object: what ``qpid-ha`` reads, and the methods it calls.

One object, ``org.apache.qpid.ha:habroker:ha-broker``, present when HA is on. Its state is the
node's; the node implements ``HaOperations`` and ``QueueReplication``.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from mypy_extensions import mypyc_attr

from tanist.core.broker import Broker
from tanist.core.message import Message
from tanist.core.notices import Actor
from tanist.management.agent import ManagedObject
from tanist.management.codec import decode_request, text_of
from tanist.management.digest import STANDING, digest
from tanist.management.managed import Work
from tanist.management.schema import HA_BROKER
from tanist.types import BrokerError
from tanist.wire.amqp010.values import Value

PROMOTE: Final = "promote"
FORCE: Final = "force"
"""Argument of promote, true or false; the original has none."""
DIGEST: Final = "digest"
METHODS: Final = (PROMOTE, "setBrokersUrl", "setPublicUrl", "replicate", "unreplicate", DIGEST)
"""The original's, and two of ours: the last ones."""


@mypyc_attr(allow_interpreted_subclasses=True)
class HaOperations:
    """What the habroker object shows and does; implemented by the node."""

    def ha_status(self) -> str:
        """Status as ``qpid-ha`` prints it."""
        raise NotImplementedError

    def ha_brokers_url(self) -> str:
        """Canonical URL of the members, or empty."""
        raise NotImplementedError

    def ha_public_url(self) -> str:
        """Canonical URL told to clients, or empty."""
        raise NotImplementedError

    def ha_members(self) -> list[Value]:
        """Broker-info maps."""
        raise NotImplementedError

    def ha_details(self) -> dict[str, Value]:
        """Further properties: epoch, index, progress, backups, problems (docs/qpid-ha.md)."""
        raise NotImplementedError

    def ha_promote(self, force: bool) -> None:
        """Make this broker the primary; ``force``: although it lacks something.

        Raises: BrokerError that says why it must not be.
        """
        raise NotImplementedError

    def ha_set_brokers_url(self, url: str) -> None:
        """Use another member list. Raises: BrokerError for a bad URL."""
        raise NotImplementedError

    def ha_set_public_url(self, url: str) -> None:
        """Tell clients another URL. Raises: BrokerError for a bad URL."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class QueueReplication:
    """Copies of single queues; implemented by the node."""

    def details(self) -> dict[str, Value]:
        """Further properties: ``replicas``, ``followers`` (docs/queue-replication.md)."""
        raise NotImplementedError

    def replicate(self, url: str, queue: str) -> None:
        """Keep ``queue`` of this broker a copy of its namesake at ``url``.

        Raises: BrokerError: no such queue here, a bad URL, a copy of another one already.
        """
        raise NotImplementedError

    def unreplicate(self, queue: str) -> None:
        """End that; the messages stay. Raises: BrokerError if ``queue`` is no copy."""
        raise NotImplementedError


class HaBroker(ManagedObject):
    """The managed object."""

    def __init__(
        self,
        operations: HaOperations,
        replication: QueueReplication,
        broker: Broker,
        system_id: UUID,
        replicate_default: str,
        created_ns: int,
    ) -> None:
        super().__init__(HA_BROKER, "ha-broker", created_ns)
        self._operations = operations
        self._replication = replication
        self._broker = broker
        self._system_id = system_id
        self._replicate_default = replicate_default

    def values(self) -> dict[str, Value]:
        """The original's properties, all always present, then our own."""
        operations = self._operations
        return {
            "name": "ha-broker",
            "status": operations.ha_status(),
            "brokersUrl": operations.ha_brokers_url(),
            "publicUrl": operations.ha_public_url(),
            "replicateDefault": self._replicate_default,
            "members": operations.ha_members(),
            "systemId": self._system_id,
            **operations.ha_details(),
            **self._replication.details(),
        }

    def methods(self) -> tuple[str, ...]:
        """promote, setBrokersUrl, setPublicUrl, replicate, unreplicate, digest."""
        return METHODS

    def call(
        self, method: str, arguments: dict[str, Value], actor: Actor
    ) -> dict[str, Value] | Work:
        """Carry out a method of the habroker; only ``digest`` takes long."""
        if method == DIGEST:
            return digest(self._broker, self._standing, arguments)
        return self.invoke(method, arguments)

    def _standing(self) -> dict[str, Value]:
        operations = self._operations
        found: dict[str, Value] = {"status": operations.ha_status(), **operations.ha_details()}
        return {name: found[name] for name in STANDING}

    def invoke(self, method: str, arguments: dict[str, Value]) -> dict[str, Value]:
        """Carry out one of those that are done at once; none has out arguments."""
        if method == PROMOTE:
            self._operations.ha_promote(arguments.get(FORCE) is True)
        elif method == "setBrokersUrl":
            self._operations.ha_set_brokers_url(text_of(arguments.get("url")))
        elif method == "setPublicUrl":
            self._operations.ha_set_public_url(text_of(arguments.get("url")))
        elif method == "replicate":
            self._replication.replicate(
                text_of(arguments.get("broker")), text_of(arguments.get("queue"))
            )
        else:
            self._replication.unreplicate(text_of(arguments.get("queue")))
        return {}


class PromotionAsked:
    """A request to the agent that calls ``promote``: the one that must wait while others are asked.

    ``force``: with the argument of that name.
    """

    __slots__ = ("force",)

    def __init__(self, force: bool) -> None:
        self.force = force


def promotion_asked(message: Message) -> PromotionAsked | None:
    """Whether ``message`` asks for a promotion; None if it asks for anything else."""
    try:
        request = decode_request(message)
    except BrokerError:
        return None
    if request is None or request.opcode != "_method_request":
        return None
    if text_of(request.body.get("_method_name")) != PROMOTE:
        return None
    arguments = request.body.get("_arguments")
    return PromotionAsked(isinstance(arguments, dict) and arguments.get(FORCE) is True)

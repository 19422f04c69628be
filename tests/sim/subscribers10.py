"""Subscribers to topics through AMQP 1.0, and clients of dynamic nodes."""

from __future__ import annotations

from collections.abc import Callable

from tanist.wire.amqp10.composites import (
    Accepted,
    DeleteOnClose,
    DeleteOnNoLinks,
    DeleteOnNoLinksOrMessages,
    DeleteOnNoMessages,
    Source,
    Target,
)
from tanist.wire.amqp10.events import Delivery, Disposed
from tanist.wire.amqp10.link import Link
from tanist.wire.amqp10.performatives import Attach
from tanist.wire.amqp10.sections import encode_data
from tanist.wire.amqp10.sender import Sender
from tanist.wire.amqp10.session import Session
from tests.sim.clients import Site
from tests.sim.clients10 import Client10
from tests.sim.consumers10 import LOST_OUTCOME, Consumer10
from tests.sim.history import Received, Sent
from tests.sim.messages10 import read_message, sections_before_body
from tests.sim.plan import ClientPlan
from tests.sim.producers import Route
from tests.sim.watch import Violation

VOLATILE, DURABLE, SHARED = "volatile", "durable", "shared"
"""Kinds of subscriptions. The shared one is durable and everybody's, whatever the container."""

LINK_NAME = "news"
"""Name of the subscription within its container."""

SHARED_CAPABILITIES = ("shared", "global", "topic")
TO_THE_END = 2
NEVER = "never"
"""Durability and expiry of a durable subscription."""


def subscription_queue(kind: str, work: str) -> str:
    """The queue behind the subscription of a work: the broker names it after container and link."""
    if kind == SHARED:
        return f"{work}.{LINK_NAME}"
    own = f"{work}_{LINK_NAME}"
    return f"{own}|volatile" if kind == VOLATILE else own


class Subscriber10(Consumer10):
    """A consumer of ``topic``: an exchange and a key, with a subscription of ``kind``.

    ``then`` is called once, when it is subscribed for the first time. It goes away by detaching;
    with ``unsubscribe`` it closes the link in the end, which is the end of the subscription.
    """

    def __init__(
        self,
        site: Site,
        name: str,
        plan: ClientPlan,
        work: str,
        topic: str,
        kind: str,
        *,
        then: Callable[[], None] | None = None,
        unsubscribe: bool = False,
    ) -> None:
        self._work = work
        self._topic = topic
        self._kind = kind
        self._then = then
        self._unsubscribe = unsubscribe
        super().__init__(site, name, plan, subscription_queue(kind, work))

    @property
    def container_id(self) -> str:
        """See ``Client10``: a subscription belongs to its container, unless it is shared."""
        return self.name if self._kind == SHARED else self._work

    @property
    def link_name(self) -> str:
        """See ``Consumer10``: the name of the subscription, and perhaps what tells links apart."""
        return f"{self._work}.{LINK_NAME}|{self.name}" if self._kind == SHARED else LINK_NAME

    def source(self) -> Source:
        """See ``Consumer10``."""
        volatile = self._kind == VOLATILE
        return Source(
            address=self._topic,
            durable=0 if volatile else TO_THE_END,
            expiry_policy="link-detach" if volatile else NEVER,
            default_outcome=LOST_OUTCOME,
            capabilities=SHARED_CAPABILITIES if self._kind == SHARED else ("topic",),
        )

    def on_attached(self, link: Link, attach: Attach) -> None:
        """See ``Consumer10``."""
        super().on_attached(link, attach)
        then, self._then = self._then, None
        if then is not None:
            then()
        if not self._returns:
            self.finish()

    def go_away(self) -> None:
        """Detach, or every other time close the connection."""
        self._left += 1
        if self._link is None or not self._attached or self._left % 2:
            self.leave()
        else:
            self.detach(self._link, closed=False)

    def finish(self) -> None:
        """See ``Consumer``."""
        self._returns = False
        if not self._unsubscribe:
            self.leave()
        elif self._attached and self._link is not None:
            self.detach(self._link)

    def on_detached(self, link: Link) -> None:
        """It was the end of the subscription, if it is not to come back."""
        if not self._returns:
            self.leave()


class Asker10(Client10):
    """Makes a dynamic node, sends to it what it receives from it, ``plan.count`` messages in all.

    What it has on the way goes with the node when the connection breaks; it begins anew then with
    the next message. ``node``: the name that the broker told, "" before.
    """

    def __init__(self, site: Site, name: str, plan: ClientPlan) -> None:
        self.node = ""
        self._next = 1
        self._sent = 1
        self._who = ""
        """The producer of what it sends: one for each node."""
        self._sessions = 0
        self._sender: Sender | None = None
        super().__init__(site, name, plan)

    @property
    def done(self) -> bool:
        """Everything came back."""
        return self._next > self.plan.count

    def finish(self) -> None:
        """It has left already."""
        self.leave()

    def on_session(self, session: Session) -> None:
        """Ask for a node, to be deleted in one way or the other."""
        self._sender = None
        self._sent = self._next
        self._sessions += 1
        self._who = f"{self.name}.{self._sessions}"
        policies = (
            DeleteOnClose(),
            DeleteOnNoLinks(),
            DeleteOnNoMessages(),
            DeleteOnNoLinksOrMessages(),
        )
        source = Source(
            dynamic=True,
            dynamic_node_properties={"lifetime-policy": self.dice.choice(policies)},
            default_outcome=LOST_OUTCOME,
            capabilities=self.dice.choice((("temporary-queue",), ("queue",), ())),
        )
        session.receiver(f"{self.name}<", source, Target(address=self.name)).flow(self.plan.window)

    def on_attached(self, link: Link, attach: Attach) -> None:
        """The node has a name: send to it."""
        session, source = self.session, attach.source
        assert session is not None
        if link.role and isinstance(source, Source):
            self.node = source.address or ""
            origin = Source(address=self.name)
            target = Target(address=self.node)
            self._sender = session.sender(f"{self.name}>", origin, target)

    def on_flow(self, link: Link) -> None:
        """Credit."""
        self._fill()

    def on_disposed(self, event: Disposed) -> None:
        """What was sent is on the node, or has been there."""
        if event.role and not isinstance(event.state, Accepted):
            self.on_refused("", repr(event.state))

    def _fill(self) -> None:
        """Send what there is room for."""
        sender, last = self._sender, min(self._next + self.plan.window - 1, self.plan.count)
        while sender is not None and sender.credit > 0 and self._sent <= last:
            payload = sections_before_body(Route("", "", ()), "", 0)
            payload += encode_data(f"{self._who}:{self._sent}:".encode())
            now, number = self.world.now, self._sent
            self.site.record(Sent(now, self._who, number, (self.node,)))
            sender.send(sender.delivery_count.to_bytes(4, "big"), payload)
            self._sent += 1
            self.count("asked")

    def on_delivery(self, event: Delivery) -> None:
        """An answer. Raises: Violation if it is not the next one."""
        read = read_message(event.payload)
        if (read.producer, read.number, read.failures) != (self._who, self._next, 0):
            text = f"{self.name} waited for message {self._next} on {self.node} and got {read}"
            raise Violation("unexpected", text)
        self._next += 1
        self.count("answered")
        now, where = self.world.now, (self.connections, self.node)
        self.site.record(Received(now, self.name, *where, read.producer, read.number, False))
        session = self.session
        assert session is not None
        session.settle(event.id, event.id, Accepted())
        event.link.flow(self.plan.window)
        if self.done:
            self.leave()
        else:
            self.later(0.0 if self.site.calm else self.plan.pause_s, self._fill)

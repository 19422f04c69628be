"""Copies of our queues on other brokers, as the node drives them in a step.

``core.following`` knows who follows what; here the end of a step meets the gate::

    records = followers.take(records)          # what is left is for the backups
    ...replicate them...
    pledge = followers.seal(index)
    ...for each who holds confirmations of this step: followers.hold(held, pledge) before sealing it
    ...the gate opens...
    again = followers.settle(confirmed_index)

Nothing of this is called while nobody follows anything (``active``).
"""

from __future__ import annotations

from typing import Final

from tanist.core.broker import Broker
from tanist.core.follower import Follower, Pledge
from tanist.core.records import Record
from tanist.node.config import NodeConfig
from tanist.node.outbox import Outbox
from tanist.sessions.held import Held
from tanist.sessions.work import Steps
from tanist.wire.amqp010.values import Value, uint64

CATEGORY: Final = "HA"


class Followers:
    """The followers of one node's queues, and who waits for them."""

    def __init__(self, config: NodeConfig, broker: Broker, steps: Steps, outbox: Outbox) -> None:
        self._timeout_s = config.ha_ack_timeout_s
        self._broker = broker
        self._following = broker.following
        self._steps = steps
        self._outbox = outbox
        self._waiting: dict[Pledge, list[Held]] = {}

    @property
    def active(self) -> bool:
        """Whether there is anything to do in this step."""
        return self._following.active

    def take(self, records: list[Record]) -> list[Record]:
        """Read what the step recorded. Return the records for the backups."""
        return self._following.take(records, self._broker.now)

    def seal(self, index: int) -> Pledge | None:
        """The step's records end at ``index``. Return what its confirmations wait for, too."""
        return self._following.seal(index)

    def hold(self, held: Held, pledge: Pledge) -> None:
        """``held`` has confirmations of this step; call it before ``held.seal``."""
        held.pledge(pledge)
        self._waiting.setdefault(pledge, []).append(held)

    def settle(self, confirmed: int) -> bool:
        """Records up to ``confirmed`` are safe: feed the copies, confirm what they accepted.

        Return True if there is more to send: step again now.
        """
        self._following.confirm(confirmed)
        again = self._steps.feed()
        for pledge in self._following.take_kept():
            for held in self._waiting.pop(pledge, ()):
                held.kept()
        return again

    def tick(self) -> None:
        """Time passed: wait no longer for copies that do not acknowledge."""
        for follower in self._following.tick(self._broker.now, self._timeout_s):
            self._outbox.log(
                "warning",
                CATEGORY,
                f"The copy of queue {follower.queue.name} on broker {follower.who} at "
                f"{follower.actor.rhost} did not acknowledge for {self._timeout_s:g} s: producers "
                "wait for it no more, until it has caught up",
            )

    def details(self) -> list[Value]:
        """What ``habroker`` shows of them."""
        return [_describe(follower) for follower in self._following.followers]


def _describe(follower: Follower) -> Value:
    state = "catching-up"
    if follower.waited_for:
        state = "in-sync" if follower.in_sync else "waited-for"
    return {
        "queue": follower.queue.name,
        "broker": follower.who,
        "address": follower.actor.rhost,
        "state": state,
        "lag": uint64(follower.behind),
    }

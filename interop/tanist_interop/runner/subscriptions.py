"""The scenario ``subscriptions``: topics, durable and temporary subscriptions, and a failover.

Each program sends to a topic of its own, which has a subscription of each kind (``KINDS``), of
different programs. Every one has messages before the receivers of the inactive ones end; these come
back after the failover, and find what was sent meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tanist_interop.checkers.ranges import Numbers
from tanist_interop.runner.crew import DrillError, Member
from tanist_interop.runner.play import AGAIN_S, BEGIN_S, Play, Stage
from tanist_interop.scenarios.scenario import Flow
from tanist_interop.scenarios.subscriptions import INACTIVE, TEMPORARY, Subscription, subscribed


@dataclass
class Subscriber:
    """A subscription, the program that has it, its tasks so far, and what they were given."""

    subscription: Subscription
    member: Member
    tasks: list[tuple[Member, int]] = field(default_factory=list)
    got: Numbers = field(default_factory=Numbers)


class Subscriptions(Play):
    """Carries the subscriptions of one plan out; ``run`` once."""

    subscribers: list[Subscriber]

    def stages(self) -> tuple[Stage, ...]:
        return (
            self.launch, self.muster, self.connect, self.stream, self.leave, self.strike,
            self.come_back, self.finish, self.compare, self.drain,
        )  # fmt: skip

    def muster(self) -> None:
        """Who is here, and whose library knows topics?"""
        super().muster()
        names = [flow.sender for flow in self.flows]
        able = [name for name in names if subscribes(self._member(name, "receive"))]
        if not able:
            raise DrillError("no client here has subscriptions")
        for name in names:
            if name not in able:
                self._note("unable", client=name, reason="it has no subscriptions")
        self.flows = [flow for flow in self.flows if flow.sender in able]
        topics = [(flow.queue, flow.producer) for flow in self.flows]
        self.subscribers = [
            Subscriber(subscription, self._member(subscription.client, "receive"))
            for subscription in subscribed(topics, able)
        ]

    def stream(self) -> None:
        """Subscribe, then send until every subscription has been given something."""
        self._subscribe(self.subscribers)
        for flow in self.flows:
            sender = self._member(flow.sender, "send")
            send = replace(self._send(sender, flow), topic=True)
            self.senders.append((sender, self.crew.tell(sender, send)))
        self.crew.call(self.senders, "starting senders")
        self.crew.wait(lambda: all(s.got for s in self.subscribers), "subscribing", BEGIN_S)
        self.crew.mark("subscribed")
        self.crew.mark("streaming")

    def leave(self) -> None:
        """End the receivers of the inactive subscriptions."""
        self._wait_acks(0, self.scenario.each_min, {}, "before the receivers leave")
        self._stop([s.tasks[-1] for s in self._inactive()], "leaving")
        self._progress("inactive subscriptions have no receiver")

    def come_back(self) -> None:
        """Receive from the inactive subscriptions again, and see the others go on."""
        before = {id(each): len(each.got) for each in self.subscribers}
        self._subscribe(self._inactive())
        self._progress("their receivers are back")
        self.crew.wait(
            lambda: all(len(each.got) > before[id(each)] for each in self.subscribers),
            "receiving after the failover", BEGIN_S,
        )  # fmt: skip

    def finish(self) -> None:
        """Enough acknowledged: stop the senders; every subscription is given what it lacks."""
        self._wait_acks(self.scenario.acknowledged_min, self.scenario.each_min, {}, "streaming")
        self._stop(self.senders, "stopping senders")
        self._progress("senders have stopped")
        count, since = -1, 0.0
        while not all(map(self._complete, self.subscribers)):
            self.crew.pump(0.05)
            now = time.monotonic()
            if (had := sum(len(s.got) for s in self.subscribers)) != count:
                count, since = had, now
            elif now - since > AGAIN_S:
                break
        self._stop([s.tasks[-1] for s in self.subscribers], "stopping receivers")

    def drain(self) -> None:
        """Note what there was to judge; a topic keeps nothing."""
        for each in self.subscribers:
            told = each.subscription
            self._note(
                "subscription", kind=told.kind, topic=told.topic, producer=told.producer,
                client=told.client, program=each.member.name, tasks=[i for _, i in each.tasks],
            )  # fmt: skip
        self.cluster.check_alive()
        self.warden.note_memory("end")

    def _declare(self, queues: list[str]) -> None:
        """Topics are exchanges, which an operator makes."""
        self.cluster.configure(
            self.warden.primary, [["add", "exchange", "topic", name] for name in queues]
        )

    def _subscribe(self, subscribers: Iterable[Subscriber]) -> None:
        told = []
        for each in subscribers:
            member, subscription = each.member, each.subscription
            flow = Flow(subscription.topic, subscription.producer, "", subscription.client)
            plain = self._receive(member, flow)
            receive = replace(plain, topic=True, subscription=subscription.name)
            task = (member, self.crew.tell(member, receive))
            self.crew.watch(member, receive.id, subscription.producer, each.got)
            each.tasks.append(task)
            told.append(task)
        self.crew.call(told, "subscribing")

    def _inactive(self) -> list[Subscriber]:
        return [each for each in self.subscribers if each.subscription.kind == INACTIVE]

    def _complete(self, each: Subscriber) -> bool:
        """Whether it has got all; a temporary one the last of them, for it may lack others."""
        producer = each.subscription.producer
        sent = self.crew.acknowledged[producer]
        if each.subscription.kind == TEMPORARY:
            return bool(each.got) and each.got.ranges()[-1][1] >= sent
        first = each.got.ranges()[0][0]
        return len(each.got) > sent - first

    def _up(self) -> list[Member]:
        return [m for m in self.crew.members.values() if m.state == "up"]


def subscribes(member: Member) -> bool:
    """Whether the program knows topics and durable subscriptions of them."""
    return "subscribe" in member.capabilities

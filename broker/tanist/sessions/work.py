"""What the sessions of a node leave to be done at the end of a step, and who does it.

``Steps`` is what the node drives, once for all protocols, per step::

    steps.begin()                              # before the input
    sessions.on_event(link, event)             # of the protocol that the connection speaks
    steps.dispatch()                           # once, in place of Broker.dispatch
    steps.feed()                               # when the journal was read, if queues are followed
    for held in steps.work.touched: ...        # seal and hold (sessions.held), then clear
    # then data_to_send of every connection: confirmations go out after deliveries
"""

from __future__ import annotations

from mypy_extensions import mypyc_attr

from tanist.core.broker import Broker
from tanist.core.records import Entry
from tanist.sessions.held import Held
from tanist.sessions.link import STEP_BYTES_MAX, ClientLink


class SentSettled:
    """The entries that a session was sent in this step and that being sent settles."""

    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def settle(self, broker: Broker) -> None:
        """Dequeue them: one record per queue, not per message."""
        entries = self.entries
        if entries:
            self.entries = []
            broker.dequeue(entries)


class Broken:
    """Something that must end with an error, but not in the middle of what found that out."""

    __slots__ = ()

    def end(self, broker: Broker) -> None:
        """End it now; nothing if it has ended meanwhile."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class Watched:
    """Something whose end depends on what happens elsewhere, such as a queue becoming empty."""

    __slots__ = ()

    def look(self, broker: Broker) -> bool:
        """Do what is due; whether it must be looked at again after the next step."""
        raise NotImplementedError


class StepWork:
    """The notes of one step; shared by all sessions of a node.

    ``touched``: have unsealed confirmations; whoever drives the step seals them and clears the
    list. ``settling``: sent messages that delivery settles. ``broken``: must end with an error, in
    the next step, which must come at once. ``starved``: links that were refused deliveries because
    their share of the step was used up. ``watched``: to be looked at after each step. ``step``
    numbers the steps.
    """

    __slots__ = ("broken", "settling", "starved", "step", "touched", "watched")

    def __init__(self) -> None:
        self.touched: list[Held] = []
        self.settling: list[SentSettled] = []
        self.broken: list[Broken] = []
        self.starved: list[ClientLink] = []
        self.watched: list[Watched] = []
        self.step = 0

    def takes(self, link: ClientLink) -> bool:
        """Whether ``link`` takes more deliveries in this step; see ``Sink.ready``."""
        if link.step != self.step:
            link.step = self.step
            link.budget = STEP_BYTES_MAX
        if link.budget > 0:
            return link.writable
        if link not in self.starved:
            self.starved.append(link)
        return False

    def watch(self, watched: Watched) -> None:
        """Look at ``watched`` after each step until it is done."""
        if watched not in self.watched:
            self.watched.append(watched)

    def sent(self, settled: SentSettled, entry: Entry) -> None:
        """``entry`` is settled by being sent; it is dequeued after the dispatch."""
        if not settled.entries:
            self.settling.append(settled)
        settled.entries.append(entry)

    def settle(self, broker: Broker) -> None:
        """Dequeue what was settled by being sent in this step."""
        settling = self.settling
        if settling:
            self.settling = []
            for each in settling:
                each.settle(broker)


class Steps:
    """The part of a step that all protocols share. ``work``: for the sessions of each."""

    __slots__ = ("broker", "work")

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.work = StepWork()

    def begin(self) -> None:
        """A new step: every link may be sent its share again. Call before the input is handled."""
        work = self.work
        work.step += 1
        if work.starved:
            starved = work.starved
            work.starved = []
            for link in starved:
                link.wake(self.broker)

    def dispatch(self) -> bool:
        """Deliver what can be delivered. True: there is more, step again soon (``Arm`` now).

        First ends what broke, such as consumers whose queues were deleted under them.
        """
        work = self.work
        if work.broken:
            broken = work.broken
            work.broken = []
            for each in broken:
                each.end(self.broker)
        more = self.broker.dispatch()
        if work.settling:
            work.settle(self.broker)
        if work.watched:
            work.watched = [each for each in work.watched if each.look(self.broker)]
        return more or len(work.starved) > 0

    def feed(self) -> bool:
        """Send copies of queues what they may have. True: there is more, step again soon."""
        more = self.broker.following.feed(self.broker.now)
        return more or len(self.work.starved) > 0

    def writable(self, link: ClientLink, writable: bool) -> None:
        """The write buffer of ``link`` became full (False) or drained (True)."""
        link.writable = writable
        if writable:
            link.wake(self.broker)

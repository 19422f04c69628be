"""One queue used at random by consumers and browsers with and without interests."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tanist.core.choosing import LOOKS_PER_TURN
from tanist.core.records import Entry
from tanist.core.subscription import Subscription
from tanist.types import CREDIT_UNLIMITED
from tests.broker.core.core_model import RecordingSink, actor, make_broker, message, publish
from tests.broker.core.interest_model import Picky, dispatch_all


class Witness(RecordingSink):
    """Checks each delivery: wanted, and the first one that is."""

    def __init__(self, machine: Machine, interest: Picky | None, acquire: bool) -> None:
        super().__init__()
        self.machine = machine
        self.interest = interest
        self.acquire = acquire
        self.shown: set[int] = set()

    def likes(self, entry: Entry) -> bool:
        if not self.acquire and entry.position in self.shown:
            return False
        return self.interest is None or self.interest.likes(entry)

    def deliver(self, subscription: Subscription, entry: Entry) -> None:
        assert self.likes(entry), "not wanted, or shown twice"
        assert entry.holder is (subscription if self.acquire else None)
        assert entry.message.expires_at > self.machine.broker.now
        if self.acquire:
            first = self.machine.first_for(self)
            assert first is None or first.position > entry.position, "not its first one"
        elif self.shown:
            assert max(self.shown) < entry.position
        self.shown.add(entry.position)
        super().deliver(subscription, entry)


class Machine(RuleBasedStateMachine):
    """Bodies begin with a key digit. Nobody gets what it does not want; whoever can be given
    something was given it, in order; each message is on the queue, or was accepted, purged or
    expired.
    """

    def __init__(self) -> None:
        super().__init__()
        self.broker = make_broker(queue_limit_bytes=0)
        self.broker.declare_queue("q", actor())
        self.queue = self.broker.queues["q"]
        self.subscribers: list[tuple[Subscription, Witness]] = []
        self.sent = 0
        self.ended = 0
        self.returns: dict[int, int] = {}

    def first_for(self, witness: Witness) -> Entry | None:
        """The first available entry that it wants."""
        for entry in self.queue.entries():
            if (
                entry.holder is None
                and entry.message.expires_at > self.broker.now
                and witness.likes(entry)
            ):
                return entry
        return None

    def held(self) -> list[Entry]:
        return [entry for entry in self.queue.entries() if entry.holder is not None]

    def pick(self, number: int) -> tuple[Subscription, Witness]:
        return self.subscribers[number % len(self.subscribers)]

    @rule(keys=st.lists(st.integers(0, 5), min_size=1, max_size=5), mortal=st.booleans())
    def publish(self, keys: list[int], mortal: bool) -> None:
        for key in keys:
            self.sent += 1
            body = b"%d-%d" % (key, self.sent)
            self.broker.publish(
                message(body, expires_at=self.broker.now + 3 if mortal else float("inf")), ""
            )

    @rule(key=st.integers(0, 5))
    def publish_many(self, key: int) -> None:
        count = 2 * LOOKS_PER_TURN
        self.sent += count
        publish(self.broker, *[b"%d-many" % key] * count)

    @precondition(lambda self: len(self.subscribers) < 5)
    @rule(
        keys=st.sets(st.integers(0, 5), max_size=3),
        plain=st.integers(0, 3),
        browse=st.integers(0, 3),
        credit=st.integers(0, 4),
        size=st.sampled_from([CREDIT_UNLIMITED, CREDIT_UNLIMITED, 9]),
    )
    def subscribe(self, keys: set[int], plain: int, browse: int, credit: int, size: int) -> None:
        letters = {b"%d" % key for key in keys}
        interest = Picky(lambda entry: entry.message.body[:1] in letters) if plain else None
        witness = Witness(self, interest, browse > 0)
        subscription = self.broker.subscribe(
            "q", "d", witness, browse > 0, False, {}, actor(object()), interest
        )
        self.broker.flow(subscription, 0, credit)
        self.broker.flow(subscription, 1, size)
        self.subscribers.append((subscription, witness))

    @precondition(lambda self: self.subscribers)
    @rule(number=st.integers(0, 9), released=st.booleans())
    def cancel(self, number: int, released: bool) -> None:
        subscription, witness = self.pick(number)
        self.subscribers.remove((subscription, witness))
        self.broker.cancel(subscription)
        if released:
            self.give_back([one for one in self.held() if one.holder is subscription], True)

    @precondition(lambda self: self.subscribers)
    @rule(number=st.integers(0, 9), credit=st.sampled_from([1, 2, 30, CREDIT_UNLIMITED]))
    def flow(self, number: int, credit: int) -> None:
        self.broker.flow(self.pick(number)[0], 0, credit)

    @precondition(lambda self: self.subscribers)
    @rule(number=st.integers(0, 9), room=st.sampled_from([0, 1, 2, 1 << 30]))
    def room(self, number: int, room: int) -> None:
        subscription, witness = self.pick(number)
        witness.room = room
        self.broker.wake(subscription)

    @precondition(lambda self: self.subscribers)
    @rule(number=st.integers(0, 9))
    def flush(self, number: int) -> None:
        subscription, _ = self.pick(number)
        if not subscription.flushing and self.broker.flush(subscription):
            assert subscription.messages_left == 0

    @rule()
    def dispatch(self) -> None:
        dispatch_all(self.broker)
        for subscription, witness in self.subscribers:
            if witness.room <= 0:
                continue
            assert not subscription.flushing, "a flush that does not end"
            first = self.first_for(witness) if subscription.messages_left > 0 else None
            if witness.acquire:
                assert first is None or first.message.size > subscription.bytes_left, "stuck"
            elif first is not None and first.message.size <= subscription.bytes_left:
                passed = subscription.search.cursor if subscription.search else subscription.cursor
                assert first.position <= passed, "stuck"

    @precondition(lambda self: self.held())
    @rule(numbers=st.sets(st.integers(0, 99), min_size=1, max_size=4))
    def accept(self, numbers: set[int]) -> None:
        held = self.held()
        entries = {held[number % len(held)].position for number in numbers}
        self.broker.dequeue([one for one in held if one.position in entries])
        self.ended += len(entries)

    @precondition(lambda self: self.held())
    @rule(
        numbers=st.lists(st.integers(0, 99), min_size=1, max_size=4),
        counts=st.booleans(),
        not_here=st.booleans(),
    )
    def release(self, numbers: list[int], counts: bool, not_here: bool) -> None:
        held = self.held()
        entries = list({held[number % len(held)].position for number in numbers})
        out = [one for one in held if one.position in entries]
        for entry in out if not_here else []:
            for subscription, witness in self.subscribers:
                if entry.holder is subscription and witness.interest is not None:
                    witness.interest.undeliverable.add(entry.position)
        self.give_back(out, counts)

    def give_back(self, entries: list[Entry], counts: bool) -> None:
        for entry in entries:
            self.returns[entry.position] = self.returns.get(entry.position, 0) + 1
        self.broker.release(entries, counts)

    @precondition(lambda self: self.subscribers)
    @rule(number=st.integers(0, 9), keys=st.sets(st.integers(0, 5), max_size=4))
    def change(self, number: int, keys: set[int]) -> None:
        subscription, witness = self.pick(number)
        letters = {b"%d" % key for key in keys}
        interest = Picky(lambda entry: entry.message.body[:1] in letters) if keys else None
        witness.interest = interest
        self.broker.set_interest(subscription, interest)

    @rule(seconds=st.integers(1, 3))
    def later(self, seconds: int) -> None:
        self.broker.now += seconds

    @precondition(lambda self: self.queue.count > 5 * LOOKS_PER_TURN)
    @rule()
    def purge(self) -> None:
        self.ended += self.broker.purge("q", actor())

    @invariant()
    def nothing_is_lost(self) -> None:
        queue = self.queue
        assert queue.count + self.ended + queue.discards_ttl == self.sent
        assert queue.held == len(self.held())
        searches = [
            one.search for one, witness in self.subscribers if one.search and witness.acquire
        ]
        assert queue.searches == searches or set(queue.searches) == set(searches)

    @invariant()
    def nothing_is_tested_in_vain(self) -> None:
        for _, witness in self.subscribers:
            if witness.interest is not None:
                for position, times in witness.interest.asked.items():
                    assert times <= 1 + self.returns.get(position, 0)

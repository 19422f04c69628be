"""Random scripts of configuration: a model of what is there decides what may be done next.

The script declares, binds, unbinds, deletes and recreates under the same name; each new incarnation
carries an argument of its own, so that a namesake is told from its predecessor.
"""

from __future__ import annotations

from random import Random

from tanist.wire.amqp010.values import Value
from tests.sim.configuring import (
    Step,
    bind,
    declare_exchange,
    declare_queue,
    delete_exchange,
    delete_queue,
    unbind,
)

QUEUES = 3
TYPES = ("direct", "topic", "fanout", "headers")
"""Type of exchange 0, 1, ...: a namesake of another type would answer for bindings of the first."""
BUILTIN = {"amq.direct": "direct", "amq.topic": "topic", "amq.match": "headers"}


class Model:
    """What the script has made so far."""

    def __init__(self, name: str, choice: int) -> None:
        self.name = name
        self.random = Random(choice)
        self.generation = 0
        self.queues: dict[str, str] = {}
        """Name -> alternate exchange."""
        self.exchanges: dict[str, tuple[str, str]] = {}
        """Name -> type, alternate exchange."""
        self.bindings: dict[tuple[str, str, str], None] = {}

    def step(self) -> Step:
        """The next command: any that makes sense."""
        possible = [self._declare_queue, self._declare_exchange, self._bind]
        if self.queues:
            possible += [self._delete_queue, self._bind]
        if self.bindings:
            possible.append(self._unbind)
        if any(self._is_free(name) for name in self.exchanges):
            possible.append(self._delete_exchange)
        while True:
            made = self.random.choice(possible)()
            if made is not None:
                return made

    def _arguments(self) -> dict[str, Value]:
        self.generation += 1
        return {"x-generation": self.generation}

    def _alternate(self) -> str:
        names = list(self.exchanges)
        return self.random.choice(names) if names and self.random.random() < 0.4 else ""

    def _is_free(self, exchange: str) -> bool:
        """Nobody has it as alternate."""
        used = [*self.queues.values(), *(alternate for _, alternate in self.exchanges.values())]
        return exchange not in used

    def _declare_queue(self) -> Step | None:
        name = f"{self.name}.q{self.random.randrange(QUEUES)}"
        if name in self.queues:
            return None
        alternate = self._alternate()
        self.queues[name] = alternate
        durable = self.random.random() < 0.5
        return declare_queue(name, self._arguments(), durable=durable, alternate=alternate)

    def _declare_exchange(self) -> Step | None:
        number = self.random.randrange(len(TYPES))
        name, kind = f"{self.name}.x{number}", TYPES[number]
        if name in self.exchanges:
            return None
        alternate = self._alternate()
        self.exchanges[name] = (kind, alternate)
        durable = self.random.random() < 0.5
        return declare_exchange(name, kind, self._arguments(), durable=durable, alternate=alternate)

    def _bind(self) -> Step | None:
        kinds = {**BUILTIN, **{name: kind for name, (kind, _) in self.exchanges.items()}}
        if not self.queues:
            return None
        exchange = self.random.choice(list(kinds))
        queue = self.random.choice(list(self.queues))
        kind = kinds[exchange]
        key = "all" if kind == "fanout" else f"{queue}.{self.random.randrange(2)}"
        if kind == "topic":
            key += ".*"
        if (exchange, queue, key) in self.bindings:
            return None
        self.bindings[exchange, queue, key] = None
        given: dict[str, Value] = {"x-match": "any", "color": key} if kind == "headers" else {}
        return bind(exchange, queue, key, given)

    def _unbind(self) -> Step:
        exchange, queue, key = self.random.choice(list(self.bindings))
        del self.bindings[exchange, queue, key]
        return unbind(exchange, queue, key)

    def _delete_queue(self) -> Step:
        name = self.random.choice(list(self.queues))
        del self.queues[name]
        return delete_queue(name, self._unbound(1, name))

    def _delete_exchange(self) -> Step | None:
        name = self.random.choice(list(self.exchanges))
        if not self._is_free(name):
            return None
        del self.exchanges[name]
        return delete_exchange(name, self._unbound(0, name))

    def _unbound(self, part: int, name: str) -> list[str]:
        """The bindings that go with a queue or an exchange, as things."""
        gone = [binding for binding in self.bindings if binding[part] == name]
        for binding in gone:
            del self.bindings[binding]
        return [f"binding {exchange} {queue} {key}" for exchange, queue, key in gone]


def draw_script(name: str, choice: int, count: int) -> list[Step]:
    """``count`` commands on objects whose names begin with ``name``."""
    model = Model(name, choice)
    return [model.step() for _ in range(count)]

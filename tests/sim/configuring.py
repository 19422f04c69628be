"""Clients that configure: they carry out a script of declarations, one command at a time.

A command is a ``Step``: what to send, and which *things* are in which state once it is done. A
thing is "queue NAME", "exchange NAME" or "binding EXCHANGE QUEUE KEY"; its state is text made of
everything that was asked for, "" if it is not there. After each reconnect, and at the end, the
client looks at every thing that it ever touched and writes down what it sees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from tanist.core.arguments import HA_UUID, REPLICATE
from tanist.wire.amqp010.codec import make
from tanist.wire.amqp010.events import Completed, Event, Result
from tanist.wire.amqp010.session import Session
from tanist.wire.amqp010.values import Struct, Value
from tests.sim.clients import Site
from tests.sim.clients010 import Client010, answer_of, covers
from tests.sim.history import Granted, Looked, Purge, Wished
from tests.sim.plan import ClientPlan

NOT_FOUND = 404
HIDDEN = (HA_UUID, REPLICATE)
"""Arguments that the broker adds."""


class Step(NamedTuple):
    """One command. ``states``: thing -> its state afterwards. ``purges``: a queue.

    ``forgives``: sent again after a lost connection it may find that it is done already (404).
    """

    command: Struct
    states: dict[str, str]
    forgives: bool = False
    purges: str = ""


def _text(arguments: Mapping[str, Value]) -> str:
    shown = []
    for name, value in sorted(arguments.items()):
        if name not in HIDDEN:
            text = value.decode() if isinstance(value, bytes) else str(value)
            shown.append(f"{name}={text}")
    return " ".join(shown)


def queue_state(
    durable: bool, auto_delete: bool, alternate: str, given: Mapping[str, Value]
) -> str:
    """The state of a queue as text."""
    return f"durable={durable} auto={auto_delete} alternate={alternate!r} {_text(given)}".strip()


def exchange_state(kind: str, durable: bool, given: Mapping[str, Value]) -> str:
    """The state of an exchange as text."""
    return f"type={kind} durable={durable} {_text(given)}".strip()


def declare_queue(
    name: str,
    arguments: Mapping[str, Value] | None = None,
    *,
    durable: bool = False,
    auto_delete: bool = False,
    exclusive: bool = False,
    alternate: str = "",
) -> Step:
    """Declare a queue."""
    given = dict(arguments or {})
    command = make(
        "queue.declare",
        queue=name,
        durable=durable,
        auto_delete=auto_delete,
        exclusive=exclusive,
        alternate_exchange=alternate or None,
        arguments=given,
    )
    return Step(command, {f"queue {name}": queue_state(durable, auto_delete, alternate, given)})


def declare_exchange(
    name: str,
    kind: str,
    arguments: Mapping[str, Value] | None = None,
    *,
    durable: bool = False,
    alternate: str = "",
) -> Step:
    """Declare an exchange."""
    given = dict(arguments or {})
    command = make(
        "exchange.declare",
        exchange=name,
        type=kind,
        durable=durable,
        alternate_exchange=alternate or None,
        arguments=given,
    )
    return Step(command, {f"exchange {name}": exchange_state(kind, durable, given)})


def bind(exchange: str, queue: str, key: str, given: Mapping[str, Value] | None = None) -> Step:
    """Bind a queue."""
    arguments = dict(given or {})
    command = make(
        "exchange.bind", exchange=exchange, queue=queue, binding_key=key, arguments=arguments
    )
    return Step(command, {f"binding {exchange} {queue} {key}": "bound"})


def unbind(exchange: str, queue: str, key: str) -> Step:
    """Remove a binding."""
    command = make("exchange.unbind", exchange=exchange, queue=queue, binding_key=key)
    return Step(command, {f"binding {exchange} {queue} {key}": ""}, forgives=True)


def delete_queue(name: str, bindings: list[str] | None = None) -> Step:
    """Delete a queue and, with it, ``bindings`` (things)."""
    gone = dict.fromkeys([f"queue {name}", *(bindings or [])], "")
    return Step(make("queue.delete", queue=name), gone, forgives=True)


def delete_exchange(name: str, bindings: list[str] | None = None) -> Step:
    """Delete an exchange and, with it, ``bindings`` (things)."""
    gone = dict.fromkeys([f"exchange {name}", *(bindings or [])], "")
    return Step(make("exchange.delete", exchange=name), gone, forgives=True)


def purge(queue: str) -> Step:
    """Drop the messages of a queue."""
    return Step(make("queue.purge", queue=queue), {}, purges=queue)


class Configurator(Client010):
    """Carries out ``script``; calls ``then`` once when all of it is confirmed.

    It stays connected to look again after each failover, until ``finish``, which makes it look once
    more and leave.
    """

    def __init__(
        self,
        site: Site,
        name: str,
        plan: ClientPlan,
        script: list[Step],
        then: Callable[[], None] | None = None,
    ) -> None:
        self.script = script
        self.at = 0
        """The step under way."""
        self._then = then
        self._things: dict[str, None] = {}
        self._waiting = -1
        self._began = 0.0
        self._tried = False
        self._looks: dict[int, tuple[str, float]] = {}
        self._finishing = False
        super().__init__(site, name, plan)

    @property
    def done(self) -> bool:
        """All of the script is confirmed."""
        return self.at >= len(self.script)

    def finish(self) -> None:
        """Look once more, then leave."""
        self._finishing = True
        if self.session is not None and self._waiting < 0 and not self._looks:
            self._look(self.session)
            self.flush()

    # -- the script ---------------------------------------------------------------------------

    def on_session(self, session: Session) -> None:
        """Look at what was confirmed, then go on with the step that was not."""
        self._look(session)

    def on_startled(self) -> None:
        """Send the next step now."""
        if not self._looks:
            self._send()

    def on_lost(self) -> None:
        """Nobody knows whether the step under way was carried out."""
        self._waiting = -1
        self._looks = {}

    def on_refused(self, code: int | str, text: str) -> None:
        """A step that was sent before may have been carried out then."""
        step = self.script[self.at] if not self.done else None
        if code == NOT_FOUND and step is not None and step.forgives and self._tried:
            self._granted(step)
        else:
            super().on_refused(code, text)

    def on_event(self, event: Event) -> None:
        """An answer to a look, or the completion of the step under way."""
        if isinstance(event, Result):
            thing, since = self._looks.pop(event.command_id)
            state = _seen(thing, answer_of(event))
            self.site.record(Looked(self.world.now, since, self.name, thing, state))
            self.count("looks")
            if not self._looks:
                self._go_on()
        elif isinstance(event, Completed) and self._waiting >= 0 and covers(event, self._waiting):
            self._waiting = -1
            self._granted(self.script[self.at])
            self._go_on()

    def _go_on(self) -> None:
        if not self.done:
            self.later(0.0 if self.site.calm else self.plan.pause_s, self._send)
        elif self._then is not None:
            then, self._then = self._then, None
            then()
        elif self._finishing:
            self.leave()

    def _send(self) -> None:
        session = self.session
        if session is None or self.done or self._waiting >= 0:
            return
        step = self.script[self.at]
        now = self.world.now
        for thing, state in step.states.items():
            self.site.record(Wished(now, self.name, thing, state))
            self._things[thing] = None
        if not self._tried:
            self._tried = True
            self._began = now
        self._waiting = session.send(step.command, sync=True)

    def _granted(self, step: Step) -> None:
        now = self.world.now
        for thing, state in step.states.items():
            self.site.record(Granted(now, self.name, thing, state))
        if step.purges:
            self.site.record(Purge(now, self._began, step.purges))
        self.count(f"{step.command.name} confirmed")
        self._tried = False
        self.at += 1

    # -- looking ------------------------------------------------------------------------------

    def _look(self, session: Session) -> None:
        """Ask for every thing at once; ``_go_on`` when all was answered."""
        self._looks = {}
        now = self.world.now
        for thing in self._things:
            self._looks[session.send(_question(thing), sync=True)] = (thing, now)
        if not self._looks:
            self._go_on()


def _question(thing: str) -> Struct:
    kind, name, *rest = thing.split(" ")
    if kind == "queue":
        return make("queue.query", queue=name)
    if kind == "exchange":
        return make("exchange.query", name=name)
    return make("exchange.bound", exchange=name, queue=rest[0], binding_key=rest[1])


def _seen(thing: str, answer: Struct) -> str:
    """The state that a query's answer tells."""
    kind = thing.partition(" ")[0]
    if kind == "queue":
        if not answer.has("queue"):
            return ""
        return queue_state(
            answer.flag("durable"),
            answer.flag("auto_delete"),
            answer.text("alternate_exchange"),
            answer.map("arguments"),
        )
    if kind == "exchange":
        if answer.flag("not_found"):
            return ""
        return exchange_state(answer.text("type"), answer.flag("durable"), answer.map("arguments"))
    missing = (
        "exchange_not_found",
        "queue_not_found",
        "queue_not_matched",
        "key_not_matched",
        "args_not_matched",
    )
    return "" if any(answer.flag(name) for name in missing) else "bound"

"""The client protocol: what the drill says to a client program and what it answers.

One JSON object per line: requests on the program's stdin, replies and events on its stdout, free
text on stderr. Every message is a frozen dataclass below; its ``TYPE`` is the ``type`` of the
line, its fields are the other keys. ``encode`` and ``decode`` are the whole codec, and
``tanist_interop.manual`` writes docs/client-protocol.md from the same dataclasses.

Client programs are dumb: they never judge, compare or count duplicates. What they say is recorded
in the history and judged there.
"""

# ruff: noqa: RUF009, ANN401  # _doc and _opt stand in for dataclasses.field, which is typed so

from __future__ import annotations

import json
import typing
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from typing import ClassVar, Final

VERSION: Final = 2

ROLLED_BACK: Final = "rolled back"
"""Reason of a `fail` that the drill had asked for."""

MAX_LINE_BYTES: Final = 4 * 1024 * 1024
"""A batch of 1000 single numbers needs 20 KB; a line beyond this is not ours."""

Ranges = list[list[int]]
"""Sequence numbers as ``[[first, last], ...]``, in the order in which they happened."""


Value = dict[str, object]
"""An AMQP value as ``{"type": ..., "value": ...}``; see *Values* of the document."""


class MalformedLine(ValueError):
    """A line that is not a message of this protocol; the text says what is wrong and what to do."""


def _doc(text: str) -> typing.Any:
    return field(metadata={"doc": text})


def _opt(text: str, default: object) -> typing.Any:
    if isinstance(default, (list, dict)):
        copy = default
        return field(default_factory=lambda: type(copy)(copy), metadata={"doc": text})
    return field(default=default, metadata={"doc": text})


@dataclass(frozen=True)
class Message:
    """Base of everything that travels."""

    TYPE: ClassVar[str] = ""


@dataclass(frozen=True)
class Request(Message):
    """Base of what the drill says; ``id`` is unique in one run of the program."""

    id: int = _doc("number of the request, repeated in the reply as `in_reply_to`")


@dataclass(frozen=True)
class Init(Request):
    """First request. Answer `init_ok`; connect nowhere yet."""

    TYPE = "init"
    name: str = _doc("name of this instance, for logs and as client id where the library has one")
    protocol: int = _doc(f"version of this protocol, now {VERSION}")


@dataclass(frozen=True)
class Connect(Request):
    """Open the connection, with the library's own reconnect logic on. Answer `done` when it is
    open to a broker that serves; keep trying for as long as it takes (the drill has a deadline and
    ends the program). A program that cannot do what `failover` asks answers `unsupported`."""

    TYPE = "connect"
    addresses: list[str] = _doc("`host:port` of every broker, in the order in which to try them")
    heartbeat_s: int = _doc("heartbeat interval in seconds, 0 = none")
    reconnect: bool = _opt("false: no reconnecting, report the loss and end", True)
    failover: str = _opt(
        "where the library learns the addresses to reconnect to: `addresses` (the list above) or "
        "`exchange` (the list names the primary only; the rest comes from `amq.failover`)",
        "addresses",
    )
    reopen: bool = _opt(
        "true: when the library gives a connection up for good, open a new one with it and go on; "
        "see `reopened`",
        False,
    )
    options: dict[str, str] = _opt(
        "`username`, `password`, and options of the library by its own names; an unknown one is "
        "answered with `failed`",
        {},
    )


@dataclass(frozen=True)
class Declare(Request):
    """Create the queue if it is missing. Answer `done` when it exists."""

    TYPE = "declare"
    queue: str = _doc("name of the queue")
    durable: bool = _opt("durable queue", False)


@dataclass(frozen=True)
class Send(Request):
    """Start a sender task (named by this request's `id`) and answer `done` at once. Announce with
    `invoke`, report each message's outcome once, end with `ended` when `count` messages have an
    outcome, or after `stop` when all that were sent have one."""

    TYPE = "send"
    queue: str = _doc("name of an existing queue")
    producer: str = _doc("producer id; header `producer` of every message")
    first_sn: int = _doc("sequence number of the first message; each next one is one more")
    count: int = _doc("how many messages, 0 = until `stop`")
    rate_per_s: float = _opt("messages per second, 0 = as fast as it can", 0.0)
    window: int = _opt(
        "most messages sent but not yet acknowledged (capacity); 1 = one at a time", 100
    )
    body_bytes: int = _opt("length of the body, plain ASCII text", 100)
    durable: bool = _opt("durable messages", False)
    delay_ms: int = _opt(
        "so many milliseconds after it was sent a message may come, and not before (only with "
        "capability `delay`)",
        0,
    )
    transaction: int = _opt(
        "so many messages are one local transaction, 0 = none (only with capability "
        "`transaction`): announced by one `invoke`, committed when all are handed over, and the "
        "next one begins after that; a library's loss of one is no end of the task. The outcome is "
        "the same for all of one: `ok` when the commit is answered, `fail` when it surely was not "
        "asked for, else `info`. The last one before `stop` is finished; `window` means nothing",
        0,
    )
    rollback_every: int = _opt(
        "in place of the commit, every so many-th transaction is rolled back, 0 = none; `fail` "
        "with the reason `rolled back` when that is answered",
        0,
    )
    kinds: int = _opt(
        "each message also carries the header `kind` (integer): its sequence number modulo this; "
        "0 = it does not",
        0,
    )
    topic: bool = _opt("true: `queue` names a topic (only with capability `subscribe`)", False)


@dataclass(frozen=True)
class Receive(Request):
    """Start a receiver task and answer `done` at once. Report every message handed to the program
    with `received`, acknowledge it, report `acked`."""

    TYPE = "receive"
    queue: str = _doc("name of an existing queue")
    prefetch: int = _opt("most messages on their way to or buffered in the client", 100)
    ack_every: int = _opt("acknowledge after so many messages, and when none waits; 1 = each", 1)
    count: int = _opt("end after so many messages, 0 = no such end", 0)
    idle_s: float = _opt("end after so many seconds without a message, 0 = no such end", 0.0)
    hold: bool = _opt(
        "true: take `count` messages and no more (after a reconnect neither), acknowledge none, "
        "and live on until `stop`, which closes the link; `settle` says what becomes of them",
        False,
    )
    transaction: bool = _opt(
        "true: acknowledge in local transactions. With `hold` in one that `settle` ends (a program "
        "whose library has none answers `unsupported`), else in one after the other: each is "
        "committed where there would be an acknowledgement, and numbered in `acked`, which is "
        "written at once: no line spans the end of a transaction",
        False,
    )
    selector: str = _opt(
        "a JMS selector: the messages wanted, the others stay (only with capability `selector`)", ""
    )
    topic: bool = _opt(
        "true: `queue` names a topic; the subscription ends with the link (only with capability "
        "`subscribe`)",
        False,
    )
    subscription: str = _opt(
        "with `topic`: name of a durable subscription, which goes on without a receiver after the "
        "end of the task, until the next one names it; empty = it is not durable",
        "",
    )


@dataclass(frozen=True)
class Settle(Request):
    """Give everything that a holding task holds an outcome. Answer `done` when the library took it,
    or, where it tells, when the broker has it; write `settled` before."""

    TYPE = "settle"
    task: int = _doc("`id` of the `receive`")
    outcome: str = _doc(
        "`accept`, `reject`, `release` (as if not delivered: AMQP 1.0 released, 0-10 release "
        "without set-redelivered), `modify` (may have been delivered: AMQP 1.0 modified with "
        "delivery-failed, 0-10 release with set-redelivered), or of a transaction `rollback`. One "
        "that the library does not offer is answered with `unsupported`"
    )


@dataclass(frozen=True)
class Drain(Request):
    """Like `receive`, but for the end of a run: receive and acknowledge everything until the queue
    gave nothing for `empty_s` seconds **while connected**, then `ended` with reason `empty`."""

    TYPE = "drain"
    queue: str = _doc("name of an existing queue")
    empty_s: float = _doc("seconds without a message after which the queue counts as empty")
    prefetch: int = _opt("as in `receive`", 100)
    ack_every: int = _opt("as in `receive`", 1)


@dataclass(frozen=True)
class Put(Request):
    """Send one message that carries a value, by exactly this type. Answer `done` when the broker
    has acknowledged it, `unsupported` if the library cannot send this type in this place."""

    TYPE = "put"
    queue: str = _doc("name of an existing queue")
    place: str = _doc(
        "`body` (an AMQP value as the whole body), `property` (the application property or header "
        "`value`) or `map` (the entry `value` of a map that is the body)"
    )
    value: Value = _doc("the value, see *Values*")


@dataclass(frozen=True)
class Take(Request):
    """Receive one message that `put` sent, acknowledge it, and answer `taken` with what the library
    hands out. Answer `failed` if none comes."""

    TYPE = "take"
    queue: str = _doc("name of an existing queue")
    place: str = _doc("as in `put`: where the value is")
    timeout_s: float = _opt("how long to wait for it", 5.0)


@dataclass(frozen=True)
class Stop(Request):
    """End a task in good order: a sender sends no more and waits for the outcome of what it sent, a
    receiver acknowledges what it has reported. Answer `done` at once; the task says `ended`."""

    TYPE = "stop"
    task: int = _opt("`id` of the `send`, `receive` or `drain`; 0 = every task", 0)


@dataclass(frozen=True)
class Close(Request):
    """Close the connection (at most 2 s), answer `done`, exit with code 0. Also do this when stdin
    ends, without the answer."""

    TYPE = "close"


@dataclass(frozen=True)
class Reply(Message):
    """Base of the answers."""

    in_reply_to: int = _doc("`id` of the request")


@dataclass(frozen=True)
class InitOk(Reply):
    """Answer to `init`."""

    TYPE = "init_ok"
    client: str = _doc("name of the program, as in its `client.json`")
    protocol: int = _doc("version of this protocol that the program speaks")
    versions: dict[str, str] = _doc("versions of library, language, machine by name")
    capabilities: list[str] = _doc("see *Capabilities*")
    now_ns: int = _doc("the program's monotonic clock now, the same clock as every `t`")


@dataclass(frozen=True)
class Done(Reply):
    """The request is carried out (`connect`, `declare`, `close`) or begun (the others)."""

    TYPE = "done"


@dataclass(frozen=True)
class Taken(Reply):
    """Answer to `take`."""

    TYPE = "taken"
    value: Value = _doc(
        "what the library handed out, by the type that the program sees; see *Values*"
    )


@dataclass(frozen=True)
class Unsupported(Reply):
    """The program does not know this request or cannot do what it asks. The drill tests every
    program for this honesty with a request that nobody knows, before it is given work."""

    TYPE = "unsupported"
    request: str = _doc("`type` of the request")
    reason: str = _opt("why", "")


@dataclass(frozen=True)
class Failed(Reply):
    """The request was understood but did not succeed."""

    TYPE = "failed"
    reason: str = _doc("what went wrong, for a human")


@dataclass(frozen=True)
class Event(Message):
    """Base of what a program says unasked."""

    t: int = _doc("monotonic nanoseconds of the client's machine (CLOCK_MONOTONIC; Java: nanoTime)")


@dataclass(frozen=True)
class Batch(Event):
    """Base of events about messages. Many messages share one line."""

    task: int = _doc("`id` of the task")
    producer: str = _doc("producer id of these messages")
    sns: Ranges = _doc("sequence numbers `[[first, last], ...]` in the order they happened")


@dataclass(frozen=True)
class Invoke(Batch):
    """These are about to be sent. Written and flushed **before** the first of them is handed to the
    library, so announce in small blocks (at most `window`, at most 100). What was announced but
    never handed over must get `fail`."""

    TYPE = "invoke"


@dataclass(frozen=True)
class Ok(Batch):
    """The broker acknowledged these. `t` = when the program learnt it (first of the batch)."""

    TYPE = "ok"


@dataclass(frozen=True)
class Fail(Batch):
    """These were surely **not** sent and never will be. Only with certainty."""

    TYPE = "fail"
    reason: str = _opt("for a human", "")


@dataclass(frozen=True)
class Info(Batch):
    """Nobody knows whether these were sent. When in doubt, this. `ok` may follow after `reopened`,
    never otherwise."""

    TYPE = "info"
    reason: str = _opt("for a human", "")


@dataclass(frozen=True)
class Received(Batch):
    """These were handed to the program. All of one line share `redelivered` and `count`; lines keep
    the order of reception per producer, so a change of either begins a new line."""

    TYPE = "received"
    redelivered: bool = _doc("the library's redelivered flag")
    count: int | None = _opt("delivery count if the library tells one, else null", None)
    first_acquirer: bool | None = _opt(
        "AMQP 1.0 first-acquirer if the library tells it, else null", None
    )


@dataclass(frozen=True)
class Acked(Batch):
    """The acknowledge call for these returned."""

    TYPE = "acked"
    unknown: bool = _opt("true: the call raised; the broker may or may not have them", False)
    transaction: int = _opt(
        "number of the receiver's local transaction in which they were acknowledged, from 1; "
        "0 = none",
        0,
    )


@dataclass(frozen=True)
class Settled(Batch):
    """These were held and got the outcome that a `settle` named."""

    TYPE = "settled"
    outcome: str = _doc("as in `settle`")


@dataclass(frozen=True)
class Ended(Event):
    """A task is over. Every event of that task was written before this one."""

    TYPE = "ended"
    task: int = _doc("`id` of the task")
    reason: str = _doc("`count`, `stopped`, `idle`, `empty` or `error`")
    count: int = _doc("messages announced (sender) or received (receiver) by this task")


@dataclass(frozen=True)
class Disconnected(Event):
    """The library says that the connection is lost (at the moment it found out)."""

    TYPE = "disconnected"
    reason: str = _opt("the library's words", "")


@dataclass(frozen=True)
class Reconnected(Event):
    """The library says that the connection is open again."""

    TYPE = "reconnected"
    address: str = _opt("`host:port` if known", "")


@dataclass(frozen=True)
class Reopened(Event):
    """The library had given its connection up for good; the program opened a new one with it, and
    this task goes on (only if `connect` asked for it with `reopen`). What a sender had handed over
    and was not acknowledged got `info` before; the program sends it again under the same numbers,
    as applications must, and a later `ok` tells that this try was acknowledged."""

    TYPE = "reopened"
    task: int = _doc("`id` of the task; each task of the program tells it of itself")
    reason: str = _opt("what the library said when it gave up", "")
    in_doubt: int = _opt("messages that are sent again", 0)


@dataclass(frozen=True)
class Error(Event):
    """Something went wrong that no other event tells. A fatal one ends the tasks (`ended`, reason
    `error`) but not the program."""

    TYPE = "error"
    text: str = _doc("what, for a human: one line, exception type first")
    task: int = _opt("`id` of the task, 0 = the whole program", 0)
    fatal: bool = _opt("true: the connection or the task will not go on", False)


REQUESTS: Final[tuple[type[Request], ...]] = (
    Init, Connect, Declare, Send, Receive, Drain, Settle, Put, Take, Stop, Close,
)  # fmt: skip
REPLIES: Final[tuple[type[Reply], ...]] = (InitOk, Done, Taken, Unsupported, Failed)
EVENTS: Final[tuple[type[Event], ...]] = (
    Invoke, Ok, Fail, Info, Received, Acked, Settled, Ended, Disconnected, Reconnected, Reopened,
    Error,
)  # fmt: skip
BY_TYPE: Final[dict[str, type[Message]]] = {m.TYPE: m for m in (*REQUESTS, *REPLIES, *EVENTS)}


def encode(message: Message) -> str:
    """One line, without its newline."""
    return json.dumps({"type": message.TYPE, **asdict(message)}, separators=(",", ":"))


def decode(line: str | bytes) -> Message:
    """The message of one line. Raises: MalformedLine."""
    if len(line) > MAX_LINE_BYTES:
        raise MalformedLine(f"a line of {len(line)} bytes; the limit is {MAX_LINE_BYTES}")
    try:
        value = json.loads(line)
    except ValueError as error:
        raise MalformedLine(_advice(line, f"is not JSON ({error})")) from error
    if not isinstance(value, dict):
        raise MalformedLine(_advice(line, "is not a JSON object"))
    return from_dict(value)


def from_dict(value: dict[str, object]) -> Message:
    """The message of one decoded JSON object. Unknown keys are ignored. Raises: MalformedLine."""
    name = value.get("type")
    kind = BY_TYPE.get(name) if isinstance(name, str) else None
    if kind is None:
        raise MalformedLine(_advice(repr(value), f"has the unknown type {name!r}"))
    arguments: dict[str, object] = {}
    for spec, hint in schema(kind):
        if spec.name in value:
            given = value[spec.name]
            if not _fits(given, hint):
                text = f"has {spec.name}={given!r}; expected {type_name(hint)}"
                raise MalformedLine(_advice(repr(value), text))
            arguments[spec.name] = given
        elif required(spec):
            raise MalformedLine(_advice(repr(value), f"lacks {spec.name!r}"))
    return kind(**arguments)


_SCHEMAS: Final[dict[type[Message], list[tuple[Field[typing.Any], object]]]] = {}


def schema(kind: type[Message]) -> list[tuple[Field[typing.Any], object]]:
    """The fields of a message in order, each with its type."""
    known = _SCHEMAS.get(kind)
    if known is None:
        hints = typing.get_type_hints(kind)
        known = [(spec, hints[spec.name]) for spec in fields(kind)]
        _SCHEMAS[kind] = known
    return known


def required(spec: Field[typing.Any]) -> bool:
    """Whether a line must have this field."""
    return spec.default is MISSING and spec.default_factory is MISSING


def _advice(line: str | bytes, problem: str) -> str:
    text = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
    return (
        f"A client program wrote the line {text[:200]!r}, which {problem}. Only messages of the "
        "client protocol belong on stdout, one JSON object per line; anything for humans belongs "
        "on stderr. See docs/client-protocol.md."
    )


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_ranges(value: object) -> bool:
    if not isinstance(value, list):
        return False
    for pair in value:
        if not (isinstance(pair, list) and len(pair) == 2 and all(map(_is_int, pair))):
            return False
        if pair[0] > pair[1]:
            return False
    return True


def _is_value(value: object) -> bool:
    """A typed value: text, or a list of typed values, or of pairs of them."""
    if not (isinstance(value, dict) and isinstance(value.get("type"), str)):
        return False
    inner = value.get("value")
    if not isinstance(inner, list):
        return isinstance(inner, str)
    return all(
        all(map(_is_value, item)) if isinstance(item, list) else _is_value(item) for item in inner
    )


def _fits(value: object, hint: object) -> bool:
    if hint == Ranges:
        return _is_ranges(value)
    if hint == list[str]:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if hint == dict[str, str]:
        return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())
    if hint == Value:
        return _is_value(value)
    if hint == (int | None):
        return value is None or _is_int(value)
    if hint == (bool | None):
        return value is None or isinstance(value, bool)
    if hint is float:
        return _is_int(value) or isinstance(value, float)
    if hint is int:
        return _is_int(value)
    return isinstance(value, typing.cast("type[object]", hint))


def expand(sns: Ranges) -> list[int]:
    """Every sequence number of the ranges, in order."""
    return [sn for first, last in sns for sn in range(first, last + 1)]


def count(sns: Ranges) -> int:
    """How many sequence numbers the ranges hold."""
    return sum(last - first + 1 for first, last in sns)


def compress(sns: list[int]) -> Ranges:
    """Ranges of consecutive ascending numbers; the order is kept, so ``expand`` undoes it."""
    out: Ranges = []
    for sn in sns:
        if out and out[-1][1] + 1 == sn:
            out[-1][1] = sn
        else:
            out.append([sn, sn])
    return out


def type_name(hint: object) -> str:
    """The type of a field in words."""
    names: dict[object, str] = {
        Ranges: "list of [first, last]", list[str]: "list of strings",
        dict[str, str]: "object of strings", int | None: "integer or null",
        bool | None: "boolean or null", Value: "value", int: "integer", str: "string",
        bool: "boolean", float: "number",
    }  # fmt: skip
    return names[hint]

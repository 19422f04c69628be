"""The express way and the general one: the same events, the same octets, the same state.

The frames of each stream go to two servers, to one of them behind an extended header, which the
express way does not know. However the stream is cut into reads, and whatever is in it, nobody can
tell which of the two took the express way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import hypothesis.strategies as st
import pytest
from hypothesis import event as note
from hypothesis import given, settings

from tanist.wire.amqp10.codec import encode_performative
from tanist.wire.amqp10.composites import (
    Accepted,
    DeliveryState,
    Released,
    Source,
    Target,
    TransactionalState,
)
from tanist.wire.amqp10.connection import ConnectionSettings
from tanist.wire.amqp10.events import Delivery, Disposed, Event
from tanist.wire.amqp10.express import take_frames
from tanist.wire.amqp10.framing import FRAME_HEADER, FRAME_HEADER_SIZE, FrameParser, encode_frame
from tanist.wire.amqp10.performatives import (
    Attach,
    Begin,
    Detach,
    Disposition,
    End,
    Flow,
    Transfer,
)
from tanist.wire.amqp10.receiver import Receiver
from tanist.wire.amqp10.sender import Sender
from tanist.wire.amqp10.twins import encode_disposition
from tanist.wire.amqp10.values import Composite
from tests.broker.wire.amqp10.pair import Owner, Raw, of
from tests.broker.wire.amqp10.test_plain import TAILS, plain_body

FIRST_TRANSFER = 0xFFFFFFFA
SIZE_MAX = 60
DELIVERIES = 40
"""Sent to the peer on link 2 of each session."""

MANY = 300
HANDLES = [0, 0, 0, 1, 1, 2, 3, 9]
"""0 and 1 are senders of the peer's, 1 with small messages; 2 is a receiver, 3 came without credit,
9 is nobody."""


class Refilling(Owner):
    """Grants new credit now and then, and sometimes less than there was."""

    def serve(self, event: Event) -> None:
        super().serve(event)
        if isinstance(event, Delivery) and event.id % 4 == 0:
            event.link.flow(self.credit if event.link.credit == 0 else 1)


class Server(Raw):
    """``extended``: frames come behind an extended header of four octets."""

    def __init__(self, extended: bool, window: int, credit: int) -> None:
        super().__init__(ConnectionSettings(incoming_window=window, max_frame_size=512))
        self.owner = Refilling(self.server, credit)
        self.extended = extended
        self.sent_octets: list[bytes] = []
        self.opened()
        for channel in (0, 1):
            self.say(Begin(None, FIRST_TRANSFER, 100, 100), channel=channel)
            for handle, role in ((0, False), (1, False), (2, True)):
                target = Target("q")
                self.say(
                    Attach(f"{channel}.{handle}", handle, role, source=Source("q"), target=target),
                    channel=channel,
                )
            self.say(Flow(0, 100, FIRST_TRANSFER, 100, 2, 0, DELIVERIES), channel=channel)
            (sender,) = [
                link
                for link in self.server.sessions[channel].links.values()
                if isinstance(link, Sender)
            ]
            for number in range(DELIVERIES):
                sender.send(b"%d" % number, b"x")
            self.owner.auto = False
            self.say(Attach("no credit", 3, False, target=Target("q")), channel=channel)
            self.owner.auto = True
        self.links = [
            link
            for session in self.server.sessions.values()
            for link in session.links.values()
            if isinstance(link, Receiver)
        ]
        for link in self.links:
            if link.name.endswith("1"):
                link.size_max = SIZE_MAX
        self.server.data_to_send()

    def hear(self, frames: list[bytes]) -> None:
        """One read."""
        self.feed(b"".join(frames))
        self.sent_octets.append(self.server.data_to_send())

    def wrap(self, frame: bytes) -> bytes:
        if not self.extended:
            return frame
        size, doff, type_, channel = FRAME_HEADER.unpack_from(frame)
        header = FRAME_HEADER.pack(size + 4, doff + 1, type_, channel)
        return header + b"\0\0\0\0" + frame[FRAME_HEADER_SIZE:]

    def told(self) -> list[tuple[object, ...]]:
        """What the owner was told, fit to be compared."""
        return [_facts(event) for event in self.owner.events]

    def counts(self) -> list[object]:
        """The state that transfers change."""
        found: list[object] = [self.server.state, self.server.closed, self.server.frames_in]
        for session in self.server.sessions.values():
            numbers = (session.in_next, session.in_low, session.in_stop, session.next_delivery)
            found.append((session.channel, session.alive, session.state, numbers))
        for link in self.links:
            partial = link.partial
            found.append((link.alive, link.state, link.credit, link.delivery_count, link.bound))
            found.append(None if partial is None else (partial.id, bytes(partial.payload)))
        return found


def _facts(event: Event) -> tuple[object, ...]:
    facts: list[object] = [type(event)]
    for name in dir(type(event)):  # __slots__ are not there when it is compiled
        if name.startswith("_"):
            continue
        value = getattr(event, name)
        if name == "link":
            value = (value.session.channel, value.name)
        elif name == "session":
            value = value.channel
        elif isinstance(value, Composite):
            value = encode_performative(value)
        facts.append(value)
    return tuple(facts)


class Stream:
    """Writes the frames of the peer; ids follow each other, but for those that are wrong."""

    def __init__(self) -> None:
        self.due = {0: 0xFFFFFFFC, 1: 0xFFFFFFFF}
        self.frames: list[bytes] = []
        self.form: Shape = (0, b"tag", b"\x43\x42", False, True)

    def put(self, channel: int, body: bytes) -> None:
        self.frames.append(encode_frame(channel, body))

    def number(self, channel: int, off: int = 0) -> int:
        """The id that is due, or one nearby."""
        due = self.due.get(channel, 0)
        if not off and channel in self.due:
            self.due[channel] = (due + 1) & 0xFFFFFFFF
        return (due + off) & 0xFFFFFFFF

    def like(self, channel: int, off: int = 0) -> bytearray:
        """A transfer like the last one."""
        handle, tag, tail, long_list, wide = self.form
        number = self.number(channel, off)
        return bytearray(plain_body(handle, number, tag, tail, long_list, wide))


Shape: TypeAlias = "tuple[int, bytes, bytes, bool, bool]"
Step: TypeAlias = Callable[[Stream], None]
"""Writes some frames."""

st_channel = st.sampled_from([0, 0, 0, 1])


def same(channel: int, count: int, size: int) -> Step:
    """Some transfers in the form of the last one."""

    def step(stream: Stream) -> None:
        for _ in range(count):
            stream.put(channel, bytes(stream.like(channel)) + b"p" * size)

    return step


def other_form(handle: int, tag: int, tail: bytes, long_list: bool, wide: bool) -> Step:
    """From now on transfers look like this."""

    def step(stream: Stream) -> None:
        stream.form = (handle, b"T" * tag, tail, long_list, wide)

    return step


def wrong_id(channel: int, off: int) -> Step:
    return lambda stream: stream.put(channel, bytes(stream.like(channel, off)))


def changed(channel: int, at: int, value: int) -> Step:
    """One octet of the performative or the payload is another one."""

    def step(stream: Stream) -> None:
        octets = stream.like(channel) + b"payload"
        octets[at % len(octets)] = value
        stream.put(channel, bytes(octets))

    return step


def short(channel: int, missing: int) -> Step:
    """A frame that ends too soon."""

    def step(stream: Stream) -> None:
        octets = stream.like(channel)
        stream.put(channel, bytes(octets[: -1 - missing % len(octets)]))

    return step


def parts(channel: int, handle: int, count: int, ends: bool) -> Step:
    """A delivery in several frames; none: an aborted one."""

    def step(stream: Stream) -> None:
        number = stream.number(channel)
        for part in range(count):
            first = Transfer(handle, number, b"parts", 0, False, more=True)
            more = Transfer(handle, more=True)
            stream.put(channel, encode_performative(more if part else first) + b"part")
        if ends:
            last = Transfer(handle) if count else Transfer(handle, number, b"t", 0, aborted=True)
            stream.put(channel, encode_performative(last) + b"last")

    return step


def disposed(
    channel: int,
    role: bool,
    first: int,
    count: int,
    settled: bool,
    state: DeliveryState | None,
    at_once: bool,
) -> Step:
    """The peer disposes of deliveries, at once or of each by itself."""

    def step(stream: Stream) -> None:
        if at_once:
            whole = Disposition(role, first, (first + count - 1) & 0xFFFFFFFF, settled, state)
            stream.put(channel, encode_performative(whole))
            return
        for number in range(first, first + count):
            single = Disposition(role, number & 0xFFFFFFFF, None, settled, state)
            stream.put(channel, encode_performative(single))

    return step


def octets(frame: bytes) -> Step:
    return lambda stream: stream.frames.append(frame)


def raw(body: bytes) -> Step:
    return lambda stream: stream.put(0, body)


def header(channel: int, doff: int, type_: int) -> Step:
    """Another header; the data offset lies within the performative."""

    def step(stream: Stream) -> None:
        body = bytes(stream.like(channel)) + b"payload"
        size = FRAME_HEADER_SIZE + len(body)
        stream.frames.append(FRAME_HEADER.pack(size, doff, type_, channel) + body)

    return step


END = End()
OTHERS: list[Composite] = [
    Flow(0, 100, 0, 100),
    Flow(0, 100, 0, 100, 0, 3, 0, echo=True),
    Disposition(False, 0, 5, True, Accepted()),
    Detach(0, True),
    Detach(1, True),
    END,
    Attach("new", 0, False, source=Source(), target=Target("q")),
    Begin(None, 5, 100, 100),
]


def between(channel: int, which: int) -> Step:
    """A frame that is no transfer, or one of a transaction."""

    def step(stream: Stream) -> None:
        if which < len(OTHERS):
            stream.put(channel, encode_performative(OTHERS[which]))
        elif which == len(OTHERS):
            stream.put(channel, b"")
        else:
            state = TransactionalState(b"txn")
            transfer = Transfer(0, stream.number(channel), b"t", 0, False, state=state)
            stream.put(channel, encode_performative(transfer) + b"p")

    return step


st_size = st.sampled_from([0, 1, 30, 30, SIZE_MAX, SIZE_MAX + 1])
st_same = st.builds(same, st_channel, st.integers(2, 12), st_size)
st_other_form = st.builds(
    other_form,
    st.sampled_from(HANDLES),
    st.integers(1, 4) | st.integers(0, 33),
    st.sampled_from(TAILS),
    st.booleans(),
    st.booleans(),
)
st_usual = st.builds(
    other_form,
    st.sampled_from([0, 1]),
    st.integers(1, 2),
    st.sampled_from(TAILS[2:5]),
    st.booleans(),
    st.booleans(),
)
st_rest = (
    st.builds(wrong_id, st_channel, st.sampled_from([1, -1, 5]))
    | st.builds(changed, st.just(0), st.integers(0, 40), st.integers(0, 255))
    | st.builds(changed, st.just(0), st.integers(0, 40), st.sampled_from([0x40, 0x41, 0xB0, 4]))
    | st.builds(short, st_channel, st.integers(0, 27))
    | st.builds(parts, st_channel, st.sampled_from([0, 1]), st.integers(0, 3), st.booleans())
    | st.builds(header, st_channel, st.integers(2, 4), st.integers(0, 1))
    | st.builds(between, st_channel, st.integers(0, len(OTHERS) + 1))
    | st.builds(same, st.just(5), st.just(1), st.just(1))
)
st_disposed = st.builds(
    disposed,
    st.sampled_from([0, 0, 0, 1, 5]),
    st.sampled_from([True, True, True, False]),
    st.integers(0, 45) | st.sampled_from([0xFFFFFFFC, 0x7FFFFFFF]),
    st.integers(1, 6) | st.just(0),
    st.booleans(),
    st.sampled_from([Accepted(), Accepted(), Released(), None]),
    st.booleans(),
)
st_any = st.tuples(st_other_form | st_rest).map(lambda one: one[0])
st_steps = st.lists(st_same | st_same | st_usual | st_disposed | st_any, min_size=1, max_size=14)
st_cuts = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30)), min_size=1, max_size=20)


def compare(
    steps: list[Step], cuts: list[tuple[int, int]], window: int = 500, credit: int = 500
) -> bool:
    """Both servers hear the steps; returns whether the express way was taken."""
    stream = Stream()
    for step in steps:
        step(stream)
    frames = stream.frames
    express, general = Server(False, window, credit), Server(True, window, credit)
    for server in (express, general):
        pending = [server.wrap(frame) for frame in frames]
        for whole, octets in cuts:
            if not pending[whole + 1 :]:
                break
            cut = min(octets, len(frames[len(frames) - len(pending) + whole]) - 1)
            server.hear([*pending[:whole], pending[whole][:cut]])
            pending = [pending[whole][cut:], *pending[whole + 1 :]]
            if cut:  # what is left of the frame that was cut comes in a read of its own
                server.hear(pending[:1])
                pending = pending[1:]
        server.hear(pending)
    assert express.told() == general.told()
    assert express.counts() == general.counts()
    assert express.sent_octets == general.sent_octets
    assert all(link.form is None for link in general.links)
    return any(link.form is not None for link in express.links)


@settings(max_examples=MANY, deadline=None)
@given(st_steps, st_cuts, st.sampled_from([500, 500, 9]), st.sampled_from([500, 500, 5]))
def test_nobody_can_tell_the_two_ways_apart(
    steps: list[Step], cuts: list[tuple[int, int]], window: int, credit: int
) -> None:
    """``cuts``: how many whole frames a read brings, and how many octets of the one after it."""
    note(f"express way taken: {compare(steps, cuts, window, credit)}")


USUAL = same(0, 3, 30)


@pytest.mark.parametrize("value", [0, 1, 0x40, 0x41, 0x42, 0x43, 0x52, 0xA0, 0xB0, 0xD0, 0xFF])
def test_one_wrong_octet_within_a_run(value: int) -> None:
    for at in range(30):
        assert compare([USUAL, changed(0, at, value), USUAL], [])


def test_a_frame_too_short_for_its_list_within_a_run() -> None:
    for missing in range(23):
        assert compare([USUAL, short(0, missing), USUAL], [])


@pytest.mark.parametrize("which", range(len(OTHERS) + 2))
def test_another_frame_within_a_run(which: int) -> None:
    assert compare([USUAL, between(0, which), USUAL], [])


@pytest.mark.parametrize(("window", "credit"), [(9, 500), (500, 5), (7, 7)])
def test_a_run_beyond_window_or_credit(window: int, credit: int) -> None:
    assert compare([same(0, 20, 30)], [], window, credit)


def test_a_link_that_failed_hears_nothing_more() -> None:
    on_one = other_form(1, 3, b"\x43\x42", False, True)
    assert compare([on_one, USUAL, same(0, 1, SIZE_MAX + 1), USUAL], [])


def test_a_delivery_that_has_not_ended_keeps_others_out() -> None:
    assert compare([USUAL, parts(0, 0, 1, False), USUAL], [])


def test_dispositions_within_a_run() -> None:
    for state in (Accepted(), Released(), None):
        for role in (True, False):
            one_by_one = disposed(0, role, 0, 5, True, state, False)
            assert compare([USUAL, one_by_one, disposed(0, role, 7, 9, False, state, True)], [])


@pytest.mark.parametrize("value", [0, 1, 0x40, 0x41, 0x42, 0x45, 0x52, 0xC0, 0xFF])
def test_one_wrong_octet_in_a_disposition(value: int) -> None:
    body = encode_disposition(True, 3, 4, True)
    for at in range(len(body)):
        wrong = body[:at] + bytes((value,)) + body[at + 1 :]
        compare([raw(wrong), disposed(0, True, 5, 1, True, Accepted(), True)], [])
        compare([raw(wrong[:at]), USUAL], [])


def test_dispositions_that_the_general_code_must_judge() -> None:
    good = disposed(0, True, 1, 3, True, Accepted(), False)
    backwards = disposed(0, True, 9, 0, True, Accepted(), True)
    compare([good, backwards, good, USUAL], [])
    compare([good, raw(encode_disposition(True, 9, None, True) + b"left over"), good], [])
    compare([good, between(0, OTHERS.index(END)), good, USUAL], [])
    for doff, type_ in ((2, 1), (3, 0), (4, 0)):
        body = encode_disposition(True, 9, None, True)
        header_ = FRAME_HEADER.pack(FRAME_HEADER_SIZE + len(body), doff, type_, 0)
        compare([good, octets(header_ + body), good], [])


def plain_frames(count: int, handle: int = 0, first: int = 0, tail: bytes = b"\x43\x42") -> bytes:
    return b"".join(
        encode_frame(0, plain_body(handle, first + number, b"%04d" % number, tail) + b"body")
        for number in range(count)
    )


def test_the_express_way_is_taken() -> None:
    raw = Raw(auto=True)
    raw.owner.credit = 1000
    raw.begun(Begin(None, 0, 1000, 1000))
    link = raw.sender()
    told = raw.feed(plain_frames(300))
    assert [event.id for event in of(Delivery, told)] == list(range(300))
    assert link.form is not None
    assert link.form.fits(plain_frames(1, first=300), 0)
    assert (link.credit, link.delivery_count) == (700, 300)
    (settled,) = [item for item in raw.sent() if isinstance(item, Disposition)]
    assert (settled.first, settled.last) == (0, 299)


def test_links_may_take_turns() -> None:
    raw = Raw(auto=True).begun()
    one, two = raw.sender("one", 0), raw.sender("two", 1)
    data = b"".join(plain_frames(1, number % 2, number) for number in range(8))
    told = of(Delivery, raw.feed(data))
    assert [event.link for event in told] == [one, two] * 4
    assert one.form is not None
    assert two.form is not None
    assert (one.credit, two.credit) == (6, 6)


def test_the_window_is_opened_again() -> None:
    """Also when nothing else is to be said."""
    raw = Raw(ConnectionSettings(incoming_window=8)).begun()
    raw.sender()
    raw.feed(plain_frames(3, tail=b"\x43\x41"))
    assert raw.sent() == []
    raw.feed(plain_frames(1, first=3, tail=b"\x43\x41"))
    (flow,) = [item for item in raw.sent() if isinstance(item, Flow)]
    assert (flow.next_incoming_id, flow.incoming_window) == (4, 8)


def test_what_is_said_of_one_delivery_after_the_other_is_one_event() -> None:
    server = Server(False, 100, 100)
    all_ = [encode_frame(0, encode_disposition(True, number, None, True)) for number in range(20)]
    told = server.feed(b"".join([*all_[:7], *all_[9:20], *all_[7:9]]))
    assert [(event.first, event.last) for event in of(Disposed, told)] == [(0, 6), (9, 19), (7, 8)]


def test_what_is_not_said_alike_stays_apart() -> None:
    server = Server(False, 100, 100)
    server.feed(plain_frames(10))
    said: list[tuple[int, bool, int, bool, DeliveryState | None]] = [
        (0, True, 0, True, Accepted()),
        (0, True, 1, False, Accepted()),
        (0, True, 2, False, Released()),
        (0, True, 3, False, None),
        (0, True, 4, True, None),
        (1, True, 5, True, None),
        (0, True, 6, True, None),
        (0, False, 7, True, None),
        (0, True, 8, True, None),
    ]
    said_octets = [
        encode_frame(channel, encode_performative(Disposition(role, first, None, settled, state)))
        for channel, role, first, settled, state in said
    ]
    told = of(Disposed, server.feed(b"".join(said_octets)))
    found = [(event.session.channel, event.role, event.first, event.last) for event in told]
    assert found == [(channel, role, first, first) for channel, role, first, _, _ in said]


def test_usual_dispositions_are_taken_and_others_left() -> None:
    server = Server(False, 100, 100)
    parser = FrameParser(512)
    usual = [encode_frame(0, encode_disposition(True, first, None, True)) for first in (1, 2, 4)]
    odd = encode_frame(0, encode_performative(Disposition(True, 5, None, True, Released())))
    parser.push(b"".join([*usual, odd]))
    told: list[Event] = []
    assert take_frames(parser, {0: server.server.sessions[0]}, told) == 3
    assert [(event.first, event.last) for event in of(Disposed, told)] == [(1, 2), (4, 4)]
    assert parser.next_frame() is not None
    assert parser.next_frame() is None

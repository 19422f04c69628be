"""What a link wants of a queue that it shares."""

from __future__ import annotations

from functools import partial

from session_peer import Client
from session_peer10 import Client10, Node10, Session10, message

from tanist.core.message import AMQP_1_0, Message
from tanist.core.records import Entry
from tanist.core.selector import Selector
from tanist.sessions.amqp10.filters import Filters, read_filters
from tanist.sessions.amqp10.interest import REFUSED_MAX, LinkInterest, interest_of
from tanist.sessions.translation.lookup import lookup
from tanist.wire.amqp10.composites import Properties
from tanist.wire.amqp10.values import Described, ULong

CODE = 0x0000468C00000000


def filters(**kinds: object) -> dict[str, Described]:
    """A filter set: direct, topic, headers, no_local, selector."""
    order = ("direct", "topic", "headers", "no_local", "selector")
    return {name: Described(ULong(CODE + order.index(name)), kinds[name]) for name in kinds}  # type: ignore[arg-type]


def entry_of(node: Node10, octets: bytes, position: int = 1, origin: int = 0) -> Entry:
    sent = Message(b"", octets, "", "q", origin=origin, form=AMQP_1_0)
    return Entry(sent, node.broker.queues["q"], position)


def test_without_filters_there_is_no_interest() -> None:
    assert interest_of(Filters(), 7) is None


def test_each_filter(node: Node10) -> None:
    def wants(given: dict[str, Described], octets: bytes, origin: int = 0) -> bool:
        wanted = interest_of(read_filters(given), 7)  # type: ignore[arg-type]
        assert wanted is not None
        return wanted.wants(entry_of(node, octets, origin=origin))

    red = message(application={"colour": "red"}, properties=Properties(subject="a.b"))
    assert wants(filters(selector="colour = 'red'"), red)
    assert not wants(filters(selector="colour = 'blue'"), red)
    assert wants(filters(direct="a.b"), red)
    assert not wants(filters(direct="a.*"), red)
    assert wants(filters(topic="a.*"), red)
    assert not wants(filters(topic="b.#"), red)
    assert not wants(filters(direct="a.b"), message())
    assert wants(filters(headers={"colour": "red"}), red)
    assert not wants(filters(headers={"colour": "red", "size": 1}), red)
    assert wants(filters(headers={"colour": "red", "size": 1, "x-match": "any"}), red)
    assert wants(filters(no_local=[]), red, origin=6)
    assert not wants(filters(no_local=[]), red, origin=7)
    assert not wants(filters(no_local=[], selector="colour = 'red'"), red, origin=7)


def test_the_selector_reads_messages_as_it_is_told(node: Node10) -> None:
    """The broker's way knows the time of day, for what has nothing but a time to live."""
    entry = entry_of(node, message())
    entry.message.expires_at = 5.0
    given = read_filters(filters(selector="JMSExpiration = 7000"))  # type: ignore[arg-type]
    wanted = interest_of(given, 0, partial(lookup, unix_offset_s=2.0))
    assert wanted is not None
    assert wanted.wants(entry)
    unaware = interest_of(given, 0)
    assert unaware is not None
    assert not unaware.wants(entry)


def test_refused_entries(node: Node10) -> None:
    wanted = LinkInterest(Selector.parse(""))
    one = entry_of(node, message())
    assert wanted.wants(one)
    assert wanted.refuse(one)
    assert not wanted.wants(one)
    assert wanted.wants(entry_of(node, message())), "another entry at that place"


def test_entries_that_are_gone_make_room(node: Node10) -> None:
    wanted = LinkInterest()
    octets = message()
    entries = [entry_of(node, octets, position) for position in range(REFUSED_MAX + 1)]
    assert all(wanted.refuse(entry) for entry in entries[:-1])
    assert not wanted.refuse(entries[-1])
    assert wanted.wants(entries[-1])
    entries[0].gone = True
    assert wanted.refuse(entries[-1])
    assert not wanted.wants(entries[1])


def test_selected_messages_come_in_order_and_others_stay(node: Node10, session: Session10) -> None:
    sender = session.sender("q")
    for number in range(10):
        session.send(sender, message(b"%d" % number, application={"n": number}))
    other = Client10(node).begin()
    receiver = other.receiver("q", credit=100, filter=filters(selector="n > 6"))
    assert other.bodies == [b"7", b"8", b"9"]
    assert list(other.source(receiver).filter or {}) == ["selector"]
    session.receiver("q", credit=100)
    assert session.bodies == [b"0", b"1", b"2", b"3", b"4", b"5", b"6"]


def test_a_drain_of_a_selecting_link_passes_over_the_others(session: Session10) -> None:
    sender = session.sender("q")
    for number in range(10):
        session.send(sender, message(b"%d" % number, application={"n": number}))
    receiver = session.receiver("q", filter=filters(selector="n = 8"))
    session.flow(receiver, 5, drain=True)
    assert session.bodies == [b"8"]
    assert session.drains == ["from q"]


def test_no_local_on_a_queue(node: Node10, session: Session10) -> None:
    other = Client10(node).begin()
    other.send(other.sender("q"), message(b"theirs"))
    session.send(session.sender("q"), message(b"ours"))
    session.receiver("q", credit=10, filter=filters(no_local=[]))
    assert session.bodies == [b"theirs"]


def test_a_browser_selects_too(session: Session10) -> None:
    sender = session.sender("q")
    for number in range(4):
        session.send(sender, message(b"%d" % number, application={"n": number}))
    session.receiver("q", credit=9, distribution_mode="copy", filter=filters(selector="n > 1"))
    assert session.bodies == [b"2", b"3"]


def test_0_10_messages_are_selected_by_their_headers(node: Node10, session: Session10) -> None:
    old = Client(node).attach()
    for number in range(4):
        old.publish("q", b"%d" % number, properties={"application_headers": {"n": number}})
    session.receiver("q", credit=9, filter=filters(selector="n = 2"))
    assert len(session.got) == 1


def test_no_pattern_wants_a_subject_longer_than_any_key(node: Node10) -> None:
    octets = message(b"x", properties=Properties(subject="s" * 256))
    assert not LinkInterest(topic="#").wants(entry_of(node, octets))

"""Links that clients attach: the answers, and every refusal."""

from __future__ import annotations

import pytest
from session_peer import Client
from session_peer10 import Client10, Node10, Session10

from tanist.core.notices import Actor
from tanist.sessions.amqp10.attaching import NAME_MAX, OUTCOMES
from tanist.types import MESSAGE_BYTES_MAX
from tanist.wire.amqp10.composites import Modified, Released, Source, Target
from tanist.wire.amqp10.link_state import ATTACH_SENT
from tanist.wire.amqp10.performatives import Attach
from tanist.wire.amqp10.receiver import Receiver
from tanist.wire.amqp10.sender import Sender
from tanist.wire.amqp10.values import Described, ULong

NOBODY = Actor("", "")
SELECTOR = 0x0000468C00000004


def test_the_answer_to_a_sender(session: Session10) -> None:
    link = session.sender("q", capabilities=("queue", "other", "durable"))
    target = session.target(link)
    assert target == Target("q", capabilities=("queue",))
    attach = session.attached[link.name].attach
    assert attach.max_message_size == MESSAGE_BYTES_MAX
    assert isinstance(attach.source, Source)
    assert attach.source.address == "here"


@pytest.mark.parametrize("sends", [True, False])
def test_delayed_delivery_is_offered_to_senders_that_want_it(
    session: Session10, sends: bool
) -> None:
    wire = session.session
    handle = wire._take_handle("late", not sends)
    attach = Attach("late", handle, not sends, 2, 0, Source("q"), Target("q"))
    attach.desired_capabilities = ("other", "DELAYED_DELIVERY")
    kind = Sender if sends else Receiver
    wire._introduce(kind(wire, "late", handle, ATTACH_SENT), attach)
    session.client.pump()
    answer = session.attached["late"].attach
    assert answer.offered_capabilities == (("DELAYED_DELIVERY",) if sends else ())
    link = session.sender("q", "plain")
    assert session.attached[link.name].attach.offered_capabilities == ()


def test_the_answer_to_a_receiver(node: Node10, session: Session10) -> None:
    node.broker.declare_queue("lasting", NOBODY, durable=True)
    link = session.receiver("lasting", capabilities=("durable", "topic"))
    source = session.source(link) if link.alive else None
    assert source is None, "it is no topic"
    link = session.receiver(
        "lasting",
        "again",
        capabilities=("durable", "queue", "x"),
        default_outcome=Released(),
        outcomes=("amqp:accepted:list", "com.example:outcome"),
    )
    source = session.source(link)
    assert source.capabilities == ("durable", "queue")
    assert source.default_outcome == Released()
    assert source.outcomes == ("amqp:accepted:list",)
    assert source.distribution_mode == "move"
    plain = session.source(session.receiver("q"))
    assert plain.outcomes == OUTCOMES
    assert plain.default_outcome == Modified(True)


def test_settle_modes_are_as_the_client_wants_them(session: Session10) -> None:
    for mode in (0, 1, 2):
        for second in (0, 1):
            link = session.receiver("q", f"{mode} {second}", mode=mode, second=second)
            attach = session.attached[link.name].attach
            assert (attach.snd_settle_mode, attach.rcv_settle_mode) == (mode, second)


def sender(session: Session10, target: object) -> object:
    link = session.session.sender("link", Source(), target)  # type: ignore[arg-type]
    session.client.pump()
    return link


def receiver(session: Session10, source: object) -> object:
    link = session.session.receiver("link", source, Target())  # type: ignore[arg-type]
    session.client.pump()
    return link


def a_filter(value: object) -> dict[str, Described]:
    return {"jms-selector": Described(ULong(SELECTOR), value)}  # type: ignore[arg-type]


REFUSALS = [
    ("no target", sender, None, "amqp:precondition-failed"),
    ("unknown target", sender, Target("nobody"), "amqp:not-found"),
    ("unknown source", receiver, Source("nobody"), "amqp:not-found"),
    ("empty source", receiver, Source(""), "amqp:not-found"),
    ("no address", receiver, Source(), "amqp:not-found"),
    ("no subscription", receiver, None, "amqp:not-found"),
    ("wrong kind", receiver, Source("q", capabilities=("topic",)), "amqp:not-found"),
    ("exclusive", receiver, Source("theirs"), "amqp:resource-locked"),
    ("bad selector", receiver, Source("q", filter=a_filter("a =")), "amqp:invalid-field"),
    ("no selector", receiver, Source("q", filter=a_filter(1)), "amqp:invalid-field"),
    (
        "bad property",
        sender,
        Target(dynamic=True, dynamic_node_properties={"durable": 1}),
        "amqp:invalid-field",
    ),
    (
        "reserved",
        sender,
        Target("amq.x", capabilities=("create-on-demand", "topic")),
        "amqp:not-allowed",
    ),
    (
        "unknown type",
        sender,
        Target(
            "x",
            capabilities=("create-on-demand", "topic"),
            dynamic_node_properties={"exchange-type": "x"},
        ),
        "amqp:not-found",
    ),
    (
        "bad argument",
        sender,
        Target(
            "x",
            capabilities=("create-on-demand",),
            dynamic_node_properties={"qpid.max_count": -1},
        ),
        "amqp:invalid-field",
    ),
    (
        "long name",
        sender,
        Target("x" * 300, capabilities=("create-on-demand",)),
        "amqp:invalid-field",
    ),
    ("unknown kind", receiver, Described(ULong(7), []), "amqp:not-implemented"),
    ("unknown kind of target", sender, Described(ULong(7), []), "amqp:precondition-failed"),
]


@pytest.mark.parametrize(
    ("make", "terminus", "condition"),
    [case[1:] for case in REFUSALS],
    ids=[case[0] for case in REFUSALS],
)
def test_refusals(node: Node10, session: Session10, make, terminus, condition: str) -> None:
    old = Client(node).attach()
    old.do("queue.declare", queue="theirs", exclusive=True)
    link = make(session, terminus)
    assert session.refused(link) == condition
    assert not link.alive
    state = session.client.state
    assert not state.consumers
    assert not state.producers
    assert len(node.sessions10.attaching.registry) == 0
    assert session.sender("q").alive, "the session lives on"


def test_names_of_links_have_a_limit(session: Session10) -> None:
    assert session.refused(session.sender("q", "x" * (NAME_MAX + 1))) == "amqp:invalid-field"
    assert session.sender("q", "x" * NAME_MAX).alive


def test_exclusive_queues_of_both_protocols(node: Node10, session: Session10) -> None:
    session.sender(
        "ours", capabilities=("create-on-demand",), dynamic_node_properties={"exclusive": True}
    )
    old = Client(node).attach()
    old.do("message.subscribe", queue="ours", destination="d")
    assert old.exception is not None
    assert old.exception.number("error_code") == 405
    assert session.receiver("ours").alive
    other = Client10(node).begin()
    again = other.sender(
        "ours", capabilities=("create-on-demand",), dynamic_node_properties={"exclusive": True}
    )
    assert other.refused(again) == "amqp:resource-locked"
    session.client.drop()
    assert not node.broker.queues["ours"].exclusive


def test_a_source_that_is_an_exclusive_consumers(node: Node10, session: Session10) -> None:
    old = Client(node).attach()
    old.subscribe("q", exclusive=True)
    assert session.refused(session.receiver("q")) == "amqp:resource-locked"
    assert session.receiver("q", "browser", distribution_mode="copy").alive


def test_detaching_answers_as_the_client_detached(session: Session10) -> None:
    for closed in (True, False):
        link = session.sender("q", f"{closed}")
        session.close(link, closed)
        assert session.detached[link.name] is None
        assert session.closed[link.name] is closed


def test_ten_thousand_links_leave_nothing(node: Node10, session: Session10) -> None:
    for number in range(1000):
        links = [
            session.sender("q", f"s{number}", pump=False),
            session.receiver("q", f"r{number}", credit=1, pump=False),
            session.receiver("amq.topic", f"t{number}", credit=1, pump=False),
            session.sender(None, f"d{number}", dynamic=True, pump=False),
            session.sender(None, f"a{number}", pump=False),
        ]
        session.client.pump()
        for link in links:
            link.detach(True)
        session.client.pump()
    state = session.client.state
    wire = session.client.end.connection.sessions[0]
    assert not state.consumers
    assert not state.producers
    assert not wire.links
    assert len(node.sessions10.attaching.registry) == 0
    assert not node.sessions10.nodes.dynamics
    assert set(node.broker.queues) == {"q", "r", "dead"}
    assert not node.broker._owned
    assert not node.work.watched


def test_users_are_the_actors_of_what_is_made(node: Node10) -> None:
    session = Client10(node, user="anna").begin()
    session.sender("made", capabilities=("create-on-demand",))
    assert node.broker.queues["made"].creator == "anna@QPID"


def test_a_dynamic_node_goes_when_its_link_is_refused(node: Node10, session: Session10) -> None:
    """A plain queue has the name that the subscription would have."""
    name = f"{session.client.link.container_id}_in|volatile"
    node.broker.declare_queue(name, NOBODY)
    before = set(node.broker.exchanges)
    link = session.receiver(None, "in", dynamic=True, capabilities=("topic",))
    assert session.refused(link) == "amqp:not-allowed"
    assert set(node.broker.exchanges) == before

"""Clients of AMQP 1.0 behave as the genuine ones do, and see what they are there to see."""

from __future__ import annotations

import pytest

from tanist.wire.amqp10.composites import Header
from tanist.wire.amqp10.encoding import encode_composite
from tanist.wire.amqp10.sections import encode_body_value, encode_data
from tests.sim.consumers import Consumer010, Selection
from tests.sim.consumers10 import Consumer10, PatientConsumer10
from tests.sim.history import (
    Confirmed,
    Ended,
    Received,
    Refused,
    Released,
    Sent,
    Severed,
    Subscribed,
)
from tests.sim.messages10 import Read, read_message, sections_before_body
from tests.sim.plan import ClientPlan
from tests.sim.producers import Producer010, Route
from tests.sim.producers10 import Producer10
from tests.sim.scene import Scene
from tests.sim.subscribers10 import DURABLE, SHARED, VOLATILE, Asker10, Subscriber10
from tests.sim.transactions10 import Mover10
from tests.sim.watch import Violation

ROUTE = Route("", "q", ("q",))
NEWS = Route("amq.topic", "news", ("q",))


def a_plan(**plan: object) -> ClientPlan:
    return ClientPlan(**{"protocol": "1.0", **plan})  # type: ignore[arg-type]


def a_producer(scene: Scene, route: Route = ROUTE, **plan: object) -> Producer10:
    return Producer10(scene.site, "p", a_plan(**plan), lambda _: route)


def a_consumer(scene: Scene, name: str = "c", **plan: object) -> Consumer10:
    return Consumer10(scene.site, name, a_plan(**plan), "q")


def came(scene: Scene) -> list[tuple[int, bool]]:
    return [(event.number, event.redelivered) for event in scene.events(Received)]


# -- messages -------------------------------------------------------------------------------


def test_a_message_is_read_as_it_was_written() -> None:
    route = Route("x", "key", (), (("color", "red"),), 1.5)
    octets = sections_before_body(route, "somewhere", 2) + encode_data(b"w0.p0:7:...")
    assert read_message(octets) == Read("w0.p0", 7, 2)


@pytest.mark.parametrize(
    ("octets", "complaint"),
    [
        (encode_composite(Header()) + encode_data(b"p:1:"), "first-acquirer is false"),
        (encode_composite(Header(first_acquirer=True)) + encode_data(b"p"), "nobody sent"),
        (encode_composite(Header(first_acquirer=True)) + encode_body_value("p:1:"), "nobody sent"),
    ],
)
def test_a_message_that_cannot_be_is_a_violation(octets: bytes, complaint: str) -> None:
    with pytest.raises(Violation, match=complaint):
        read_message(octets)


# -- producers ------------------------------------------------------------------------------


@pytest.mark.parametrize("relay", [True, False])
@pytest.mark.parametrize("bare", [True, False])
def test_a_producer_sends_all_within_its_window_and_leaves(relay: bool, bare: bool) -> None:
    scene = Scene()
    producer = a_producer(scene, count=20, window=3, pause_s=0.05, relay=relay, bare=bare)
    for _ in range(100):
        scene.run(0.05)
        assert len(producer.unconfirmed) <= 3
    assert producer.done
    assert producer.gone
    assert [event.number for event in scene.events(Confirmed)] == list(range(1, 21))
    assert scene.depth() == 20
    assert scene.counts("1.0 acknowledged") == 20


def cut_in_the_middle(scene: Scene, **plan: object) -> Producer10:
    """Five messages are with a primary that dies before anybody confirms them."""
    unblock = scene.simulation.network.block([("n2", "n1"), ("n3", "n1")])
    producer = a_producer(scene, count=9, window=5, pause_s=0.1, **plan)  # type: ignore[arg-type]
    scene.run(1.0)
    assert len(producer.unconfirmed) == 5
    unblock()
    scene.simulation.nodes[0].kill()
    scene.run(9.0)
    assert producer.done
    return producer


@pytest.mark.parametrize("marks", [True, False])
def test_what_was_unsettled_is_sent_again_in_order(marks: bool) -> None:
    scene = Scene()
    cut_in_the_middle(scene, marks=marks)
    again = [(event.number, event.marked) for event in scene.events(Sent) if event.again]
    assert again == [(number, marks) for number in range(1, 6)]
    assert len(scene.events(Confirmed)) == 9
    scene.fail_over()
    Consumer010(scene.site, "c", ClientPlan(), "q")
    scene.run(2.0)
    numbers = [number for number, _ in came(scene)]
    assert set(numbers) == set(range(1, 10))


def test_marks_are_seen_by_either_protocol() -> None:
    scene = Scene()
    cut_in_the_middle(scene, marks=True)
    Consumer010(scene.site, "c", ClientPlan(), "q")
    scene.run(2.0)
    marked = {number for number, redelivered in came(scene) if redelivered}
    assert marked >= {1, 2, 3, 4, 5}


def test_who_does_not_resend_leaves_it_unknown() -> None:
    scene = Scene()
    cut_in_the_middle(scene, resends=False)
    assert [event.number for event in scene.events(Sent)] == list(range(1, 10))
    assert [event.number for event in scene.events(Confirmed)] == [6, 7, 8, 9]
    assert scene.counts("1.0 left unknown") == 5


def test_what_is_not_accepted_is_a_refusal() -> None:
    scene = Scene()
    producer = a_producer(scene, Route("", "missing", ("q",)), count=1, window=1, relay=True)
    scene.run(1.0)
    (refused,) = scene.events(Refused)
    assert refused.code == "amqp:not-found"
    assert producer.done


# -- consumers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "manners",
    [{}, {"windowed": False}, {"fetches": True}, {"second": True}, {"session_window": 2}],
)
def test_credit_is_granted_anew(manners: dict[str, object]) -> None:
    scene = Scene()
    a_consumer(scene, window=2, pause_s=0.01, **manners)  # type: ignore[arg-type]
    a_producer(scene, count=9, window=9, pause_s=0.01)
    scene.run(4.0)
    assert came(scene) == [(number, False) for number in range(1, 10)]
    assert scene.depth() == 0


def test_both_protocols_take_from_one_queue() -> None:
    scene = Scene()
    a_consumer(scene, window=1, pause_s=0.05)
    Consumer010(scene.site, "c0", ClientPlan(window=1, pause_s=0.05), "q")
    a_producer(scene, count=9, window=9, pause_s=0.01)
    Producer010(scene.site, "p0", ClientPlan(count=9, window=9, pause_s=0.01), lambda _: ROUTE)
    scene.run(5.0)
    pairs = {(event.consumer, event.producer) for event in scene.events(Received)}
    assert pairs == {("c", "p"), ("c", "p0"), ("c0", "p"), ("c0", "p0")}
    assert len(scene.events(Received)) == 18


def test_a_consumer_gets_again_what_it_did_not_accept() -> None:
    scene = Scene()
    consumer = a_consumer(scene, pause_s=99.0)
    a_producer(scene, count=3, window=3, pause_s=0.01)
    scene.run(1.0)
    scene.fail_over()
    assert came(scene) == [(1, False), (2, False), (3, False), (1, True), (2, True), (3, True)]
    assert consumer.connections == 2


def test_a_consumer_that_settles_by_delivery_gets_nothing_again() -> None:
    scene = Scene()
    a_consumer(scene, pause_s=99.0, accept=False, window=7)
    a_producer(scene, count=3, window=3, pause_s=0.01)
    scene.run(1.0)
    assert scene.depth() == 0
    scene.fail_over()
    assert came(scene) == [(1, False), (2, False), (3, False)]
    assert [event.credit for event in scene.events(Severed)] == [7]


@pytest.mark.parametrize(("refuses", "others"), [(False, set()), (True, {1, 3})])
def test_what_is_given_back_comes_again(refuses: bool, others: set[int]) -> None:
    """Message by message: the first is given back without a mark, the second with one."""
    scene = Scene()
    a_consumer(scene, window=1, release_every=1, pause_s=0.3, refuses=refuses)
    a_producer(scene, count=3, window=3, pause_s=0.01)
    scene.run(1.1)
    assert next(event.number for event in scene.events(Released)) == 1
    numbers = came(scene)
    assert numbers[0] == (1, False)
    assert numbers[1] == ((2, False) if refuses else (1, False))
    assert numbers[2] == ((2, True) if refuses else (1, True))
    a_consumer(scene, "d", window=1)
    scene.run(3.0)
    mine = {event.number for event in scene.events(Received) if event.consumer == "d"}
    assert mine >= others


def test_a_restless_consumer_closes_its_connection_or_its_link() -> None:
    scene = Scene()
    consumer = a_consumer(scene, leave_s=0.5, pause_s=99.0)
    a_producer(scene, count=2, window=2, pause_s=0.01)
    scene.run(5.0)
    assert consumer.connections >= 6
    assert [number for number, redelivered in came(scene) if not redelivered] == [1, 2]
    assert len(came(scene)) > 6
    consumer.finish()
    connections = consumer.connections
    scene.run(9.0)
    assert consumer.gone
    assert consumer.connections == connections


def test_a_browser_takes_nothing() -> None:
    scene = Scene()
    a_producer(scene, count=3, window=3, pause_s=0.01)
    scene.run(1.0)
    Consumer10(scene.site, "b", a_plan(), "q", browse=True)
    scene.run(1.0)
    assert [event.browsed for event in scene.events(Received)] == [True] * 3
    assert scene.depth() == 3


@pytest.mark.parametrize("protocol", ["0-10", "1.0"])
def test_what_was_not_selected_is_a_violation(protocol: str) -> None:
    scene = Scene()
    selection = Selection("1 = 1", lambda number: number != 3)
    if protocol == "1.0":
        Consumer10(scene.site, "c", a_plan(), "q", selection=selection)
    else:
        Consumer010(scene.site, "c", ClientPlan(), "q", selection=selection)
    a_producer(scene, count=3, window=1, pause_s=0.01)
    with pytest.raises(Violation, match="c got p:3, selects others"):
        scene.run(2.0)
    assert [number for number, _ in came(scene)] == [1, 2]


# -- connections ----------------------------------------------------------------------------


def test_an_unreckoned_error_is_written_down_and_a_reckoned_one_is_not() -> None:
    scene = Scene()
    PatientConsumer10(scene.site, "patient", a_plan(), "missing")
    scene.run(1.0)
    assert scene.events(Refused) == []
    Consumer10(scene.site, "impatient", a_plan(), "missing")
    scene.run(1.0)
    refused = scene.events(Refused)[0]
    assert (refused.client, refused.code) == ("impatient", "amqp:not-found")


def test_what_a_broker_must_not_send_is_written_down() -> None:
    scene = Scene()
    consumer = a_consumer(scene)
    scene.run(1.0)
    assert consumer._pipe is not None
    consumer.pipe_data(consumer._pipe, b"\x00\x00\x00\x01nonsense")
    (refused,) = scene.events(Refused)
    assert refused.code == "amqp:connection:framing-error"
    scene.run(1.0)
    assert consumer.connections == 2


def test_a_container_that_wants_to_be_alone_waits_for_its_predecessor() -> None:
    scene = Scene()
    first = Consumer10(scene.site, "c", a_plan(sole=True, heartbeat_s=1), "q")
    scene.run(1.0)
    second = Consumer10(scene.site, "c", a_plan(sole=True, heartbeat_s=1), "q")
    scene.run(1.0)
    assert scene.counts("1.0 container busy")
    assert not second.subscribed
    first.leave()
    scene.run(2.0)
    scene.fail_over()
    assert [event.consumer for event in scene.events(Subscribed)] == ["c"] * 3
    assert scene.events(Refused) == []


def test_who_is_not_heard_is_told_so_and_comes_back() -> None:
    scene = Scene()
    consumer = a_consumer(scene, heartbeat_s=1)
    scene.run(1.0)
    unblock = scene.simulation.network.block([("c0", "n1")])
    scene.run(4.0)
    unblock()
    scene.run(3.0)
    assert scene.counts("1.0 not heard") == 1
    assert consumer.connections == 2
    assert scene.events(Refused) == []


# -- transactions ---------------------------------------------------------------------------


@pytest.mark.parametrize("second", [True, False])
def test_transactions_commit_and_roll_back(second: bool) -> None:
    scene = Scene("a", "b")
    mover = Mover10(scene.site, "m", a_plan(window=1, pause_s=0.02, second=second), "q", ("a", "b"))
    a_producer(scene, count=12, window=12, pause_s=0.01)
    scene.run(8.0)
    outcomes = [event.outcome for event in scene.events(Ended)]
    assert outcomes == (["committed"] * 4 + ["aborted"]) * 2 + ["committed"] * 4
    assert (scene.depth("q"), scene.depth("a"), scene.depth("b")) == (0, 12, 12)
    assert [number for number, redelivered in came(scene) if redelivered] == [5, 9]
    mover.finish()
    scene.run(1.0)
    assert mover.gone


@pytest.mark.parametrize(("pause_s", "outcome"), [(0.5, "aborted"), (0.05, "unknown")])
def test_a_cut_before_the_commit_aborts_and_one_after_it_is_unknown(
    pause_s: float, outcome: str
) -> None:
    scene = Scene("a", "b")
    a_producer(scene, count=1, window=1)
    scene.run(1.0)
    scene.simulation.network.block([("n2", "n1"), ("n3", "n1")])
    mover = Mover10(scene.site, "m", a_plan(window=1, pause_s=pause_s), "q", ("a", "b"))
    scene.run(0.8)
    assert len(came(scene)) == 1
    assert scene.events(Ended) == []
    mover.finish()
    scene.simulation.nodes[0].kill()
    scene.run(1.0)
    assert [event.outcome for event in scene.events(Ended)] == [outcome]
    assert mover.gone


# -- subscriptions and nodes ----------------------------------------------------------------


def subscriber(scene: Scene, kind: str, name: str = "s", **more: object) -> Subscriber10:
    plan = a_plan(pause_s=0.0)
    topic = "amq.topic/news"
    return Subscriber10(scene.site, name, plan, "w0", topic, kind, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [DURABLE, SHARED])
def test_a_durable_subscription_keeps_what_comes_meanwhile_until_it_is_closed(kind: str) -> None:
    scene = Scene()
    subscribed: list[bool] = []
    first = subscriber(scene, kind, then=lambda: subscribed.append(True))
    scene.run(0.5)
    assert subscribed == [True]
    first.finish()
    scene.run(0.5)
    assert first.gone
    a_producer(scene, NEWS, count=3, window=3, pause_s=0.01)
    scene.run(1.0)
    scene.fail_over()
    assert scene.depth(first.queue) == 3
    last = subscriber(scene, kind, "t", unsubscribe=True)
    scene.run(1.0)
    assert [number for number, _ in came(scene)] == [1, 2, 3]
    assert subscribed == [True]
    last.finish()
    scene.run(1.0)
    assert last.gone
    assert scene.depth(first.queue) is None


def test_a_volatile_subscription_goes_with_its_link() -> None:
    scene = Scene()
    client = subscriber(scene, VOLATILE)
    scene.run(0.5)
    assert scene.depth(client.queue) == 0
    client.finish()
    scene.run(0.5)
    assert scene.depth(client.queue) is None


def test_an_asker_gets_all_its_answers_and_leaves_nothing() -> None:
    scene = Scene()
    asker = Asker10(scene.site, "a", a_plan(count=90, window=3, pause_s=0.1))
    scene.run(1.0)
    node = asker.node
    assert scene.depth(node) is not None
    scene.fail_over()
    scene.run(5.0)
    assert asker.done
    assert asker.gone
    assert asker.node != node
    assert scene.depth(asker.node) is None
    assert scene.counts("1.0 answered") == 90
    assert scene.events(Refused) == []


def test_an_answer_out_of_order_is_a_violation() -> None:
    scene = Scene()
    asker = Asker10(scene.site, "a", a_plan(count=30, window=1, pause_s=9.0))
    scene.run(1.0)
    stranger = Route("", asker.node, ("q",))
    a_producer(scene, stranger, count=1, window=1)
    with pytest.raises(Violation, match=r"a waited for message 2 on .* and got"):
        scene.run(1.0)

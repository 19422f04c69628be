"""Clients behave as the genuine ones do: dialling, resending, remembering, leaving."""

from __future__ import annotations

import pytest

from tests.sim.clients010 import Promoter
from tests.sim.configuring import Configurator
from tests.sim.consumers import Consumer010, PatientConsumer010
from tests.sim.history import Confirmed, Looked, Received, Refused, Released, Sent
from tests.sim.plan import ClientPlan
from tests.sim.producers import Producer010, Route
from tests.sim.scene import Scene
from tests.sim.scripts import draw_script
from tests.sim.watch import Violation

ROUTE = Route("", "q", ("q",))


def a_producer(scene: Scene, **plan: object) -> Producer010:
    return Producer010(scene.site, "p", ClientPlan(**plan), lambda _: ROUTE)  # type: ignore[arg-type]


def a_consumer(scene: Scene, **plan: object) -> Consumer010:
    return Consumer010(scene.site, "c", ClientPlan(**plan), "q")  # type: ignore[arg-type]


def test_a_producer_sends_all_within_its_window_and_leaves() -> None:
    scene = Scene()
    producer = a_producer(scene, count=20, window=3, pause_s=0.05)
    for _ in range(100):
        scene.run(0.05)
        assert len(producer.unconfirmed) <= 3
    assert producer.done
    assert producer.gone
    assert [e.number for e in scene.events(Confirmed)] == list(range(1, 21))


@pytest.mark.parametrize("resume", [True, False])
def test_what_was_not_confirmed_is_sent_again_in_order_and_marked(resume: bool) -> None:
    scene = Scene()
    unblock = scene.simulation.network.block([("n2", "n1"), ("n3", "n1")])
    producer = a_producer(scene, count=9, window=5, pause_s=0.1, resume=resume)
    scene.run(1.0)
    assert len(producer.unconfirmed) == 5
    unblock()
    scene.simulation.nodes[0].kill()
    scene.run(9.0)
    assert producer.done
    again = [e.number for e in scene.events(Sent) if e.again]
    assert again == [1, 2, 3, 4, 5]


def test_a_consumer_gets_again_what_it_did_not_accept() -> None:
    scene = Scene()
    consumer = a_consumer(scene, pause_s=99.0)
    a_producer(scene, count=3, window=3, pause_s=0.01)
    scene.run(1.0)
    scene.fail_over()
    got = [(e.number, e.redelivered) for e in scene.events(Received)]
    assert got == [(1, False), (2, False), (3, False), (1, True), (2, True), (3, True)]
    assert consumer.connections == 2


def test_credit_mode_grants_anew() -> None:
    scene = Scene()
    a_consumer(scene, window=2, windowed=False, pause_s=0.01)
    a_producer(scene, count=9, window=9, pause_s=0.01)
    scene.run(3.0)
    assert len(scene.events(Received)) == 9


def test_what_is_released_comes_again() -> None:
    scene = Scene()
    a_consumer(scene, window=1, release_every=2, pause_s=0.01)
    a_producer(scene, count=3, window=3, pause_s=0.01)
    scene.run(3.0)
    assert scene.events(Released)
    assert len(scene.events(Received)) > 3


def test_a_restless_consumer_comes_back_until_it_is_told_to_finish() -> None:
    scene = Scene()
    consumer = a_consumer(scene, leave_s=1.0)
    scene.run(5.0)
    assert consumer.connections >= 3
    consumer.finish()
    connections = consumer.connections
    scene.run(9.0)
    assert consumer.gone
    assert consumer.connections == connections


def test_an_unreckoned_error_is_written_down_and_a_reckoned_one_is_not() -> None:
    scene = Scene()
    PatientConsumer010(scene.site, "patient", ClientPlan(), "missing")
    scene.run(1.0)
    assert scene.events(Refused) == []
    Consumer010(scene.site, "impatient", ClientPlan(), "missing")
    scene.run(1.0)
    refused = scene.events(Refused)
    assert refused
    assert isinstance(refused[0], Refused)
    assert (refused[0].client, refused[0].code) == ("impatient", 404)


def test_a_body_that_nobody_sent_is_a_violation() -> None:
    scene = Scene()
    a_consumer(scene)
    queue = scene.simulation.nodes[0].node.broker.queues["q"]
    a_producer(scene, count=1, window=1)
    consumed = queue.dequeues
    scene.run(1.0)
    assert queue.dequeues == consumed + 1
    broken = Producer010(scene.site, "a:b", ClientPlan(count=1, window=1), lambda _: ROUTE)
    with pytest.raises(Violation, match="a message that nobody sent"):
        scene.run(1.0)
    assert not broken.done


def test_a_promotion_is_answered_once() -> None:
    scene = Scene()
    answers: list[str] = []
    Promoter(scene.site, "op1", "rm", scene.simulation.nodes[0], answers.append)
    scene.run(1.0)
    assert answers == ["ok"]
    scene.simulation.nodes[1].kill()
    Promoter(scene.site, "op2", "rm", scene.simulation.nodes[1], answers.append)
    scene.run(1.0)
    assert answers == ["ok", ""]
    silent = Promoter(scene.site, "op3", "rm", scene.simulation.nodes[2], answers.append)
    silent.give_up()
    scene.run(1.0)
    assert answers == ["ok", ""]


@pytest.mark.parametrize("choice", range(5))
def test_a_random_script_can_be_carried_out(choice: int) -> None:
    scene = Scene()
    script = draw_script("s", choice, 40)
    client = Configurator(scene.site, "script", ClientPlan(pause_s=0.0), script)
    scene.run(5.0)
    scene.fail_over()
    assert client.done
    client.finish()
    scene.run(1.0)
    assert client.gone
    assert scene.events(Refused) == []
    states = [e.state for e in scene.events(Looked)]
    assert "" in states
    assert any("x-generation" in state for state in states)


def test_the_same_choice_draws_the_same_script() -> None:
    assert repr(draw_script("s", 1, 30)) == repr(draw_script("s", 1, 30))
    names = {step.command.name for step in draw_script("s", 1, 200)}
    assert names == {
        "queue.declare",
        "queue.delete",
        "exchange.declare",
        "exchange.delete",
        "exchange.bind",
        "exchange.unbind",
    }

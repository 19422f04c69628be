"""Who may be promoted: looking around, the command, and force."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from tanist.ha.roles import Status
from tanist.ha.standing import PeerStatus
from tanist.node.outputs import Consult
from tanist.types import BrokerError
from tests.broker.node.network import Admin, Guest, Host, Network, cluster, promote, running

OTHER = UUID(int=9)


def force(host: Host) -> str:
    """What ``qpid-ha promote --force`` asks for; returns "" or why it was refused."""
    admin = Admin(host)
    error = admin.call("promote", force=True)
    admin.hang_up()
    return error


def told(host: Host, **more: object) -> None:
    """``host`` asked around, and this is what it heard."""
    log = host.node.cluster.log
    fields = {"system_id": OTHER, "status": Status.READY, "epoch": log.epoch, "owner": log.owner}
    host.node.cluster.links.heard.append(PeerStatus(**{**fields, **more}))  # type: ignore[arg-type]


def test_a_backup_that_the_living_primary_dropped_is_refused() -> None:
    _, (_, b) = running("a", "b")
    b.node.cluster.backup.link_lost()
    told(b, status=Status.ACTIVE)
    with pytest.raises(BrokerError, match="is alive and confirms without this broker"):
        b.node.cluster.ha_promote(False)
    assert b.status == "ready"


def test_a_backup_that_missed_a_promotion_is_refused() -> None:
    _, (_, b) = running("a", "b")
    told(b, epoch=2)
    with pytest.raises(BrokerError, match=r"is at epoch 1, member .* at epoch 2"):
        b.node.cluster.ha_promote(False)
    assert b.status == "ready"


def test_a_newer_epoch_that_counted_on_us_confirmed_nothing_that_we_lack() -> None:
    _, (_, b) = running("a", "b")
    told(b, epoch=2, owner=OTHER, in_sync=[OTHER, b.system_id])
    b.node.cluster.ha_promote(False)
    assert b.node.cluster.log.epoch == 3


@pytest.mark.parametrize("status", [Status.RECOVERING, Status.ACTIVE])
def test_a_living_primary_of_a_newer_epoch_speaks_against_us_all_the_same(status: Status) -> None:
    _, (_, b) = running("a", "b")
    told(b, epoch=2, owner=OTHER, in_sync=[OTHER, b.system_id], status=status)
    with pytest.raises(BrokerError, match=r"is at epoch 1, member .* at epoch 2"):
        b.node.cluster.ha_promote(False)


def test_whoever_has_nothing_or_only_a_part_does_not_speak_against_us() -> None:
    _, (_, b) = running("a", "b")
    told(b, epoch=2, status=Status.CATCHUP)
    told(b, epoch=0, status=Status.READY)
    b.node.cluster.ha_promote(False)
    assert b.node.cluster.log.epoch == 3, "newer than whatever was heard of"


def test_a_member_that_was_told_later_knows_who_left() -> None:
    _, (a, b, _) = running("a", "b", "c")
    version = b.node.cluster.membership.version
    told(b, version=version, in_sync=[a.system_id, OTHER])
    told(b, version=version + 1, in_sync=[a.system_id, b.system_id])
    told(b, version=version + 1, in_sync=[OTHER], owner=OTHER)
    told(b, version=version + 1, in_sync=[])
    told(b, version=version + 1, in_sync=[a.system_id, OTHER])
    with pytest.raises(BrokerError, match="left the in-sync set, as member"):
        b.node.cluster.ha_promote(False)


def test_a_stopped_backup_that_was_dropped_is_refused_as_long_as_another_knows() -> None:
    network, (a, b, c) = running("a", "b", "c")
    b.freeze()
    network.advance(6.0)
    assert a.members() == {1: 4, 3: 2}
    client = Guest(a).session()
    assert client.do("queue.declare", queue="q") in client.completed
    a.kill()
    b.thaw()
    assert b.status == "ready", "it does not know better"
    assert "left the in-sync set" in promote(b)
    assert promote(c) == ""
    assert "q" in c.node.broker.queues


# -- force ---------------------------------------------------------------------------------


def test_a_backup_that_catches_up_can_be_forced_when_the_primary_is_gone() -> None:
    network, (a,) = running("a")
    client = Guest(a).session()
    client.do("queue.declare", queue="q")
    client.publish("q", b"x")
    b = Host(network, "b", 2, ha_brokers_url="a,b")
    network.run_until(lambda: b.status == "catchup")
    a.kill()
    network.run()
    assert promote(b) == "Still catching up, cannot be promoted."
    assert force(b) == ""
    assert b.status in ("active", "recovering")
    assert b.node.cluster.log.epoch > 1


def test_what_a_forced_broker_lacks_is_thrown_away_by_all() -> None:
    """c has everything, b only the configuration; b is promoted by force, c follows."""
    network, (a,) = running("a", ha_brokers_url="a,b,c")
    session = Guest(a).session()
    session.do("queue.declare", queue="q")
    c = Host(network, "c", 3)
    network.advance(1.0)
    for number in range(3000):
        session.publish("q", b"%d" % number, pump=False)
    session.publish("q", b"last")
    network.advance(1.0)
    c.freeze()
    b = Host(network, "b", 2)
    network.run_until(lambda: b.node.cluster.backup.messages_done > 0)
    a.kill()
    network.advance(3.0)
    assert b.status == "catchup"
    assert force(b) == ""
    c.cut_off()
    c.thaw()
    network.advance(10.0)
    assert (b.status, c.status) == ("active", "ready")
    assert 0 < len(b.bodies("q")) < 3001
    assert c.bodies("q") == b.bodies("q")


def test_a_living_primary_is_not_deposed_by_force() -> None:
    _, (_, b) = running("a", "b")
    assert "is alive: stop it first" in force(b)
    assert b.status == "ready"


def test_a_broker_that_missed_an_epoch_can_be_forced() -> None:
    network, (a, b, c) = running("a", "b", "c")
    a.kill()
    network.run()
    told(b, epoch=5, system_id=c.system_id)
    b.node.cluster.ha_promote(True)
    assert b.node.cluster.log.epoch == 6


def test_a_fresh_broker_can_be_forced_beside_a_backup_with_data() -> None:
    network, (a, _b) = running("a", "b")
    a.kill()
    network.run()
    c = Host(network, "c", 3, ha_brokers_url="b,c")
    network.run()
    assert promote(c) == "Joining active cluster, cannot be promoted."
    assert force(c) == ""
    assert c.status in ("active", "recovering")


# -- the command ---------------------------------------------------------------------------


def asking(*names: str) -> tuple[Network, list[Host]]:
    return cluster(*names, ha_insync_command=True)


def test_the_command_may_refuse() -> None:
    _, (a, _) = asking("a", "b")
    a.command = lambda consult: (1, "node b was in sync last")
    assert promote(a) == ("ha-insync-command refuses this promotion: node b was in sync last")
    assert a.status == "joining"
    a.command = lambda consult: (-1, "")
    assert promote(a) == "ha-insync-command refuses this promotion: without a reason"
    a.command = lambda consult: (0, "")
    assert promote(a) == ""


def test_two_requests_at_once_need_an_answer_each() -> None:
    """The second one must not be granted because the first one used the answer up."""
    network, (a, _) = asking("a", "b")
    a.command = lambda consult: None
    admins = [Admin(a), Admin(a)]
    asked = [admin.start_call("promote") for admin in admins]
    network.advance(3.0)
    question = next(o for o in a.outputs if isinstance(o, Consult))
    a.answer(question, -1)
    network.run()
    errors = [admin.error_of(call) for admin, call in zip(admins, asked, strict=True)]
    assert errors == [
        "ha-insync-command refuses this promotion: without a reason",
        "ha-insync-command was not asked for this promotion: ask again",
    ]
    assert a.status == "joining"


def test_an_answer_that_came_too_late_grants_nothing_later() -> None:
    network, (a, b) = running("a", "b", ha_insync_command=True)
    b.command = lambda consult: None
    b.node.cluster.backup.link_lost()
    a.kill()
    admin = Admin(b)
    first = admin.start_call("promote")
    network.advance(3.0)
    question = next(o for o in b.outputs if isinstance(o, Consult))
    role = b.node.cluster.role
    role.status = Status.CATCHUP
    network.advance(0.5)
    assert admin.error_of(first) == "Still catching up, cannot be promoted."
    b.answer(question, 0)
    role.status = Status.READY
    second = admin.start_call("promote")
    network.advance(3.0)
    assert admin.error_of(second) is None, "the command is asked anew"
    assert len([o for o in b.outputs if isinstance(o, Consult)]) == 2
    assert b.status == "ready"


def test_the_command_may_name_the_epoch() -> None:
    _, (a, _) = asking("a", "b")
    a.command = lambda consult: (0, "17")
    assert promote(a) == ""
    assert a.node.cluster.log.epoch == 17


def test_an_epoch_that_is_not_newer_is_not_used() -> None:
    _, (a, _) = asking("a", "b")
    a.command = lambda consult: (0, "0")
    assert promote(a) == ""
    assert a.node.cluster.log.epoch == 1


def test_the_promotion_waits_for_the_command() -> None:
    network, (a, _) = asking("a", "b")
    questions: list[Consult] = []
    a.command = questions.append  # type: ignore[assignment]  # no answer
    admin = Admin(a)
    waiting = admin.start_call("promote")
    second = admin.start_call("promote")
    network.advance(2.0)
    assert admin.error_of(waiting) is None
    (question,) = questions
    assert question.arguments[:2] == ["promote", "1"]
    a.answer(question, 0)
    network.run()
    assert admin.error_of(waiting) == admin.error_of(second) == ""
    assert a.status == "active"


def test_the_command_is_not_asked_about_what_is_refused_anyway() -> None:
    network, (a, b) = asking("a", "b")
    assert promote(a) == ""
    network.advance(2.0)
    questions: list[Consult] = []
    b.command = questions.append  # type: ignore[assignment]
    b.node.cluster.links.close_all()
    b.node.cluster.backup.link_lost()
    assert "is alive and confirms" in promote(b)
    assert questions == []


def test_force_is_told_to_the_command() -> None:
    _, (a, _) = asking("a", "b")
    questions: list[Consult] = []

    def command(consult: Consult) -> tuple[int, str]:
        questions.append(consult)
        return 0, ""

    a.command = command
    assert force(a) == ""
    assert questions[0].arguments[0] == "force-promote"
    assert json.loads(questions[0].document)["status"] == "joining"

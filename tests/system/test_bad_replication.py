"""Bad input never crashes, never hangs, never loses: whoever pretends to be a broker.

A backup is a client that says so in its client properties and subscribes with its epoch and index.
Where no password is wanted anybody can say so, and may even tell the truth; what it says must be
read like all input. Where passwords are wanted only the user of the links (``ha-username``) is a
broker; everybody else is a client, whatever it claims. See ``test_bad_input``.
"""

from __future__ import annotations

import contextlib
import time
from uuid import UUID, uuid4

import pytest
from bad_input_broker import ANSWER_S, CLUSTER, is_dead, on_guarded, on_primary, wait_until
from bad_input_peer import key

from tanist.wire.amqp010.events import Closed, Completed, Exception_, Failed
from tanist.wire.amqp010.values import int32, uint16, uint64

pytest_plugins = ["bad_input_broker"]


def broker_info(**more):
    """What a backup says of itself."""
    return {"system-id": uuid4(), "status": int32(0), "port": uint16(1), **more}


def position(info, **more):
    """The arguments of a backup's subscription."""
    at = {"qpid.ha-epoch": uint64(1), "qpid.ha-owner": uuid4(), "qpid.ha-index": uint64(0)}
    return {**at, "qpid.ha-whole": True, "qpid.ha-info": info, **more}


def follow(peer, arguments):
    """Subscribe as a backup does."""
    modes = {"accept_mode": 1, "acquire_mode": 1, "arguments": arguments}
    peer.send("message.subscribe", queue="qpid.ha-log", destination="qpid.ha-log", **modes)
    peer.push()


def settled(peer):
    """Wait until the broker has looked at what was sent: it answered, or it closed."""
    with contextlib.suppress(TimeoutError, ConnectionError):
        peer.wait(Completed, Exception_, Closed, Failed, within=ANSWER_S)


@pytest.mark.parametrize("kind", ["free", "primary"])
@pytest.mark.parametrize(
    "forged",
    [None, 7, "x", [], {}, {"system-id": "x"}, {"system-id": UUID(int=1), "status": 99}],
    ids=str,
)
def test_a_forged_backup_property(attacked, forged):
    with attacked.peer(client_properties={"qpid.ha-backup": forged}) as peer:
        peer.sync()
        follow(peer, position(forged))
        assert peer.failed() in (404, 403, 542)


NONSENSE = {
    "an epoch below zero": position(broker_info(), **{"qpid.ha-epoch": -1}),
    "an index of the future": position(broker_info(), **{"qpid.ha-index": uint64(2**64 - 1)}),
    "an index below zero": position(broker_info(), **{"qpid.ha-index": -5}),
    "texts for numbers": position(broker_info(), **{"qpid.ha-epoch": "1"}),
    "a port above all ports": position(broker_info(port=10**9)),
    "a port below zero": position(broker_info(port=-1)),
    "an endless host": position(broker_info(**{"host-name": b"\xff" * 60_000})),
    "an endless protocol": position(broker_info(protocol=b"\xff" * 60_000)),
    "no system id": position({"status": int32(0)}),
    "no map": position("x"),
    "nothing": {},
}


@on_primary
@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_of_a_backup_does_not_stop_the_primary(attacked, name):
    with attacked.peer(client_properties={"qpid.ha-backup": broker_info()}) as peer:
        follow(peer, NONSENSE[name])
        settled(peer)
        assert attacked.process.poll() is None


@on_primary
def test_a_backup_that_is_many(attacked):
    with attacked.peer(client_properties={"qpid.ha-backup": broker_info()}) as peer:
        for _ in range(300):
            follow(peer, position(broker_info(**{"host-name": "x" * 5000})))
        settled(peer)


def serve_replicated(broker):
    """A new client declares a replicated queue: the confirmation waits for the backups."""
    with broker.peer() as peer:
        peer.call("queue.declare", queue="replicated", within=ANSWER_S)
        peer.publish("replicated", b"x")
        peer.call("queue.delete", queue="replicated", within=ANSWER_S)


@on_primary
def test_a_backup_that_leaves_its_session(attacked):
    """It takes part no more: nobody waits for what it will never acknowledge."""
    with attacked.peer(client_properties={"qpid.ha-backup": broker_info()}) as peer:
        follow(peer, position(broker_info()))
        settled(peer)
        peer.session.detach()
        peer.push()
        time.sleep(0.1)
        serve_replicated(attacked)


@on_guarded
def test_an_ordinary_user_is_no_broker(attacked):
    """It can neither stop the primary by an epoch of the future, nor keep it waiting."""
    with (
        pytest.raises(ConnectionError),
        attacked.peer(client_properties={"qpid.ha-backup": broker_info()}),
    ):
        raise AssertionError("it was let in")
    assert not is_dead(attacked)
    serve_replicated(attacked)


@on_guarded
@pytest.mark.parametrize("epoch", [uint64(0), uint64(2), uint64(2**64 - 1)])
def test_a_client_cannot_subscribe_as_a_broker(attacked, epoch):
    """Without the property of a broker it is a client, and there is no such queue."""
    with attacked.peer() as peer:
        follow(peer, position(broker_info(), **{"qpid.ha-epoch": epoch}))
        assert peer.failed() == 404
        assert not is_dead(attacked)
        serve_replicated(attacked)


@on_primary
def test_arguments_that_a_backup_cannot_read(attacked):
    """What is accepted must be replicable: a record is two maps deeper than its command."""
    arguments = {}
    for _ in range(31):
        arguments = {"a": arguments}
    codes = []
    with attacked.peer() as peer:
        peer.send("queue.declare", queue="deep", arguments=arguments)
        with contextlib.suppress(TimeoutError):
            codes.append(peer.failed())
    with attacked.peer() as peer, contextlib.suppress(ConnectionError):
        peer.call("queue.delete", queue="deep")
    assert codes in ([542], [501])


@pytest.fixture
def backup(brokers):
    """A backup that follows the primary of this module, and its primary."""
    primary, _ = brokers.get("primary")
    url = f"--ha-brokers-url=127.0.0.1:{primary.port}"
    broker = brokers.start("backup", *CLUSTER, "--auth=no", url, "--link-maintenance-interval=0.1")
    wait_until(lambda: "Backup is ready" in broker.log(), "the backup is ready", 10)
    yield broker, primary
    broker.end()


def test_a_backup_changes_no_replicated_queue_by_detours(backup):
    """A queue of its own sends what it had to its alternate exchange when it is deleted."""
    broker, primary = backup
    with primary.peer() as peer:
        peer.call("queue.declare", queue="far", arguments={"qpid.replicate": "all"})
        peer.call("exchange.bind", queue="far", exchange="amq.fanout", binding_key="")
        with broker.peer(client_properties={"qpid.ha-admin": 1}) as tool:
            tool.call("queue.declare", queue="near", alternate_exchange="amq.fanout")
            tool.publish("near", b"x", structs=[key("near")])
            tool.call("queue.delete", queue="near")
        assert not is_dead(broker)
        peer.call("queue.delete", queue="far")


def test_a_backup_refuses_to_be_changed(backup):
    broker, primary = backup
    name = "far2"
    with primary.peer() as peer:
        peer.call("queue.declare", queue=name)
        peer.publish(name, b"x")
        peer.sync()
        for word, fields in {
            "message.subscribe": {"queue": name, "destination": "d", "acquire_mode": 0},
            "queue.purge": {"queue": name},
            "queue.delete": {"queue": name},
            "exchange.bind": {"queue": name, "exchange": "amq.topic", "binding_key": "x"},
        }.items():
            with broker.peer(client_properties={"qpid.ha-admin": 1}) as tool:
                tool.send(word, **fields)
                assert tool.failed() == 530
        peer.call("queue.delete", queue=name)
    assert not is_dead(broker)

"""Dialling: status checks, passes over the list, time limits, what ends a link."""

from __future__ import annotations

from uuid import UUID

import pytest

from tanist.ha.log import NO_OWNER, Epoch
from tanist.ha.messages import RESUME, Hello, encode_hello, replication_head
from tanist.ha.roles import Status
from tanist.node.inputs import Disconnected, LinkUp, Received
from tanist.node.links import SURVEY_EVERY_S, VERIFY_MAX_S
from tanist.node.outputs import Close, Connect, Send
from tanist.wire.amqp010.connection import Connection, ConnectionSettings
from tanist.wire.amqp010.events import Attached, Command, Event, Opening, SaslStart
from tanist.wire.amqp010.session import Session
from tanist.wire.amqp010.values import Value, uint32, uint64
from tests.broker.node.network import Admin, Guest, Host, Network, cluster, promote, running

ME = UUID(int=1, version=4)
OTHER = UUID(int=2, version=4)


def member(system_id: UUID = OTHER, status: int = 4, epoch: int = 1) -> dict[str, Value]:
    """Server-properties of a cluster member."""
    return {
        "qpid.ha-system-id": system_id,
        "qpid.ha-status": uint32(status),
        "qpid.ha-epoch": uint64(epoch),
        "qpid.ha-owner": system_id,
    }


class Lone:
    """One member whose peers are played by the test."""

    def __init__(self, url: str = "p1,p2", **config: object) -> None:
        self.network = Network()
        self.network.black_holes = {"p1", "p2", "p3"}
        self.host = Host(self.network, "me", 1, ha_brokers_url=url, **config)
        self.seen = 0

    def dials(self) -> list[Connect]:
        """The dials since the last call."""
        found = [output for output in self.host.outputs if isinstance(output, Connect)]
        new, self.seen = found[self.seen :], len(found)
        return new

    def fail(self, dial: Connect) -> None:
        """The dial does not succeed."""
        self.host.take(lambda: Disconnected(self.network.now, dial.conn, "refused"))

    def answer(self, dial: Connect, properties: dict[str, Value]) -> Answerer:
        """Somebody answers the dial."""
        return Answerer(self, dial, properties)

    def closed(self, dial: Connect) -> bool:
        """Whether the member dropped that connection."""
        return any(isinstance(o, Close) and o.conn == dial.conn for o in self.host.outputs)

    def debug(self) -> list[str]:
        return [text for level, _, text in self.host.lines if level == "debug"]


class Answerer:
    """A server behind a dial."""

    def __init__(self, lone: Lone, dial: Connect, properties: dict[str, Value]) -> None:
        self.lone = lone
        self.conn = dial.conn
        self.connection = Connection(
            ConnectionSettings(role="server", server_properties=properties), lone.network.now
        )
        self.session: Session | None = None
        self.subscribed: dict[str, Value] = {}
        self.commands: list[Command] = []
        self._read = 0
        host = lone.host
        host.take(lambda: LinkUp(lone.network.now, dial.conn, "me:1"))
        self.pump()

    def pump(self) -> None:
        """Exchange bytes until nothing moves."""
        host, now = self.lone.host, self.lone.network.now
        while True:
            sends = [o.data for o in host.outputs if isinstance(o, Send) and o.conn == self.conn]
            for data in sends[self._read :]:
                for event in self.connection.receive_data(data, now):
                    self._on_event(event)
            self._read = len(sends)
            answer = self.connection.data_to_send()
            if not answer:
                return
            host.take(lambda answer=answer: Received(now, self.conn, answer))

    def _on_event(self, event: Event) -> None:
        if isinstance(event, SaslStart):
            self.connection.sasl_accept("x")
        elif isinstance(event, Opening):
            self.connection.open_ok([])
        elif isinstance(event, Attached):
            self.session = event.session
        elif isinstance(event, Command):
            self.commands.append(event)
            self.subscribed = event.struct.map("arguments")
            event.session.complete(event.id, event.id)

    def say(self, body: bytes) -> None:
        """Send a message of the link."""
        assert self.session is not None
        self.session.send_transfer(replication_head(), b"", body)
        self.pump()


def hello(epoch: int = 1, owner: UUID = OTHER, index: int = 0) -> bytes:
    history = (
        [Epoch(epoch, owner, 0)] if not epoch else [Epoch(0, NO_OWNER, 0), Epoch(epoch, owner, 0)]
    )
    return encode_hello(Hello(RESUME, index, index, history))


# -- status checks and passes --------------------------------------------------------------


def test_at_the_start_every_member_is_checked_and_the_first_is_dialled() -> None:
    lone = Lone()
    dials = lone.dials()
    assert [(dial.host, dial.port) for dial in dials] == [("p1", 5672), ("p2", 5672), ("p1", 5672)]
    assert [dial.conn for dial in dials] == [-1, -2, -3]
    assert lone.host.node.cluster.backup.unchecked


def test_a_check_ends_when_the_peer_has_said_who_it_is() -> None:
    lone = Lone()
    first, second, _ = lone.dials()
    lone.answer(first, member(status=int(Status.JOINING)))
    assert lone.closed(first)
    assert lone.host.node.cluster.backup.unchecked
    lone.fail(second)
    assert not lone.host.node.cluster.backup.unchecked
    assert not lone.host.node.cluster.backup.saw_active_member


def test_a_check_that_finds_a_member_past_joining_is_remembered() -> None:
    lone = Lone()
    first, _, _ = lone.dials()
    lone.answer(first, member(status=int(Status.READY)))
    assert lone.host.node.cluster.backup.saw_active_member


def test_a_check_of_a_primary_ends_too() -> None:
    lone = Lone()
    first, _, _ = lone.dials()
    answerer = lone.answer(first, member())
    assert lone.closed(first)
    assert answerer.session is None


def test_a_pass_has_no_pauses_and_after_it_is_one() -> None:
    lone = Lone(link_maintenance_interval_s=3.0)
    *_, link = lone.dials()
    lone.fail(link)
    lone.network.run()
    (second,) = lone.dials()
    assert second.host == "p2"
    lone.fail(second)
    lone.network.advance(2.9)
    assert [dial.host for dial in lone.dials()] == []
    lone.network.advance(0.2)
    assert [dial.host for dial in lone.dials()] == ["p1"]


@pytest.mark.parametrize(
    ("properties", "why"),
    [
        ({"product": "some broker"}, "it is not a member of a cluster"),
        (member(ME), "it is this broker itself"),
        (member(status=1), "it is catchup, not the primary"),
        (member(status=5), "it is standalone, not the primary"),
    ],
)
def test_whoever_is_not_the_primary_is_left(properties: dict[str, Value], why: str) -> None:
    lone = Lone()
    *_, link = lone.dials()
    lone.answer(link, properties)
    assert lone.closed(link)
    assert f"No link to tcp:p1:5672: {why}" in lone.debug()
    lone.network.run()
    assert [dial.host for dial in lone.dials()] == ["p2"]


def test_meeting_itself_teaches_the_own_address() -> None:
    lone = Lone()
    first, _, link = lone.dials()
    lone.answer(first, member(ME, status=0))
    own = lone.host.node.cluster.links.own_address
    assert own is not None
    assert own.canonical() == "tcp:p1:5672"
    answerer = lone.answer(link, member())
    info = answerer.connection.client_properties["qpid.ha-backup"]
    assert isinstance(info, dict)
    assert (info["protocol"], info["host-name"], info["port"]) == ("tcp", "p1", 5672)


# -- time limits ---------------------------------------------------------------------------


def test_a_peer_that_accepts_and_says_nothing_is_left_in_time() -> None:
    lone = Lone(link_heartbeat_interval_s=1.0)
    *_, link = lone.dials()
    lone.host.take(lambda: LinkUp(lone.network.now, link.conn, "me:1"))
    lone.network.advance(1.9)
    assert not lone.closed(link)
    lone.network.advance(0.3)
    assert lone.closed(link)
    assert "No link to tcp:p1:5672: no answer in time" in lone.debug()


@pytest.mark.parametrize(
    ("heartbeat_s", "negotiate_s", "expected"),
    [(1.0, 10.0, 2.0), (0.2, 10.0, 1.0), (120.0, 3.0, 3.0)],
)
def test_how_long_a_peer_may_take(heartbeat_s: float, negotiate_s: float, expected: float) -> None:
    lone = Lone(link_heartbeat_interval_s=heartbeat_s, max_negotiate_time_s=negotiate_s)
    assert {dial.timeout_s for dial in lone.dials()} == {expected}


def test_a_check_is_decided_before_qpid_ha_gives_up() -> None:
    lone = Lone(link_heartbeat_interval_s=120.0)
    assert [dial.timeout_s for dial in lone.dials()] == [8.0, 8.0, 10.0]


def test_a_silent_primary_is_left_after_two_heartbeats() -> None:
    lone = Lone()
    *_, link = lone.dials()
    lone.answer(link, member()).say(hello())
    assert lone.host.status == "catchup"
    lone.network.advance(1.8)
    assert not lone.closed(link)
    lone.network.advance(0.5)
    assert lone.closed(link)
    assert lone.host.status == "catchup"
    assert any(line.startswith("Lost primary tcp:p1:5672") for line in lone.host.log)


# -- the link ------------------------------------------------------------------------------


def test_the_subscription_says_where_we_stand() -> None:
    lone = Lone(federation_tag="tag", ha_username="u", ha_password="p", ha_mechanism="PLAIN")
    *_, link = lone.dials()
    answerer = lone.answer(link, member())
    assert answerer.connection.client_properties["qpid.fed_link"] == 1
    assert answerer.connection.client_properties["qpid.federation_tag"] == "tag"
    assert answerer.connection.mechanism == "PLAIN"
    assert answerer.connection.heartbeat_s == 1
    at = answerer.subscribed
    assert (at["qpid.ha-epoch"], at["qpid.ha-index"], at["qpid.ha-whole"]) == (0, 0, True)
    assert at["qpid.ha-owner"] == UUID(int=0)
    assert isinstance(at["qpid.ha-info"], dict)


def test_the_acknowledgement_is_the_completion() -> None:
    lone = Lone()
    *_, link = lone.dials()
    answerer = lone.answer(link, member())
    answerer.say(hello())
    assert lone.host.status == "catchup"
    assert "Connected to primary tcp:p1:5672" in lone.host.log


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (hello(epoch=0, owner=OTHER), "its epoch 0"),
        (hello(index=9), "a snapshot will be asked for"),
        (b"\xff", "a snapshot will be asked for"),
    ],
)
def test_what_must_not_be_followed_ends_the_link(body: bytes, why: str) -> None:
    lone = Lone()
    *_, link = lone.dials()
    lone.answer(link, member()).say(body)
    assert lone.closed(link)
    assert any(why in line for line in lone.debug())
    lone.network.run()
    assert [dial.host for dial in lone.dials()] == ["p2"]


def test_what_could_not_be_applied_makes_the_next_link_ask_for_a_snapshot() -> None:
    lone = Lone()
    *_, link = lone.dials()
    lone.answer(link, member()).say(b"\xff")
    lone.network.run()
    (again,) = lone.dials()
    assert lone.answer(again, member()).subscribed["qpid.ha-whole"] is False
    assert any(line.startswith("Replication failed:") for line in lone.host.log)


def test_a_ready_backup_that_could_not_apply_something_is_not_ready() -> None:
    _, (a, b) = running("a", "b")
    conn, wire = next((conn, wire) for conn, wire in b.wires.items() if conn < 0)
    link = a.node.cluster.primary
    assert link is not None
    a.freeze()
    (peer,) = link.peers.values()
    peer.session.send_transfer(replication_head(), b"", b"\xff")
    serving = a.node._reception.fronts[wire.accepted].connection
    b.wire_data(conn, serving.data_to_send())
    assert b.status == "catchup"
    assert promote(b) == "Still catching up, cannot be promoted."


def test_a_refused_subscription_ends_the_link() -> None:
    lone = Lone()
    *_, link = lone.dials()
    answerer = lone.answer(link, member())
    assert answerer.session is not None
    answerer.session.exception(542, "not like this", 0)
    answerer.pump()
    assert lone.closed(link)
    assert any("not like this" in line for line in lone.debug())


def test_an_ended_session_ends_the_link() -> None:
    lone = Lone()
    *_, link = lone.dials()
    answerer = lone.answer(link, member())
    assert answerer.session is not None
    answerer.session.detach()
    answerer.pump()
    assert lone.closed(link)


def test_a_close_by_the_primary_ends_the_link() -> None:
    lone = Lone()
    *_, link = lone.dials()
    answerer = lone.answer(link, member())
    answerer.connection.close(320, "go away")
    answerer.pump()
    assert lone.closed(link)
    assert "No link to tcp:p1:5672: go away" in lone.debug()
    assert lone.host.stop_reasons == []


class Porter(Answerer):
    """A primary that does not let us in."""

    def _on_event(self, event: Event) -> None:
        if isinstance(event, SaslStart):
            self.connection.close(320, "Authentication failed")


def test_a_primary_that_refuses_who_we_are_ends_the_broker_with_one_line() -> None:
    lone = Lone(ha_username="ha", ha_password="wrong")
    *_, link = lone.dials()
    Porter(lone, link, member())
    assert lone.host.stop_reasons == [
        "Shutting down: the primary tcp:p1:5672 refuses our link as user ha: Authentication failed."
        " Check ha-username, ha-password and ha-mechanism on both brokers"
    ]


def test_a_primary_that_offers_nothing_we_may_use_ends_the_broker_too() -> None:
    lone = Lone(ha_mechanism="EXTERNAL")
    *_, link = lone.dials()
    lone.answer(link, member())
    (reason,) = lone.host.stop_reasons
    assert "refuses our link as user anonymous: the server offers" in reason
    assert "not EXTERNAL" in reason


def test_an_impossible_status_stops_the_broker_with_one_line() -> None:
    lone = Lone()
    *_, link = lone.dials()
    answerer = lone.answer(link, member())
    lone.host.node.cluster.role.status = Status.ACTIVE
    answerer.say(hello())
    assert lone.host.stop_reasons == [
        "Shutting down: Illegal state transition from active: "
        "a primary accepted our replication link"
    ]


def test_events_of_forgotten_connections_change_nothing() -> None:
    lone = Lone()
    first, *_ = lone.dials()
    lone.fail(first)
    before = len(lone.host.outputs)
    lone.host.take(lambda: LinkUp(lone.network.now, first.conn, "me:1"))
    lone.host.take(lambda: Received(lone.network.now, first.conn, b"AMQP"))
    lone.fail(first)
    assert not [o for o in lone.host.outputs[before:] if isinstance(o, (Send, Close, Connect))]


def test_bytes_before_the_connection_is_up_change_nothing() -> None:
    lone = Lone()
    first, *_ = lone.dials()
    lone.host.take(lambda: Received(lone.network.now, first.conn, b"AMQP\1\1\0\x0a"))
    assert not lone.closed(first)


def test_a_promoted_broker_asks_around_once_and_follows_nobody() -> None:
    network, (a, b) = running("a", "b")
    a.kill()
    network.run()
    assert promote(b) == ""
    asked = [output.host for output in b.outputs if isinstance(output, Connect)][-1:]
    assert asked == ["a"]
    b.outputs.clear()
    network.advance(2.0)
    assert not [output for output in b.outputs if isinstance(output, Connect)]


def test_every_member_looks_at_all_others_every_now_and_then() -> None:
    network, hosts = running("a", "b", "c")
    for host in hosts:
        host.outputs.clear()
    network.advance(2 * SURVEY_EVERY_S)
    for host in hosts:
        dialled = [output.host for output in host.outputs if isinstance(output, Connect)]
        others = [name for name in "abc" if name != host.name]
        assert sorted(dialled) == sorted(others * 2)
        assert set(host.node.cluster.outlook.seen) == {f"tcp:{name}:5672" for name in others}


def test_a_member_that_does_not_answer_is_looked_at_once_at_a_time() -> None:
    network, (a, _b) = running("a", "b", link_heartbeat_interval_s=60.0)
    network.black_holes.add("b")
    a.outputs.clear()
    network.advance(3 * SURVEY_EVERY_S)
    dialled = [output for output in a.outputs if isinstance(output, Connect)]
    assert len(dialled) == 2, "the first look takes eight seconds"
    assert a.node.cluster.outlook.seen == {}


def test_nothing_is_confirmed_while_a_primary_that_lost_a_backup_asks_around() -> None:
    network, (a, b, c) = running("a", "b", "c")
    client = Guest(a).session()
    network.black_holes.add("c")
    b.kill()
    held = client.do("queue.declare", queue="q")
    assert held not in client.completed
    network.advance(VERIFY_MAX_S + 0.2)
    assert held in client.completed
    assert c.status == "ready"


def test_of_two_primaries_of_one_epoch_the_one_that_confirmed_less_stops() -> None:
    network, (a, b, c) = running("a", "b", "c")
    a.kill()
    b.freeze()
    assert promote(c) == ""
    network.advance(8.0)
    assert c.status == "active"
    client = Guest(c).session()
    assert client.do("queue.declare", queue="q") in client.completed
    b.thaw()
    b.node.cluster.ha_promote(False)
    assert b.node.cluster.log.epoch == c.node.cluster.log.epoch
    network.advance(8.0)
    assert len(b.stop_reasons) == 1
    assert "deposed" in b.stop_reasons[0]
    assert c.status == "active"
    assert c.stop_reasons == []


def test_without_members_nobody_is_dialled() -> None:
    lone = Lone(url="")
    lone.network.advance(10.0)
    assert lone.dials() == []
    assert not lone.host.node.cluster.backup.unchecked


def test_a_backup_with_another_list_keeps_its_link_and_dials_the_new_list_after_it() -> None:
    """b does not know c at first, and would never find it as its next primary."""
    network = Network()
    urls = {"a": "a,b,c", "b": "a,b", "c": "a,b,c"}
    hosts = [Host(network, name, n, ha_brokers_url=urls[name]) for n, name in enumerate(urls, 1)]
    a, b, c = hosts
    network.run()
    assert promote(a) == ""
    network.advance(2.0)
    assert Admin(b).call("setBrokersUrl", url="c,b") == ""
    network.advance(2.0)
    assert [host.status for host in hosts] == ["active", "ready", "ready"]
    followed = [line for line in b.log if line.startswith("Connected to primary")]
    assert followed == ["Connected to primary tcp:a:5672"], "once: the link was not touched"
    before = len(b.outputs)
    a.kill()
    network.run()
    assert promote(c) == ""
    network.advance(2.0)
    assert (b.status, c.status) == ("ready", "active")
    dials = [output for output in b.outputs[before:] if isinstance(output, Connect)]
    assert {dial.host for dial in dials} <= {"b", "c"}
    assert dials[0].host == "c", "the new list, from its first element"


def test_a_virtual_address_alone_is_enough() -> None:
    """The resource manager moves it to whom it promotes; no member knows where the others are."""
    network, hosts = cluster("a", "b", "c", ha_brokers_url="vip", ha_public_url="public")
    a, b, c = hosts
    network.hosts["vip"] = a
    assert promote(a) == ""
    network.advance(2.0)
    assert [host.status for host in hosts] == ["active", "ready", "ready"]
    session = Guest(a).session()
    session.do("queue.declare", queue="q")
    session.publish("q", b"kept")
    a.kill()
    network.hosts["vip"] = b
    assert promote(b) == ""
    network.advance(2.0)
    assert (b.status, c.status, b.bodies("q")) == ("active", "ready", [b"kept"])
    assert Guest(b).known_hosts == ["amqp:tcp:public:5672"]
    a.start()
    network.advance(2.0)
    assert a.status == "ready"

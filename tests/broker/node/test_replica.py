"""The link of one copy: dialling, who is accepted, what is said once, when it ends."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.ha.queue_link import encode_id, encode_ids, event_header
from tanist.node.inputs import Disconnected, LinkUp, Received
from tanist.node.outputs import Connect
from tanist.node.replica import REFUSED_RETRY_S
from tanist.wire.amqp010.events import Event, Opening
from tanist.wire.amqp010.transfer import encode_transfer
from tanist.wire.amqp010.values import Value
from tests.broker.node.copying import (
    cut,
    queue_on,
    replicate,
    seen,
    source_and_copy,
    standalone,
    state_of,
)
from tests.broker.node.network import Guest, Host, Network, promote, running
from tests.broker.node.test_links import Answerer, Lone, member


class Dropper(Answerer):
    """A backup of the original: it drops the connection that wants to open."""

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Opening):
            lone, conn = self.lone, self.conn
            lone.network.later(
                lambda: lone.host.take(lambda: Disconnected(lone.network.now, conn, "dropped"))
            )
        else:
            super()._on_event(event)


def lines(host: Host, level: str = "") -> list[str]:
    """Log lines about queues."""
    return [
        text for each, _, text in host.lines if level in ("", each) and text.startswith("Queue q")
    ]


def row(host: Host) -> dict[str, Value]:
    (found,) = seen(host, "replicas")
    return found


def dials(host: Host, name: str) -> int:
    return sum(isinstance(o, Connect) and o.host == name for o in host.outputs)


# -- finding the source ----------------------------------------------------------------------


def test_it_dials_its_addresses_until_one_lets_it_in() -> None:
    network = Network()
    copy = standalone(network, "d", 2)
    queue_on(copy)
    assert replicate(copy, "x,y,s") == ""
    network.run()
    assert [dials(copy, name) for name in "xys"] == [1, 1, 1]
    assert row(copy)["state"] == "connecting"
    assert row(copy)["reason"] == "tcp:s:5672: connection refused"
    source = standalone(network, "s", 1)
    queue_on(source).publish("q", b"1")
    network.advance(0.4)
    assert copy.bodies("q") == []
    network.advance(0.2)
    assert copy.bodies("q") == [b"1"]
    assert row(copy)["reason"] == ""
    assert lines(copy) == ["Queue q is copied from tcp:s:5672 now"]


def test_backups_are_passed_by_without_a_word() -> None:
    network, (primary, backup) = running("a", "b")
    queue_on(primary).publish("q", b"1")
    copy = standalone(network, "d", 9)
    queue_on(copy)
    assert replicate(copy, "b,a") == ""
    network.run()
    assert copy.bodies("q") == [b"1"]
    assert lines(copy) == ["Queue q is copied from tcp:a:5672 now"]
    assert not [text for _, _, text in backup.lines if "uthent" in text]


def test_a_backup_of_the_original_drops_the_link_when_it_opens() -> None:
    """It says nothing of itself beforehand."""
    lone = Lone(ha_cluster=False, ha_queue_replication=True)
    queue_on(lone.host)
    lone.network.black_holes = {"p1", "p2"}
    assert replicate(lone.host, "p1,p2") == ""
    (dial,) = lone.dials()
    Dropper(lone, dial, {"product": "qpid-cpp"})
    lone.network.run()
    (dial,) = lone.dials()
    assert dial.host == "p2"
    answerer = Answerer(lone, dial, {"product": "qpid-cpp"})
    subscribe = answerer.commands[0].struct.map("arguments")
    assert subscribe["qpid.sync_frequency"] == 1
    assert subscribe["qpid.ha-ids"] == b"\0\0"
    assert state_of(lone.host) == "linked"


@pytest.mark.parametrize("stage", ["dial", "greeting"])
def test_who_does_not_answer_is_given_up(stage: str) -> None:
    lone = Lone(ha_cluster=False, ha_queue_replication=True)
    queue_on(lone.host)
    lone.network.black_holes = {"p1", "p2"}
    assert replicate(lone.host, "p1,p2") == ""
    (dial,) = lone.dials()
    if stage == "greeting":
        lone.host.take(lambda: link_up(lone, dial))
    lone.network.advance(1.9)
    assert not lone.closed(dial)
    lone.network.advance(0.3)
    assert lone.closed(dial)
    assert [each.host for each in lone.dials()] == ["p2"]


def link_up(lone: Lone, dial: Connect) -> LinkUp:
    return LinkUp(lone.network.now, dial.conn, "me:1")


def test_a_source_that_falls_silent_is_dropped() -> None:
    network, source, copy = source_and_copy()
    source.freeze()
    network.advance(2.5)
    assert row(copy)["state"] == "connecting"
    assert "no frame for" in lines(copy, "warning")[0]
    source.cut_off()
    source.thaw()
    network.advance(3.0)
    assert state_of(copy) == "in-sync"


def test_a_link_that_never_lasts_does_not_spin() -> None:
    network, source, copy = source_and_copy()
    before = dials(copy, "s")
    cut(source)
    assert dials(copy, "s") == before
    network.advance(0.6)
    assert dials(copy, "s") == before + 1
    network.advance(5.0)
    cut(source)
    assert dials(copy, "s") == before + 2, "one that lasted is made again at once"


# -- who refuses -----------------------------------------------------------------------------


def secure(network: Network, name: str, number: int, **more: object) -> Host:
    return standalone(network, name, number, auth=True, passwords="ha:secret\n", **more)


def copied_from_secured(url: str, **login: object) -> Host:
    """A broker that was asked to copy from ``url``; host ``s`` there lets in only ha."""
    network = Network()
    source = secure(network, "s", 1)
    session = Guest(source, username="ha", password="secret").session()
    session.do("queue.declare", queue="q")
    copy = standalone(network, "d", 2, **login)
    queue_on(copy)
    assert replicate(copy, url) == ""
    network.run()
    return copy


def test_the_identity_is_that_of_ha_links() -> None:
    assert state_of(copied_from_secured("s", ha_username="ha", ha_password="secret")) == "in-sync"


def test_a_login_in_the_url_goes_first_and_is_not_shown() -> None:
    copy = copied_from_secured("ha/secret@s", ha_username="other", ha_password="word")
    assert state_of(copy) == "in-sync"
    assert row(copy)["source"] == "amqp:tcp:s:5672"
    assert "secret" not in str([text for _, _, text in copy.lines]) + str(seen(copy, "replicas"))


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"ha_username": "ha", "ha_password": "wrong"}, "user ha: Authentication failed"),
        ({}, "user anonymous: the server offers ['PLAIN'], not what is configured"),
    ],
)
def test_a_wrong_identity_is_one_line_and_a_slow_retry(config: dict[str, str], words: str) -> None:
    network = Network()
    source = secure(network, "s", 1)
    copy = standalone(network, "d", 2, **config)
    queue_on(copy)
    assert replicate(copy, "s") == ""
    network.run()
    assert row(copy)["state"] == "refused"
    network.advance(10 * REFUSED_RETRY_S)
    (line,) = lines(copy)
    assert line.startswith("Queue q cannot be copied from tcp:s:5672: refuses the link as ")
    assert words in line
    assert "Check ha-username, ha-password and ha-mechanism" in line
    assert 9 <= dials(copy, "s") <= 12
    assert len([text for level, _, text in source.lines if level in ("warning", "error")]) == 0


def test_a_source_that_does_not_replicate_is_one_line() -> None:
    network = Network()
    source = standalone(network, "s", 1, ha_queue_replication=False)
    queue_on(source)
    copy = standalone(network, "d", 2)
    queue_on(copy)
    assert replicate(copy, "s") == ""
    network.advance(5 * REFUSED_RETRY_S)
    (line,) = lines(copy, "error")
    assert "set ha-queue-replication=yes" in line
    assert row(copy)["state"] == "refused"


def test_a_broker_does_not_copy_from_itself() -> None:
    network = Network()
    host = standalone(network, "d", 2)
    queue_on(host).publish("q", b"1")
    assert replicate(host, "d") == ""
    network.advance(10.0)
    assert lines(host) == ["Queue q cannot be copied from tcp:d:5672: that is this broker itself"]
    assert host.bodies("q") == [b"1"]


def test_two_brokers_do_not_copy_from_each_other() -> None:
    network, source, copy = source_and_copy(1)
    assert replicate(source, "d") == ""
    network.advance(1.0)
    assert "in circles" in lines(source, "error")[0]
    assert source.bodies("q") == copy.bodies("q") == [b"0"]


# -- nonsense --------------------------------------------------------------------------------


def linked(lone: Lone) -> Answerer:
    """A source played by the test, to which a copy is linked."""
    queue_on(lone.host)
    lone.network.black_holes = {"p1"}
    assert replicate(lone.host, "p1") == ""
    (dial,) = lone.dials()
    return Answerer(lone, dial, {"product": "qpid-cpp"})


def say(answerer: Answerer, header: bytes, body: bytes) -> None:
    assert answerer.session is not None
    answerer.session.send_transfer(encode_transfer("qpid.ha-q:q", 0, 1), header, body)
    answerer.pump()


@pytest.mark.parametrize(
    ("key", "body", "words"),
    [
        ("q", b"x", "came before its id"),
        ("qpid.ha-id", b"123", "id event of 3"),
        ("qpid.ha-de", b"\0\x08", "set of ids"),
        ("qpid.ha-queue", b"", "standing event"),
    ],
)
def test_nonsense_ends_the_link_and_nothing_else(key: str, body: bytes, words: str) -> None:
    lone = Lone(ha_cluster=False, ha_queue_replication=True)
    answerer = linked(lone)
    header = event_header(key)
    say(answerer, header, body)
    (line,) = lines(lone.host, "error")
    assert words in line
    assert state_of(lone.host) == "refused"
    assert lone.host.alive
    assert lone.host.bodies("q") == []
    lone.network.advance(REFUSED_RETRY_S - 1)
    assert lone.dials() == []
    lone.network.advance(2)
    assert len(lone.dials()) == 1


def test_forged_ids_do_what_they_can() -> None:
    lone = Lone(ha_cluster=False, ha_queue_replication=True)
    answerer = linked(lone)
    everything = bytes.fromhex("0008 00000000 ffffffff")
    say(answerer, event_header("qpid.ha-de"), everything)
    for number in (9, 3, 9, 0xFFFFFFFF):
        say(answerer, event_header("qpid.ha-id"), encode_id(number))
        say(answerer, event_header("q"), b"%d" % number)
    say(answerer, event_header("q"), b"wrapped")
    assert lone.host.bodies("q") == [b"9", b"3", b"4294967295", b"wrapped"]
    say(answerer, event_header("qpid.ha-de"), everything)
    assert lone.host.bodies("q") == []
    assert state_of(lone.host) == "linked"


def test_bytes_that_are_no_amqp() -> None:
    lone = Lone(ha_cluster=False, ha_queue_replication=True)
    queue_on(lone.host)
    lone.network.black_holes = {"p1"}
    assert replicate(lone.host, "p1") == ""
    (dial,) = lone.dials()
    lone.host.take(lambda: link_up(lone, dial))
    lone.host.take(lambda: Received(lone.network.now, dial.conn, b"HTTP/1.1 400 Bad Request\r\n"))
    assert lone.closed(dial)
    assert state_of(lone.host) == "refused"


def test_a_session_that_the_source_ends() -> None:
    lone = Lone(ha_cluster=False, ha_queue_replication=True)
    answerer = linked(lone)
    assert answerer.session is not None
    answerer.session.detach()
    answerer.pump()
    assert row(lone.host)["reason"] == "tcp:p1:5672: the source ended the session"
    lone.network.advance(1.0)
    assert len(lone.dials()) == 1


@pytest.mark.parametrize("code", [404, 408, 410])
def test_error_codes_that_mean_that_the_queue_is_gone(code: int) -> None:
    lone = Lone(ha_cluster=False, ha_queue_replication=True)
    answerer = linked(lone)
    assert answerer.session is not None
    answerer.session.exception(code, "no such thing", 0)
    answerer.pump()
    assert seen(lone.host, "replicas") == []
    assert lines(lone.host)[-1].endswith("is no longer copied from amqp:tcp:p1:5672: no such thing")


def test_other_errors_are_asked_about_again() -> None:
    lone = Lone(ha_cluster=False, ha_queue_replication=True)
    answerer = linked(lone)
    assert answerer.session is not None
    answerer.session.exception(541, "something broke", 0)
    answerer.pump()
    assert lines(lone.host, "error") == [
        "Queue q cannot be copied from tcp:p1:5672: something broke"
    ]
    lone.network.advance(REFUSED_RETRY_S + 1)
    assert len(lone.dials()) == 1


def test_a_polite_end_of_the_connection() -> None:
    lone = Lone(ha_cluster=False, ha_queue_replication=True)
    answerer = linked(lone)
    answerer.connection.close(320, "Closed by Management Request")
    answerer.pump()
    assert "lost its source" in lines(lone.host, "warning")[0]
    lone.network.advance(1.0)
    assert len(lone.dials()) == 1


def test_members_of_a_cluster_say_who_they_are() -> None:
    """A backup of ours is not even logged in to."""
    lone = Lone(ha_cluster=False, ha_queue_replication=True)
    queue_on(lone.host)
    lone.network.black_holes = {"p1", "p2"}
    assert replicate(lone.host, "p1,p2") == ""
    (dial,) = lone.dials()
    Answerer(lone, dial, member(status=2))
    assert lone.closed(dial)
    lone.network.run()
    (dial,) = lone.dials()
    assert dial.host == "p2"


def test_promotion_is_not_needed_by_a_standalone_broker() -> None:
    _, _, copy = source_and_copy(1)
    assert promote(copy) == ""
    assert copy.bodies("q") == [b"0"]


EVENTS = st.tuples(
    st.sampled_from(["q", "qpid.ha-id", "qpid.ha-de", "qpid.ha-queue", "qpid.ha-other", ""]),
    st.one_of(
        st.binary(max_size=30),
        st.integers(0, 9).map(encode_id),
        st.integers(0, 9).map(lambda first: encode_ids([(first, 9)])),
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(EVENTS, max_size=30))
def test_whatever_a_source_says_the_broker_serves_on(events: list[tuple[str, bytes]]) -> None:
    lone = Lone(ha_cluster=False, ha_queue_replication=True)
    answerer = linked(lone)
    for key, body in events:
        say(answerer, event_header(key), body)
    assert lone.host.alive
    assert lone.host.stop_reasons == []
    client = queue_on(lone.host, "other")
    assert client.publish("other", b"x") in client.completed
    assert len(lines(lone.host, "error")) <= 1

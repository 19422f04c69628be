from __future__ import annotations

import socket
import threading
from contextlib import contextmanager

import pytest

from tanist_interop.hosts import linked
from tanist_interop.hosts.cluster import Settings
from tanist_interop.hosts.containers import IMAGE
from tanist_interop.hosts.linked import LinkedCluster, LinkedContainers, faked
from tanist_interop.hosts.operator import HostError
from tests.interop.fake_broker import ask
from tests.interop.fake_docker import FakeDocker


@pytest.fixture
def cluster(tmp_path, fake_qpidd, fake_qpid_ha):
    out = []

    def make(clients=False):
        out.append(LinkedCluster(tmp_path, Settings(fake_qpidd, fake_qpid_ha), clients))
        return out[0]

    yield make
    for subject in out:
        subject.stop()


def option(command, name):
    return next(word.partition("=")[2] for word in command if word.startswith(f"--{name}="))


def test_each_broker_reaches_the_others_by_routes(cluster):
    subject = cluster()
    subject.start()
    subject.form(10)
    own = [node.address for node in subject.nodes]
    assert subject.addresses() == own
    for number, node in enumerate(subject.nodes):
        command = subject.command(node, 3, subject.folder / "log")
        members = option(command, "ha-brokers-url").split(",")
        assert members[number] == own[number]
        assert not set(members[:number] + members[number + 1 :]) & set(own)
        assert option(command, "ha-public-url") == ",".join(own)


def test_clients_too_where_their_links_may_fail(cluster):
    subject = cluster(clients=True)
    subject.start()
    subject.form(10)
    own = [node.address for node in subject.nodes]
    assert not set(subject.addresses()) & set(own)
    command = subject.command(subject.nodes[0], 3, subject.folder / "log")
    assert option(command, "ha-public-url") == ",".join(subject.addresses())


def test_one_address_that_moves_to_whoever_is_promoted(tmp_path, fake_qpidd, fake_qpid_ha):
    settings = Settings(fake_qpidd, fake_qpid_ha)
    subject = LinkedCluster(tmp_path, settings, clients=False, virtual=True)
    try:
        subject.start()
        subject.form(10)
        (address,) = subject.addresses()
        assert ask(address, "status", 1) == "active"
        subject.kill(0)
        subject.promote(2)
        assert ask(address, "status", 1) == "active"
    finally:
        subject.stop()


def test_a_refused_promotion_says_why(cluster):
    subject = cluster()
    subject.start()
    subject.form(10)
    assert subject.refusal(0) == ""
    subject.kill(2)
    assert "promote" in subject.refusal(2)


def test_a_broker_that_ends_by_itself(cluster):
    subject = cluster()
    subject.start()
    assert not subject.ends(1, 0.1)
    subject.nodes[1].process.terminate()
    assert subject.ends(1, 5.0)
    subject.check_alive()


def test_its_last_words_are_no_trouble(cluster):
    subject = cluster()
    subject.start()
    subject.form(10)
    for node in (1, 2):
        line = "2026 [Broker] critical Shutting down: deposed; of epoch 1\n"
        subject.nodes[node].logs[0].write_text(line)
    subject.nodes[1].process.terminate()
    assert subject.ends(1, 5.0)
    assert [name for name, _ in subject.trouble()] == ["n3"]


def test_clocks_jump_only_where_they_can(cluster, tmp_path, fake_qpidd, fake_qpid_ha, monkeypatch):
    with pytest.raises(HostError, match="not made to jump"):
        cluster().jump(1.0)
    monkeypatch.setenv("TANIST_LIBFAKETIME", "/lib/fake.so")
    subject = LinkedCluster(tmp_path, Settings(fake_qpidd, fake_qpid_ha), False, clock=True)
    assert subject.settings.qpidd[:2] == ("env", "LD_PRELOAD=/lib/fake.so")
    subject.jump(3600.0)
    assert (tmp_path / "clock").read_text() == "+3600\n"


def test_without_the_library_no_clock_jumps(tmp_path, monkeypatch):
    monkeypatch.delenv("TANIST_LIBFAKETIME", raising=False)
    monkeypatch.setattr(linked, "LIBFAKETIME", (str(tmp_path), "faketime/libfaketime.so.1"))
    with pytest.raises(HostError, match="install the package libfaketime"):
        faked(Settings(("qpidd",), ("qpid-ha",)), linked.libfaketime(), tmp_path / "clock")


def test_a_broker_that_runs_without_the_library_is_told(
    tmp_path, fake_qpidd, fake_qpid_ha, monkeypatch
):
    monkeypatch.setenv("TANIST_LIBFAKETIME", "/lib/no/such/library.so")
    subject = LinkedCluster(tmp_path, Settings(fake_qpidd, fake_qpid_ha), False, clock=True)
    try:
        subject.start()
        subject.form(10)
        with pytest.raises(HostError, match="n1 runs without libfaketime"):
            subject.jump(3600.0)
        monkeypatch.setenv("TANIST_LIBFAKETIME", "libc.so.6")  # which every process has
        subject.kill(1)
        subject.jump(3600.0)
        assert (tmp_path / "clock").read_text() == "+3600\n"
    finally:
        subject.stop()


# ------------------------------------------------------------------------------------ in containers


@pytest.fixture
def boxes(tmp_path):
    """Makes a cluster of containers in a network where this machine is 127.0.0.1."""
    out = []

    def make(clients=False, clock=False, prefix="127.0.0", refuses=()):
        engine = FakeDocker(IMAGE)
        engine.prefix, engine.refuses = prefix, set(refuses)
        settings = Settings(("qpidd",), ("qpid-ha",))
        out.append(LinkedContainers(tmp_path, settings, engine, clients, clock))
        return out[-1]

    yield make
    for subject in out:
        subject.stop()


def brokers(subject):
    found = [wish for wish in subject.engine.wishes.values() if wish.inside_of]
    return sorted(found, key=lambda wish: wish.name)


def test_containers_reach_each_other_by_routes_of_this_machine(boxes):
    subject = boxes()
    subject.start()
    own = ["127.0.0.10:5672", "127.0.0.11:5672", "127.0.0.12:5672"]
    assert subject.peer_addresses() == subject.addresses() == own
    for number, wish in enumerate(brokers(subject)):
        members = option(wish.command, "ha-brokers-url").split(",")
        assert members.pop(number) == own[number]
        assert {member.split(":")[0] for member in members} == {"127.0.0.1"}
        assert option(wish.command, "ha-public-url") == ",".join(own)


@contextmanager
def echo(address):
    """Somebody at this address who says back what one caller says."""
    with socket.create_server((address, 5672)) as listener:

        def serve():
            connection, _ = listener.accept()
            with connection:
                connection.sendall(connection.recv(9))

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join(5)


def test_a_route_leads_to_the_address_of_the_container(boxes):
    subject = boxes(clients=True)
    subject.start()
    first = subject.addresses()[0]
    assert option(brokers(subject)[0].command, "ha-public-url").startswith(first)
    host, port = first.split(":")
    with echo("127.0.0.10"), socket.create_connection((host, int(port)), timeout=5) as end:
        end.sendall(b"there")
        assert end.recv(9) == b"there"


def test_it_is_tried_whether_containers_reach_this_machine(boxes):
    with pytest.raises(HostError, match=r"cannot reach 127\.0\.0\.1 .*--hosts local"):
        boxes(refuses=["timeout"]).start()
    with pytest.raises(HostError, match=r"no proxy can listen on 192\.0\.2\.1: .*--hosts local"):
        boxes(prefix="192.0.2").start()


def test_a_container_that_ends_by_itself(boxes):
    subject = boxes()
    subject.start()
    assert not subject.ends(1, 0.1)
    subject.engine.codes[subject.boxes[1].container] = 1
    assert subject.ends(1, 0.1)
    subject.check_alive()
    subject.restart(1)
    assert subject.life(1) == 2


def test_clocks_of_containers_jump_by_the_library_of_the_image(boxes):
    subject = boxes(clock=True)
    subject.start()
    clock = subject.folder / "clock"
    assert clock.read_text() == "+0\n"
    assert brokers(subject)[0].command[:3] == [
        "env", "LD_PRELOAD=/usr/$LIB/faketime/libfaketime.so.1", f"FAKETIME_TIMESTAMP_FILE={clock}",
    ]  # fmt: skip
    subject.kill(2)
    subject.jump(3600.0)
    assert clock.read_text() == "+3600\n"
    subject.engine.refuses = {"grep"}
    with pytest.raises(HostError, match="n1 runs without libfaketime"):
        subject.jump(0.0)

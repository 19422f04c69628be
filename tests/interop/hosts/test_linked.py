from __future__ import annotations

import pytest

from tanist_interop.hosts import linked
from tanist_interop.hosts.cluster import Settings
from tanist_interop.hosts.linked import LinkedCluster, faked
from tanist_interop.hosts.operator import HostError
from tests.interop.fake_broker import ask


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
        faked(tmp_path / "clock")

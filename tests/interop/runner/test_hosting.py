from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tanist_interop.docker_api import DockerError
from tanist_interop.drivers.container import ContainerProgram
from tanist_interop.drivers.program import Program
from tanist_interop.drivers.registry import ClientSpec
from tanist_interop.hosts import linked
from tanist_interop.hosts.cluster import Settings
from tanist_interop.hosts.containers import ContainerCluster
from tanist_interop.hosts.external import ExternalHost
from tanist_interop.hosts.linked import LinkedCluster, LinkedContainers
from tanist_interop.hosts.local import LocalCluster
from tanist_interop.hosts.profile import find
from tanist_interop.runner.hosting import choose
from tanist_interop.scenarios.catalogue import CHANGED_URLS, KILL_PRIMARY
from tanist_interop.scenarios.proofs import BY_NAME
from tests.interop.fake_docker import FakeDocker

CLIENTS = [
    ClientSpec("a", Path(), ("run",)),
    ClientSpec("rare", Path(), ("run",), optional=True),
]
SETTINGS = Settings((sys.executable, "-m", "tanist.cli.qpidd"), ("qpid-ha",))


def absent():
    raise DockerError("no container engine answers")


def engine(*images):
    return lambda: FakeDocker(*images)


def test_local_asks_for_no_engine(tmp_path):
    place = choose("local", CLIENTS, absent)
    cluster, start_program = place.open(tmp_path, SETTINGS, KILL_PRIMARY)
    assert isinstance(cluster, LocalCluster)
    assert cluster.settings is SETTINGS
    assert start_program is Program


def test_links_that_fail_are_made_on_either_host(tmp_path):
    scenario = BY_NAME["proofs-partition"]
    place = choose("local", CLIENTS, absent)
    assert place.missing(scenario) == ""
    cluster, _ = place.open(tmp_path, SETTINGS, scenario)
    assert isinstance(cluster, LinkedCluster)
    place = choose("docker", CLIENTS, engine("tanist-broker"))
    assert place.missing(scenario) == ""
    boxes, _ = place.open(tmp_path, SETTINGS, scenario)
    assert isinstance(boxes, LinkedContainers)


def test_clocks_need_a_library_on_this_machine_or_in_the_image(tmp_path, monkeypatch):
    monkeypatch.delenv("TANIST_LIBFAKETIME", raising=False)
    monkeypatch.setattr(linked, "LIBFAKETIME", (str(tmp_path), "faketime/libfaketime.so.1"))
    scenario = BY_NAME["proofs-clock-jump"]
    assert "install the package" in choose("local", CLIENTS, absent).missing(scenario)
    place = choose("docker", CLIENTS, engine("tanist-broker"))
    assert place.missing(scenario) == ""
    boxes, _ = place.open(tmp_path, SETTINGS, scenario)
    assert boxes.settings.qpidd[:2] == ("env", "LD_PRELOAD=/usr/$LIB/faketime/libfaketime.so.1")
    assert boxes.settings.qpidd[-1] == "qpidd"


def test_an_engine_of_another_machine_is_none():
    def elsewhere():
        out = FakeDocker("tanist-broker", "tanist-client-a")
        out.release = "5.15.49-linuxkit"
        return out

    with pytest.raises(DockerError, match=r"Docker Desktop .*take --hosts local"):
        choose("docker", CLIENTS, elsewhere)
    assert choose("auto", CLIENTS, elsewhere).name == "local"


def test_docker_needs_an_engine_and_the_image_of_the_broker():
    with pytest.raises(DockerError, match="no container engine"):
        choose("docker", CLIENTS, absent)
    with pytest.raises(DockerError, match="no image tanist-broker"):
        choose("docker", CLIENTS, engine("tanist-client-a"))
    assert choose("docker", CLIENTS, engine("tanist-broker")).name == "docker"


def test_auto_takes_containers_if_all_images_are_there():
    both = engine("tanist-broker", "tanist-client-a")
    assert choose("auto", CLIENTS, both).name == "docker"
    assert choose("auto", CLIENTS, engine("tanist-broker")).name == "local"
    assert choose("auto", CLIENTS, absent).name == "local"


def test_brokers_of_a_profile_have_their_own_host(tmp_path, standin):
    profile = find(str(standin()))
    place = choose("external", CLIENTS, absent, profile)
    cluster, start_program = place.open(tmp_path, SETTINGS, KILL_PRIMARY)
    assert isinstance(cluster, ExternalHost)
    assert (cluster.profile, start_program) == (profile, Program)
    assert place.takes(CLIENTS[0])
    assert not place.takes(ClientSpec("b", Path(), ("run",), "amqp1.0"))
    assert choose("local", CLIENTS).takes(ClientSpec("b", Path(), ("run",), "amqp1.0"))


def test_a_scenario_is_adapted_to_brokers_of_a_profile_only(standin):
    place = choose("external", CLIENTS, absent, find(str(standin(nodes=2))))
    assert place.adapted(KILL_PRIMARY).nodes == 2
    assert len(place.unjudged(KILL_PRIMARY)) == 2
    assert "only our own" in place.missing(CHANGED_URLS)
    ours = choose("local", CLIENTS)
    assert ours.adapted(KILL_PRIMARY) is KILL_PRIMARY
    assert ours.unjudged(KILL_PRIMARY) == []


def test_in_containers_the_image_has_its_own_broker(tmp_path):
    place = choose("docker", CLIENTS, engine("tanist-broker"))
    cluster, start_program = place.open(tmp_path, SETTINGS, KILL_PRIMARY)
    assert isinstance(cluster, ContainerCluster)
    assert cluster.settings.qpidd == ("qpidd",)
    program = start_program("a", CLIENTS[0], tmp_path / "log", None)
    assert isinstance(program, ContainerProgram)
    other, _ = place.open(tmp_path, Settings(("mutant", "--bad"), ("qpid-ha",)), KILL_PRIMARY)
    assert other.settings.qpidd == ("mutant", "--bad")

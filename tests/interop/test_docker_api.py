"""What is made of the SDK's answers. With a real engine: ``tests/containers``."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from tanist_interop import docker_api
from tanist_interop.docker_api import LABEL, Docker, DockerError, Network, Wish, connect


class SdkError(Exception):
    """As the SDK raises."""


class Api:
    """Notes calls by name; ``answers`` per name: a value, or an error to raise."""

    def __init__(self, **answers) -> None:
        self.answers = answers
        self.calls = []

    def __getattr__(self, name) -> object:
        def call(*words, **more):
            self.calls.append((name, words, more))
            answer = self.answers.get(name)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


@pytest.fixture
def make():
    def make(**answers):
        api = Api(**answers)
        client = SimpleNamespace(api=api, images=api, networks=api)
        return Docker(client, (SdkError,)), api

    return make


def test_a_container_has_no_powers(make, tmp_path):
    engine, api = make(create_container={"Id": "c1"}, create_host_config="host")
    net = Network("net", "172.20.7")
    wish = Wish("image", ["run"], "g", "name", net, net.fixed(1), tmp_path, "7:8")
    assert engine.create(wish) == "c1"
    host = next(more for name, _, more in api.calls if name == "create_host_config")
    assert host["cap_drop"] == ["ALL"]
    assert "cap_add" not in host
    assert host["network_mode"] == "net"
    assert host["binds"] == {str(tmp_path): {"bind": str(tmp_path), "mode": "rw"}}
    made = next(more for name, _, more in api.calls if name == "create_container")
    assert made["user"] == "7:8"
    assert made["labels"] == {LABEL: "g"}
    assert ("create_endpoint_config", (), {"ipv4_address": "172.20.7.11"}) in api.calls


def test_a_container_inside_of_another_ones_network(make):
    engine, api = make(create_container={"Id": "c2"})
    engine.create(Wish("image", [], "g", inside_of="c1", init=False))
    host = next(more for name, _, more in api.calls if name == "create_host_config")
    assert host["network_mode"] == "container:c1"
    assert host["init"] is False


@pytest.mark.parametrize(("talks", "log"), [(True, {"type": "none"}), (False, None)])
def test_what_a_talker_says_is_not_logged_by_the_engine_too(make, talks, log):
    engine, api = make(create_container={"Id": "c3"})
    engine.create(Wish("image", [], "g", talks=talks))
    host = next(more for name, _, more in api.calls if name == "create_host_config")
    assert host.get("log_config") == log


@pytest.mark.parametrize(("status", "code"), [(0, 0), (3, 3), (137, -9), (143, -15)])
def test_exit_codes_are_those_of_processes(make, status, code):
    engine, _ = make(
        wait={"StatusCode": status},
        inspect_container={"State": {"Running": False, "ExitCode": status}},
    )
    assert engine.wait("c", 1) == code
    assert engine.exit_code("c") == code


def test_who_runs_has_no_exit_code(make):
    import requests  # noqa: PLC0415

    engine, _ = make(
        wait=requests.exceptions.ReadTimeout(),
        inspect_container={"State": {"Running": True, "ExitCode": 0}},
    )
    assert engine.wait("c", 1) is None
    assert engine.exit_code("c") is None


def test_a_signal_to_the_dead_is_no_error(make):
    engine, _ = make(kill=SdkError("Container abc is not running"))
    engine.signal("c", "SIGKILL")
    engine, _ = make(kill=SdkError("no such container"))
    with pytest.raises(DockerError, match="sending SIGKILL: no such container"):
        engine.signal("c", "SIGKILL")


def test_memory_is_what_the_first_process_holds(make, tmp_path, monkeypatch):
    monkeypatch.setattr(docker_api, "PROCESSES", tmp_path)
    engine, _ = make(inspect_container={"State": {"Pid": 17}})
    assert engine.memory_bytes("c0ffee") == 0, "no such process"
    (tmp_path / "17").mkdir()
    (tmp_path / "17/statm").write_text("900 7 3 1 0 2 0\n")
    (tmp_path / "17/cgroup").write_text("0::/docker/c0ffee\n")
    assert engine.memory_bytes("c0ffee") == 7 * os.sysconf("SC_PAGE_SIZE")
    assert engine.memory_bytes("beef") == 0, "another one's"
    engine, _ = make(inspect_container=SdkError("no such container"))
    assert engine.memory_bytes("c0ffee") == 0


def test_a_command_that_fails_says_what_it_printed(make):
    engine, _ = make(exec_create={"Id": "e"}, exec_start=b"", exec_inspect={"ExitCode": 0})
    engine.run_in("c", ["grep", "word"])
    engine, _ = make(exec_create={"Id": "e"}, exec_start=b"no file\n", exec_inspect={"ExitCode": 2})
    with pytest.raises(DockerError, match="grep word ended with 2: no file"):
        engine.run_in("c", ["grep", "word"])


def test_a_network_that_overlaps_is_tried_elsewhere(make):
    engine, api = make(create=SdkError("Pool overlaps"))
    with pytest.raises(DockerError, match="Pool overlaps"):
        engine.new_network("net", "g")
    pools = {call[2]["ipam"]["Config"][0]["Subnet"] for call in api.calls}
    assert len(api.calls) == 20
    assert len(pools) > 10
    engine, api = make()
    network = engine.new_network("net", "g")
    options = api.calls[0][2]["options"]
    assert options == {"com.docker.network.bridge.enable_ip_masquerade": "false"}
    assert network.fixed(2) == f"{network.prefix}.12"
    assert network.free_range == f"{network.prefix}.128/25"
    assert api.calls[0][2]["ipam"]["Config"][0]["Gateway"] == network.gateway


def test_sweeping_takes_the_containers_of_the_group_before_its_networks(make):
    engine, api = make(containers=[{"Id": "c"}], networks=[{"Id": "n"}])
    engine.sweep("g")
    names = [name for name, _, _ in api.calls]
    assert names == ["containers", "remove_container", "networks", "remove_network"]
    assert all(
        more["filters"] == {"label": f"{LABEL}=g"} for _, _, more in api.calls if "filters" in more
    )


def test_the_kernel_tells_whose_engine_it_is(make):
    engine, _ = make(info={"KernelVersion": "6.1.0-13-amd64"})
    engine._client.info = engine._client.api.info
    assert engine.kernel() == "6.1.0-13-amd64"


def test_simple_questions(make):
    engine, _ = make(list=[1], containers=[{"Id": "c"}], logs=b"said")
    assert engine.has_image("tag")
    assert engine.running("g") == {"c"}
    assert engine.printed("c") == b"said"
    engine.start("c")
    engine.remove("c")
    assert engine.attach("c") is None


def test_without_an_engine_the_remedy_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(DockerError, match=r"no container engine answers: .*interop/engine"):
        connect()


def test_without_the_sdk_the_remedy_is_said(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "docker", None)
    with pytest.raises(DockerError, match=r"pip install 'tanist\[containers\]'"):
        connect()

"""A container engine, through Docker's SDK for Python: the few things that the drill asks of it.

The SDK is an extra of the package (``pip install 'tanist[containers]'``) and is imported when it is
first needed, so that everything else works without it. It has no types; whatever it answers becomes
text, number or nothing here, and whatever it raises an ``DockerError``.

Everything that is made carries the label ``LABEL`` with the name of its group, and ``sweep``
removes a whole group: also what a broken run left.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

LABEL: Final = "tanist.drill"

CALL_S: Final = 60
"""For one answer of the engine: a busy machine takes seconds to start a container."""

MAX_TRIES: Final = 20
"""Networks tried until one overlaps none that is there."""

PROCESSES: Final = Path("/proc")

BROKERS_FROM: Final = 10
"""Fixed addresses begin with this number; the upper half of the network is given out freely."""


class DockerError(Exception):
    """No engine, or it did not do what was asked; the text says what and what to do."""


@dataclass(frozen=True)
class Network:
    """A network of its own for one run. ``prefix`` is the first three numbers of its addresses."""

    name: str
    prefix: str

    def fixed(self, number: int) -> str:
        """The address of the fixed one with this number, from 0."""
        return f"{self.prefix}.{BROKERS_FROM + number}"

    @property
    def gateway(self) -> str:
        """This machine's own address in it."""
        return f"{self.prefix}.1"

    @property
    def free_range(self) -> str:
        """Where all others are: the clients."""
        return f"{self.prefix}.128/25"


@dataclass(frozen=True)
class Wish:
    """A container to be made, without any capability. ``folder`` is seen inside under its own path,
    and written to."""

    image: str
    command: list[str]
    group: str
    name: str | None = None
    network: Network | None = None
    address: str | None = None
    folder: Path | None = None
    user: str | None = None
    inside_of: str | None = None
    """The id of the container whose network it shares, instead of one of its own."""
    talks: bool = False
    """Its standard input is a pipe; attach before it is started."""
    init: bool = True
    """The engine's init is its first process, and gets the signals; else the command is."""


class Docker:
    """An engine that answers; ``connect`` makes one."""

    def __init__(self, client: Any, errors: tuple[type[Exception], ...]) -> None:  # noqa: ANN401
        self._client = client
        self._errors = errors

    @contextlib.contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            raise DockerError(f"{what}: {error}") from error

    def kernel(self) -> str:
        """The release of the kernel that it runs on: another one than ours is another machine's,
        and its containers are out of reach. Raises: DockerError."""
        with self._asking("asking the engine about itself"):
            return str(self._client.info()["KernelVersion"])

    # -------------------------------------------------------------------------- networks, images

    def has_image(self, tag: str) -> bool:
        """Whether this image is there. Raises: DockerError."""
        with self._asking("listing images"):
            return bool(self._client.images.list(name=tag))

    def new_network(self, name: str, group: str) -> Network:
        """A bridge whose traffic stays inside, on addresses that are free. Raises: DockerError."""
        last = DockerError("no address range tried")
        for _ in range(MAX_TRIES):
            network = Network(name, f"172.{random.randrange(20, 31)}.{random.randrange(256)}")
            try:
                self._make_network(network, group)
            except DockerError as error:
                last = error
            else:
                return network
        raise last

    def _make_network(self, network: Network, group: str) -> None:
        pool = {
            "Subnet": f"{network.prefix}.0/24",
            "IPRange": network.free_range,
            "Gateway": network.gateway,
        }
        with self._asking(f"making the network {network.name}"):
            self._client.networks.create(
                network.name,
                driver="bridge",
                ipam={"Driver": "default", "Config": [pool]},
                options={"com.docker.network.bridge.enable_ip_masquerade": "false"},
                labels={LABEL: group},
            )

    # ------------------------------------------------------------------------------- containers

    def create(self, wish: Wish) -> str:
        """Make a container; returns its id. It does not run yet. Raises: DockerError."""
        api = self._client.api
        host: dict[str, object] = {
            "init": wish.init,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true"],
        }
        if wish.talks:  # much, which whoever is attached takes; a log would be written for nobody
            host["log_config"] = {"type": "none"}
        if wish.folder is not None:
            host["binds"] = {str(wish.folder): {"bind": str(wish.folder), "mode": "rw"}}
        config: dict[str, object] = {
            "labels": {LABEL: wish.group},
            "stdin_open": wish.talks,
            "healthcheck": {"test": ["NONE"]},  # its runs would cost the drill's clients their time
        }
        if wish.inside_of is not None:
            host["network_mode"] = f"container:{wish.inside_of}"
        elif wish.network is not None:
            host["network_mode"] = wish.network.name
            endpoint = api.create_endpoint_config(ipv4_address=wish.address)
            config["networking_config"] = api.create_networking_config(
                {wish.network.name: endpoint}
            )
        if wish.user is not None:
            config["user"] = wish.user
        with self._asking(f"making a container of {wish.image}"):
            config["host_config"] = api.create_host_config(**host)
            made = api.create_container(
                wish.image, command=wish.command or None, name=wish.name, **config
            )
        return str(made["Id"])

    def start(self, container: str) -> None:
        """Let it run. Raises: DockerError."""
        with self._asking("starting a container"):
            self._client.api.start(container)

    def attach(self, container: str) -> Any:  # noqa: ANN401
        """A connection to its standard input, output and error, for ``frames``.
        Raises: DockerError."""
        ways = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        with self._asking("attaching to a container"):
            return self._client.api.attach_socket(container, params=ways)

    def signal(self, container: str, name: str) -> None:
        """Send its first process a signal like ``SIGKILL``; no error if it does not run any more.
        Raises: DockerError."""
        with self._asking(f"sending {name}"):
            try:
                self._client.api.kill(container, name)
            except self._errors as error:
                if "is not running" not in str(error):
                    raise

    def wait(self, container: str, timeout_s: float) -> int | None:
        """The exit code, as a process has it (negative: the signal that ended it); None if it still
        runs after so long. Raises: DockerError."""
        import requests  # noqa: PLC0415  # the SDK brings it

        with self._asking("waiting for a container"):
            try:
                code = int(self._client.api.wait(container, timeout=timeout_s)["StatusCode"])
            except (requests.exceptions.ReadTimeout, requests.exceptions.ConnectionError):
                return None
        return code if code <= 128 else 128 - code

    def exit_code(self, container: str) -> int | None:
        """The exit code as ``wait`` has it, None if it runs. Raises: DockerError."""
        with self._asking("looking at a container"):
            state = self._client.api.inspect_container(container)["State"]
        if state["Running"]:
            return None
        code = int(state["ExitCode"])
        return code if code <= 128 else 128 - code

    def running(self, group: str) -> set[str]:
        """The ids of the containers of a group that run. Raises: DockerError."""
        with self._asking("listing containers"):
            found = self._client.api.containers(filters={"label": f"{LABEL}={group}"})
        return {str(one["Id"]) for one in found}

    def printed(self, container: str) -> bytes:
        """All that it wrote to standard output and error. Raises: DockerError."""
        with self._asking("reading what a container printed"):
            return bytes(self._client.api.logs(container))

    def memory_bytes(self, container: str) -> int:
        """What its first process holds, as this machine's kernel tells; 0 if it does not run, or
        the drill sees other processes than the engine does. (The engine's own figures take a second
        each.)"""
        try:
            with self._asking("looking at a container"):
                number = int(self._client.api.inspect_container(container)["State"]["Pid"])
            process = PROCESSES / str(number)
            if container not in (process / "cgroup").read_text("utf-8"):
                return 0
            text = (process / "statm").read_text("ascii")
        except (DockerError, OSError):
            return 0
        return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def remove(self, container: str) -> None:
        """Take it away, running or not. Raises: DockerError."""
        with self._asking("removing a container"):
            self._client.api.remove_container(container, force=True, v=True)

    def run_in(self, container: str, command: list[str]) -> None:
        """Run a command in a container that runs. Raises: DockerError if that is not success."""
        api = self._client.api
        with self._asking(f"running {' '.join(command)}"):
            made = api.exec_create(container, command)["Id"]
            text = bytes(api.exec_start(made)).decode("utf-8", "replace").strip()
            code = int(api.exec_inspect(made)["ExitCode"])
        if code != 0:
            raise DockerError(f"{' '.join(command)} ended with {code}: {text}")

    def sweep(self, group: str) -> None:
        """Remove all containers and networks of a group. Raises: DockerError."""
        filters = {"label": f"{LABEL}={group}"}
        with self._asking(f"removing what {group} left"):
            for one in self._client.api.containers(all=True, filters=filters):
                self._client.api.remove_container(one["Id"], force=True, v=True)
            for one in self._client.api.networks(filters=filters):
                self._client.api.remove_network(one["Id"])


def connect() -> Docker:
    """The engine that answers, found as Docker's own tools do. Raises: DockerError."""
    try:
        import docker  # noqa: PLC0415
        import requests  # noqa: PLC0415
    except ImportError as error:
        raise DockerError("no Docker SDK: pip install 'tanist[containers]'") from error
    errors = (docker.errors.DockerException, requests.exceptions.RequestException)
    try:
        client = docker.from_env(timeout=CALL_S)
        client.ping()
    except errors as error:
        remedy = "start Docker, or run the command through interop/engine"
        raise DockerError(f"no container engine answers: {remedy}") from error
    return Docker(client, errors)


def frames(attached: Any) -> Iterator[tuple[int, bytes]]:  # noqa: ANN401
    """What comes over an attached connection: 1 for standard output, 2 for standard error, and the
    octets; ends with the container."""
    from docker.utils.socket import frames_iter  # noqa: PLC0415

    yield from frames_iter(attached, tty=False)

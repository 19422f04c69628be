"""Where a run takes place: the brokers' host, and client programs that can reach them there.

``local``: processes of this machine. ``docker``: containers, brokers and client programs alike.
``auto``: containers when an engine answers and has the images, else local. ``external``: brokers of
a profile, and client programs as processes of this machine.
"""

from __future__ import annotations

import dataclasses
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tanist_interop.docker_api import Docker, DockerError, connect
from tanist_interop.drivers.container import ContainerProgram, image
from tanist_interop.drivers.program import Inbox, Program
from tanist_interop.drivers.registry import ClientSpec
from tanist_interop.hosts import linked
from tanist_interop.hosts.cluster import Settings
from tanist_interop.hosts.containers import IMAGE, ContainerCluster
from tanist_interop.hosts.external import ExternalHost
from tanist_interop.hosts.linked import LinkedCluster, LinkedContainers
from tanist_interop.hosts.local import LocalCluster
from tanist_interop.hosts.profile import Profile
from tanist_interop.runner import rivals
from tanist_interop.runner.crew import StartProgram
from tanist_interop.runner.warden import Cluster
from tanist_interop.scenarios.scenario import Scenario

NAMES: Final = ("local", "docker", "auto", "external")


@dataclass(frozen=True)
class Place:
    """A kind of host. ``open`` once per run: its cluster, and what starts its client programs."""

    name: str = "local"
    engine: Docker | None = None
    profile: Profile | None = None
    """Of brokers that are not ours."""

    def takes(self, spec: ClientSpec) -> bool:
        """Whether a client program speaks what the brokers speak."""
        return self.profile is None or spec.protocol in self.profile.clients

    def adapted(self, scenario: Scenario) -> Scenario:
        """The scenario as it is played here."""
        return scenario if self.profile is None else rivals.adapted(self.profile, scenario)

    def unjudged(self, scenario: Scenario) -> list[str]:
        """What of the scenario nobody can judge here, a text each."""
        return [] if self.profile is None else rivals.unjudged(self.profile, scenario)

    def missing(self, scenario: Scenario) -> str:
        """Why the scenario cannot be played here, empty if it can. Raises: OSError."""
        if self.profile is not None:
            return rivals.missing(self.profile, scenario)
        return linked.missing(scenario.clock) if self.engine is None else ""

    def open(
        self, folder: Path, settings: Settings, scenario: Scenario
    ) -> tuple[Cluster, StartProgram]:
        """The host of one run, which must not be ``missing`` anything; nothing is started yet."""
        if self.profile is not None:
            return ExternalHost(folder, self.profile), Program
        ways = (scenario.links == "clients", scenario.clock, scenario.links == "virtual")
        engine = self.engine
        if engine is None:
            if scenario.links:
                return LinkedCluster(folder, settings, *ways), Program
            return LocalCluster(folder, settings), Program
        settings = in_image(settings)
        boxes = (
            LinkedContainers(folder, settings, engine, *ways)
            if scenario.links
            else ContainerCluster(folder, settings, engine)
        )

        def start_program(name: str, spec: ClientSpec, log: Path, inbox: Inbox) -> ContainerProgram:
            network, group = boxes.network, boxes.group
            return ContainerProgram(name, spec, log, inbox, engine, network, group)

        return boxes, start_program


def in_image(settings: Settings) -> Settings:
    """The interpreter of this machine is no command of the image: there it is ``qpidd``. Any other
    command is taken as one of the image."""
    if settings.qpidd[:1] == (sys.executable,):
        return dataclasses.replace(settings, qpidd=("qpidd",))
    return settings


def choose(
    name: str,
    clients: list[ClientSpec],
    connect_engine: Callable[[], Docker] = connect,
    profile: Profile | None = None,
) -> Place:
    """The place of this name; ``external`` with its profile. ``docker`` needs the broker's image
    (a client program without one is *not run*), ``auto`` takes containers only if all images are
    there. The engine must share this machine's kernel: the addresses of its containers are within
    reach then. Raises: DockerError if ``docker`` is asked for and cannot be."""
    if name == "local":
        return Place()
    if name == "external":
        return Place("external", profile=profile)
    try:
        engine = connect_engine()
        if engine.kernel() != platform.release():
            raise DockerError(
                "the engine runs on another machine, or a virtual one as Docker Desktop does: its "
                "containers cannot be reached from here; take --hosts local"
            )
        wanted = [IMAGE]
        if name == "auto":
            wanted += [image(spec) for spec in clients if not spec.optional]
        missing = [tag for tag in wanted if not engine.has_image(tag)]
        if missing:
            raise DockerError(f"no image {', '.join(missing)}; run interop/images.sh")
    except DockerError:
        if name == "docker":
            raise
        return Place()
    return Place("docker", engine)

"""A stand-in for ``Docker``: containers are entries of a table, and what is asked is noted."""

from __future__ import annotations

import platform
import threading

from tanist_interop.docker_api import DockerError, Network

SIGNALS = {"SIGKILL": -9, "SIGTERM": 0}


class FakeDocker:
    """``stubborn`` names do not end with SIGTERM; ``images`` are there."""

    def __init__(self, *images: str) -> None:
        self.images = set(images)
        self.wishes = {}
        self.lock = threading.Lock()
        self.codes = {}
        """None while it runs; absent before it was started."""
        self.asked = []
        self.stubborn = set()
        self.swept = []
        self.broken = ""
        self.prefix = "172.20.7"
        self.refuses = set()
        """First words of commands that fail in a container."""
        self.release = platform.release()

    def kernel(self):
        return self.release

    def has_image(self, tag):
        return tag in self.images

    def new_network(self, name, group):
        return Network(name, self.prefix)

    def create(self, wish):
        if self.broken and self.broken in (wish.name or ""):
            raise DockerError("no space left")
        with self.lock:
            container = f"c{len(self.wishes) + 1}"
            self.wishes[container] = wish
        return container

    def named(self, name):
        """The id of the container whose name ends so."""
        return next(c for c, wish in self.wishes.items() if (wish.name or "").endswith(name))

    def start(self, container):
        self.codes[container] = None

    def signal(self, container, name):
        self.asked.append((self.wishes[container].name, name))
        if name in SIGNALS and self.codes[container] is None:
            ignores = name == "SIGTERM" and self.wishes[container].name in self.stubborn
            self.codes[container] = None if ignores else SIGNALS[name]

    def wait(self, container, timeout_s):
        return self.codes[container]

    def exit_code(self, container):
        return self.codes[container]

    def running(self, group):
        return {container for container, code in self.codes.items() if code is None}

    def printed(self, container):
        return b"printed\n"

    def memory_bytes(self, container):
        return 7_000_000

    def remove(self, container):
        self.codes.pop(container)

    def run_in(self, container, command):
        self.asked.append((self.wishes[container].name, " ".join(command)))
        if command[0] in self.refuses:
            raise DockerError(f"{command[0]} ended with 1")

    def sweep(self, group):
        self.codes.clear()
        self.swept.append(group)

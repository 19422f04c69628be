"""A client program as a container: as ``Program``, with the image of the same name.

The images are made from ``clients/*/Dockerfile`` by ``interop/images.sh``; each starts its program,
which speaks the client protocol on its standard input and output. A thread per program takes the
engine's frames apart: output is cut into lines, stamped with the drill's clock and decoded, errors
go to a file in the run folder. The last item of a program is ``Gone`` (127: there is no image).
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path
from typing import Any, Final

from tanist_interop import protocol
from tanist_interop.docker_api import Docker, DockerError, Network, Wish, frames
from tanist_interop.drivers.program import CANNOT_RUN, CLOSE_S, Gone, Inbox, Said
from tanist_interop.drivers.registry import ClientSpec

STDOUT: Final = 1
LAST_WORDS: Final = 300
"""Characters of the last line on standard error that are worth a note."""


def image(spec: ClientSpec) -> str:
    """The tag of a client program's image."""
    return f"tanist-client-{spec.name}"


class ContainerProgram:
    """One client program in a container. ``start`` first; ``end`` always, it never raises."""

    def __init__(
        self,
        name: str,
        spec: ClientSpec,
        log: Path,
        inbox: Inbox,
        engine: Docker,
        network: Network | None,
        group: str,
    ) -> None:
        self.name = name
        self.spec = spec
        self.log = log
        self.inbox = inbox
        self._engine = engine
        self._network = network
        self._group = group
        self._container = ""
        self._pipe: Any = None
        self._reader: threading.Thread | None = None

    def start(self) -> None:
        """Start it; what cannot be started is ``Gone`` with code 127."""
        tag = image(self.spec)
        try:
            if not self._engine.has_image(tag):
                raise DockerError(f"no image {tag}; run interop/images.sh {self.spec.name}")
            wish = Wish(tag, [], self._group, network=self._network, talks=True)
            self._container = self._engine.create(wish)
            self._pipe = self._engine.attach(self._container)
            self._engine.start(self._container)
        except DockerError as error:
            self.inbox.put(Gone(self.name, time.monotonic_ns(), CANNOT_RUN, str(error)))
            return
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def write(self, line: str) -> None:
        """Send one line; a program that is gone is noticed by its last item, not here."""
        if self._pipe is not None:
            with contextlib.suppress(OSError):
                self._socket().sendall(line.encode() + b"\n")

    def kill(self) -> None:
        """SIGKILL to all of the container."""
        if self._container:
            with contextlib.suppress(DockerError):
                self._engine.signal(self._container, "SIGKILL")

    def suspend(self) -> None:
        """SIGSTOP to all that runs in the container."""
        self._signal_all("STOP")

    def resume(self) -> None:
        """SIGCONT to the same."""
        self._signal_all("CONT")

    def end(self) -> None:
        """Close its standard input, wait a little, remove it; all its items are in the inbox."""
        if self._reader is not None:
            with contextlib.suppress(OSError):
                self._socket().shutdown(socket.SHUT_WR)
            self._reader.join(CLOSE_S)
            if self._reader.is_alive():
                self.kill()
                self._reader.join(CLOSE_S)
        if self._container:
            with contextlib.suppress(DockerError):
                self._engine.remove(self._container)
        self._container, self._pipe, self._reader = "", None, None

    def _signal_all(self, name: str) -> None:
        """The first process passes no stop on, so that others must send it to the rest."""
        if self._container:
            with contextlib.suppress(DockerError):
                self._engine.run_in(self._container, ["sh", "-c", f"kill -{name} -1"])

    def _socket(self) -> socket.socket:
        """The socket itself: over a local one the SDK hands out a reader of it."""
        found = getattr(self._pipe, "_sock", self._pipe)
        assert isinstance(found, socket.socket)
        return found

    def _read(self) -> None:
        rest = b""
        with self.log.open("wb") as errors, contextlib.suppress(OSError):
            for stream, octets in frames(self._pipe):
                if stream != STDOUT:
                    errors.write(octets)
                    errors.flush()
                    continue
                *lines, rest = (rest + octets).split(b"\n")
                for line in lines:
                    self._said(line + b"\n")
        if rest:
            self._said(rest)
        try:
            code = self._engine.wait(self._container, CLOSE_S)
        except DockerError:
            code = None
        code = -9 if code is None else code
        self.inbox.put(Gone(self.name, time.monotonic_ns(), code, self._last_words()))

    def _said(self, line: bytes) -> None:
        at = time.monotonic_ns()
        try:
            self.inbox.put(Said(self.name, at, protocol.decode(line)))
        except protocol.MalformedLine as error:
            self.inbox.put(Said(self.name, at, None, str(error)))

    def _last_words(self) -> str:
        lines = self.log.read_text("utf-8", "replace").strip().splitlines()
        return lines[-1][:LAST_WORDS] if lines else ""

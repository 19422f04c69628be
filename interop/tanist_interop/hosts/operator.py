"""The operator: asks, changes and promotes brokers with the ``qpid-ha`` command, as people do."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Final

TIMEOUT_S: Final = 10.0
"""The default of qpid-ha itself."""

PRIMARY: Final = ("active", "recovering")
READY: Final = 2
"""The number of the status ``ready`` in the list of members."""


class HostError(Exception):
    """A broker or a command did not do what was asked; the text says what and what it printed."""


class Operator:
    """Runs ``qpid-ha``, or ``qpid-config`` (``run``); every call and its output goes to a log."""

    def __init__(self, command: tuple[str, ...], log: Path) -> None:
        self.command = command
        self.log = log

    def statuses(self, addresses: list[str], timeout_s: float = TIMEOUT_S) -> list[str]:
        """The status word of each broker, asked at the same time; empty for no answer."""
        running = [self._start(address, ["status"], timeout_s) for address in addresses]
        out = []
        for address, process in zip(addresses, running, strict=True):
            code, text = self._finish(address, "status", process, timeout_s)
            words = text.split()
            out.append(words[-1] if code == 0 and words else "")
        return out

    def promote(self, address: str, timeout_s: float = TIMEOUT_S) -> None:
        """Promote a broker. Raises: HostError with what the command said."""
        process = self._start(address, ["promote", "--cluster-manager"], timeout_s)
        code, text = self._finish(address, "promote", process, timeout_s)
        if code != 0:
            raise HostError(f"qpid-ha promote of {address} failed ({code}): {text.strip()}")

    def set_public_url(self, address: str, url: str, timeout_s: float = TIMEOUT_S) -> None:
        """Let every broker that this one knows tell clients ``url``. Raises: HostError."""
        process = self._start(address, ["set", "--all", "--public-url", url], timeout_s)
        code, text = self._finish(address, "set", process, timeout_s)
        if code != 0:
            raise HostError(f"qpid-ha set at {address} failed ({code}): {text.strip()}")

    def run(self, address: str, commands: list[list[str]], timeout_s: float = TIMEOUT_S) -> None:
        """Run these commands at a broker, all at the same time. Raises: HostError for the first
        that failed."""
        running = [self._start(address, words, timeout_s) for words in commands]
        problems = []
        for words, process in zip(commands, running, strict=True):
            code, text = self._finish(address, " ".join(words), process, timeout_s)
            if code != 0:
                problems.append(f"{' '.join(words)} at {address} failed ({code}): {text.strip()}")
        if problems:
            raise HostError(problems[0])

    def ready_members(self, address: str, timeout_s: float = TIMEOUT_S) -> list[str] | None:
        """``host:port`` of each backup that this primary lists as ready; None if it is no primary,
        or does not answer. Raises: HostError when the answer is none of ``query --json``."""
        process = self._start(address, ["query", "--json"], timeout_s)
        code, text = self._finish(address, "query", process, timeout_s)
        if code != 0:
            return None
        try:
            answer = json.loads(text)
            if answer["status"] not in PRIMARY:
                return None
            ready = [member for member in answer["members"] if member["status"] == READY]
            return [f"{member['host-name']}:{member['port']}" for member in ready]
        except (ValueError, KeyError, TypeError) as error:
            raise HostError(f"qpid-ha query --json of {address}: {error!r} in {text!r}") from error

    def digests(
        self, addresses: list[str], timeout_s: float = TIMEOUT_S
    ) -> list[dict[str, object] | None]:
        """What each broker holds (``digest --json``), asked at the same time: ``status``, and
        ``queues`` by name; None for who does not answer, or with something else."""
        running = [self._start(address, ["digest", "--json"], timeout_s) for address in addresses]
        return [
            _held(*self._finish(address, "digest", process, timeout_s))
            for address, process in zip(addresses, running, strict=True)
        ]

    def _start(
        self, address: str, arguments: list[str], timeout_s: float
    ) -> subprocess.Popen[bytes]:
        command = [*self.command, "-b", address, "--timeout", str(max(1, int(timeout_s)))]
        return subprocess.Popen(
            [*command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def _finish(
        self, address: str, verb: str, process: subprocess.Popen[bytes], timeout_s: float
    ) -> tuple[int, str]:
        try:
            out, err = process.communicate(timeout=timeout_s + 2)
            code = process.returncode
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            code = -1
        text = out.decode("utf-8", "replace")
        trouble = err.decode("utf-8", "replace")
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"{time.monotonic():.3f} {address} {verb} -> {code} {text}{trouble}\n")
        return code, text if code == 0 else text + trouble


def _held(code: int, text: str) -> dict[str, object] | None:
    """What of the answer to ``digest --json`` is needed, None if it is none."""
    try:
        told = json.loads(text) if code == 0 else None
        return told and {"status": told["status"], "queues": told["queues"]}
    except (ValueError, KeyError, TypeError):
        return None

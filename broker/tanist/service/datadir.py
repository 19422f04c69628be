"""The data directory: who this broker is, and the lock that keeps a second one out.

``systemId`` holds the identity in text form, written once; other brokers and the tools know this
broker by it across restarts. The lock is the kernel's (``flock``) and ends with the process,
however it ends. Without a data directory the identity is new at each start and there is no lock.

Spec: qpidd-compat 2.11.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID, uuid4

from tanist.service.sources import UsageError


class DataDir:
    """A locked data directory; a context manager that gives the lock back.

    Raises: UsageError if it cannot be made or another broker has it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(mode=0o750, parents=True, exist_ok=True)
            self._lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise UsageError(f"Cannot use data-dir {path}: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise UsageError(
                f"Cannot lock {path / 'lock'}: another broker uses this data-dir"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._lock)

    def system_id(self) -> UUID:
        """The identity of the broker that owns this directory, made on first use.

        Raises: UsageError if the file cannot be read or written, or holds something else.
        """
        file = self.path / "systemId"
        try:
            if file.exists():
                return UUID(file.read_text("ascii").strip())
            fresh = uuid4()
            draft = self.path / "systemId.new"
            draft.write_text(f"{fresh}\n", "ascii")
            draft.replace(file)
        except ValueError as error:
            raise UsageError(f"{file} does not hold a UUID: restore it or remove it") from error
        except OSError as error:
            raise UsageError(f"Cannot use {file}: {error.strerror}") from error
        return fresh

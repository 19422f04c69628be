"""The roll: which client programs there are, and whether they can run here.

Each is started and greeted as in a run (``init``, and the request that nobody knows), told to
close, and given no work; nothing is connected.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tanist_interop import history, protocol
from tanist_interop.drivers.program import Program
from tanist_interop.drivers.registry import ClientSpec
from tanist_interop.history import Journal
from tanist_interop.report.columns import align
from tanist_interop.runner.crew import Crew, DrillError, StartProgram

HEADINGS: Final = ("client", "protocol", "library", "can run here")


def call(
    there: dict[str, ClientSpec],
    say: Callable[[str], None],
    start_program: StartProgram = Program,
) -> int:
    """Print a line per program. Returns 0 if all can run, 1 if one that is not optional cannot."""
    rows, code = [list(HEADINGS)], 0
    lines = []
    for spec in there.values():
        able, words = _ask(spec, start_program)
        rows.append([spec.name, spec.protocol, spec.library, "yes" if able else "no"])
        if able:
            lines.append(f"{spec.name}: {words}")
        else:
            lines.append(f"{spec.name}: {words}; needs {spec.needs}; to get it: {spec.remedy}")
            code = code if spec.optional else 1
    say("\n".join([*align(rows, right=False), "", *lines]))
    return code


def _ask(spec: ClientSpec, start_program: StartProgram) -> tuple[bool, str]:
    """Whether a program can run, and its versions, or why not."""
    with tempfile.TemporaryDirectory(prefix="tanist-interop-") as name:
        journal = Journal(Path(name) / "history.jsonl")
        crew = Crew(journal, Path(name), start_program)
        try:
            member = crew.add(spec.name, spec)
            crew.wait(lambda: member.state != "starting", f"greeting {spec.name}")
            able, reason = member.state == "up", member.reason
        except DrillError as error:
            return False, str(error)
        finally:
            crew.end()
            journal.close()
        if not able:
            return False, reason or "it cannot run here"
        return True, _versions(history.load(journal.path))


def _versions(records: history.Records) -> str:
    for _, answer in history.messages(records, protocol.InitOk):
        return ", ".join(f"{name} {version}" for name, version in answer.versions.items())
    return ""

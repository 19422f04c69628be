"""What the documentation says is shown somewhere is shown there.

Pages that promise name tests as ``path::function``, scenarios of the drill as ``drill NAME``,
workloads of the simulator as ``sim NAME`` and its broken brokers as ``mutant NAME``, all in
backticks. Each must exist.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tanist_interop.scenarios.catalogue import CATALOGUE
from tests.sim.kinds import KINDS
from tests.sim.mutants import MUTANTS

ROOT = Path(__file__).resolve().parents[1]
TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
NAMED = re.compile(r"`(drill|sim|mutant) ([\w. -]+)`")
NAMES = {"drill": CATALOGUE, "sim": KINDS, "mutant": MUTANTS}


def missing(text: str, root: Path) -> Iterator[str]:
    """What ``text`` names and ``root`` does not have."""
    for path, function in TEST.findall(text):
        source = root / path
        if not source.exists():
            yield f"no {path}"
        elif function and not re.search(rf"^def {function}\(", source.read_text("utf-8"), re.M):
            yield f"no {function} in {path}"
    for kind, name in NAMED.findall(text):
        if name not in NAMES[kind]:
            yield f"no {kind} {name}"


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda p: p.name)
def test_what_a_page_names_exists(page: Path) -> None:
    assert list(missing(page.read_text("utf-8"), ROOT)) == []


def rows(text: str) -> list[str]:
    """The rows of all tables in ``text``, without their heads."""
    lines = text.splitlines()
    starts = [at for at, line in enumerate(lines) if line.startswith("|---")]
    return [
        line
        for start in starts
        for line in itertools.takewhile(lambda row: row.startswith("|"), lines[start + 1 :])
    ]


def test_every_row_of_the_message_mapping_names_a_test() -> None:
    page = (ROOT / "docs" / "message-mapping.md").read_text("utf-8")
    assert len(rows(page)) > 40
    assert [row for row in rows(page) if not TEST.search(row)] == []


def test_every_test_of_the_message_mapping_is_named() -> None:
    """A row that nobody wrote would be missing silently."""
    folder = ROOT / "tests" / "broker" / "sessions" / "translation"
    page = (ROOT / "docs" / "message-mapping.md").read_text("utf-8")
    named = set(TEST.findall(page))
    for path in folder.glob("test_mapping*.py"):
        written = re.findall(r"^def (test_\w+)\(", path.read_text("utf-8"), re.M)
        assert written
        where = path.relative_to(ROOT).as_posix()
        assert [name for name in written if (where, name) not in named] == []


def test_what_does_not_exist_is_found(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text("def test_one():\n    pass\n")
    text = "`tests/test_a.py::test_one` `tests/test_a.py::test_two` `tests/test_b.py` `drill x`"
    text += " `drill no-fault` `sim queue` `sim x y` `mutant confirm early` `mutant z`"
    assert rows("| a |\n|---|\n| b |\n\n| c |\n|---|\n| d |\n") == ["| b |", "| d |"]
    assert list(missing(text, tmp_path)) == [
        "no test_two in tests/test_a.py",
        "no tests/test_b.py",
        "no drill x",
        "no sim x y",
        "no mutant z",
    ]

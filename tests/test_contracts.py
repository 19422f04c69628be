"""The architecture's contracts hold, and each one catches what it is for.

A contract nobody ever saw fail may check nothing: a misspelt module, a tool that exits 0. So each
contract of ``[tool.importlinter]`` and each banned call of ruff's TID251 is broken once, in a copy
of the tree, and must be reported there; the untouched copy must pass.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
CONTRACTS = [contract["id"] for contract in SETTINGS["importlinter"]["contracts"]]
BANNED = sorted(SETTINGS["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"])
PURE = ("types", "core", "wire", "security", "ha", "sessions", "management", "node")

# (contract, {file planted: its text})
PLANTED: list[tuple[str, dict[str, str]]] = [
    ("broker-layers", {"broker/tanist/core/planted.py": "import tanist.node.inputs"}),
    ("broker-layers", {"broker/tanist/core/planted.py": "import tanist.wire"}),
    ("broker-layers", {"broker/tanist/management/planted.py": "import tanist.sessions"}),
    ("broker-layers", {"broker/tanist/security/planted.py": "import tanist.ha"}),
    ("broker-layers", {"broker/tanist/unplaced.py": ""}),
    ("broker-layers", {"broker/tanist/unplaced/__init__.py": ""}),
    (
        "drill-layers",
        {"interop/tanist_interop/checkers/planted.py": "import tanist_interop.runner"},
    ),
    (
        "drill-layers",
        {"interop/tanist_interop/checkers/planted.py": "import tanist_interop.report"},
    ),
    ("drill-layers", {"interop/tanist_interop/unplaced.py": ""}),
    ("no-proton", {"broker/tanist/net/planted.py": "import proton"}),
    ("no-proton", {"interop/tanist_interop/drivers/planted.py": "from proton import Message"}),
    ("black-box", {"interop/tanist_interop/drivers/planted.py": "import tanist.types"}),
    ("black-box", {"broker/tanist/cli/planted.py": "import tanist_interop.history"}),
    (
        "no-cycles",
        {
            "broker/tanist/core/planted_a.py": "import tanist.core.planted_b",
            "broker/tanist/core/planted_b.py": "import tanist.core.planted_a",
        },
    ),
    (
        "no-cycles",
        {
            "interop/tanist_interop/report/planted_a.py": "import tanist_interop.report.planted_b",
            "interop/tanist_interop/report/planted_b.py": "import tanist_interop.report.planted_a",
        },
    ),
    *(
        ("pure", {f"broker/tanist/{layer}/planted.py": "import socket"})
        for layer in PURE
        if layer != "types"
    ),
    *(
        ("pure", {"broker/tanist/core/planted.py": f"import {module}"})
        for module in ("os.path", "time", "random", "logging", "twisted.internet.reactor", "io")
    ),
]


@pytest.fixture(name="tree")
def copy_of_the_tree(tmp_path: Path) -> Path:
    """A copy of both packages and the settings, to spoil."""
    ignored = shutil.ignore_patterns("__pycache__", "*.so", ".*")
    for folder in ("broker", "interop"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def plant(tree: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")


def lint_imports(tree: Path, contract: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run import-linter in ``tree``, on one contract or all."""
    script = Path(sys.executable).with_name("lint-imports")
    command = [str(script), "--no-cache"] + (["--contract", contract] if contract else [])
    environment = os.environ | {"PYTHONPATH": f"{tree / 'broker'}{os.pathsep}{tree / 'interop'}"}
    return subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, check=False
    )


def test_the_tree_keeps_its_contracts(tree: Path) -> None:
    done = lint_imports(tree)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(CONTRACTS)} kept, 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("contract", "files"), PLANTED, ids=[f"{c}-{'+'.join(f)}" for c, f in PLANTED]
)
def test_a_planted_violation_is_caught(tree: Path, contract: str, files: dict[str, str]) -> None:
    plant(tree, files)
    done = lint_imports(tree, contract)
    assert done.returncode != 0, done.stdout
    assert "0 kept, 1 broken" in done.stdout, done.stdout + done.stderr
    assert "planted" in done.stdout or "unplaced" in done.stdout, done.stdout


def test_every_contract_has_a_planted_violation() -> None:
    assert sorted({contract for contract, _files in PLANTED}) == sorted(CONTRACTS)


def test_every_pure_layer_is_under_the_pure_contract_and_every_other_is_the_edge() -> None:
    by_id = {contract["id"]: contract for contract in SETTINGS["importlinter"]["contracts"]}
    pure = {name.removeprefix("tanist.") for name in by_id["pure"]["source_modules"]}
    layers = {
        layer for row in by_id["broker-layers"]["layers"] for layer in row.replace("|", " ").split()
    }
    assert pure == set(PURE)
    assert layers - pure == {"net", "service", "cli"}


def test_imports_excused_from_the_cycles_contract_are_for_types_only() -> None:
    by_id = {contract["id"]: contract for contract in SETTINGS["importlinter"]["contracts"]}
    for excused in by_id["no-cycles"]["ignore_imports"]:
        importer, imported = excused.split(" -> ")
        source = (ROOT / "broker" / f"{importer.replace('.', '/')}.py").read_text(encoding="utf-8")
        lines = [line for line in source.splitlines() if f"from {imported} import" in line]
        assert lines, f"{excused}: no such import any more"
        assert all(line.startswith("    ") for line in lines), excused
        assert "if TYPE_CHECKING:" in source, excused


def use_of(banned: str) -> str:
    """A module that uses the banned name as people would."""
    module, _, name = banned.rpartition(".")
    if not module:
        return f"import {banned}\n\nprint({banned})\n"
    if module.startswith("datetime."):
        return f"import datetime\n\nprint({banned}())\n"
    return f"from {module} import {name}\n\nprint({name})\n"


def banned_calls(tree: Path) -> set[str]:
    """The files under ``tree`` in which ruff sees a banned call."""
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--select", "TID251"]
    done = subprocess.run(
        [*command, "--output-format", "json", "."],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return {str(Path(row["filename"]).relative_to(tree)) for row in json.loads(done.stdout)}


def test_the_tree_has_no_banned_call(tree: Path) -> None:
    assert banned_calls(tree) == set()


def test_each_banned_call_is_caught_in_the_pure_layers(tree: Path) -> None:
    planted = {
        f"broker/tanist/{layer}/planted_{index}.py": use_of(banned)
        for layer in PURE
        if layer != "types"
        for index, banned in enumerate(BANNED)
    }
    plant(tree, planted)
    assert banned_calls(tree) == set(planted)


def test_banned_calls_are_free_at_the_edge(tree: Path) -> None:
    edge = ("broker/tanist/net", "broker/tanist/service", "broker/tanist/cli", "interop", "bench")
    plant(tree, {f"{folder}/planted.py": use_of("time.time") for folder in edge})
    assert banned_calls(tree) == set()

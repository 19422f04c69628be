"""The build hook: what is compiled, when, and how a build is named (``hatch_build.py``).

The compiler itself runs in ``tox -e compiled``; ``tests/system/test_compiled.py`` looks at what
came out of it.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(name="hook", scope="module")
def the_hook() -> ModuleType:
    """``hatch_build.py`` as a module."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_pure_module_is_compiled_and_nothing_of_the_edge(hook: ModuleType) -> None:
    names = {name for group, _ in hook.pure_groups(ROOT / "broker") for name in group}
    layers = [path for path in (ROOT / "broker" / "tanist").iterdir() if path.is_dir()]
    edge = {"net", "service", "cli"}
    expected = {
        str(module.relative_to(ROOT / "broker"))
        for layer in layers
        if layer.name not in edge
        for module in layer.rglob("*.py")
        if module.name != "__init__.py"
    }
    assert names == expected | {"tanist/types.py"}


def test_groups_are_named_after_their_layer(hook: ModuleType) -> None:
    groups = hook.pure_groups(ROOT / "broker")
    assert [name for _files, name in groups] == [f"tanist_{layer}" for layer in hook.PURE_LAYERS]


@pytest.mark.parametrize(("value", "wanted"), [("1", True), ("0", False), ("", False)])
def test_only_a_one_asks_for_a_compiled_wheel(
    hook: ModuleType, monkeypatch: pytest.MonkeyPatch, value: str, wanted: bool
) -> None:
    monkeypatch.setenv("TANIST_COMPILE", value)
    assert hook.wanted() is wanted


def test_a_build_is_named_after_its_sources_and_level(
    hook: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TANIST_COMPILE_OPT", "3")
    copy = tmp_path / "broker"
    shutil.copytree(ROOT / "broker", copy, ignore=shutil.ignore_patterns("__pycache__"))
    original = hook.digest(ROOT / "broker")
    assert hook.digest(copy) == original
    with (copy / "tanist" / "types.py").open("a", encoding="utf-8") as module:
        module.write("# changed\n")
    assert hook.digest(copy) != original
    monkeypatch.setenv("TANIST_COMPILE_OPT", "0")
    assert hook.digest(ROOT / "broker") != original


def test_the_edge_does_not_change_the_name_of_a_build(hook: ModuleType, tmp_path: Path) -> None:
    copy = tmp_path / "broker"
    shutil.copytree(ROOT / "broker", copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "tanist" / "net" / "planted.py").write_text("", encoding="utf-8")
    assert hook.digest(copy) == hook.digest(ROOT / "broker")

"""Build hook: with ``TANIST_COMPILE=1`` the wheel carries mypyc-compiled pure layers.

Without the variable this hook does nothing and the wheel is pure Python, complete and correct. With
it, the layers named in ``PURE_LAYERS`` are compiled from the very same sources; the ``.py`` files
stay in the wheel beside the extension modules, which Python prefers when it imports.

The build needs a C compiler and, through ``dependencies``, mypy and setuptools. gcc is the slow
part, so each layer is one group of modules in one shared library (calls inside a layer stay direct)
and the groups compile in parallel; the result is kept in ``build/mypyc`` under a digest of
the sources and tool versions, so that a second build of the same sources costs nothing.
``TANIST_COMPILE_OPT`` (0 to 3) sets the optimisation level; 3 is the default.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PURE_LAYERS = ("types", "core", "wire", "security", "ha", "sessions", "management", "node")
SOURCES = Path("broker")


class CompileHook(BuildHookInterface[Any]):
    """Adds the extension modules to the wheel when ``TANIST_COMPILE`` asks for them."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What the isolated build must install first: nothing for a pure wheel."""
        return ["mypy==2.4.*", "setuptools>=75"] if wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile and register the extension modules; called before the wheel is written."""
        if not wanted() or version == "editable" or self.target_name != "wheel":
            return
        built = compiled(Path(self.root))
        for path in sorted(built.rglob("*.so")):
            build_data["force_include"][str(path)] = str(path.relative_to(built))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


def wanted() -> bool:
    """Whether the environment asks for a compiled wheel."""
    return os.environ.get("TANIST_COMPILE", "") == "1"


def pure_groups(sources: Path) -> list[tuple[list[str], str | None]]:
    """The modules to compile, one group per layer, as paths relative to ``sources``."""
    groups: list[tuple[list[str], str | None]] = []
    for layer in PURE_LAYERS:
        base = sources / "tanist" / layer
        files = sorted(base.rglob("*.py")) if base.is_dir() else [base.with_suffix(".py")]
        # A package's __init__ holds a docstring: nothing to gain, one more thing to go wrong.
        names = [str(f.relative_to(sources)) for f in files if f.name != "__init__.py"]
        if names:
            groups.append((names, f"tanist_{layer}"))
    return groups


def optimisation() -> str:
    """gcc's level; 3 unless ``TANIST_COMPILE_OPT`` says otherwise."""
    return os.environ.get("TANIST_COMPILE_OPT", "3")


def digest(sources: Path) -> str:
    """Names a build: the same sources, hook, interpreter and mypyc give the same digest."""
    state = hashlib.sha256()
    tools = (sys.version, installed_version("mypy"), sys.platform, optimisation())
    state.update(repr(tools).encode())
    state.update(Path(__file__).read_bytes())
    for names, _group in pure_groups(sources):
        for name in names:
            state.update(name.encode() + b"\0" + (sources / name).read_bytes())
    return state.hexdigest()[:20]


def compiled(root: Path) -> Path:
    """A folder with the extension modules for the sources under ``root``, built if it is not there.

    Raises: subprocess.CalledProcessError when mypyc or the C compiler refuses the sources (their
    messages are on stderr).
    """
    sources = root / SOURCES
    kept = root / "build" / "mypyc" / digest(sources)
    if kept.is_dir():
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
        tree = Path(scratch) / "tree"
        shutil.copytree(sources, tree, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        out = Path(scratch) / "out"
        out.mkdir()
        # A process of its own: mypyc and setuptools work on the current directory and sys.argv.
        command = [sys.executable, str(Path(__file__).resolve()), str(out)]
        subprocess.run(command, cwd=tree, check=True, stdout=sys.stderr)
        out.replace(kept)
    return kept


def build_extensions(out: Path) -> None:
    """Run mypyc and the C compiler on the copy in the current directory, results to ``out``."""
    from mypyc.build import mypycify  # noqa: PLC0415 - only a compiled build has them installed
    from setuptools import Distribution  # noqa: PLC0415

    groups = pure_groups(Path())
    paths = [name for names, _group in groups for name in names]
    extensions = mypycify(
        # No configuration file: its plugins are for the edge and are not installed here.
        ["--config-file=", "--strict", "--python-version", "3.11", *paths],
        separate=groups,
        opt_level=optimisation(),
        debug_level="0",
    )
    distribution = Distribution({"name": "tanist", "ext_modules": extensions})
    build = distribution.get_command_obj("build_ext")
    build.build_lib = str(out)
    build.build_temp = "objects"
    build.parallel = os.cpu_count()
    build.ensure_finalized()
    build.run()


if __name__ == "__main__":
    build_extensions(Path(sys.argv[1]))

"""Which broker the tests ran on: compiled exactly when ``TANIST_EXPECT_COMPILED=1`` says so.

``tox -e compiled`` sets the variable; without this test it could quietly test the sources instead
of the wheel, and everybody would believe the compiled broker tested.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pkgutil
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES

import pytest

import tanist

PURE = ("core", "wire", "security", "ha", "sessions", "management", "node")
EXPECTED = os.environ.get("TANIST_EXPECT_COMPILED", "") == "1"


def pure_modules() -> Iterator[str]:
    """The names of all modules of the pure layers, packages left out."""
    yield "tanist.types"
    for layer in PURE:
        package = importlib.import_module(f"tanist.{layer}")
        for found in pkgutil.walk_packages(package.__path__, f"tanist.{layer}."):
            if not found.ispkg:
                yield found.name


@pytest.mark.parametrize("name", sorted(pure_modules()))
def test_pure_modules_are_compiled_exactly_when_expected(name: str) -> None:
    origin = importlib.import_module(name).__file__
    assert origin is not None
    assert origin.endswith(tuple(EXTENSION_SUFFIXES)) == EXPECTED, origin


def test_the_edge_is_never_compiled() -> None:
    for layer in ("net", "service", "cli"):
        package = importlib.import_module(f"tanist.{layer}")
        for found in pkgutil.walk_packages(package.__path__, f"tanist.{layer}."):
            spec = importlib.util.find_spec(found.name)
            assert spec is not None
            assert str(spec.origin).endswith(".py")


def test_the_sources_travel_with_the_compiled_modules() -> None:
    origin = importlib.import_module("tanist.types").__file__
    assert origin is not None
    assert os.path.exists(os.path.join(os.path.dirname(origin), "types.py"))
    assert tanist.__file__ is not None

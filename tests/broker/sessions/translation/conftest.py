"""The genuine codecs of both versions: qpid-python and Proton."""

from __future__ import annotations

import importlib
import os
from typing import Any

import pytest

from tests.broker.wire.amqp010.conftest import genuine
from tests.broker.wire.amqp10.conftest import REMEDY

__all__ = ["genuine"]


@pytest.fixture(scope="session")
def proton() -> Any:  # noqa: ANN401 - Proton has no types
    """The module. Where it cannot be built the tests are skipped; in CI they fail."""
    try:
        return importlib.import_module("proton")
    except ImportError:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(REMEDY)
        pytest.skip(REMEDY)

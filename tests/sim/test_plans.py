"""Plans that failed once, each played again: what they found stays mended."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sim.plan import Plan
from tests.sim.run import play

PLANS = Path(__file__).parent / "plans"


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.json")), ids=lambda path: path.stem)
def test_plan(path: Path) -> None:
    outcome = play(Plan.from_json(path.read_text(encoding="utf-8")))
    assert outcome.check == "", outcome.text

"""Plans that failed once, each played again: what they found stays mended.

``KNOWN`` lists those that still fail, with the check and the reason. One that fails otherwise, or
no longer, fails its test: then its line goes.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sim.plan import Plan
from tests.sim.run import play

PLANS = Path(__file__).parent / "plans"

KNOWN: dict[str, tuple[str, str]] = {
    "history-ahead": (
        "not converged",
        "a backup takes over the history of its primary before the records that it names; "
        "promoted before they came, it begins an epoch below the beginning of the last one, and no "
        "backup accepts such a history",
    ),
}


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.json")), ids=lambda path: path.stem)
def test_plan(path: Path) -> None:
    outcome = play(Plan.from_json(path.read_text(encoding="utf-8")))
    expected, reason = KNOWN.get(path.stem, ("", ""))
    assert outcome.check == expected, f"{outcome.text}; known: {reason or 'nothing'}"


def test_known_failures_have_their_plans() -> None:
    assert [name for name in KNOWN if not (PLANS / f"{name}.json").exists()] == []

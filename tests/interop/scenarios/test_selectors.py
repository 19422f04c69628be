from __future__ import annotations

from tanist_interop.scenarios.selectors import KINDS, SELECTORS


def test_no_kind_is_selected_twice_and_one_by_nobody():
    selected = [kind for kinds in SELECTORS.values() for kind in kinds]
    assert len(selected) == len(set(selected)) == KINDS - 1
    assert set(selected) < set(range(KINDS))

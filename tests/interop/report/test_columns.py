from __future__ import annotations

from tanist_interop.report.columns import align


def test_columns_are_aligned():
    assert align([["a", "1"], ["bbb", "22"]]) == ["a     1", "bbb  22"]

"""The document in the repository is the one that the table makes."""

from __future__ import annotations

from pathlib import Path

from tanist.service.optiondoc import document
from tanist.service.options import OPTIONS

DOCUMENT = Path(__file__).parents[3] / "docs" / "options.md"


def test_the_document_is_fresh():
    command = "python -m tanist.service.optiondoc docs/options.md"
    assert DOCUMENT.read_text("utf-8") == document(), f"run {command}"


def test_every_option_has_a_row_of_four_cells():
    rows = [line for line in document().splitlines() if line.startswith("| `")]
    assert len(rows) == len(OPTIONS)
    for row, option in zip(rows, OPTIONS, strict=True):
        assert f"`{option.name}`" in row
        assert row.replace("\\|", "").count("|") == 5

"""What the reports share: the results of a run, and columns of text."""

from __future__ import annotations

from typing import Any

Results = dict[str, Any]
"""What ``Verdict.as_json`` gives."""


def programs(results: Results) -> dict[str, str]:
    """Which client program each process belongs to."""
    found: Results = results["context"].get("programs", {})
    return {source: str(greeting["client"]) for source, greeting in found.items()}


def align(table: list[list[str]], right: bool = True) -> list[str]:
    """First column to the left, the others to the right, or not. Nothing of no rows."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if i and right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]

"""Tables, to the blank."""

from __future__ import annotations

from tanist.cli.tables import LINE_MAX, table


def test_columns_are_as_wide_as_they_must_be() -> None:
    assert table("Things", ["name", "n"], [["short", 1], ["a longer name", None], ["", True]]) == [
        "Things",
        "  name           n",
        "  =====================",
        "  short          1",
        "  a longer name  ",
        "                 True",
    ]


def test_without_rows_there_is_a_title() -> None:
    assert table("Things", ["name"], []) == ["Things"]


def test_a_wide_table_has_a_shorter_line() -> None:
    lines = table("Things", ["name"], [["x" * 300]])
    assert len(lines[2]) == LINE_MAX
    assert len(lines[3]) == 302

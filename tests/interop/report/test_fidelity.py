"""The page about values; the one in docs/ is what the rules of ``losses`` say, value by value."""

from __future__ import annotations

from pathlib import Path

import pytest

from tanist_interop.checkers import losses
from tanist_interop.checkers.fidelity import PROGRAMS
from tanist_interop.report.fidelity import document, lines
from tanist_interop.report.table import render
from tanist_interop.scenarios.values import CASES, COMPOUNDS, PLACES

PAGE = Path(__file__).resolve().parents[3] / "docs/type-fidelity.md"


@pytest.fixture
def everything(story):
    """The results of a run in which everything came out as the rules say."""
    story.run("types")
    for program in PROGRAMS:
        story.add(f"{program}.main", {"type": "client", "offset_ns": 0, "init_ok": {
            "client": program, "versions": {"library": "1", "machine": "x"},
            "capabilities": ["values"],
        }})  # fmt: skip
    for place in PLACES:
        for case, value in CASES.items():
            if place == "property" and value["type"] in COMPOUNDS:
                continue
            for sender in PROGRAMS:
                for receiver in PROGRAMS:
                    expected = losses.expect(sender, receiver, place, value)
                    story.note(
                        "value", case=case, place=place, sender=sender, receiver=receiver,
                        sent=value, answer=expected.answer, got=expected.value, reason="",
                    )  # fmt: skip
    story.mark("finished")
    verdict = story.verdict()
    assert [f.problems for f in verdict.findings if f.checker == "fidelity"] == [()]
    return verdict.as_json()


def below(text):
    """What does not depend on the versions of the libraries."""
    return text[text.index("## Reasons") :]


def test_the_page_in_docs_is_what_the_rules_say(everything):
    stale = "run the scenario types and copy type-fidelity.md of its folder to docs/"
    assert below(PAGE.read_text("utf-8")) == below(document(everything)), stale


def test_every_reason_of_the_page_is_one_of_ours_and_is_needed():
    text = below(PAGE.read_text("utf-8"))
    reasons, tables = text.split("\n## As the body", 1)
    rows = [line.split(" | ") for line in reasons.splitlines() if line.startswith("| ")][1:]
    assert {row[1]: row[2].removesuffix(" |") for row in rows} == losses.LOSSES
    for number in range(1, len(rows) + 1):
        assert any(f"{mark}{number}{end}" in tables for mark in "( " for end in "),"), number


def test_the_page_names_the_versions_and_the_values(everything):
    page = document(everything)
    assert "* js-rhea: library 1\n" in page
    assert "machine" not in page
    assert "| int | = |" in page
    assert "lost (" in page
    assert "- (" in page


def test_the_report_has_a_row_per_sender_and_every_reason(everything):
    rows = [" ".join(line.split()) for line in lines(everything)]
    assert rows[0].startswith("the same/changed/lost/not sent > cpp-proton")
    assert rows[1].startswith("cpp-proton > 92/0/0/0 ")
    assert sum(row.startswith("rhea ") for row in rows) == 4
    assert "js-rhea > " in render(everything, 1.0)


def test_other_runs_have_no_page(results):
    assert document(results) == ""
    assert lines(results) == []

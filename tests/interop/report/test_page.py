from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from tanist_interop.history import Journal
from tanist_interop.report import page, proofs, results, standing
from tanist_interop.report.results import document

NBSP = "\N{NO-BREAK SPACE}"
VOID = {"meta", "link", "br", "image", "path", "use", "rect"}


class Reader(HTMLParser):
    """Texts and links of a page; fails where tags do not match."""

    def __init__(self, text) -> None:
        super().__init__()
        self.open, self.texts, self.links, self.plots = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.links += [values[key] for key in ("href", "src") if key in values]
        self.plots += [values["data-plot"]] if "data-plot" in values else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        values = dict(attrs)
        self.links += [values[key] for key in ("href", "src") if key in values]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.texts.append(data.strip())


def run_of(story):
    return document(story.verdict().as_json(), 12.34)


@pytest.fixture
def read():
    return lambda story: Reader(page.of_run(run_of(story), story.records))


def test_a_run_has_everything_on_its_page(read, story):
    found = read(story.good())
    assert found.plots == ["phases", "latency", "throughput", "lanes", "unseen"]
    for text in ("VALID", "kill-primary, seed 7", "again", "total-queue", "12.3 s", "kill primary",
                 "first confirmation", f"5{NBSP}ms"):  # fmt: skip
        assert text in found.texts, text
    assert any(text.startswith("All 20 messages") for text in found.texts)
    assert any(text.startswith("What each broker held once nothing moved") for text in found.texts)


def test_a_page_needs_no_network(story):
    text = page.of_run(run_of(story.good()), story.records)
    found = Reader(text)
    outside = [link for link in found.links if not link.startswith(("data:", "#"))]
    assert outside == []
    assert "<script" not in text
    assert not re.search(r"@import|url\(\s*[\"']?http", text)


def test_both_colour_schemes_are_there(story):
    text = page.of_run(run_of(story.good()), story.records)
    assert "--ground: #ffffff;" in text and "--ground: #14181d;" in text
    assert "prefers-color-scheme: dark" in text


def test_what_is_wrong_is_told(read, story):
    story.good().got(99, source="d")
    story.note("not_run", client="x", reason="no java", remedy="clients/setup")
    found = read(story)
    assert "INVALID" in found.texts
    assert "total-queue: 1 unexpected: p:99" in found.texts
    assert "clients/setup" in found.texts


def test_what_programs_say_is_no_markup(read, story):
    story.good()
    story.note("broker_log", node="<b>n1</b>", line="<script>alert(1)</script>")
    text = page.of_run(run_of(story), story.records)
    assert "<script" not in text and "<b>n1" not in text
    assert any("<script>alert(1)</script>" in text for text in read(story).texts)


def test_a_run_without_anything_has_a_page(read, story):
    story.run("types")
    found = read(story)
    assert "No failover time was measured in this run." in found.texts
    assert "UNKNOWN" in found.texts


def test_many_runs_on_one_page(story, new_story):
    bad = new_story().good()
    bad.got(99, source="d")
    text = page.of_runs([("kill 1", run_of(story.good())), ("bad", run_of(bad))])
    found = Reader(text)
    assert "INVALID" in found.texts
    assert "./kill%201/report.html" in found.links
    assert found.links.count("./bad/report.html") >= 2, "from the list, and from what is violated"
    assert "total-queue: 1 unexpected: p:99" in " ".join(found.texts)
    assert found.plots == ["phases-0-0"]


def test_runs_that_were_not_made_have_their_cells(story):
    cell = {"client": "c", "fault": "clock", "proof": "resend", "verdict": "unsupported",
            "reason": "no faketime", "findings": []}  # fmt: skip
    text = page.of_runs([("a", run_of(story.good()))], proofs.told([cell]))
    assert 'title="c, clock, resend: the client cannot; no faketime"' in text
    assert "c, clock, resend" in Reader(text).texts


def test_brokers_are_told_apart(story, new_story):
    first, second = run_of(story.good()), run_of(new_story().good())
    first["versions"]["broker"] = "one 1.0"
    text = page.of_runs([("a", first), ("b", second)])
    headings = re.findall(r"<h2>([^<]*)</h2>", text)
    assert [heading.split(": ")[-1] for heading in headings] == ["one 1.0", results.UNTOLD]


def test_brokers_stand_side_by_side(story, new_story):
    first, second = run_of(story.good()), run_of(new_story().good())
    first["versions"]["broker"] = "one 1.0"
    assert "Brokers side by side" not in page.of_runs([("a", first), ("a", first)])
    texts = Reader(page.of_runs([("a", first), ("b", second), ("c", second)])).texts
    at = texts.index("Brokers side by side")
    assert texts[at + 1 : at + 12] == list(standing.HEADS)
    assert texts[at + 12 : at + 15] == ["kill-primary", "one", "1.0"]
    at = texts.index("client, fault", at)
    assert texts[at : at + 6] == [
        "client, fault", "one 1.0", results.UNTOLD, "c, kill primary", f"5{NBSP}ms (1)",
        f"5{NBSP}ms (2)",
    ]  # fmt: skip


def test_failover_times_of_different_faults_are_not_mixed(story, new_story):
    first, second = run_of(story.good()), run_of(new_story().good())
    second["scenario"] = {**second["scenario"], "fault": "suspend"}
    found = Reader(page.of_runs([("a", first), ("b", second), ("c", second)]))
    at = found.texts.index("Failover time by client")
    heading = found.texts.index("client", at)
    assert found.texts[heading : heading + 6] == [
        "client", "kill primary", "suspend primary", "c", f"5{NBSP}ms (1)", f"5{NBSP}ms (2)",
    ]  # fmt: skip
    assert found.plots == ["phases-0-0", "phases-0-1"]


def test_what_nobody_can_judge_is_said(story):
    run = run_of(story.good())
    assert "Not judged" not in page.of_run(run, story.records)
    run["unjudged"] = ["stall: a promise of others"]
    assert "stall: a promise of others" in Reader(page.of_run(run, story.records)).texts


def test_held_messages_and_values_have_their_tables(story):
    run = run_of(story.good())
    run["figures"]["outcomes"] = {
        "trials": [
            {"client": "c", "case": "killed", "again": 10, "held": 10, "marked": 9, "dead": 0,
             "unsupported": "", "problems": ["one is not marked"]},
        ]
    }  # fmt: skip
    cell = {"sender": "c", "receiver": "c", "place": "body", "case": "int", "losses": []}
    run["figures"]["fidelity"] = {
        "cells": [{**cell, "outcome": "same"}, {**cell, "outcome": "changed"}],
        "reasons": {"JavaScript numbers": "it has one type of numbers"},
    }
    texts = Reader(page.of_run(run, story.records)).texts
    assert "WRONG 10/10, marked 9" in texts
    assert "1/1/0/0" in texts
    assert "it has one type of numbers" in texts


def test_plots_of_one_page_do_not_share_ids(story, new_story):
    first, second = run_of(story.good()), run_of(new_story().good())
    first["versions"]["broker"] = "one 1.0"
    for text in (page.of_runs([("a", first), ("b", second)]), page.of_run(second, story.records)):
        ids = re.findall(r'\bid="([^"]+)"', text)
        assert len(ids) == len(set(ids))


def test_pages_are_written(story, tmp_path):
    journal = Journal(tmp_path / "history.jsonl")
    for record in story.good().records:
        journal.add(record.at, record.source, record.event, record.t)
    journal.close()
    page.write(tmp_path, run_of(story))
    page.write_index(tmp_path, [("x", run_of(story))])
    assert "kill-primary, seed 7" in (tmp_path / "report.html").read_text("utf-8")
    assert "1 runs" in (tmp_path / "index.html").read_text("utf-8")

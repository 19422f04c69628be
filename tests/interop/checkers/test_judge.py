from __future__ import annotations

import json

import pytest

from tanist_interop.checkers.finding import Valid
from tanist_interop.checkers.judge import CHECKERS, judge
from tanist_interop.scenarios.catalogue import CATALOGUE


def test_a_good_run_is_valid(story):
    verdict = story.good().verdict()
    assert verdict.valid is Valid.TRUE
    assert verdict.seed == 7
    assert [f.checker for f in verdict.findings] == list(CATALOGUE["kill-primary"].checks)


def test_each_checker_can_turn_it(story):
    story.good().sent(21)
    story.ended("s", 21)
    assert story.verdict().valid is Valid.UNKNOWN  # not drained after that
    story.drained()
    assert story.verdict().valid is Valid.FALSE  # and 21 is lost


def test_the_json_values_are_json(story):
    story.note("not_run", client="x", reason="no java", remedy="setup")
    results = story.good().verdict().as_json()
    assert json.loads(json.dumps(results)) == results
    assert results["context"]["command"] == "again"
    assert results["context"]["not_run"][0]["client"] == "x"
    assert results["context"]["programs"] == {s: {"client": "c"} for s in "srd"}
    assert results["flows"][0]["sender"] == "s"
    assert results["flows"][0]["receivers"] == ["r"]


def test_an_empty_history_is_unknown():
    assert judge([]).valid is Valid.UNKNOWN


@pytest.mark.parametrize("scenario", CATALOGUE.values(), ids=lambda s: s.name)
def test_every_checker_that_a_scenario_names_exists(scenario):
    assert set(scenario.checks) <= set(CHECKERS)


def test_values_that_the_scenario_names_must_be_exchanged(story):
    story.run("types")
    greeting = {"client": "js-rhea", "capabilities": ["values"]}
    story.add("js-rhea.main", {"type": "client", "init_ok": greeting, "offset_ns": 0})
    (finding,) = [f for f in story.verdict().findings if f.checker == "fidelity"]
    assert finding.problems == ("js-rhea > js-rhea: 92 of 92 not exchanged, first 'body null'",)

from __future__ import annotations

import xml.etree.ElementTree as ET

from tanist_interop.report.junit import document


def test_a_case_per_run(results, story):
    bad = story.verdict().as_json() | {"valid": "false", "problems": ["x \x00 <y>"]}
    suite = ET.fromstring(document([(results, 1.0), (bad, 2.0)], False))
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "1", "0")
    assert suite[0].get("name") == "kill-primary[seed=7]"
    assert suite[0].find("failure") is None
    assert suite[1].find("failure").get("message") == "x ? <y>"


def test_unknown_is_an_error(results):
    suite = ET.fromstring(document([(results | {"valid": "unknown"}, 1.0)], False))
    assert suite.get("errors") == "1"


def test_a_client_that_did_not_run_is_skipped_or_a_failure(results):
    results["context"]["not_run"] = [{"client": "x", "reason": "no java", "remedy": "setup"}]
    runs = [(results, 1.0), (results, 1.0)]
    relaxed = ET.fromstring(document(runs, False))
    assert (relaxed.get("tests"), relaxed.get("skipped")) == ("3", "1")
    strict = ET.fromstring(document(runs, True))
    assert (strict.get("skipped"), strict.get("failures")) == ("0", "1")
    results["context"]["not_run"][0]["optional"] = True
    optional = ET.fromstring(document(runs, True))
    assert (optional.get("skipped"), optional.get("failures")) == ("1", "0")

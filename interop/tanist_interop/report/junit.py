"""JUnit XML: one test case per run and one per client that did not run."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from tanist_interop.report.columns import Results
from tanist_interop.report.table import render


def document(runs: list[tuple[Results, float]], not_run_fails: bool) -> bytes:
    """The XML file. An invalid run is a failure, an unknown one an error; a client that did not run
    is skipped, or a failure if ``not_run_fails`` (in CI) and it is not optional."""
    suite = ET.Element("testsuite", name="tanist-interop")
    missing: dict[str, Results] = {}
    for results, seconds in runs:
        name = f"{results['scenario'].get('name', '?')}[seed={results['seed']}]"
        case = ET.SubElement(suite, "testcase", classname="drill", name=name, time=f"{seconds:.1f}")
        if results["valid"] != "true":
            tag = "failure" if results["valid"] == "false" else "error"
            text = "; ".join(results["problems"]) or results["valid"]
            ET.SubElement(case, tag, message=_clean(text)).text = _clean(render(results, seconds))
        for note in results["context"].get("not_run", []):
            missing[note["client"]] = note
    for client, note in sorted(missing.items()):
        case = ET.SubElement(suite, "testcase", classname="client", name=client, time="0")
        tag = "failure" if not_run_fails and not note.get("optional") else "skipped"
        ET.SubElement(case, tag, message=_clean(f"{note['reason']}; {note['remedy']}"))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(len(suite.findall(f".//{tag}"))))
    suite.set("tests", str(len(suite.findall("testcase"))))
    xml: str = ET.tostring(suite, encoding="unicode")
    return b"<?xml version='1.0' encoding='utf-8'?>\n" + xml.encode()


def _clean(text: str) -> str:
    """Without the control characters that XML cannot hold."""
    return "".join(c if c >= " " or c in "\n\t" else "?" for c in text)

from __future__ import annotations

from tanist_interop.checkers.finding import Valid


def finding(subject):
    verdict = subject.story.verdict()
    return next(f for f in verdict.findings if f.checker == "proofs")


def test_every_proof_of_a_good_run(tale):
    subject = tale().whole()
    assert finding(subject).valid is Valid.TRUE
    assert subject.story.verdict().as_json()["problems"] == []
    cells = finding(subject).figures["cells"]
    assert [cell["proof"] for cell in cells] == ["resend", "requeue", "heartbeat", "duplicates"]
    assert {(cell["client"], cell["fault"]) for cell in cells} == {("x", "kill-primary")}


def test_a_client_that_cannot_take_part_is_shown_with_its_reason(tale):
    subject = tale("hang-primary-unfenced").begin(unsupported="waits without an end")
    cells = finding(subject).figures["cells"]
    assert {(cell["verdict"], cell["reason"]) for cell in cells} == {
        ("unsupported", "waits without an end")
    }


def test_a_run_without_the_fault_shows_nothing(tale):
    subject = tale().begin().load().stream()
    found = finding(subject)
    assert found.valid is Valid.UNKNOWN
    assert {cell["verdict"] for cell in found.figures["cells"]} == {"unknown"}


def test_a_run_that_broke_off_is_never_valid(tale):
    subject = tale().begin().load().stream().fault().go_on().requeue()
    subject.story.ended("x.send", 10)
    subject.story.ended("x.receive", 10)
    subject.story.drainer("d", 3, "drill.x")
    subject.story.ended("d", 0, "empty")
    subject.story.note("aborted", stage="finish", reason="power cut")
    found = finding(subject)
    assert found.valid is Valid.UNKNOWN
    assert all("power cut" in cell["findings"][0] for cell in found.figures["cells"])


def test_without_clients_nothing_is_shown(tale):
    subject = tale()
    subject.story.note("run", scenario={"checks": ["proofs"]}, seed=1)
    assert finding(subject).problems == ("no client took part",)

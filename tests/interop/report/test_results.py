from __future__ import annotations

import json

import pytest

from tanist_interop.report import results as subject


def test_everything_is_in_the_document(results):
    results["context"]["began"] = "2026-01-02T03:04:05+00:00"
    results["context"]["versions"] = {"broker": "qpidd 1", "drill": ""}
    results["context"]["python"] = "3.11"
    document = subject.document(results, 1.26)
    assert document["schema"] == 1
    assert (document["valid"], document["seed"], document["seconds"]) == ("true", 7, 1.3)
    assert document["command"] == "again"
    assert document["findings"][0] == {"checker": "course", "valid": "true", "problems": []}
    assert [f["checker"] for f in document["findings"]] == document["scenario"]["checks"]
    assert document["clients"] == {
        "c": {
            "attempts": 20, "acknowledged": 20, "received": 22, "lost": 0, "unexpected": 0,
            "duplicated": 2, "recovered": 0,
        }
    }  # fmt: skip
    (failover,) = document["failovers"]
    assert (failover["fault"], failover["promoted"]) == ("kill", "n2")
    assert failover["first_ack_ms"] == {"s": pytest.approx(5.0)}
    assert document["versions"]["broker"] == "qpidd 1"
    assert "drill" not in document["versions"], "what is not known is left out"
    assert document["figures"].keys() == results["figures"].keys()
    assert "each" not in document["figures"]["failover"], "it stands in failovers already"
    assert "each" in results["figures"]["failover"], "and is taken from nobody"
    json.dumps(document)


@pytest.mark.parametrize(
    ("told", "product", "version"),
    [
        ("qpidd (tanist) version 0.1.0 (compiled)", "qpidd (tanist)", "0.1.0 (compiled)"),
        ("qpidd (qpid-cpp) version 1.39.0", "qpidd (qpid-cpp)", "1.39.0"),
        ("RabbitMQ 3.10.8", "RabbitMQ", "3.10.8"),
        ("ActiveMQ Artemis 2.40.0", "ActiveMQ Artemis", "2.40.0"),
        ("Some broker", "Some broker", ""),
        ("", subject.UNTOLD, ""),
    ],
)
def test_product_and_version(results, told, product, version):
    results["context"]["versions"] = {"broker": told}
    results["context"]["unjudged"] = ["stall: why"]
    document = subject.document(results, 1)
    assert document["broker"] == {"product": product, "version": version}
    assert document["unjudged"] == ["stall: why"]


def test_loss_is_not_known_without_a_drain(story):
    story.run()
    story.sender()
    story.sent(1)
    document = subject.document(story.verdict().as_json(), 1)
    assert document["clients"]["c"]["acknowledged"] == 1
    assert document["clients"]["c"]["lost"] is None


def test_a_client_with_several_processes_is_one_line(story):
    story.run()
    story.program("t", "c")
    for source, queue in (("s", "q"), ("t", "r")):
        story.sender(source, queue=queue, producer=source)
        story.sent((1, 3), source=source, producer=source)
    document = subject.document(story.verdict().as_json(), 1)
    assert document["clients"]["c"]["acknowledged"] == 6


def test_what_was_written_is_read(results, tmp_path):
    subject.write(tmp_path, results, 2)
    assert subject.load(tmp_path / "results.json") == subject.document(results, 2)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "Expecting"),
        ("[]", "no results"),
        ('{"valid": "true"}', "no results"),
        ('{"valid": "true", "scenario": {}, "seed": 1, "flows": []}', "schema None"),
        ('{"valid": "true", "scenario": {}, "seed": 1, "flows": [], "schema": 99}', "schema 99"),
    ],
)
def test_what_are_no_results(tmp_path, text, word):
    (tmp_path / "x").write_text(text)
    with pytest.raises(subject.BadResults, match=word):
        subject.load(tmp_path / "x")


def test_the_moment_is_told_as_people_do():
    assert subject.moment({"began": subject.now()})[:2] == "20"
    assert subject.moment({}) == ""
    assert subject.moment({"began": "yesterday"}) == ""

"""The exchange of values with the stand-ins: real processes, no AMQP."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tanist_interop.checkers.finding import Valid
from tanist_interop.drivers.program import Program
from tanist_interop.drivers.registry import discover
from tanist_interop.hosts.cluster import Settings
from tanist_interop.hosts.local import LocalCluster
from tanist_interop.runner.exchange import Exchange
from tanist_interop.runner.play import Plan
from tanist_interop.scenarios.catalogue import TYPES
from tanist_interop.scenarios.values import COMPOUNDS, EXCHANGED

SMALL = tuple(name for name in EXCHANGED if name.split(" ", 1)[1] in ("int", "char", "list"))


@pytest.fixture
def play(tmp_path, clients_dir, fake_qpidd, fake_qpid_ha):
    def run():
        plan = Plan(
            replace(TYPES, values=SMALL), 3, list(discover(clients_dir).values()), tmp_path, {}
        )
        cluster = LocalCluster(tmp_path, Settings(fake_qpidd, fake_qpid_ha))
        return Exchange(plan, cluster, Program, lambda _: None).run()

    return run


def test_every_value_goes_from_each_to_each(play):
    verdict = play()
    cells = verdict.as_json()["figures"]["fidelity"]["cells"]
    places = {"int": 3, "char": 3, "list": 2}
    assert len(cells) == 4 * sum(places.values())
    assert {cell["outcome"] for cell in cells if cell["case"] != "char"} == {"same"}
    refused = [cell for cell in cells if cell["case"] == "char"]
    assert {cell["outcome"] for cell in refused} == {"unsupported"}
    assert verdict.valid is Valid.FALSE, "no rule says that these programs refuse chars"
    assert len(verdict.as_json()["problems"]) == len(refused)
    assert "unsupported (no chars here), expected char 233" in verdict.as_json()["problems"][0]


def test_a_value_that_is_another_one_is_found(play, monkeypatch):
    monkeypatch.setenv("FAKE_CLIENT", "garbler")
    problems = play().as_json()["problems"]
    assert "fidelity: a > b, int as body: int 7, expected int -2147483648" in problems


def test_programs_without_values_show_nothing(play, monkeypatch):
    monkeypatch.setenv("FAKE_CLIENT", "simple")
    verdict = play()
    assert verdict.valid is Valid.UNKNOWN
    assert "course: muster: no client here knows values" in verdict.as_json()["problems"]


def test_application_properties_are_no_compounds():
    assert {"list", "map", "array", "described"} == set(COMPOUNDS)

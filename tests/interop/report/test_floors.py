from __future__ import annotations

import pytest

from tanist_interop.report.floors import spans

RETRIES = {"c": {"least_ms": 200.0, "most_ms": 600.0, "because": "200 ms before each address"}}
NAMED = {"c.send": "c", "c.receive": "c"}


def failover(**changes):
    return {
        "fault": "kill", "active_ms": 500.0, "promote_ms": 550.0,
        "detect_ms": {"c.send": 30.0, "c.receive": 20.0}, **changes,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (500.0, 1100.0)),
        ({"active_ms": 90.0}, (200.0, 690.0)),
        ({"active_ms": None}, (550.0, 1150.0)),
        ({"fault": "suspend", "detect_ms": {"c.send": 2000.0}}, (2200.0, 2600.0)),
        ({"fault": "partition", "detect_ms": {"c.send": 2000.0, "c.receive": 1900.0},
          "active_ms": 3000.0}, (3000.0, 3600.0)),
    ],
)  # fmt: skip
def test_the_primary_must_serve_and_the_client_have_waited(changes, expected):
    assert spans(failover(**changes), RETRIES, NAMED) == {"c": expected}


@pytest.mark.parametrize(
    "changes",
    [{"active_ms": None, "promote_ms": None}, {"fault": "suspend", "detect_ms": {}}],
)
def test_who_is_never_served_or_never_notices_has_no_floor(changes):
    assert spans(failover(**changes), RETRIES, NAMED) == {}


def test_a_client_that_tells_no_settings_has_none():
    assert spans(failover(), {}, NAMED) == {}

"""Outputs carry what the edge must do; closing is polite and stopping a failure unless said."""

from __future__ import annotations

import pytest

from tanist.node.outputs import Arm, Close, Connect, Consult, Log, Output, Send, Stop

CASES = [
    (Send(7, b"data"), {"conn": 7, "data": b"data"}),
    (Close(7), {"conn": 7, "abort": False}),
    (Close(7, abort=True), {"conn": 7, "abort": True}),
    (
        Connect(-7, "host", 5672, 2.5),
        {"conn": -7, "host": "host", "port": 5672, "timeout_s": 2.5},
    ),
    (
        Consult(3, ["shrink"], "{}", 5.0),
        {"request": 3, "arguments": ["shrink"], "document": "{}", "timeout_s": 5.0},
    ),
    (Arm(9.5), {"at": 9.5}),
    (Log("info", "HA", "text"), {"level": "info", "category": "HA", "text": "text"}),
    (Stop("why"), {"reason": "why", "code": 1}),
    (Stop("why", 0), {"reason": "why", "code": 0}),
]


@pytest.mark.parametrize(("output", "fields"), CASES, ids=lambda case: type(case).__name__)
def test_outputs_say_what_to_do(output: Output, fields: dict[str, object]) -> None:
    assert {name: getattr(output, name) for name in fields} == fields

"""Inputs carry the time, and what happened, unchanged."""

from __future__ import annotations

import pytest

from tanist.node.inputs import (
    Answered,
    Connected,
    Disconnected,
    HeapMeasured,
    Input,
    LinkUp,
    Listening,
    Received,
    Started,
    Tick,
    Writable,
)

CASES = [
    (Input(1.5), {}),
    (Started(1.5, 1e9), {"wall_s": 1e9}),
    (Listening(1.5, 5672), {"port": 5672}),
    (Connected(1.5, 7, "peer:1", "here:2"), {"conn": 7, "peer": "peer:1", "local": "here:2"}),
    (LinkUp(1.5, -7, "here:2"), {"conn": -7, "local": "here:2"}),
    (Received(1.5, 7, b"data"), {"conn": 7, "data": b"data"}),
    (Writable(1.5, 7, False), {"conn": 7, "writable": False}),
    (Disconnected(1.5, 7, "why"), {"conn": 7, "reason": "why"}),
    (Answered(1.5, 3, 1, "no"), {"request": 3, "code": 1, "text": "no"}),
    (HeapMeasured(1.5, [1, 2]), {"figures": [1, 2]}),
    (Tick(1.5), {}),
]


@pytest.mark.parametrize(("happened", "fields"), CASES, ids=lambda case: type(case).__name__)
def test_inputs_say_what_happened_and_when(happened: Input, fields: dict[str, object]) -> None:
    assert happened.now == 1.5
    assert {name: getattr(happened, name) for name in fields} == fields

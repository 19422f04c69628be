from __future__ import annotations

import pytest

from tanist_interop.faults.process import FAULTS, Fault


class Nodes:
    def __init__(self) -> None:
        self.done = []

    def __getattr__(self, verb: str) -> object:
        return lambda node: self.done.append((verb, node))


@pytest.mark.parametrize(
    ("name", "verbs"), [("kill", ["kill", "restart"]), ("suspend", ["suspend", "resume"])]
)
def test_a_fault_is_done_and_undone(name, verbs):
    nodes = Nodes()
    fault = FAULTS[name](nodes, 2)
    fault.begin()
    fault.heal()
    assert nodes.done == [(verb, 2) for verb in verbs]


def test_the_base_does_nothing():
    for verb in ("begin", "heal"):
        with pytest.raises(NotImplementedError):
            getattr(Fault(Nodes(), 0), verb)()

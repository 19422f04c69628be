from __future__ import annotations

import pytest

from tanist_interop.faults.process import FAULTS, Fault, Restart, Suspend


class Nodes:
    def __init__(self) -> None:
        self.done = []

    def __getattr__(self, verb: str) -> object:
        return lambda node: self.done.append((verb, node)) or 7


@pytest.mark.parametrize(
    ("name", "verbs"),
    [
        ("kill", ["kill", "restart"]),
        ("suspend", ["suspend", "resume"]),
        ("restart", ["terminate", "restart"]),
    ],
)
def test_a_fault_is_done_and_undone(name, verbs):
    nodes = Nodes()
    fault = FAULTS[name](nodes, 2)
    fault.inject()
    fault.heal()
    assert nodes.done == [(verb, 2) for verb in verbs]


def test_a_hung_broker_that_is_fenced_must_be_started_again():
    nodes = Nodes()
    fault = Suspend(nodes, 2)
    fault.inject()
    assert not fault.deadly
    fault.fence()
    assert fault.deadly
    fault.heal()
    assert [verb for verb, _ in nodes.done] == ["suspend", "kill", "restart"]


def test_how_a_restarted_broker_ended_is_known():
    fault = Restart(Nodes(), 2)
    fault.inject()
    assert fault.exit_code == 7
    assert fault.deadly


def test_the_base_does_nothing():
    for verb in ("inject", "heal"):
        with pytest.raises(NotImplementedError):
            getattr(Fault(Nodes(), 0), verb)()

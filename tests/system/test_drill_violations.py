"""Promises broken on purpose, in real runs of the drill: each of its proofs must go red.

A genuine client, real brokers; between them, or between brokers, a proxy that does something to one
message, or brokers that do not replicate.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from meddler import Duplicate, Meddler, changed, swallow, unmark

from tanist_interop.drivers.program import Program
from tanist_interop.drivers.registry import discover
from tanist_interop.hosts.linked import LinkedCluster
from tanist_interop.hosts.local import Settings
from tanist_interop.hosts.proxies import CLIENTS, Side, Tap
from tanist_interop.runner.play import Plan, Play
from tanist_interop.runner.proofs import Proofs
from tanist_interop.runner.selectors import Selectors
from tanist_interop.runner.subscriptions import Subscriptions
from tanist_interop.runner.transactions import Transactions
from tanist_interop.scenarios.catalogue import SELECTED, SUBSCRIBED, TRANSACTIONS
from tanist_interop.scenarios.proofs import BY_NAME
from tanist_interop.scenarios.scenario import Scenario
from tests.clients.harness import ROOT, missing

CLIENT = "python-qpid"
BACKUP = 1
"""A node."""

SENT = 40
"""The number of the message that something is done to."""

TARGET = f"{CLIENT}.stream:{SENT}:".encode()
OURS = (sys.executable, "-m")

Cells = dict[str, tuple[str, list[str]]]
Judged = dict[str, Any]


class Tapped(LinkedCluster):
    """Who dials the first broker reaches it through a tap: clients, or another broker."""

    def __init__(self, folder: Path, settings: Settings, tap: Tap | None, dialler: int) -> None:
        super().__init__(folder, settings, clients=True)
        self._tap = tap
        self._dialler = dialler

    def start(self) -> None:
        super().start()
        if isinstance(self._tap, Meddler) and isinstance(self._tap.deed, Duplicate):
            self._tap.deed.port = self.nodes[0].port
        self.links.tap(self._dialler, 0, self._tap)


@pytest.fixture
def judged(tmp_path: Path) -> Callable[..., Judged]:
    """Run a scenario; its verdict as JSON values."""

    def run(
        scenario: Scenario, course: type[Play], tap: Tap | None, options: tuple[str, ...] = (),
        dialler: int = CLIENTS,
    ) -> Judged:  # fmt: skip
        spec = discover(ROOT / "clients")[CLIENT]
        settings = Settings(
            (*OURS, "tanist.cli.qpidd"), (*OURS, "tanist.cli.qpid_ha"), 3, 2, options,
            qpid_config=(*OURS, "tanist.cli.qpid_config"),
        )  # fmt: skip
        plan = Plan(scenario, 1, [spec], tmp_path, {})
        cluster = Tapped(tmp_path, settings, tap, dialler)
        verdict = course(plan, cluster, Program, print).run().as_json()
        if verdict["context"]["not_run"]:
            missing(f"{CLIENT} cannot run here: run clients/setup {CLIENT}")
        return verdict

    return run


@pytest.fixture
def cells(judged: Callable[..., Judged]) -> Callable[..., Cells]:
    """Run one fault of the matrix; what came of each proof."""

    def run(fault: str, tap: Tap | None = None, options: tuple[str, ...] = ()) -> Cells:
        scenario = replace(BY_NAME[f"proofs-{fault}"], links="clients", acknowledged_min=200)
        found = judged(scenario, Proofs, tap, options)["figures"]["proofs"]["cells"]
        return {cell["proof"]: (cell["verdict"], cell["findings"]) for cell in found}

    return run


def problems_of(verdict: Judged, checker: str) -> list[str]:
    """What this checker says; it must not be content."""
    assert verdict["verdicts"][checker] == "false", verdict["problems"]
    found = next(f for f in verdict["findings"] if f["checker"] == checker)
    return list(found["problems"])


def only(cells: Cells, proof: str) -> list[str]:
    """What is wrong with this proof; all others are right."""
    verdicts = {name: verdict for name, (verdict, _) in cells.items()}
    assert verdicts == {name: "invalid" if name == proof else "valid" for name in cells}, cells
    return cells[proof][1]


def test_a_proxy_that_does_nothing(cells: Callable[..., Cells]) -> None:
    meddler = Meddler(TARGET, lambda frames, _: frames)
    found = cells("none", meddler)
    assert meddler.done == 1
    assert {verdict for verdict, _ in found.values()} == {"valid"}, found


def test_a_proxy_that_swallows_one_message(cells: Callable[..., Cells]) -> None:
    meddler = Meddler(TARGET, swallow)
    findings = only(cells("none", meddler), "resend")
    assert meddler.done == 1
    assert findings == [f"1 were confirmed and never arrived: {CLIENT}.stream:{SENT}"]


def test_a_proxy_that_duplicates_one_message(cells: Callable[..., Cells]) -> None:
    deed = Duplicate()
    meddler = Meddler(TARGET, deed)
    with contextlib.closing(deed):
        findings = only(cells("none", meddler), "duplicates")
    assert meddler.done == 1
    assert findings == [
        f"drill.{CLIENT}: 1 duplicates after the start, explained are 0",
        f"1 delivered again without the mark: {CLIENT}.stream:{SENT}",
    ]


def test_a_proxy_that_takes_the_mark_off(cells: Callable[..., Cells]) -> None:
    meddler = Meddler(f"{CLIENT}.held:".encode(), unmark, forth=False, often=True)
    verdict, findings = cells("kill-client", meddler)["requeue"]
    assert meddler.done >= 20
    assert (verdict, findings) == ("invalid", ["10 came back without a mark"])


def test_a_proxy_that_breaks_a_connection(cells: Callable[..., Cells]) -> None:
    def cut(connection: object, forth: bool, data: bytes) -> bytes:
        if forth and TARGET in data and not broken:
            broken.append(connection)
            assert isinstance(connection, Side)
            connection.sever()
        return data

    broken: list[object] = []
    verdict, findings = cells("none", cut)["heartbeat"]
    assert verdict == "invalid"
    assert findings[0].startswith(f"{CLIENT}.send lost a connection without cause 1 times")


def test_brokers_that_do_not_replicate(cells: Callable[..., Cells]) -> None:
    verdict, findings = cells("kill-primary", options=("--ha-replicate=none",))["resend"]
    assert verdict == "invalid"
    assert "confirmations went on although no backup was told of anything" in findings


def test_a_proxy_that_swallows_one_message_of_a_transaction(judged: Callable[..., Judged]) -> None:
    meddler = Meddler(f"{CLIENT}.1:15:".encode(), swallow)
    scenario = replace(TRANSACTIONS, acknowledged_min=150, fault_after=(60, 80), each_min=20)
    verdict = judged(scenario, Transactions, meddler)
    assert meddler.done == 1
    assert problems_of(verdict, "transactions") == [
        f"{CLIENT}.1, transaction 2 (committed): 9 of 10 messages came"
    ]


def test_a_proxy_that_swallows_one_message_to_a_topic(judged: Callable[..., Judged]) -> None:
    meddler = Meddler(f"{CLIENT}.1:{SENT}:".encode(), swallow)
    scenario = replace(SUBSCRIBED, acknowledged_min=200, fault_after=(80, 90), each_min=20)
    verdict = judged(scenario, Subscriptions, meddler)
    assert meddler.done == 1
    assert problems_of(verdict, "subscriptions") == [
        f"the {kind} subscription of {CLIENT}.receive to {CLIENT}.1: 1 lost: {CLIENT}.1:{SENT}"
        for kind in ("temporary", "active", "inactive")
    ]


def test_a_backup_that_was_given_another_message(judged: Callable[..., Judged]) -> None:
    """Nobody selects it, so it is still there when the brokers are asked what they hold."""
    deeds: list[str] = []
    scenario = replace(SELECTED, acknowledged_min=200, fault_after=(80, 90), each_min=20)
    tap = changed(rf"{CLIENT}.1:([0-9]+):x", lambda sn: int(sn) % 4 == 3, deeds)
    verdict = judged(scenario, Selectors, tap, dialler=BACKUP)
    assert len(deeds) == 1
    held = {node["node"]: node["messages"] for node in verdict["figures"]["replicas"]["nodes"]}
    assert held.keys() == {"n2", "n3"}
    assert len(set(held.values())) == 1
    [problem] = problems_of(verdict, "replicas")
    assert problem.startswith("drill.1: n")
    assert problem.endswith(" as many with other content")

"""A history of the matrix, told in a few words."""

from __future__ import annotations

import pytest

from tanist_interop import protocol
from tanist_interop.scenarios.proofs import BY_NAME
from tanist_interop.scenarios.scenario import as_json as scenario_as_json


class Tale:
    """One client ``x`` under one fault: sends 10, three are unconfirmed when the fault comes."""

    def __init__(self, story, fault="kill-primary") -> None:
        self.story = story
        scenario = BY_NAME[f"proofs-{fault}"]
        self.scenario = scenario
        self.moves = scenario.promote
        self.told = {"capabilities": ["hold", "connection_events"]}
        self.producers = ["x.stream"]

    def begin(self, unsupported=""):
        s = self.story
        s.note("run", scenario=as_json(self.scenario), seed=1, command="again")
        for source in ("x.send", "x.receive"):
            s.add(source, {"type": "client", "init_ok": self.told, "offset_ns": 0})
        s.program("d", "x")
        s.replicas(n2="active", n3="ready")
        s.note(
            "cast", client="x", sender="x.send", receiver="x.receive",
            producers=self.producers, unsupported=unsupported,
        )  # fmt: skip
        return self

    def load(self, held=(1, 10)):
        """What will be held."""
        s = self.story
        s.sender("x.send", 2, "drill.held.x", "x.held")
        s.batch(protocol.Invoke, [(1, 20)], "x.send", "x.held", 2)
        s.batch(protocol.Ok, [(1, 20)], "x.send", "x.held", 2)
        s.ended("x.send", 20, "count", 2)
        s.receiver("x.receive", 2, "drill.held.x", 10)
        if held is None:
            return self
        s.batch(protocol.Received, [held], "x.receive", "x.held", 2, redelivered=False)
        return self

    def stream(self, hasty=()):
        s = self.story
        s.sender("x.send", 3, "drill.x", "x.stream")
        s.receiver("x.receive", 3, "drill.x")
        s.sent((1, 7), source="x.send", producer="x.stream")
        s.got((1, 7), source="x.receive", producer="x.stream")
        s.mark("freeze")
        s.mark("frozen")
        s.sent((8, 10), source="x.send", producer="x.stream", ok=False)
        if hasty:
            s.batch(protocol.Ok, hasty, "x.send", "x.stream")
        return self

    def fault(self, after_ms=10, silent=()):
        """It comes, and is noticed."""
        s = self.story
        s.fault(failover=self.moves)
        if self.moves:
            for source in ("x.send", "x.receive"):
                if source not in silent:
                    t = (s.ms + after_ms) * 1_000_000
                    s.add(source, {"type": "disconnected", "t": t, "reason": ""}, t)
            s.mark("promote_begin", node="n2")
            s.mark("promoted", node="n2")
            s.mark("settled")
        return self

    def go_on(self, again=((8, 10),), redelivered=False):
        """The three are sent again and arrive."""
        s = self.story
        s.batch(protocol.Ok, [(8, 10)], "x.send", "x.stream")
        for sns in again:
            s.got(sns, source="x.receive", producer="x.stream", redelivered=redelivered)
        s.fault("end", failover=False)
        s.mark("rejoined", node="n1")
        s.mark("healed")
        return self

    def requeue(self, *parts, unsupported=""):
        """What comes of the held ones: numbers, and whether they are marked."""
        s = self.story
        death = "broker" if self.moves else "client"
        if not self.moves:
            s.mark("kill", program="x.receive")
        s.note(
            "held", client="x", queue="drill.held.x", producer="x.held", holder="x.receive",
            task=2, death=death, unsupported=unsupported,
        )  # fmt: skip
        s.drainer("x.send", 9, "drill.held.x")
        parts = parts or (((1, 10), True), ((11, 20), False))
        count = 0
        for sns, marked in parts:
            first, last = sns
            count += last - first + 1
            for kind, more in ((protocol.Received, {"redelivered": marked}), (protocol.Acked, {})):
                s.batch(kind, [sns], "x.send", "x.held", 9, **more)
        s.ended("x.send", count, "empty", 9)
        return self

    def end(self, drained=(), total=10):
        s = self.story
        s.ended("x.send", 10)
        if self.moves:
            s.ended("x.receive", total)
        s.drainer("d", 3, "drill.x")
        if drained:
            s.batch(protocol.Received, drained, "d", "x.stream", redelivered=False)
            s.batch(protocol.Acked, drained, "d", "x.stream")
        s.ended("d", sum(b - a + 1 for a, b in drained), "empty")
        s.mark("finished")
        return self

    def whole(self, **fault):
        """From the start to the end, all as it must be."""
        return self.begin().load().stream().fault(**fault).go_on().requeue().end()

    def cells(self):
        """By proof: the verdict and the findings."""
        verdict = self.story.verdict()
        found = verdict.as_json()["figures"]["proofs"]["cells"]
        return {cell["proof"]: (cell["verdict"], cell["findings"]) for cell in found}

    def cell(self, proof):
        """The verdict of this proof, and the only finding, empty for none."""
        verdict, findings = self.cells()[proof]
        assert len(findings) <= 1, findings
        return verdict, findings[0] if findings else ""


def as_json(scenario):
    """The scenario in a history; one client moves little."""
    return {**scenario_as_json(scenario), "acknowledged_min": 1}


@pytest.fixture
def tale(story):
    """A history of one client in the matrix: ``tale(fault)``."""

    def make(fault="kill-primary"):
        return Tale(story, fault)

    return make

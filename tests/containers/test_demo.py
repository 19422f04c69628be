"""The demo cluster of ``docker-compose.yml``, and the drills of docs/demo-cluster.md, for real."""

from __future__ import annotations

import time

from tests.containers.conftest import run, wait

WHOLE = "n1 active  n2 ready  n3 ready"


def goes_on(demo, more: int = 400) -> None:
    """So many more confirmations."""
    aim = demo.confirmed() + more
    wait(demo, "the counters go on", lambda: demo.confirmed() > aim)


def paused(demo, service: str) -> bool:
    """Pause it; False if the engine gave up, as runc does on a busy machine with cgroups v1."""
    said = demo.compose("pause", service, check=False)
    state = run("docker", "inspect", "-f", "{{.State.Paused}}", demo.container(service)).strip()
    assert state == "true" or "unable to freeze" in said, said
    return state == "true"


def test_the_cluster_elects_fails_over_by_hand_and_leaves_nothing(start) -> None:
    demo = start()
    wait(demo, "n1 is promoted by itself", lambda: WHOLE in demo.log("elect"))
    goes_on(demo)

    demo.compose("kill", "n1")
    by_hand = "no primary: promote a ready backup by hand (qpid-ha promote -b n2:5672)"
    wait(demo, "the death is noticed", lambda: by_hand in demo.log("elect"))
    stopped = demo.confirmed()
    time.sleep(2)
    assert demo.confirmed() == stopped, "somebody confirms without a primary"
    assert demo.qpid_ha("n2", "status").strip() == "ready", "nobody is promoted by itself"

    demo.qpid_ha("n2", "promote")
    goes_on(demo)
    assert "the sender is connected again" in demo.log("load")
    demo.compose("start", "n1")
    wait(demo, "n1 is a backup", lambda: "n1 ready  n2 active  n3 ready" in demo.log("elect"))

    # A primary that hangs, is replaced, and goes on later: it must not serve.
    wait(demo, "n2 is paused", lambda: paused(demo, "n2"))
    wait(demo, "the silence is noticed", lambda: demo.log("elect").count("by hand") == 2)
    demo.qpid_ha("n3", "promote")
    goes_on(demo)
    demo.compose("unpause", "n2")
    wait(demo, "n2 stops", lambda: "Shutting down: deposed" in demo.log("n2"))

    demo.compose("stop", "load")
    last = demo.log("load").splitlines()[-1]
    assert last.startswith("in all ")
    assert last.endswith("lost 0")
    counts = demo.counts()
    assert counts["received"] >= counts["confirmed"] > 1000
    assert run("docker", "inspect", "-f", "{{.State.ExitCode}}", demo.container("load")) == "0\n"
    demo.compose("down")
    assert demo.left() == {"containers": "", "networks": "", "volumes": ""}


def test_a_cut_off_primary_and_a_promotion_by_itself(start) -> None:
    demo = start(TANIST_AUTO_PROMOTE="yes")
    wait(demo, "n1 is promoted by itself", lambda: WHOLE in demo.log("elect"))
    goes_on(demo)
    n1, net = demo.container("n1"), demo.settings["TANIST_NET"]
    network = f"{demo.project}_cluster"
    run("docker", "network", "disconnect", network, n1)
    wait(demo, "another one is promoted", lambda: "promoted n" in demo.log("elect").split(WHOLE)[1])
    goes_on(demo)
    run("docker", "network", "connect", "--ip", f"{net}.11", "--alias", "n1", network, n1)
    wait(demo, "n1 stops", lambda: "Shutting down: deposed" in demo.log("n1"))
    assert demo.counts()["lost"] == 0

"""A primary and a backup as processes, and both qpid-configs and the genuine qpid-stat on them.

Both tools do the same and print the same; management is let in on a backup if it says so, and
changes nothing there; a change that was answered survives the primary.
"""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.broker_processes import (
    SETTLE_S,
    BrokerProcess,
    Tool,
    genuine_or_skip,
    our_tool,
    wait_until,
)
from tests.system.broker_processes import cluster as processes

RULE = re.compile(r"===+")
UNICODE = re.compile(r"u('[^']*')")
OWN_QUEUE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(:0\.0)?")


class Cluster:
    """A primary and a ready backup."""

    def __init__(self, primary: BrokerProcess, backup: BrokerProcess) -> None:
        self.primary = primary
        self.backup = backup

    def promote(self, broker: BrokerProcess) -> None:
        assert our_tool("qpid_ha")("promote", "-b", broker.address)[0] == 0

    def status(self, broker: BrokerProcess) -> str:
        return our_tool("qpid_ha")("status", "-b", broker.address)[1].strip()

    def ready(self) -> None:
        """Wait for the backup."""
        wait_until("ready", lambda: self.status(self.backup) == "ready", SETTLE_S)

    def queues(self, broker: BrokerProcess, part: str = "") -> list[str]:
        """Names of the queues on a broker, whatever its status."""
        words = ("queues", part, "--json", "--ha-admin", "-b", broker.address)
        found = json.loads(our_tool("qpid_config")(*words)[1])
        return [each["name"] for each in found if not OWN_QUEUE.search(each["name"])]


def a_cluster(folder: Path, *options: str) -> Iterator[Cluster]:
    with processes(folder, 2, "--auth=no", *options) as (primary, backup):
        pair = Cluster(primary, backup)
        pair.promote(primary)
        pair.ready()
        yield pair


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster for tests that leave it as it was, but for objects with names of their own."""
    yield from a_cluster(tmp_path_factory.mktemp("cluster"))


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster for a test that breaks it; a stopped backup is waited for."""
    yield from a_cluster(tmp_path, "--link-heartbeat-interval=60", "--ha-ack-timeout=60")


@pytest.fixture(params=["ours", "genuine"])
def qpid_config(request: pytest.FixtureRequest) -> Tool:
    """Each of the two tools."""
    if request.param == "ours":
        return our_tool("qpid_config")
    return genuine_or_skip("qpid-config")


def plain(said: str) -> list[list[str]]:
    """Lines as words, both in any order; what differs from run to run is taken out.

    Dictionaries have no order in Python 2, and its texts begin with u.
    """
    lines = []
    for line in said.splitlines():
        if not OWN_QUEUE.search(line) or "qpid.ha-uuid" in line:
            bare = UNICODE.sub(r"\1", line).translate(str.maketrans("{},", "   "))
            bare = RULE.sub("=", bare)  # as wide as the tool's own queue
            lines.append(sorted(bare.split()))
    return sorted(lines)


def lines_of(*lines: str) -> list[list[str]]:
    """What ``plain`` makes of some lines."""
    return plain("\n".join(lines))


# -- the same tool in both languages -------------------------------------------------------


def test_the_life_of_everything(qpid_config: Tool, shared: Cluster) -> None:
    at = ("-b", shared.primary.address)

    def done(*command: str) -> None:
        assert qpid_config(*command, *at)[0] == 0, command

    def refused(why: str, *command: str) -> None:
        status, said = qpid_config(*command, *at)
        assert (status, said.startswith("Failed: ")) == (1, True)
        assert why in said

    done("add", "queue", "life.q", "--durable", "--max-queue-count", "9", "--argument", "a=b")
    refused("already exists", "add", "queue", "life.q")
    done("add", "exchange", "topic", "life.x", "--replicate", "configuration")
    refused("already exists", "add", "exchange", "topic", "life.x")
    refused("Exchange type not implemented", "add", "exchange", "moon", "life.y")
    done("bind", "life.x", "life.q", "a.#")
    done("bind", "amq.match", "life.q", "h", "any", "colour=red", "size=3")
    refused("not found", "bind", "life.x", "missing", "k")
    status, said = qpid_config("queues", "life.q", "-r", *at)
    assert status == 0
    assert plain(said) == lines_of(
        "Queue 'life.q'",
        "    bind [life.q] => ''",
        "    bind [a.#] => life.x",
        "    bind [h] => amq.match {'x-match': 'any', 'colour': 'red', 'size': '3'}",
    )
    assert qpid_config("queues", "life.none", *at) == (1, "")
    assert qpid_config("exchanges", "life.none", *at) == (1, "")
    status, said = qpid_config("list", "exchange", *at)
    assert ["life.x", "topic", "False"] in [line.split() for line in said.splitlines()]
    done("unbind", "life.x", "life.q", "a.#")
    done("unbind", "life.x", "life.q", "a.#")
    assert shared.queues(shared.backup, "life") == ["life.q"]
    done("del", "exchange", "life.x")
    refused("not found", "del", "exchange", "life.x")
    done("del", "queue", "life.q")
    refused("not found", "del", "queue", "life.q")
    refused("this version has no objects of type link", "add", "link", "life.l")
    assert qpid_config("reload-acl", *at) == (0, "Failed: ACL Module Not Loaded in Broker\n")
    assert qpid_config("log", *at) == (0, "Log level: notice+\n")
    assert qpid_config("dance", *at)[0] == 1
    assert qpid_config("--dance", *at)[0] == 2
    assert shared.queues(shared.backup, "life") == []


SAME = (
    "",
    "exchanges",
    "exchanges same",
    "exchanges -r",
    "exchanges -r same --ignore-default",
    "queues same",
    "queues same -r",
    "queues same.q --recursive --ignore-default",
    "list queue",
    "list exchange --show-property name --show-property altExchange --show-property durable",
    "list binding --show-property bindingKey --show-property exchangeRef --show-property x",
    "list nothing",
)
SAME_TO_THE_BLANK = ("exchanges same", "exchanges")


def test_both_print_the_same(shared: Cluster) -> None:
    ours, genuine = our_tool("qpid_config"), genuine_or_skip("qpid-config")
    at = ("-b", shared.primary.address)
    for line in (
        "add exchange headers same.h --durable --sequence --ive --alternate-exchange amq.fanout",
        "add queue same.q --durable --limit-policy ring --max-queue-size 5 --file-count 4",
        "add queue same.r --replicate none --alternate-exchange same.h --argument n=1",
        "bind same.h same.q k all a=1",
        "bind amq.topic same.q a.b.c",
        "bind amq.fanout same.r",
    ):
        assert genuine(*line.split(), *at)[0] == 0
    try:
        for line in SAME:
            status, said = ours(*line.split(), *at)
            theirs = genuine(*line.split(), *at)
            assert (status, plain(said)) == (theirs[0], plain(theirs[1])), line
            if line in SAME_TO_THE_BLANK:
                assert UNICODE.sub(r"\1", theirs[1]) == said
    finally:
        for name in ("queue same.q", "queue same.r", "exchange same.h"):
            ours("del", *name.split(), *at)


# -- on a backup ---------------------------------------------------------------------------


def test_a_backup_shows_itself_to_tools_and_changes_nothing(
    qpid_config: Tool, shared: Cluster
) -> None:
    primary, backup = ("-b", shared.primary.address), ("-b", shared.backup.address)
    assert qpid_config("add", "queue", "there.q", *primary)[0] == 0
    try:
        assert qpid_config("queues", "there", "-t", "3", *backup)[0] == 1, "an ordinary client"
        status, said = qpid_config("queues", "there", "--ha-admin", *backup)
        assert (status, "there.q" in said) == (0, True)
        for line in (
            "add queue there.new",
            "add exchange topic there.new",
            "del queue there.q",
            "bind amq.topic there.q k",
        ):
            status, said = qpid_config(*line.split(), "--ha-admin", *backup)
            assert (status, "only the primary may" in said) == (1, True), line
        assert shared.queues(shared.backup, "there") == ["there.q"]
    finally:
        assert qpid_config("del", "queue", "there.q", *primary)[0] == 0
    assert shared.queues(shared.backup, "there") == []


# -- the genuine qpid-stat -----------------------------------------------------------------


def rows(said: str, title: str) -> list[list[str]]:
    """The words of each row of the table called ``title``."""
    lines = iter(said.splitlines())
    assert any(line == title for line in lines), said
    assert next(lines, "").split(), "heads"
    assert set(next(lines).strip()) == {"="}
    found = []
    for line in lines:
        if not line.strip():
            break
        found.append(line.split())
    return found


def test_qpid_stat_on_both(shared: Cluster) -> None:
    stat, config = genuine_or_skip("qpid-stat"), our_tool("qpid_config")
    primary = ("-b", shared.primary.address)
    assert config("add", "queue", "stat.q", "--durable", *primary)[0] == 0
    assert config("bind", "amq.topic", "stat.q", "k", *primary)[0] == 0
    for at in (primary, ("--ha-admin", "-b", shared.backup.address)):

        def said(*words: str, at: tuple[str, ...] = at) -> str:
            status, text = stat(*words, *at)
            assert status == 0, text
            return text

        queues = {row[0]: row[1:] for row in rows(said("-q"), "Queues")}
        assert queues["stat.q"] == ["Y", *["0"] * 7, "2"]
        exchanges = {row[0]: row[1:] for row in rows(said("-e"), "Exchanges")}
        assert exchanges["amq.topic"][:3] == ["topic", "Y", "1"]
        one = said("-q", "stat.q")
        assert rows(one, "Properties:") == [["stat.q", "Y", "N", "N", "N", "0", "0", "2"]]
        assert ["queue-depth", "0", "0"] in rows(one, "Statistics:")
        (summary,) = rows(said("-g"), "Broker Summary:")
        assert summary[-5] == "<standalone>"
        assert int(summary[-2]) == len(exchanges)
        assert int(summary[-1]) >= 2
        counts = dict(row[:2] for row in rows(said("-g"), "Aggregate Broker Statistics:"))
        assert int(counts["total-enqueues"].replace(",", "")) > 0
        connections = rows(said("-c"), "Connections")
        assert [row[1] for row in connections if row[1] == "qpid-stat"] == ["qpid-stat"]
        assert all("ANONYMOUS" in row for row in connections)
        mine = [row for row in rows(said("-u"), "Subscriptions") if "qpid-stat" in row]
        assert [row[-3:] for row in mine] == [["CREDIT", "0", "0"]]
        heap = {row[0]: row[1] for row in rows(said("-m"), "Broker Memory Statistics:")}
        assert len(heap) == 7
        assert said("--acl") == "ACL Policy Module is not installed\n"
        assert stat("-q", "missing", *at) == (0, "Queue 'missing' not found\n")
    assert stat("-q", "-b", shared.backup.address)[0] == 1, "an ordinary client"
    assert config("del", "queue", "stat.q", *primary)[0] == 0


# -- what was answered is safe -------------------------------------------------------------


def test_a_change_waits_for_a_backup_that_is_stopped(qpid_config: Tool, own: Cluster) -> None:
    own.backup.kick(signal.SIGSTOP)
    running = qpid_config.start("add", "queue", "late", "-b", own.primary.address)
    try:
        wait_until("it is done", lambda: "late" in own.queues(own.primary), SETTLE_S)
        time.sleep(0.5)
        assert running.poll() is None, "and not told: the backup has not got it"
    finally:
        own.backup.kick(signal.SIGCONT)
    assert running.wait(SETTLE_S) == 0
    assert own.queues(own.backup) == ["late"]


def test_what_was_answered_survives_the_primary(qpid_config: Tool, own: Cluster) -> None:
    at = ("-b", own.primary.address)
    for number in range(5):
        assert qpid_config("add", "queue", f"kept.{number}", *at)[0] == 0
        assert qpid_config("bind", "amq.topic", f"kept.{number}", f"k.{number}", *at)[0] == 0
    own.primary.stop(signal.SIGKILL)
    own.promote(own.backup)
    assert sorted(own.queues(own.backup)) == [f"kept.{number}" for number in range(5)]
    status, said = qpid_config("exchanges", "amq.topic", "-r", "-b", own.backup.address)
    assert (status, "    bind [k.4] => kept.4" in said.splitlines()) == (0, True)

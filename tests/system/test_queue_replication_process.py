"""``qpid-ha replicate`` between real processes, by both tools; and a cluster that fails over."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tanist.cli.qmf_client import ClientOptions, QmfClient, QmfError
from tanist.ha.url import parse_url
from tanist.wire.amqp010.codec import encode_header, make
from tanist.wire.amqp010.events import Completed, Result, Transfer
from tanist.wire.amqp010.transfer import encode_transfer
from tests.system.broker_processes import (
    SETTLE_S,
    BrokerProcess,
    Tool,
    cluster,
    free_ports,
    genuine_or_skip,
    our_tool,
    wait_for,
    wait_until,
)

ALONE = ("--ha-cluster=no", "--ha-queue-replication=yes", "--auth=no")


@contextmanager
def standalone(folder: Path, *options: str) -> Iterator[BrokerProcess]:
    """A broker outside a cluster that replicates queues."""
    (port,) = free_ports(1)
    process = BrokerProcess(port, [], folder, *ALONE, *options)
    process.start()
    try:
        yield process
    finally:
        process.end()
    assert "Traceback" not in process.log_path.read_text()


@pytest.fixture(name="pair")
def source_and_copy(tmp_path: Path) -> Iterator[tuple[BrokerProcess, BrokerProcess]]:
    with standalone(tmp_path) as source, standalone(tmp_path) as copy:
        yield source, copy


class Client(QmfClient):
    """A client that publishes and looks, beside what a tool does."""

    def __init__(self, broker: BrokerProcess, timeout_s: float = 20.0) -> None:
        super().__init__(parse_url(broker.address), ClientOptions(timeout_s=timeout_s))

    def run(self, command: str, **fields: object) -> None:
        """Do one command, until it is complete."""
        assert self._session is not None
        self.confirm(self._session.send(make(command, **fields), sync=True))  # type: ignore[arg-type]

    def publish(self, *bodies: bytes, queue: str = "q") -> None:
        """Publish and wait for the confirmation of all. Raises: QmfError if it does not come."""
        assert self._session is not None
        header = encode_header([make("message.delivery-properties", routing_key=queue)])
        for body in bodies:
            self._session.send_transfer(encode_transfer("", 1, 0), header, body)
        self.confirm(self._session.send(make("execution.sync"), sync=True))

    def confirm(self, command_id: int) -> None:
        """Wait until everything up to that command is complete."""
        while True:
            event = self._wait_for(Completed)
            assert isinstance(event, Completed)
            if any(first <= command_id <= last for first, last in event.ranges):
                return

    def bodies(self, queue: str = "q", *, take: int = 0) -> list[bytes]:
        """All that is on a queue; or take so many from it."""
        assert self._session is not None
        session, count = self._session, take or self.depth(queue)
        mode = 0 if take else 1
        session.send(
            make(
                "message.subscribe",
                queue=queue,
                destination="look",
                accept_mode=1,
                acquire_mode=mode,
            )
        )
        session.send(make("message.flow", destination="look", unit=1, value=0xFFFFFFFF))
        session.send(make("message.flow", destination="look", unit=0, value=count))
        found: list[bytes] = []
        while len(found) < count:
            event = self._wait_for(Transfer)
            assert isinstance(event, Transfer)
            found.append(event.body)
        self.run("message.cancel", destination="look")
        return found

    def depth(self, queue: str = "q") -> int:
        """Messages that are available on a queue."""
        assert self._session is not None
        asked = self._session.send(make("queue.query", queue=queue), sync=True)
        while True:
            event = self._wait_for(Result)
            assert isinstance(event, Result)
            if event.command_id == asked:
                assert event.value is not None
                return event.value.number("message_count")


def declare(*brokers: BrokerProcess, queue: str = "q") -> None:
    for broker in brokers:
        with Client(broker) as client:
            client.run("queue.declare", queue=queue)


def publish(broker: BrokerProcess, first: int, count: int) -> None:
    with Client(broker) as client:
        client.publish(*(b"%d" % number for number in range(first, first + count)))


def bodies(broker: BrokerProcess) -> list[bytes]:
    with Client(broker) as client:
        return client.bodies()


def rows(broker: BrokerProcess) -> list[dict[str, object]]:
    """The replicas that ``qpid-ha query --json`` shows."""
    found = json.loads(our_tool()("query", "--json", "-b", broker.address)[1])["replicas"]
    assert isinstance(found, list)
    return found


def in_sync(broker: BrokerProcess) -> None:
    """Wait until all its copies are."""
    wait_until("in sync", lambda: {row["state"] for row in rows(broker)} == {"in-sync"}, SETTLE_S)


def replicate_words(tool: Tool, source: BrokerProcess, ours: bool) -> tuple[str, ...]:
    """The guide's order for our tool, the original's for its own."""
    return ("replicate", "q", source.address) if ours else ("replicate", source.address, "q")


@pytest.mark.parametrize("ours", [True, False], ids=["our tool", "genuine tool"])
def test_a_queue_is_replicated(pair: tuple[BrokerProcess, BrokerProcess], ours: bool) -> None:
    source, copy = pair
    tool = our_tool() if ours else genuine_or_skip("qpid-ha")
    declare(source, copy)
    publish(source, 0, 2000)
    assert tool(*replicate_words(tool, source, ours), "-b", copy.address)[0] == 0, tool.errors
    in_sync(copy)
    publish(source, 2000, 100)
    expected = [b"%d" % number for number in range(2100)]
    assert bodies(copy) == expected, "what was confirmed is there, in order"
    with Client(source) as client:
        assert client.bodies(take=50) == expected[:50]
    wait_until("dequeued", lambda: bodies(copy) == expected[50:], SETTLE_S)
    assert rows(copy) == [
        {
            "queue": "q",
            "source": f"amqp:tcp:{source.address}",
            "state": "in-sync",
            "reason": "",
            "lag": 0,
        }
    ]
    assert our_tool()("unreplicate", "q", "-b", copy.address)[0] == 0
    publish(source, 2100, 1)
    assert len(bodies(copy)) == 2050


@pytest.mark.parametrize("ours", [True, False], ids=["our tool", "genuine tool"])
def test_qpid_config_starts_a_replica(
    pair: tuple[BrokerProcess, BrokerProcess], ours: bool
) -> None:
    source, copy = pair
    declare(source)
    publish(source, 0, 10)
    tool = our_tool("qpid_config") if ours else genuine_or_skip("qpid-config")
    words = ("add", "queue", "q", "--start-replica", source.address, "-b", copy.address)
    assert tool(*words)[0] == 0, tool.errors
    in_sync(copy)
    assert len(bodies(copy)) == 10


def test_a_source_that_dies_and_comes_back_empty(
    pair: tuple[BrokerProcess, BrokerProcess],
) -> None:
    source, copy = pair
    declare(source, copy)
    publish(source, 0, 100)
    assert our_tool()("replicate", "q", source.address, "-b", copy.address)[0] == 0
    in_sync(copy)
    source.stop(signal.SIGKILL)
    wait_until("noticed", lambda: rows(copy)[0]["state"] == "connecting", SETTLE_S)
    assert len(bodies(copy)) == 100
    source.start()
    wait_until("ended", lambda: rows(copy) == [], SETTLE_S)
    assert len(bodies(copy)) == 100
    assert len(copy.lines("is no longer copied from")) == 1


def test_a_stopped_copy_delays_a_producer_and_catches_up(tmp_path: Path) -> None:
    with standalone(tmp_path, "--ha-ack-timeout=1") as source, standalone(tmp_path) as copy:
        declare(source, copy)
        assert our_tool()("replicate", "q", source.address, "-b", copy.address)[0] == 0
        in_sync(copy)
        copy.kick(signal.SIGSTOP)
        try:
            began = time.monotonic()
            publish(source, 0, 10)
            assert time.monotonic() - began > 0.9
            began = time.monotonic()
            publish(source, 10, 10)
            assert time.monotonic() - began < 0.9
        finally:
            copy.kick(signal.SIGCONT)
        assert len(source.lines("did not acknowledge for 1 s")) == 1
        wait_until("caught up", lambda: len(bodies(copy)) == 20, SETTLE_S)


def test_a_wrong_password_is_one_line(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text("ha:secret\n")
    with (
        standalone(tmp_path, "--auth=yes", f"--password-file={passwords}") as source,
        standalone(tmp_path, "--ha-username=ha", "--ha-password=wrong") as copy,
    ):
        declare(copy)
        assert our_tool()("replicate", "q", source.address, "-b", copy.address)[0] == 0
        wait_until("refused", lambda: rows(copy)[0]["state"] == "refused", SETTLE_S)
        time.sleep(2.0)  # ten maintenance intervals
        (line,) = copy.lines("cannot be copied from")
        assert "refuses the link as user ha: Authentication failed" in line


def test_a_copy_of_a_cluster_follows_its_failover(tmp_path: Path) -> None:
    """Everything that was confirmed is in the copy, once."""
    qpid_ha = our_tool()
    with cluster(tmp_path, 2, "--auth=no") as members, standalone(tmp_path) as copy:
        first, second = members
        assert qpid_ha("promote", "-b", first.address)[0] == 0
        wait_for(qpid_ha, members, "active", "ready")
        declare(first, copy)
        url = ",".join(member.address for member in members)
        assert qpid_ha("replicate", "q", url, "-b", copy.address)[0] == 0
        in_sync(copy)
        confirmed = 0
        try:
            with Client(first, timeout_s=5.0) as client:
                while True:
                    client.publish(*(b"%d" % number for number in range(confirmed, confirmed + 50)))
                    confirmed += 50
                    if confirmed == 1000:
                        first.stop(signal.SIGKILL)
        except QmfError:
            pass
        assert confirmed >= 1000
        assert qpid_ha("promote", "-b", second.address)[0] == 0
        in_sync(copy)
        publish(second, 1_000_000, 50)
        there = bodies(copy)
        assert there == bodies(second)
        assert len(there) == len(set(there)), "doubled"
        wanted = {b"%d" % number for number in range(confirmed)}
        wanted |= {b"%d" % number for number in range(1_000_000, 1_000_050)}
        assert wanted <= set(there), "lost"

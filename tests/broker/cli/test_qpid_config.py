"""qpid-config: what it prints, what it does and how it ends, against a real broker."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from tanist.cli import qmf_client, qpid_config, qpid_ha
from tanist.types import ReplicationLevel
from tests.broker.cli.loopback import DeafServer, LoopbackBroker, free_address
from tests.broker.core.core_model import publish

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def broker() -> Iterator[LoopbackBroker]:
    with LoopbackBroker(ha_cluster=False, log_rules="notice+") as running:
        yield running


@pytest.fixture
def run(broker: LoopbackBroker, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the tool on the broker; returns exit status and output. Nothing goes to stderr."""

    def run(*words: str) -> tuple[int, str]:
        status = qpid_config.main([*words, "-b", broker.address])
        said = capsys.readouterr()
        assert said.err == ""
        return status, said.out

    return run


def failed(text: str) -> tuple[int, str]:
    return 1, f"Failed: Exception: {text}\n"


# -- changing ------------------------------------------------------------------------------


def test_the_life_of_a_queue(broker: LoopbackBroker, run: Run) -> None:
    assert run("add", "queue", "q", "--durable", "--max-queue-count", "5", "--argument", "a=x") == (
        0,
        "",
    )
    queue = broker.node.broker.queues["q"]
    assert queue.durable
    assert queue.arguments == {"qpid.max_count": 5, "a": "x"}
    assert queue.creator == "anonymous@QPID"
    assert run("add", "queue", "q") == failed("Queue q already exists")
    assert run("del", "queue", "q") == (0, "")
    assert run("del", "queue", "q") == failed("Queue not found: q")


def test_replicate_says_what_the_default_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    with LoopbackBroker(ha_replicate="none") as broker:
        assert qpid_ha.main(["promote", "-b", broker.address]) == 0
        for name, words in (("kept", ["--replicate", "all"]), ("local", [])):
            assert qpid_config.main(["add", "queue", name, *words, "-b", broker.address]) == 0
        queues = broker.node.broker.queues
        assert (queues["kept"].level, queues["local"].level) == (
            ReplicationLevel.ALL,
            ReplicationLevel.NONE,
        )
    assert capsys.readouterr().err == ""


def test_an_exchange_and_its_bindings(broker: LoopbackBroker, run: Run) -> None:
    words = ("--durable", "--sequence", "--ive", "--alternate-exchange", "amq.fanout")
    assert run("add", "exchange", "topic", "x", *words, "--replicate", "none") == (0, "")
    exchange = broker.node.broker.exchanges["x"]
    assert (exchange.type, exchange.durable) == ("topic", True)
    assert exchange.alternate_exchange == "amq.fanout"
    assert set(exchange.arguments) == {"qpid.msg_sequence", "qpid.ive", "qpid.replicate"}
    run("add", "queue", "q")
    assert run("bind", "x", "q", "a.#") == (0, "")
    assert run("bind", "x", "q") == (0, "")
    assert [binding.key for binding in exchange.bindings.values()] == ["a.#", ""]
    assert run("unbind", "x", "q", "a.#") == (0, "")
    assert len(exchange.bindings) == 1
    assert run("del", "exchange", "x") == (0, "")
    assert run("del", "exchange", "x") == failed("Exchange not found: x")


def test_headers_bindings(broker: LoopbackBroker, run: Run) -> None:
    run("add", "queue", "q")
    assert run("bind", "amq.match", "q", "k", "all", "colour=red", "size=3") == (0, "")
    (binding,) = broker.node.broker.exchanges["amq.match"].bindings.values()
    assert binding.arguments == {"x-match": "all", "colour": "red", "size": "3"}
    assert run("bind", "amq.match", "q", "l", "colour=red", "size=3") == (
        1,
        "Failed: Usage: Invalid condition arg to bind headers, need 'any' or 'all', not"
        " 'colour=red'\n",
    )
    assert len(broker.node.broker.exchanges["amq.match"].bindings) == 1


def test_an_exchange_of_type_xml_is_refused(
    broker: LoopbackBroker, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("add", "queue", "q")
    assert run("add", "exchange", "xml", "x")[1].startswith(
        "Failed: Exception: Exchange type not implemented: xml"
    )
    monkeypatch.setattr(
        qmf_client.QmfClient, "find", lambda self, name: {"_values": {"type": b"xml"}}
    )
    assert run("bind", "x", "q", "-f", "query.xq") == (
        1,
        "Failed: Usage: cannot bind to xml exchange x: this tool has no XQuery\n",
    )


@pytest.mark.parametrize(
    ("force", "says"),
    [
        ((), "Cannot delete queue q; queue not empty"),
        (("--force-if-used",), "Cannot delete queue q; queue not empty"),
        (("--force-if-not-empty",), None),
        (("--force",), None),
    ],
)
def test_deleting_what_is_not_empty(
    broker: LoopbackBroker, run: Run, force: tuple[str, ...], says: str | None
) -> None:
    run("add", "queue", "q")
    publish(broker.node.broker, b"1")
    assert run("del", "queue", "q", *force) == ((0, "") if says is None else failed(says))


def test_other_types_are_left_to_the_broker(broker: LoopbackBroker, run: Run) -> None:
    run("add", "queue", "q")
    assert run("add", "topic", "x", "--argument", "exchange-type=fanout") == (0, "")
    assert broker.node.broker.exchanges["x"].type == "fanout"
    assert run("add", "binding", "x/q/k") == (0, "")
    assert run("del", "binding", "x/q/k") == (0, "")
    assert run("del", "topic", "x") == (0, "")
    assert run("add", "link", "l") == failed(
        "Cannot create link l: this version has no objects of type link"
    )


def test_start_replica_makes_the_queue_and_asks(broker: LoopbackBroker, run: Run) -> None:
    status, said = run("add", "queue", "q", "--start-replica", "other:5672")
    assert status == 1
    assert "No object found with ID=org.apache.qpid.ha:habroker:ha-broker" in said
    assert "q" in broker.node.broker.queues


# -- looking -------------------------------------------------------------------------------


def test_summary(run: Run) -> None:
    run("add", "queue", "q", "--durable")
    status, said = run()
    lines = said.splitlines()
    assert (status, lines[0]) == (0, "Total Exchanges: 8")
    assert "         direct: 3" in lines
    assert lines[-3:] == ["   Total Queues: 2", "        durable: 1", "    non-durable: 1"]
    data = json.loads(run("--json")[1])
    assert data["queues"] == {"total": 2, "durable": 1, "nonDurable": 1}


def test_lists(run: Run) -> None:
    run("add", "queue", "some.queue", "--max-queue-count=7")
    run("add", "exchange", "fanout", "some.exchange")
    run("bind", "some.exchange", "some.queue", "k")
    assert run("queues", "some") == (
        0,
        "Queue Name  Attributes\n"
        "===================================\n"
        "some.queue  --max-queue-count=7 \n",
    )
    status, said = run("exchanges")
    assert (status, said.splitlines()[-1]) == (0, "fanout    some.exchange      ")
    assert run("queues", "some", "-r") == (
        0,
        "Queue 'some.queue'\n    bind [some.queue] => ''\n    bind [k] => some.exchange\n",
    )
    assert run("exchanges", "some", "--bindings") == (
        0,
        "Exchange 'some.exchange' (fanout)\n    bind [k] => some.queue\n",
    )
    assert "''" not in run("queues", "some", "-r", "--ignore-default")[1]
    assert "Exchange ''" not in run("exchanges", "-r", "--ignore-default")[1]


@pytest.mark.parametrize("command", ["queues", "exchanges"])
def test_a_list_that_matches_nothing_fails(run: Run, command: str) -> None:
    assert run(command, "missing") == (1, "")
    assert run(command, "missing", "-r") == (0, "")
    assert run(command, "missing", "--json") == (1, "[]\n")
    assert run(command, "missing", "-r", "--json") == (0, "[]\n")


def test_lists_as_json(run: Run) -> None:
    run("add", "queue", "q", "--alternate-exchange", "amq.fanout")
    run("bind", "amq.direct", "q", "k")
    (queue,) = json.loads(run("queues", "q", "--json")[1])[:1]
    assert (queue["name"], queue["altExchange"]) == ("q", "amq.fanout")
    assert "bindings" not in queue
    (queue,) = json.loads(run("queues", "q", "-r", "--json")[1])[:1]
    assert [each["exchangeRef"] for each in queue["bindings"]] == ["", "amq.direct"]
    (queue,) = json.loads(run("queues", "q", "-r", "--json", "--ignore-default")[1])[:1]
    assert [each["exchangeRef"] for each in queue["bindings"]] == ["amq.direct"]
    (exchange,) = json.loads(run("exchanges", "amq.direct", "-r", "--json")[1])
    assert exchange["bindings"][0] == {"queueRef": "q", "bindingKey": "k", "arguments": {}}
    (exchange,) = json.loads(run("exchanges", "amq.direct", "--json")[1])
    assert exchange["type"] == "direct"


def test_any_class(run: Run) -> None:
    run("add", "queue", "q")
    status, said = run("list", "queue", "--show-property", "name", "--show-property", "msgDepth")
    assert status == 0
    assert said.splitlines()[1].split() == ["name", "msgDepth"]
    assert ["q", "0"] in [line.split() for line in said.splitlines()]
    assert run("list", "Broker")[1].startswith("Objects of type 'Broker'\n  name ")
    assert run("list", "nothing") == (0, "Objects of type 'nothing'\n")
    (data,) = json.loads(run("list", "broker", "--json")[1])
    assert (data["name"], data["queueCount"]) == ("amqp-broker", 2)
    (data,) = json.loads(run("list", "broker", "--json", "--show-property", "version")[1])
    assert set(data) == {"version"}


def test_log_and_acl_and_shutdown(run: Run) -> None:
    assert run("log") == (0, "Log level: notice+\n")
    assert run("log", "--json") == (0, '{"level": "notice+"}\n')
    assert "has no method 'setLogLevel'" in run("log", "debug+")[1]
    assert run("reload-acl") == (0, "Failed: ACL Module Not Loaded in Broker\n")
    assert run("shutdown")[0] == 1


def test_what_the_broker_does_when_it_can(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def call(self, name, method, arguments):
        calls.append((method, arguments))
        if method == "shutdown":
            raise qmf_client.QmfError("connection lost")
        return {}

    monkeypatch.setattr(qmf_client.QmfClient, "call", call)
    assert run("log", "debug+") == (0, "")
    assert run("reload-acl") == (0, "")
    assert run("shutdown") == (0, "")
    assert run("add", "queue", "q", "--start-replica", "other") == (0, "")
    assert [method for method, _ in calls] == [
        "setLogLevel",
        "reloadACLFile",
        "shutdown",
        "create",
        "replicate",
    ]
    assert calls[-1][1] == {"broker": "other", "queue": "q"}


def test_other_failures_of_the_acl_are_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def call(self, name, method, arguments):
        raise qmf_client.QmfError("line 3 is wrong", "Exception")

    monkeypatch.setattr(qmf_client.QmfClient, "call", call)
    assert run("reload-acl") == failed("line 3 is wrong")


def test_changes_as_json(run: Run) -> None:
    assert json.loads(run("add", "queue", "q", "--json")[1]) == {
        "command": "add",
        "type": "queue",
        "name": "q",
        "ok": True,
    }
    assert json.loads(run("bind", "amq.topic", "q", "k", "--json")[1])["name"] == "amq.topic/q/k"


# -- failing -------------------------------------------------------------------------------


def test_failures_as_json_leave_the_output_alone(
    broker: LoopbackBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    assert qpid_config.main(["del", "queue", "q", "--json", "-b", broker.address]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "Failed: Exception: Queue not found: q\n")


@pytest.mark.parametrize(
    "words",
    [
        ("dance",),
        ("add",),
        ("add", "queue"),
        ("add", "exchange"),
        ("add", "exchange", "topic"),
        ("del", "exchange"),
        ("del",),
        ("bind", "x"),
        ("unbind", "x"),
        ("list",),
    ],
    ids=" ".join,
)
def test_words_that_make_no_command(words, capsys: pytest.CaptureFixture[str]) -> None:
    assert qpid_config.main([*words, "-b", free_address()]) == 1
    said = capsys.readouterr()
    assert said.out.startswith("usage: qpid-config [OPTION...]")
    assert said.err == ""


@pytest.mark.parametrize(
    "words",
    [("--dance",), ("-b",), ("--timeout", "soon"), ("add", "queue", "q", "--limit-policy", "x")],
    ids=" ".join,
)
def test_options_that_do_not_exist(words, capsys: pytest.CaptureFixture[str]) -> None:
    assert qpid_config.main(list(words)) == 2
    assert "qpid-config: error: " in capsys.readouterr().err


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert qpid_config.main(["--help"]) == 0
    said = capsys.readouterr().out
    for word in ("bind EXCHANGE QUEUE", "--replicate", "--ha-admin", "--max-queue-count"):
        assert word in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--ssl-key", "k"), "Failed: Usage: TLS is not available"),
        (("--timeout", "-1"), "Failed: Usage: --timeout -1: it must not be negative"),
        (("-b", ":"), "Failed: Usage: Invalid URL"),
    ],
)
def test_what_cannot_be_used(words, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert qpid_config.main(list(words)) == 1
    assert capsys.readouterr().out.startswith(says)


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    address = free_address()
    assert qpid_config.main(["-a", address]) == 1
    assert capsys.readouterr().out.startswith(
        f"Failed: ConnectError: cannot connect to {address}: "
    )


def test_a_broker_that_does_not_answer(capsys: pytest.CaptureFixture[str]) -> None:
    with DeafServer() as deaf:
        assert qpid_config.main(["-t", "1", "-b", f"amqp://{deaf.address}"]) == 1
    assert capsys.readouterr().out.startswith("Failed: Timeout: no answer from ")


def test_interrupted(
    broker: LoopbackBroker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def query(self, class_name):
        raise KeyboardInterrupt

    monkeypatch.setattr(qmf_client.QmfClient, "query", query)
    assert qpid_config.main(["-b", broker.address]) == 130
    assert capsys.readouterr().err == "Failed: interrupted\n"


# -- backups -------------------------------------------------------------------------------


def test_a_backup_lets_in_only_who_says_that_he_is_a_tool(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with LoopbackBroker(ha_replicate="all") as backup:
        at = ("-b", backup.address)
        assert qpid_config.main(["queues", *at]) == 1
        said = capsys.readouterr().out
        assert said.startswith("Failed: ConnectionError: connection to ")
        assert "if it is a backup, use --ha-admin" in said
        assert qpid_config.main(["--ha-admin", *at]) == 0
        assert capsys.readouterr().out.startswith("Total Exchanges: ")
        assert qpid_config.main(["add", "queue", "q", "--ha-admin", *at]) == 1
        assert capsys.readouterr().out == (
            "Failed: Exception: Queue q would be replicated: only the primary may create it"
            " (or say qpid.replicate=none)\n"
        )
        words = ["add", "queue", "q", "--replicate", "none", "--ha-admin", *at]
        assert qpid_config.main(words) == 0
        assert qpid_ha.main(["promote", *at]) == 0
        assert qpid_config.main(["add", "queue", "r", *at]) == 0
        assert backup.node.broker.queues["r"].number

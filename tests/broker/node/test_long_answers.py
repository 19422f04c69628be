"""Long lists and long work: nobody waits for them, and they wait for their readers."""

from __future__ import annotations

from tanist.core.digest import PIECE_MESSAGES
from tanist.core.notices import Actor
from tanist.management.answers import OBJECTS_PER_MESSAGE
from tanist.node.long_answers import AHEAD_MAX, IDLE_MAX_S, TAKES_PER_STEP, UNFINISHED_MAX
from tanist.node.outputs import Send
from tanist.wire.amqp010.codec import decode_list, decode_map
from tanist.wire.amqp010.values import Value
from tests.broker.node.console import Console
from tests.broker.node.network import Admin, Guest, Host, Network, promote, running

QUEUES: dict[str, Value] = {"_what": "OBJECT", "_schema_id": {"_class_name": "queue"}}
"""The body of a query for all queues."""


def alone() -> Host:
    """A broker without a cluster."""
    return Host(Network(), "a", 1, ha_cluster=False)


def many_queues(host: Host, count: int) -> None:
    """Queues nobody asked for through the wire."""
    broker = host.node.broker
    for number in range(count):
        broker.declare_queue(f"q{number:05}", Actor("", ""))
    broker.notices.clear()


def test_a_long_list_takes_many_steps_and_nobody_waits() -> None:
    host = alone()
    many_queues(host, 1_000)
    console = Console(host)
    session = Guest(host).session()
    host.outputs.clear()
    asked = console.start_broker("echo", sequence=1)
    query = console.request("_query_request", QUEUES)
    session.do("queue.declare", queue="mine")
    host.network.run()
    parts = console.parts(query)
    assert [len(decode_list(part)) for part in parts] == [OBJECTS_PER_MESSAGE] * 10 + [1]
    names = [
        element["_values"]["name"]  # type: ignore[index, call-overload]
        for part in parts
        for element in decode_list(part)
    ]
    assert len(set(names)) == 1_001
    longest = max(len(output.data) for output in host.outputs if isinstance(output, Send))
    assert longest < 2_000_000, "a step sends a few messages of it, not all"
    assert console.error_of(asked) == ""


def test_an_answer_waits_for_its_reader() -> None:
    host = alone()
    many_queues(host, 3_000)
    console = Console(host)
    host.writable(console.wire, False)
    query = console.request("_query_request", QUEUES)
    host.network.advance(1.0)
    reply_queue = host.node.broker.queues[console._queue]
    assert reply_queue.count == AHEAD_MAX + 1
    host.writable(console.wire, True)
    host.network.advance(0.5)
    assert len(console.parts(query)) == 31


def test_an_answer_that_nobody_reads_is_given_up() -> None:
    host = alone()
    many_queues(host, 3_000)
    console = Console(host)
    host.writable(console.wire, False)
    console.request("_query_request", QUEUES)
    host.network.advance(IDLE_MAX_S - 1.0)
    assert host.node._management.unfinished
    host.network.advance(2.0)
    assert not host.node._management.unfinished


def test_an_answer_whose_reader_is_gone_is_given_up_at_once() -> None:
    host = alone()
    many_queues(host, 3_000)
    console = Console(host)
    host.writable(console.wire, False)
    console.request("_query_request", QUEUES)
    assert host.node._management.unfinished
    console.hang_up()
    assert not host.node._management.unfinished


def test_a_reply_queue_that_is_full_ends_the_answer() -> None:
    host = alone()
    many_queues(host, 1_000)
    console = Console(host)
    session = console.session()
    session.do("queue.declare", queue="small", arguments={"qpid.max_count": 3})
    session.do("exchange.bind", queue="small", exchange="amq.direct", binding_key="small")
    console.request(
        "_query_request",
        QUEUES,
        answer_to="small",
    )
    assert host.node.broker.queues["small"].count == 3
    assert not host.node._management.unfinished


def test_several_long_answers_go_on_together() -> None:
    host = alone()
    many_queues(host, 1_000)
    consoles = [Console(host) for _ in range(TAKES_PER_STEP * 2 + 1)]
    for console in consoles:
        console.pump = console.flush  # type: ignore[method-assign]
    asked = [console.request("_query_request", QUEUES) for console in consoles]
    host.network.run()
    counts = [len(console.parts(query)) for console, query in zip(consoles, asked, strict=True)]
    assert set(counts) == {11}


def test_too_many_long_answers_are_refused() -> None:
    host = alone()
    many_queues(host, 3_000)
    slow, console = Console(host), Console(host)
    host.writable(slow.wire, False)
    for _ in range(UNFINISHED_MAX):
        slow.request("_query_request", QUEUES)
    assert "ask again later" in str(console.error_of(console.request("_query_request", QUEUES)))


def test_long_work_is_done_over_several_steps_and_then_answered() -> None:
    network, (a, b) = running("a", "b")
    console = Console(a)
    assert console.create("queue", "q") == ""
    assert console.create("queue", "r") == ""
    session = Guest(a).session()
    for number in range(10_000):
        session.publish("q", b"%d" % number, pump=False)
    session.client.pump()
    network.advance(0.1)
    a.outputs.clear()
    assert console.ask_broker("queueMoveMessages", srcQueue="q", destQueue="r", qty=0) == ""
    assert (a.bodies("q"), len(a.bodies("r"))) == ([], 10_000)
    network.advance(0.1)
    assert b.bodies("r") == a.bodies("r") == [b"%d" % number for number in range(10_000)]
    batches = [o for o in a.outputs if isinstance(o, Send) and len(o.data) > 50_000]
    assert len(batches) >= 3, "one batch a piece"


def test_work_goes_on_without_whoever_asked_for_it() -> None:
    host = alone()
    session = Guest(host).session()
    for name in ("q", "r"):
        session.do("queue.declare", queue=name)
    for _ in range(6_000):
        session.publish("q", b"", pump=False)
    session.client.pump()
    console = Console(host)
    console.network.later(console.hang_up)
    console.start_broker("queueMoveMessages", srcQueue="q", destQueue="r", qty=0)
    host.network.run()
    assert host.node.broker.queues["r"].count == 6_000


# -- digests -------------------------------------------------------------------------------


def queue_of(host: Host, count: int) -> None:
    """Messages on the replicated queue q."""
    session = Guest(host).session()
    session.do("queue.declare", queue="q")
    for number in range(count):
        session.publish("q", b"%d" % number, pump=False)
    session.client.pump()
    host.network.advance(0.1)


def digests(host: Host) -> dict[str, Value]:
    """The out arguments of the method digest."""
    admin = Admin(host)
    asked = admin.start_call("digest")
    host.network.advance(0.1)
    body = admin.answer(asked)
    assert body is not None, "no answer"
    out = decode_map(body)["_arguments"]
    assert isinstance(out, dict)
    return dict(out)


def test_primary_and_backups_have_equal_digests() -> None:
    network, hosts = running("a", "b", "c")
    a, b, c = hosts
    queue_of(a, 3_000)
    Guest(a).session().do("queue.declare", queue="local", arguments={"qpid.replicate": "none"})
    found = [digests(host) for host in hosts]
    assert [out["status"] for out in found] == ["active", "ready", "ready"]
    assert found[0]["queues"] == found[1]["queues"] == found[2]["queues"]
    queues = found[0]["queues"]
    assert isinstance(queues, dict)
    assert list(queues) == ["q"]
    for place in ("epoch", "index", "applied", "quiet"):
        assert found[0][place] == found[1][place] == found[2][place]
    b.node.broker.queues["q"].entries()[7].message.body = b"other"
    assert digests(b)["queues"] != queues
    assert digests(c)["queues"] == queues
    a.kill()
    network.advance(3.0)
    assert promote(c) == ""
    assert digests(c)["queues"] == queues, "a promotion changes nothing"


def test_a_digest_keeps_nobody_waiting() -> None:
    network, (a, b) = running("a", "b")
    queue_of(a, 20 * PIECE_MESSAGES)
    admin, session = Admin(a), Guest(a).session()
    admin.pump = admin.flush  # type: ignore[method-assign]  # no step but those asked for below
    asked = admin.start_call("digest")
    published = session.publish("q", b"more", pump=False)
    session.client.pump = session.client.flush  # type: ignore[method-assign]
    session.do("execution.sync")
    steps = confirmed_at = 0
    while admin.answer(asked) is None:
        if network.busy:
            network.step()
        else:
            assert a.tick_if_due() or b.tick_if_due()
        steps += 1
        if not confirmed_at and published in session.completed:
            confirmed_at = steps
    assert steps > 20, "a piece a step"
    assert 0 < confirmed_at < steps


def test_a_backup_that_is_cut_off_holds_up_no_digest() -> None:
    network, (a, b) = running("a", "b")
    queue_of(a, 10)
    b.freeze()
    Guest(a).session().publish("q", b"not confirmed")
    network.advance(0.1)
    queues = digests(a)["queues"]
    assert isinstance(queues, dict)
    q = queues["q"]
    assert isinstance(q, dict)
    assert q["messages"] == 11


def test_too_many_digests_are_refused() -> None:
    _, (a, _) = running("a", "b")
    queue_of(a, 12 * PIECE_MESSAGES)
    admin = Admin(a)
    admin.pump = admin.flush  # type: ignore[method-assign]  # no step but those asked for below
    asked = [admin.start_call("digest") for _ in range(2 * UNFINISHED_MAX)]
    a.network.run()
    errors = [admin.error_of(each) for each in asked]
    refused = [error for error in errors if error]
    assert all("ask again later" in str(error) for error in refused)
    assert UNFINISHED_MAX <= errors.count("") < len(errors)

"""Lists to the blank, as the original prints them."""

from __future__ import annotations

import pytest

from tanist.cli.listing import (
    Values,
    exchange_bindings,
    exchange_data,
    exchange_list,
    matching,
    object_data,
    object_table,
    queue_bindings,
    queue_data,
    queue_list,
    reference,
    summary,
    summary_data,
)

QUEUE = "org.apache.qpid.broker:queue:"
EXCHANGE = "org.apache.qpid.broker:exchange:"


def queue(name: str, arguments: Values | None = None, **more: object) -> Values:
    return {"name": name, "durable": False, "arguments": arguments or {}, **more}


def exchange(name: str, kind: str = "direct", arguments: Values | None = None, **more) -> Values:
    return {"name": name, "type": kind, "durable": False, "arguments": arguments or {}, **more}


def binding(source: str, target: str, key: str, arguments: Values | None = None) -> Values:
    return {
        "exchangeRef": {"_object_name": EXCHANGE + source},
        "queueRef": {"_object_name": QUEUE + target},
        "bindingKey": key,
        "arguments": arguments or {},
    }


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"_object_name": "p:c:a:b"}, "a:b"),
        ({"_object_name": "p:c:", "_agent_epoch": 1}, ""),
        ({"_object_name": "amqp-broker"}, "amqp-broker"),
        ({"a": 1}, {"a": 1}),
        ("x", "x"),
        (None, None),
    ],
)
def test_references_are_names(value: object, shown: object) -> None:
    assert reference(value) == shown


def test_matching_looks_inside_names() -> None:
    queues = [queue("abc"), queue("bcd"), queue("")]
    assert [values["name"] for values in matching(queues, "bc")] == ["abc", "bcd"]
    assert matching(queues, "") == queues


def test_summary() -> None:
    exchanges = [exchange(""), exchange("t", "topic"), exchange("d")]
    queues = [queue("q"), {**queue("r"), "durable": True}]
    assert summary(exchanges, queues) == [
        "Total Exchanges: 3",
        "         direct: 2",
        "          topic: 1",
        "",
        "   Total Queues: 2",
        "        durable: 1",
        "    non-durable: 1",
    ]
    assert summary_data(exchanges, queues) == {
        "exchanges": {"total": 3, "types": {"direct": 2, "topic": 1}},
        "queues": {"total": 2, "durable": 1, "nonDurable": 1},
    }


def test_exchanges() -> None:
    shown = exchange_list(
        [
            exchange(""),
            exchange("a.long.name.of.it", "topic", {"qpid.replicate": "all"}),
            {
                **exchange("x", "headers", {"qpid.msg_sequence": 1, "qpid.ive": 1}),
                "durable": True,
                "altExchange": {"_object_name": EXCHANGE + "alt"},
            },
        ]
    )
    assert shown == [
        "Type      Exchange Name      Attributes",
        "=" * 50,
        "direct                      ",
        "topic     a.long.name.of.it  --replicate=all",
        "headers   x                  --durable --sequence --ive --alternate-exchange=alt",
    ]


def test_a_list_of_no_exchanges_has_a_head() -> None:
    assert exchange_list([]) == ["Type      Exchange Name  Attributes", "=" * 45]


def test_queues() -> None:
    everything: Values = {
        "qpid.replicate": "all",
        "qpid.file_size": 1,
        "qpid.file_count": 2,
        "qpid.max_size": 3,
        "qpid.max_count": 4,
        "qpid.policy_type": "ring_strict",
        "qpid.last_value_queue_key": "k",
        "qpid.flow_stop_size": 5,
        "qpid.flow_resume_count": 6,
        "qpid.group_header_key": "g",
        "qpid.shared_msg_group": 1,
        "own": "x",
        "more": 7,
    }
    shown = queue_list(
        [
            queue("q"),
            queue("other", {"qpid.shared_msg_group": 0}, autoDelete=True, exclusive=True),
            {
                **queue("all", everything, altExchange={"_object_name": EXCHANGE + "alt"}),
                "durable": True,
            },
        ]
    )
    assert shown == [
        "Queue Name  Attributes",
        "=" * 35,
        "q           ",
        "other       auto-del excl ",
        "all         --durable --replicate=all --file-size=1 --file-count=2 --max-queue-size=3"
        " --max-queue-count=4 --limit-policy=ring-strict --lvq-key=k --alternate-exchange=alt"
        " --flow-stop-size=5 --flow-resume-count=6 --group-header=g --shared-groups"
        " --argument own=x --argument more=7",
    ]


BINDINGS = [
    binding("", "q", "q"),
    binding("x", "q", "k"),
    binding("x", "r", "k", {"x-match": "all"}),
]


def test_exchanges_with_bindings() -> None:
    assert exchange_bindings([exchange(""), exchange("x"), exchange("y")], BINDINGS) == [
        "Exchange '' (direct)",
        "    bind [q] => q",
        "Exchange 'x' (direct)",
        "    bind [k] => q",
        "    bind [k] => r {'x-match': 'all'}",
        "Exchange 'y' (direct)",
    ]


def test_queues_with_bindings() -> None:
    queues = [queue("q"), queue("r"), queue("s")]
    assert queue_bindings(queues, BINDINGS, False) == [
        "Queue 'q'",
        "    bind [q] => ''",
        "    bind [k] => x",
        "Queue 'r'",
        "    bind [k] => x {'x-match': 'all'}",
        "Queue 's'",
    ]
    assert "    bind [q] => ''" not in queue_bindings(queues, BINDINGS, True)


def test_data_for_json() -> None:
    assert queue_data(queue("q", {"a": 1}, altExchange=None), None) == {
        "name": "q",
        "durable": False,
        "autoDelete": None,
        "exclusive": None,
        "altExchange": None,
        "arguments": {"a": 1},
    }
    assert queue_data(queue("q"), BINDINGS[:1])["bindings"] == [
        {"exchangeRef": "", "bindingKey": "q", "arguments": {}}
    ]
    data = exchange_data(exchange("x"), BINDINGS[1:2])
    assert data["bindings"] == [{"queueRef": "q", "bindingKey": "k", "arguments": {}}]
    assert "bindings" not in exchange_data(exchange("x"), None)
    assert object_data({"a": {"_object_name": "p:c:n"}}, ["a", "b"]) == {"a": "n", "b": None}


def test_any_class_as_a_table() -> None:
    objects: list[Values] = [
        {"ref": {"_object_name": "p:c:n"}, "name": "one", "b": 1, "c": 2, "d": 3, "e": 4, "f": 5},
        {"name": "two", "more": None},
    ]
    assert object_table("thing", objects, []) == [
        "Objects of type 'thing'",
        "  name  ref  b    c    d    e",
        "  ===============================",
        "  one   n    1    2    3    4",
        "  two   n/a  n/a  n/a  n/a  n/a",
    ]
    assert object_table("thing", objects, ["more", "odd", "name"])[:2] == [
        "Warning: No such property 'odd' for type 'thing'",
        "Objects of type 'thing'",
    ]
    assert object_table("queue", [queue("q")], [])[1] == "  name  durable  autoDelete"
    assert object_table("thing", [], []) == ["Objects of type 'thing'"]
    assert object_table("thing", [], ["odd"])[-1] == "Objects of type 'thing'"

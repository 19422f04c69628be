"""The command line of qpid-config becomes arguments."""

from __future__ import annotations

import pytest

from tanist.cli.config_options import (
    arguments_given,
    header_arguments,
    make_parser,
    queue_properties,
)
from tanist.cli.qmf_client import QmfError
from tanist.wire.amqp010.values import Value


def test_arguments_are_numbers_where_they_are() -> None:
    assert arguments_given(["a=1", "b=x", "c", "d=", "e=x=y", "f=-3", "a=2"]) == {
        "a": 2,
        "b": "x",
        "c": None,
        "d": "",
        "e": "x=y",
        "f": -3,
    }


def test_header_arguments() -> None:
    assert header_arguments(["any", "a=1", "b=x=y"]) == {"a": "1", "b": "x=y", "x-match": "any"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "need 'any'/'all' plus conditions"),
        (["all"], "need 'any'/'all' plus conditions"),
        (["some", "a=1"], "not 'some'"),
        (["all", "a"], "write NAME=VALUE"),
    ],
)
def test_header_arguments_that_are_none(words: list[str], says: str) -> None:
    with pytest.raises(QmfError, match=says):
        header_arguments(words)


@pytest.mark.parametrize(
    ("words", "properties"),
    [
        ("", {}),
        ("--max-queue-size 5 --max-queue-count=0", {"qpid.max_size": 5, "qpid.max_count": 0}),
        ("--limit-policy ring", {"qpid.policy_type": "ring"}),
        ("--limit-policy reject", {"qpid.policy_type": "reject"}),
        ("--limit-policy none", {}),
        ("--limit-policy ring-strict", {}),
        ("--file-count 3 --file-size 4", {}),
        ("--durable --file-count 3", {"qpid.file_count": 3}),
        ("--lvq-key k", {"qpid.last_value_queue_key": "k"}),
        (
            "--group-header g --shared-groups",
            {"qpid.group_header_key": "g", "qpid.shared_msg_group": 1},
        ),
        (
            "--flow-stop-count 9 --flow-resume-size 8",
            {"qpid.flow_stop_count": 9, "qpid.flow_resume_size": 8},
        ),
        ("--argument a=1 --argument qpid.max_count=2", {"a": 1, "qpid.max_count": 2}),
    ],
)
def test_options_of_a_queue(words: str, properties: dict[str, Value]) -> None:
    options = make_parser().parse_intermixed_args(["add", "queue", *words.split(), "q"])
    assert options.words == ["add", "queue", "q"]
    assert queue_properties(options) == properties


def test_options_may_stand_anywhere_and_have_short_names() -> None:
    options = make_parser().parse_intermixed_args(
        ["-t", "3", "queues", "-r", "-b", "h:1", "text", "-a", "old:2"]
    )
    assert options.words == ["queues", "text"]
    assert (options.timeout, options.recursive) == (3, True)
    assert (options.broker, options.broker_addr) == ("h:1", "old:2")
    assert make_parser().parse_intermixed_args(["queues", "--bindings"]).recursive

from __future__ import annotations

import pytest

from tanist.core.arguments import QueueSettings, explicit_level, number, queue_settings
from tanist.types import Condition, ReplicationLevel
from tests.broker.core.core_model import refused


@pytest.mark.parametrize(
    ("value", "expected"), [(None, 7), (0, 0), (12, 12), ("12", 12), (b"12", 12), ("0", 0)]
)
def test_numbers(value: object, expected: int) -> None:
    assert number({"n": value}, "n", 7) == expected


@pytest.mark.parametrize(
    "value", [-1, 1.0, True, "", "-1", "1.5", "x", b"\xff", "\u0663", "9" * 21, [1], {}]
)
def test_not_numbers(value: object) -> None:
    with refused(Condition.INVALID_ARGUMENT):
        number({"n": value}, "n", 7)


def test_queue_settings() -> None:
    assert queue_settings({}, 100) == QueueSettings(0, 100, 0)
    arguments = {"qpid.max_count": 5, "qpid.max_size": "0", "qpid.auto_delete_timeout": 3}
    assert queue_settings(arguments, 100) == QueueSettings(5, 0, 3)
    assert queue_settings({"qpid.policy_type": b"ring"}, 0).ring
    assert not queue_settings({"qpid.policy_type": "ring_strict"}, 0).ring


def test_the_filter_of_a_queue() -> None:
    assert queue_settings({"qpid.filter": "  "}, 0).selector is None
    for text in ("a = 1", b"a = 1"):
        selector = queue_settings({"qpid.filter": text}, 0).selector
        assert selector is not None
        assert selector.text == "a = 1"
    for bad in ("a =", 7):
        with refused(Condition.INVALID_ARGUMENT):
            queue_settings({"qpid.filter": bad}, 0)


def test_levels() -> None:
    assert explicit_level({}) is None
    assert explicit_level({"qpid.replicate": "none"}) is ReplicationLevel.NONE
    assert explicit_level({"qpid.replicate": b"all"}) is ReplicationLevel.ALL
    for bad in ("ALL", "", 2):
        with refused(Condition.INVALID_ARGUMENT):
            explicit_level({"qpid.replicate": bad})

"""Conditions, errors, replication levels."""

from __future__ import annotations

import pytest

from tanist.types import (
    BrokerError,
    Condition,
    FramingError,
    LocalProtocolError,
    ReplicationLevel,
)


def test_conditions_have_distinct_codes_of_the_specification() -> None:
    codes = [condition.code for condition in Condition]
    assert len(set(codes)) == len(codes)
    assert (Condition.NOT_FOUND.code, Condition.NOT_FOUND.symbol) == (404, "amqp:not-found")
    assert Condition.NORMAL.symbol == ""


def test_every_error_condition_has_an_amqp_1_0_symbol() -> None:
    for condition in Condition:
        if condition is not Condition.NORMAL:
            assert condition.symbol.startswith("amqp:"), condition


def test_errors_say_what_kind_and_what() -> None:
    error = BrokerError(Condition.NOT_FOUND, "no queue q")
    assert (error.condition, error.text, str(error)) == (
        Condition.NOT_FOUND,
        "no queue q",
        "no queue q",
    )
    assert FramingError("x").condition is Condition.FRAMING_ERROR
    assert LocalProtocolError("x").condition is Condition.INTERNAL_ERROR


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("none", ReplicationLevel.NONE),
        ("configuration", ReplicationLevel.CONFIGURATION),
        ("all", ReplicationLevel.ALL),
    ],
)
def test_levels_by_name(text: str, level: ReplicationLevel) -> None:
    assert ReplicationLevel.parse(text) is level


@pytest.mark.parametrize("text", ["ALL", "", "some", "All"])
def test_other_words_are_no_level(text: str) -> None:
    with pytest.raises(BrokerError, match="use none, configuration or all"):
        ReplicationLevel.parse(text)

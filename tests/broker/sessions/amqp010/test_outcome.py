"""Outcomes of commands are distinct, and every command function returns one of them."""

from __future__ import annotations

from tanist.sessions.amqp010 import outcome
from tanist.sessions.amqp010.sessions import COMMANDS
from tanist.wire.amqp010.spec import DEFINITIONS


def test_outcomes_differ() -> None:
    outcomes = {outcome.AT_ONCE, outcome.AFTER_RECORDS, outcome.AFTER_EARLIER, outcome.LATER}
    assert len(outcomes) == 4


def test_only_what_is_replicated_waits_for_all_records() -> None:
    assert outcome.after_records(True) == outcome.AFTER_RECORDS
    assert outcome.after_records(False) == outcome.AT_ONCE


def test_every_command_is_one_of_the_specification() -> None:
    assert set(COMMANDS) <= set(DEFINITIONS)

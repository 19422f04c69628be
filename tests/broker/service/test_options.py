"""The table of options agrees with itself."""

from __future__ import annotations

import pytest

from tanist.service.options import BY_NAME, BY_SHORT, BY_VARIABLE, OPTIONS, Kind
from tanist.service.values import parse_flag, parse_number, parse_seconds

PARSERS = {
    Kind.FLAG: parse_flag,
    Kind.NUMBER: parse_number,
    Kind.SECONDS: parse_seconds,
    Kind.TEXT: str,
}


def test_names_short_forms_and_variables_are_unique():
    assert len(BY_NAME) == len(OPTIONS) == len(BY_VARIABLE)
    assert len(BY_SHORT) == sum(1 for option in OPTIONS if option.short)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_option_has_a_group_and_tells_its_effect(option):
    assert option.group
    assert option.meaning or option.ignored


@pytest.mark.parametrize("option", [o for o in OPTIONS if o.default], ids=lambda o: o.name)
def test_every_default_is_a_value_of_its_kind(option):
    PARSERS[option.kind](option.default)


def test_the_variable_of_an_option():
    assert BY_NAME["ha-cluster"].variable == "QPID_HA_CLUSTER"
    assert BY_VARIABLE["QPID_LOG_ENABLE"].name == "log-enable"


def test_short_forms_of_the_original():
    names = {letter: option.name for letter, option in BY_SHORT.items()}
    assert names == {
        "p": "port",
        "d": "daemon",
        "c": "check",
        "q": "quit",
        "k": "kill",
        "w": "wait",
        "h": "help",
        "v": "version",
        "m": "mgmt-enable",
        "t": "trace",
    }

"""Which lines a rule lets through."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.service.logrules import LEVELS, RANK, parse_rule, rules_text, wanted


@given(st.sampled_from(LEVELS), st.sampled_from(LEVELS))
@settings(max_examples=60, deadline=None)
def test_level_alone_plus_and_minus(rule_level, level):
    def wants(text):
        return wanted(level, "Broker", [parse_rule(text)], [])

    assert wants(rule_level) == (level == rule_level)
    assert wants(rule_level + "+") == (RANK[level] >= RANK[rule_level])
    assert wants(rule_level.upper() + "-") == (RANK[level] <= RANK[rule_level])


@pytest.mark.parametrize(
    ("rule", "category", "expected"),
    [
        ("debug+:ha::", "HA", True),
        ("debug+:qpid::ha::", "HA", True),
        ("debug+:ha::", "Broker", False),
        ("debug+:HA", "HA", True),
        ("debug+:broker", "Broker", True),
        ("debug+:proto", "Protocol", True),
        ("debug+:amqp_0_10::", "Protocol", True),
        ("debug+:sys::", "Network", True),
        ("debug+:", "Broker", True),
    ],
)
def test_patterns(rule, category, expected):
    assert wanted("debug", category, [parse_rule(rule)], []) is expected


def test_disable_wins():
    enable, disable = [parse_rule("info+")], [parse_rule("info-:ha")]
    assert wanted("info", "Broker", enable, disable)
    assert not wanted("info", "HA", enable, disable)
    assert wanted("notice", "HA", enable, disable)


@pytest.mark.parametrize("text", ["", "loud", "+", "info++", ":ha", "information"])
def test_no_rules(text):
    with pytest.raises(ValueError, match="not a log rule"):
        parse_rule(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("notice+", "notice+"),
        ("INFO", "info"),
        ("debug-:HA::", "debug-:ha::"),
        ("trace+", "trace+"),
        ("critical-", "trace+"),
        ("critical+", "critical"),
        ("trace-", "trace"),
    ],
)
def test_a_rule_as_text_means_the_same(text, shown):
    rule = parse_rule(text)
    assert str(rule) == shown
    assert parse_rule(shown) == rule


def test_all_rules_in_one_line():
    enable = [parse_rule("notice+"), parse_rule("debug+:ha")]
    assert rules_text(enable, [parse_rule("info:net")]) == "notice+,debug+:ha,!info:net"
    assert rules_text([], []) == ""

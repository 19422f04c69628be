"""Rules that say which log lines are wanted: ``LEVEL[+|-][:PATTERN]``.

``info`` means that level, ``info+`` that and everything more serious, ``info-`` that and everything
less; a pattern restricts the rule to some categories. Users of the original write C++ namespaces
as patterns (``debug+:ha::``); those mean the category of that name.

Pure data and one function, ``wanted``; ``logs`` remembers its verdicts. Spec: qpidd-compat 1.6.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

LEVELS: Final = ("trace", "debug", "info", "notice", "warning", "error", "critical")
RANK: Final[dict[str, int]] = {level: rank for rank, level in enumerate(LEVELS)}

NAMESPACES: Final = {
    "amqp_0_10": "protocol",
    "amqp": "protocol",
    "sys": "network",
    "acl": "security",
}
"""Namespaces of the original whose lines have another category than their own name."""


@dataclass(frozen=True)
class LogRule:
    """Lines with a level between ``low`` and ``high`` (ranks), whose category fits ``pattern``.

    ``str`` of a rule is the text that ``parse_rule`` reads.
    """

    low: int
    high: int
    pattern: str

    def __str__(self) -> str:
        if self.low == self.high:
            level = LEVELS[self.low]
        elif self.high == len(LEVELS) - 1:
            level = f"{LEVELS[self.low]}+"
        else:
            level = f"{LEVELS[self.high]}-"
        return f"{level}:{self.pattern}" if self.pattern else level

    def matches(self, level: str, category: str) -> bool:
        """Whether the rule speaks about lines of this level and category."""
        return self.low <= RANK[level] <= self.high and self._fits(category.lower())

    def _fits(self, category: str) -> bool:
        if "::" not in self.pattern:
            return self.pattern in category
        parts = self.pattern.split("::")
        return category in parts or any(NAMESPACES.get(part) == category for part in parts)


def parse_rule(text: str) -> LogRule:
    """The rule ``text`` describes. Raises: ValueError if it has no known level."""
    head, _, pattern = text.strip().partition(":")
    sign = head[-1:] if head[-1:] in {"+", "-"} else ""
    level = head.removesuffix(sign).lower()
    if level not in RANK:
        raise ValueError(
            f"'{text}' is not a log rule: use LEVEL[+|-][:PATTERN], {' '.join(LEVELS)}"
        )
    rank = RANK[level]
    low = 0 if sign == "-" else rank
    high = len(LEVELS) - 1 if sign == "+" else rank
    return LogRule(low, high, pattern.lower())


def rules_text(enable: Iterable[LogRule], disable: Iterable[LogRule]) -> str:
    """The rules in one line, as management shows them; those that disable begin with ``!``."""
    return ",".join([str(rule) for rule in enable] + [f"!{rule}" for rule in disable])


def wanted(
    level: str, category: str, enable: Iterable[LogRule], disable: Iterable[LogRule]
) -> bool:
    """Whether lines of this level and category are logged; ``disable`` wins."""
    if any(rule.matches(level, category) for rule in disable):
        return False
    return any(rule.matches(level, category) for rule in enable)

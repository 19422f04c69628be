from __future__ import annotations

import pytest

from tanist.sessions.translation.times import datetime, milliseconds


@pytest.mark.parametrize(
    ("given", "ms"),
    [
        (0, 0),
        (1_795_337_595, 1_795_337_595_000),
        (99_999_999_999, 99_999_999_999_000),
        (100_000_000_000, 100_000_000_000),
        (1_795_337_595_829, 1_795_337_595_829),
        (2**63 - 1, 2**63 - 1),
        (2**63, None),
    ],
)
def test_seconds_become_milliseconds_and_milliseconds_stay(given: int, ms: int | None) -> None:
    assert milliseconds(given) == ms


@pytest.mark.parametrize("ms", [100_000_000_000, 1_795_337_595_829, 2**63 - 1])
def test_a_time_of_1_0_comes_back(ms: int) -> None:
    assert datetime(ms) == ms
    assert milliseconds(ms) == ms


def test_a_time_long_ago_has_no_place() -> None:
    assert datetime(99_999_999_999) is None
    assert datetime(-1) is None

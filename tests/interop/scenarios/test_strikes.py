from __future__ import annotations

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tanist_interop.faults.process import FAULTS
from tanist_interop.scenarios import strikes
from tanist_interop.scenarios.strikes import choose_target, draw


def test_a_seed_is_a_plan():
    plans = [[draw(random.Random(seed)) for _ in range(5)] for seed in (1, 1, 2)]
    assert plans[0] == plans[1] != plans[2]


def test_everything_is_drawn_sooner_or_later():
    dice = random.Random(1)
    drawn = [draw(dice) for _ in range(500)]
    assert set(FAULTS) == {strike.fault for strike in drawn}
    for values in (
        [strike.primary for strike in drawn],
        [strike.impatient for strike in drawn],
        [strike.fence_first for strike in drawn],
    ):
        assert min(Counter(values).values()) > 50
    for name, (low, high) in (
        ("rest_s", strikes.REST_S),
        ("hang_s", strikes.HANG_S),
        ("down_s", strikes.DOWN_S),
    ):
        values = [getattr(strike, name) for strike in drawn]
        assert low <= min(values) < max(values) <= high


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 2), st.sets(st.integers(0, 2)))
def test_a_copy_is_always_left(seed, primary, backups):
    """Whoever is hit, one backup in sync remains."""
    ready = sorted(backups - {primary})
    target = choose_target(draw(random.Random(seed)), primary, ready)
    if target is None:
        assert not ready
    else:
        assert set(ready) - {target}
        assert target == primary or target in ready


def test_a_backup_is_hit_only_when_there_are_two():
    dice = random.Random(3)
    gentle = [strike for strike in (draw(dice) for _ in range(200)) if not strike.primary]
    assert {choose_target(strike, 0, [1, 2]) for strike in gentle} == {1, 2}
    assert {choose_target(strike, 0, [2]) for strike in gentle} == {0}

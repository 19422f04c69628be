"""Strikes: what a soak does next, drawn from the seed step by step.

A strike hits one broker. Which one is possible depends on the cluster at that moment, the rest is
drawn without looking at it, always with the same number of draws: two runs of one seed strike alike
as long as their clusters are alike.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

PRIMARY_SHARE: Final = 0.75
"""Of the strikes; the others hit a backup."""

IMPATIENT_SHARE: Final = 0.3
"""Of the strikes that do not wait until the cluster is whole again."""

FAULT_WEIGHTS: Final = {"kill": 5, "suspend": 3, "restart": 2}

REST_S: Final = (0.3, 2.5)
"""Between the moment when a strike is possible and the strike."""

HANG_S: Final = (0.2, 4.0)
"""How long a backup stays stopped: from a hiccup to twice what makes the primary drop it."""

DOWN_S: Final = (0.0, 1.5)
"""From a broker's death until it is started again."""


@dataclass(frozen=True)
class Strike:
    """One fault to come."""

    fault: str
    primary: bool
    """Hit the primary if that is possible, else a backup."""
    impatient: bool
    """Do not wait until the cluster is whole."""
    rest_s: float
    hang_s: float
    down_s: float
    fence_first: bool
    """A hung primary is killed before the promotion, not after it."""
    choice: float
    """Chooses among the backups, in [0, 1)."""


def draw(dice: random.Random) -> Strike:
    """The next strike."""
    names, weights = list(FAULT_WEIGHTS), list(FAULT_WEIGHTS.values())
    return Strike(
        fault=dice.choices(names, weights)[0],
        primary=dice.random() < PRIMARY_SHARE,
        impatient=dice.random() < IMPATIENT_SHARE,
        rest_s=dice.uniform(*REST_S),
        hang_s=dice.uniform(*HANG_S),
        down_s=dice.uniform(*DOWN_S),
        fence_first=dice.random() < 0.5,
        choice=dice.random(),
    )


def choose_target(strike: Strike, primary: int, ready: list[int]) -> int | None:
    """Which broker to hit, None if none may be hit now.

    ``ready`` are the backups in sync. One of them must be left after the strike: the last copy of
    what was acknowledged is never destroyed, because then nothing is promised.
    """
    if strike.primary or len(ready) == 1:
        return primary if ready else None
    return ready[int(strike.choice * len(ready))] if ready else None

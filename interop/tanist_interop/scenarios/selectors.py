"""The selectors of the scenario ``selectors``, and which kinds of messages each matches.

Each message has the header ``kind``: its sequence number modulo ``KINDS``. Every queue has a
receiver with each of the selectors; what none of them matches stays for whoever comes without one.
"""

from __future__ import annotations

from typing import Final

KINDS: Final = 4

SELECTORS: Final[dict[str, tuple[int, ...]]] = {
    "kind = 0": (0,),
    "kind BETWEEN 1 AND 2 AND producer LIKE '%.%'": (1, 2),
}
"""Kinds by selector. No kind is in two of them, and one is in none."""

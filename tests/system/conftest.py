"""Makes ``replay`` and the miniature node of the sessions' tests importable here."""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
for folder in (TESTS / "system", TESTS / "broker" / "sessions"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

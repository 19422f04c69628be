"""Tanist: an AMQP broker whose backups are elected, tested and ready before the primary fails.

The package is a stack of layers; imports point down only (``ARCHITECTURE.md``)::

    cli > service > net > node > sessions | management > ha | security > wire | core > types

Everything below ``net`` is pure: no I/O, no clock, no chance.
"""

from __future__ import annotations

from typing import Final

__version__: Final = "0.1.0"

"""When a command that was executed may be completed: what every command function returns.

``AT_ONCE``: now, unless it recorded something; then the gate decides. ``AFTER_EARLIER``: when
everything before it is complete as well (execution.sync and its like). ``LATER``: the function has
arranged for it (an unfinished flush). ``AFTER_RECORDS``: when everything recorded so far is safe,
even if this command recorded nothing: declaring again what somebody else just declared confirms
that it exists. ``after_records`` chooses it for what is replicated only: a tool that looks after a
hanging backup declares a queue for its answers, and must not wait for that backup.
"""

from __future__ import annotations

from typing import Final

AT_ONCE: Final = 0
AFTER_RECORDS: Final = 3
AFTER_EARLIER: Final = 1
LATER: Final = 2


def after_records(replicated: bool) -> int:
    """The outcome of a command that confirms how a queue, an exchange or a binding is now."""
    return AFTER_RECORDS if replicated else AT_ONCE

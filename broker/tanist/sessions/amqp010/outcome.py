"""When a command that was executed may be completed: what every command function returns.

``AT_ONCE``: now, unless it recorded something; then the gate decides. ``AFTER_EARLIER``: when
everything before it is complete as well (execution.sync and its like). ``LATER``: the function has
arranged for it (an unfinished flush). ``AFTER_RECORDS``: when everything recorded so far is safe,
even if this command recorded nothing: declaring again what somebody else just declared confirms
that it exists. Never for what is not replicated: tools must get their answers while confirmations
are held.
"""

from __future__ import annotations

from typing import Final

AT_ONCE: Final = 0
AFTER_RECORDS: Final = 3
AFTER_EARLIER: Final = 1
LATER: Final = 2

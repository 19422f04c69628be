"""The states of one channel, as a table.

A channel is ``IDLE`` until a session is attached to it, and again after the session was detached
in order. ``LEGAL`` says for each state and input what the state is afterwards; a pair that is
missing is an error, and ``ILLEGAL`` says which of the two kinds (specification 0-10, "session"):

* without a session: session.detached with code not-attached (or transport-busy);
* with a session: execution.exception illegal-state, and the session is detached.

The inputs are what the *peer* sends. What we ask for ourselves moves a channel too, but only
where that is legal: ``attach`` an idle channel, ``detach`` (and ``exception``) an attached one to
``DETACHING``, ``refuse`` an attached one to ``SILENT``.

``SILENT``: we detached the session without asking, so that what the peer sent before it knew is
ignored until it attaches anew; an answer to it would be a second session.detached, which is fatal
for the Python client. ``DETACHING``: we sent session.detach; the peer's own detach may cross ours
and needs no answer, because the peer answers ours.
"""

from __future__ import annotations

from typing import Final

IDLE: Final = 0
SILENT: Final = 1
ATTACHING: Final = 2
ATTACHED: Final = 3
DETACHING: Final = 4

STATES: Final = (IDLE, SILENT, ATTACHING, ATTACHED, DETACHING)

FREE: Final = (IDLE, SILENT)
"""States in which the peer may attach a new session."""

GOT_ATTACH: Final = 0
GOT_ATTACHED: Final = 1
GOT_DETACH: Final = 2
GOT_DETACHED: Final = 3
GOT_CONTROL: Final = 4
"""Any other session control."""
GOT_COMMAND: Final = 5

INPUTS: Final = (GOT_ATTACH, GOT_ATTACHED, GOT_DETACH, GOT_DETACHED, GOT_CONTROL, GOT_COMMAND)

LEGAL: Final[dict[tuple[int, int], int]] = {
    (IDLE, GOT_ATTACH): ATTACHED,
    (IDLE, GOT_DETACHED): IDLE,
    (IDLE, GOT_COMMAND): IDLE,
    (SILENT, GOT_ATTACH): ATTACHED,
    (SILENT, GOT_ATTACHED): SILENT,
    (SILENT, GOT_DETACH): SILENT,
    (SILENT, GOT_DETACHED): SILENT,
    (SILENT, GOT_CONTROL): SILENT,
    (SILENT, GOT_COMMAND): SILENT,
    (ATTACHING, GOT_ATTACHED): ATTACHED,
    (ATTACHING, GOT_DETACH): IDLE,
    (ATTACHING, GOT_DETACHED): IDLE,
    (ATTACHED, GOT_ATTACH): ATTACHED,
    (ATTACHED, GOT_DETACH): IDLE,
    (ATTACHED, GOT_DETACHED): IDLE,
    (ATTACHED, GOT_CONTROL): ATTACHED,
    (ATTACHED, GOT_COMMAND): ATTACHED,
    (DETACHING, GOT_ATTACHED): DETACHING,
    (DETACHING, GOT_DETACH): DETACHING,
    (DETACHING, GOT_DETACHED): IDLE,
    (DETACHING, GOT_CONTROL): DETACHING,
    (DETACHING, GOT_COMMAND): DETACHING,
}
"""(state, input) -> next state."""

NOT_ATTACHED_ERROR: Final = 0
EXCEPTION_ERROR: Final = 1

ILLEGAL: Final[dict[int, int]] = {
    IDLE: NOT_ATTACHED_ERROR,
    SILENT: NOT_ATTACHED_ERROR,
    DETACHING: NOT_ATTACHED_ERROR,
    ATTACHING: EXCEPTION_ERROR,
    ATTACHED: EXCEPTION_ERROR,
}
"""What answers an input that ``LEGAL`` does not have in that state."""

CONTROL_INPUTS: Final[dict[str, int]] = {
    "session.attach": GOT_ATTACH,
    "session.attached": GOT_ATTACHED,
    "session.detach": GOT_DETACH,
    "session.detached": GOT_DETACHED,
}
"""The input that a session control is; every other name is ``GOT_CONTROL``."""

DETACH_NORMAL: Final = 0
SESSION_BUSY: Final = 1
TRANSPORT_BUSY: Final = 2
NOT_ATTACHED: Final = 3
UNKNOWN_IDS: Final = 4
"""session.detach-code."""

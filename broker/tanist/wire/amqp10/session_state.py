"""The states of one session, as a table.

A channel of the peer is ``IDLE`` until its Begin maps a session to it, and again after its End.
``LEGAL`` says for each state and input what the state is afterwards; a missing pair ends the
*connection* with ``ILLEGAL``'s condition, because a frame that belongs to no session has no session
to tell the error to.

The inputs are what the *peer* sends. What we ask for ourselves moves a session too: ``begin`` makes
one in ``BEGIN_SENT``; ``end`` takes it to ``END_SENT``, where everything of the peer that crosses
our End is ignored ("DISCARDING" in the specification, if the End carried an error). The peer's End
is answered at once, so that there is no state for it.

Source: AMQP 1.0, 2.5.5 "Session states".
"""

from __future__ import annotations

from typing import Final

from tanist.wire.amqp10.conditions import ILLEGAL_STATE, NOT_ALLOWED

IDLE: Final = 0
BEGIN_SENT: Final = 1
MAPPED: Final = 2
END_SENT: Final = 3

STATES: Final = (IDLE, BEGIN_SENT, MAPPED, END_SENT)

GOT_BEGIN: Final = 0
"""A Begin without remote-channel: the peer wants a session."""
GOT_BEGUN: Final = 1
"""A Begin with remote-channel: the answer to ours. It is an input of the session it names."""
GOT_END: Final = 2
GOT_FRAME: Final = 3
"""Any other performative: attach, flow, transfer, disposition, detach."""

INPUTS: Final = (GOT_BEGIN, GOT_BEGUN, GOT_END, GOT_FRAME)

LEGAL: Final[dict[tuple[int, int], int]] = {
    (IDLE, GOT_BEGIN): MAPPED,
    (BEGIN_SENT, GOT_BEGUN): MAPPED,
    (MAPPED, GOT_END): IDLE,
    (MAPPED, GOT_FRAME): MAPPED,
    # The peer answered our Begin before it saw our End.
    (END_SENT, GOT_BEGUN): END_SENT,
    (END_SENT, GOT_END): IDLE,
    (END_SENT, GOT_FRAME): END_SENT,
}
"""(state, input) -> next state."""

ILLEGAL: Final[dict[int, str]] = {
    IDLE: NOT_ALLOWED,
    BEGIN_SENT: ILLEGAL_STATE,
    MAPPED: ILLEGAL_STATE,
    END_SENT: ILLEGAL_STATE,
}
"""The error condition of an input that ``LEGAL`` does not have in that state."""

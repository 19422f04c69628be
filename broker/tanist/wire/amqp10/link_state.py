"""The states of one link, as a table.

A handle of the peer is ``IDLE`` until its Attach maps a link to it, and again after its Detach:
peers use a handle again as soon as they have detached, without waiting for our answer. ``LEGAL``
says for each state and input what the state is afterwards; for a missing pair the *session* ends
with the condition that ``illegal`` names.

Inputs ``GOT_...`` are what the *peer* sends, ``DO_...`` what our owner asks for; an owner that asks
for what is not legal has a bug (``LocalProtocolError``).

    ATTACH_RCVD   the peer attached, the owner has not answered
    ATTACH_SENT   we attached, the peer has not answered
    ATTACHED
    DETACH_SENT   we detached (or refused), the peer's Detach is awaited, all else is ignored
    DETACH_EARLY  the same, and not even the peer's Attach has come
    DETACH_RCVD   the peer detached, the owner has not answered
    GONE          both detached

Source: AMQP 1.0, 2.6.3 to 2.6.6 "Links".
"""

from __future__ import annotations

from typing import Final

from tanist.wire.amqp10.conditions import ERRANT_LINK, HANDLE_IN_USE, UNATTACHED_HANDLE

IDLE: Final = 0
ATTACH_RCVD: Final = 1
ATTACH_SENT: Final = 2
ATTACHED: Final = 3
DETACH_SENT: Final = 4
DETACH_EARLY: Final = 5
DETACH_RCVD: Final = 6
GONE: Final = 7

STATES: Final = tuple(range(GONE + 1))

GOT_ATTACH: Final = 0
GOT_FLOW: Final = 1
GOT_TRANSFER: Final = 2
GOT_DETACH: Final = 3
DO_ATTACH: Final = 4
"""``attach_ok``; ``refuse`` is this and DO_DETACH."""
DO_DETACH: Final = 5

INPUTS: Final = tuple(range(DO_DETACH + 1))

LEGAL: Final[dict[tuple[int, int], int]] = {
    (IDLE, GOT_ATTACH): ATTACH_RCVD,
    (ATTACH_RCVD, GOT_FLOW): ATTACH_RCVD,
    (ATTACH_RCVD, GOT_TRANSFER): ATTACH_RCVD,
    (ATTACH_RCVD, GOT_DETACH): DETACH_RCVD,
    (ATTACH_RCVD, DO_ATTACH): ATTACHED,
    (ATTACH_RCVD, DO_DETACH): DETACH_SENT,
    (ATTACH_SENT, GOT_ATTACH): ATTACHED,
    (ATTACH_SENT, DO_DETACH): DETACH_EARLY,
    (ATTACHED, GOT_FLOW): ATTACHED,
    (ATTACHED, GOT_TRANSFER): ATTACHED,
    (ATTACHED, GOT_DETACH): DETACH_RCVD,
    (ATTACHED, DO_DETACH): DETACH_SENT,
    (DETACH_SENT, GOT_FLOW): DETACH_SENT,
    (DETACH_SENT, GOT_TRANSFER): DETACH_SENT,
    (DETACH_SENT, GOT_DETACH): GONE,
    (DETACH_EARLY, GOT_ATTACH): DETACH_SENT,
    # The owner's answer to an attach may be late: the peer has thought better of it.
    (DETACH_RCVD, DO_ATTACH): DETACH_RCVD,
    (DETACH_RCVD, DO_DETACH): GONE,
    # What the owner still wants of a link that is over does nothing.
    (DETACH_SENT, DO_ATTACH): DETACH_SENT,
    (DETACH_SENT, DO_DETACH): DETACH_SENT,
    (DETACH_EARLY, DO_DETACH): DETACH_EARLY,
    (GONE, DO_ATTACH): GONE,
    (GONE, DO_DETACH): GONE,
}
"""(state, input) -> next state."""


def illegal(an_input: int, errant: bool) -> str:
    """The condition of an input of the peer that ``LEGAL`` does not have.

    ``errant``: the last link that had this handle was detached by us with an error.
    """
    if an_input == GOT_ATTACH:
        return HANDLE_IN_USE
    return ERRANT_LINK if errant else UNATTACHED_HANDLE

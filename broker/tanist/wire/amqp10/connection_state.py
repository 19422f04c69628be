"""The states of a connection, as a table.

One table for both roles; a role is only the state it begins in. ``LEGAL`` says for each state and
input what the state is afterwards. A missing pair is an error: if the *peer* did it, the connection
fails with ``ILLEGAL``'s condition for that state; if *we* asked for it (inputs ``DO_...``), the
layer above has a bug (``LocalProtocolError``).

    server   AWAIT_HEADER  mechanisms> AWAIT_INIT  JUDGING [challenge> AWAIT_RESPONSE]  outcome>
             AWAIT_AMQP  header> AWAIT_OPEN  ADMITTING  open> OPEN
    bare     AWAIT_HEADER  header> AWAIT_OPEN ...
    client   header> EXPECT_SASL  EXPECT_MECHANISMS  init> EXPECT_OUTCOME [ANSWERING response>]
             header> open> EXPECT_AMQP  EXPECT_OPEN  OPEN
    both     CLOSING (our Close awaits the peer's)  CLOSED (nothing is read any more)

In ``JUDGING``, ``ADMITTING`` and ``ANSWERING`` the layer above has the word: what arrives meanwhile
is held, and is judged in the state that follows. Source: AMQP 1.0, 2.2, 2.4.6 "Connection states",
5.3.2 "SASL negotiation".
"""

from __future__ import annotations

from typing import Final

from tanist.wire.amqp10.conditions import FRAMING_ERROR, ILLEGAL_STATE

AWAIT_HEADER: Final = 0
AWAIT_INIT: Final = 1
JUDGING: Final = 2
AWAIT_RESPONSE: Final = 3
AWAIT_AMQP: Final = 4
AWAIT_OPEN: Final = 5
ADMITTING: Final = 6
EXPECT_SASL: Final = 7
EXPECT_MECHANISMS: Final = 8
EXPECT_OUTCOME: Final = 9
ANSWERING: Final = 10
EXPECT_AMQP: Final = 11
EXPECT_OPEN: Final = 12
OPEN: Final = 13
CLOSING: Final = 14
CLOSED: Final = 15

STATES: Final = tuple(range(CLOSED + 1))

GOT_SASL_HEADER: Final = 0
GOT_AMQP_HEADER: Final = 1
GOT_MECHANISMS: Final = 2
GOT_INIT: Final = 3
GOT_CHALLENGE: Final = 4
GOT_RESPONSE: Final = 5
GOT_OUTCOME: Final = 6
GOT_OPEN: Final = 7
GOT_CLOSE: Final = 8
GOT_EMPTY: Final = 9
"""A frame without a body, which only says that the peer lives."""
GOT_SESSION: Final = 10
"""Any other performative."""
DO_CHALLENGE: Final = 11
DO_ACCEPT: Final = 12
DO_FAIL: Final = 13
DO_OPEN_OK: Final = 14
DO_RESPOND: Final = 15
DO_BEGIN: Final = 16

INPUTS: Final = tuple(range(DO_BEGIN + 1))

LEGAL: Final[dict[tuple[int, int], int]] = {
    (AWAIT_HEADER, GOT_SASL_HEADER): AWAIT_INIT,
    (AWAIT_HEADER, GOT_AMQP_HEADER): AWAIT_OPEN,
    (AWAIT_INIT, GOT_INIT): JUDGING,
    (JUDGING, DO_CHALLENGE): AWAIT_RESPONSE,
    (JUDGING, DO_ACCEPT): AWAIT_AMQP,
    (JUDGING, DO_FAIL): CLOSED,
    (AWAIT_RESPONSE, GOT_RESPONSE): JUDGING,
    (AWAIT_AMQP, GOT_AMQP_HEADER): AWAIT_OPEN,
    (AWAIT_OPEN, GOT_OPEN): ADMITTING,
    (ADMITTING, DO_OPEN_OK): OPEN,
    (EXPECT_SASL, GOT_SASL_HEADER): EXPECT_MECHANISMS,
    (EXPECT_MECHANISMS, GOT_MECHANISMS): EXPECT_OUTCOME,
    (EXPECT_OUTCOME, GOT_CHALLENGE): ANSWERING,
    (ANSWERING, DO_RESPOND): EXPECT_OUTCOME,
    (EXPECT_OUTCOME, GOT_OUTCOME): EXPECT_AMQP,
    (EXPECT_AMQP, GOT_AMQP_HEADER): EXPECT_OPEN,
    (EXPECT_OPEN, GOT_OPEN): OPEN,
    (OPEN, GOT_SESSION): OPEN,
    (OPEN, DO_BEGIN): OPEN,
    (AWAIT_OPEN, GOT_EMPTY): AWAIT_OPEN,
    (EXPECT_OPEN, GOT_EMPTY): EXPECT_OPEN,
    (OPEN, GOT_EMPTY): OPEN,
    # A server that cannot admit us may forget its Open; what it wants to say is in the Close.
    (EXPECT_OPEN, GOT_CLOSE): CLOSED,
    (OPEN, GOT_CLOSE): CLOSED,
    # Our Close is on its way: all else crosses it and is ignored.
    **{(CLOSING, an_input): CLOSING for an_input in INPUTS},
    (CLOSING, GOT_CLOSE): CLOSED,
    **{(CLOSED, an_input): CLOSED for an_input in INPUTS},
}
"""(state, input) -> next state."""

ILLEGAL: Final[dict[int, str]] = {
    **dict.fromkeys(STATES, FRAMING_ERROR),
    AWAIT_OPEN: ILLEGAL_STATE,
    EXPECT_OPEN: ILLEGAL_STATE,
    OPEN: ILLEGAL_STATE,
}
"""The error condition of a peer's input that ``LEGAL`` does not have in that state.

SASL frames are of another type than AMQP frames, and a SASL layer has no way to say why it ends:
there the condition is only told to the owner.
"""

HEADER_STATES: Final = (AWAIT_HEADER, AWAIT_AMQP, EXPECT_SASL, EXPECT_AMQP)
"""The next eight octets of the peer are a protocol header."""

SASL_STATES: Final = (
    AWAIT_INIT,
    JUDGING,
    AWAIT_RESPONSE,
    EXPECT_MECHANISMS,
    EXPECT_OUTCOME,
    ANSWERING,
)
"""The next frames are SASL frames."""

HELD_STATES: Final = (JUDGING, ADMITTING, ANSWERING)
"""The owner has the word; what arrives is held."""

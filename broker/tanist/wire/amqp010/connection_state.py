"""The states of a connection, as a table.

One table for both roles; a role is only the state it begins in. ``LEGAL`` says for each state and
input what the state is afterwards. A missing pair is an error, and there is only one kind for
each side: if the *peer* did it, the connection is closed with 501 framing-error; if *we* asked
for it (inputs ``DO_...``), the layer above has a bug (``LocalProtocolError``).

    server   AWAIT_HEADER  start>  AWAIT_START_OK  JUDGING [secure> AWAIT_SECURE_OK]  tune>
             AWAIT_TUNE_OK  AWAIT_OPEN  ADMITTING  open-ok>  OPEN
    client   header> EXPECT_HEADER  EXPECT_START  start-ok> EXPECT_TUNE  tune-ok> open>
             EXPECT_OPEN_OK  OPEN
    both     CLOSING (our close awaits close-ok)  CLOSED (nothing is read any more)

In ``JUDGING`` and ``ADMITTING`` the layer above has the word: it decides on the credentials, and
whether this broker takes clients at all. Source: AMQP specification 0-10, part III "connection".
"""

from __future__ import annotations

from typing import Final

AWAIT_HEADER: Final = 0
AWAIT_START_OK: Final = 1
JUDGING: Final = 2
AWAIT_SECURE_OK: Final = 3
AWAIT_TUNE_OK: Final = 4
AWAIT_OPEN: Final = 5
ADMITTING: Final = 6
EXPECT_HEADER: Final = 7
EXPECT_START: Final = 8
EXPECT_TUNE: Final = 9
EXPECT_OPEN_OK: Final = 10
OPEN: Final = 11
CLOSING: Final = 12
CLOSED: Final = 13

STATES: Final = tuple(range(CLOSED + 1))

GOT_HEADER: Final = 0
GOT_START: Final = 1
GOT_START_OK: Final = 2
GOT_SECURE: Final = 3
GOT_SECURE_OK: Final = 4
GOT_TUNE: Final = 5
GOT_TUNE_OK: Final = 6
GOT_OPEN: Final = 7
GOT_OPEN_OK: Final = 8
GOT_REDIRECT: Final = 9
GOT_HEARTBEAT: Final = 10
GOT_CLOSE: Final = 11
GOT_CLOSE_OK: Final = 12
GOT_SESSION: Final = 13
"""A session control or a command."""
DO_CHALLENGE: Final = 14
DO_ACCEPT: Final = 15
DO_OPEN_OK: Final = 16
DO_ATTACH: Final = 17

INPUTS: Final = tuple(range(DO_ATTACH + 1))

CONTROL_INPUTS: Final[dict[str, int]] = {
    "connection.start": GOT_START,
    "connection.start-ok": GOT_START_OK,
    "connection.secure": GOT_SECURE,
    "connection.secure-ok": GOT_SECURE_OK,
    "connection.tune": GOT_TUNE,
    "connection.tune-ok": GOT_TUNE_OK,
    "connection.open": GOT_OPEN,
    "connection.open-ok": GOT_OPEN_OK,
    "connection.redirect": GOT_REDIRECT,
    "connection.heartbeat": GOT_HEARTBEAT,
    "connection.close": GOT_CLOSE,
    "connection.close-ok": GOT_CLOSE_OK,
}
"""The input that a connection control is; every other control is ``GOT_SESSION``."""

LEGAL: Final[dict[tuple[int, int], int]] = {
    (AWAIT_HEADER, GOT_HEADER): AWAIT_START_OK,
    (AWAIT_START_OK, GOT_START_OK): JUDGING,
    (JUDGING, DO_CHALLENGE): AWAIT_SECURE_OK,
    (AWAIT_SECURE_OK, GOT_SECURE_OK): JUDGING,
    (JUDGING, DO_ACCEPT): AWAIT_TUNE_OK,
    (AWAIT_TUNE_OK, GOT_TUNE_OK): AWAIT_OPEN,
    (AWAIT_OPEN, GOT_OPEN): ADMITTING,
    (ADMITTING, DO_OPEN_OK): OPEN,
    (EXPECT_HEADER, GOT_HEADER): EXPECT_START,
    (EXPECT_START, GOT_START): EXPECT_TUNE,
    (EXPECT_TUNE, GOT_TUNE): EXPECT_OPEN_OK,
    (EXPECT_OPEN_OK, GOT_OPEN_OK): OPEN,
    (OPEN, GOT_SESSION): OPEN,
    (OPEN, DO_ATTACH): OPEN,
    # Heartbeats flow once tune-ok has agreed on them.
    (AWAIT_OPEN, GOT_HEARTBEAT): AWAIT_OPEN,
    (ADMITTING, GOT_HEARTBEAT): ADMITTING,
    (EXPECT_OPEN_OK, GOT_HEARTBEAT): EXPECT_OPEN_OK,
    (OPEN, GOT_HEARTBEAT): OPEN,
    # Either side may close as soon as the headers are exchanged.
    (AWAIT_START_OK, GOT_CLOSE): CLOSED,
    (JUDGING, GOT_CLOSE): CLOSED,
    (AWAIT_SECURE_OK, GOT_CLOSE): CLOSED,
    (AWAIT_TUNE_OK, GOT_CLOSE): CLOSED,
    (AWAIT_OPEN, GOT_CLOSE): CLOSED,
    (ADMITTING, GOT_CLOSE): CLOSED,
    (EXPECT_START, GOT_CLOSE): CLOSED,
    (EXPECT_TUNE, GOT_CLOSE): CLOSED,
    (EXPECT_OPEN_OK, GOT_CLOSE): CLOSED,
    (OPEN, GOT_CLOSE): CLOSED,
    # Our close is on its way: all else crosses it and is ignored.
    **{(CLOSING, an_input): CLOSING for an_input in INPUTS},
    (CLOSING, GOT_CLOSE): CLOSED,
    (CLOSING, GOT_CLOSE_OK): CLOSED,
    **{(CLOSED, an_input): CLOSED for an_input in INPUTS},
}
"""(state, input) -> next state."""

HEADER_STATES: Final = (AWAIT_HEADER, EXPECT_HEADER)
"""Before the peer's protocol header: no control may be sent yet."""

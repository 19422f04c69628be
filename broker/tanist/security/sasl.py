"""The server side of SASL: which mechanisms, and who it is.

``Authenticator`` is protocol-neutral: AMQP 0-10 hands it the mechanism and initial response of
connection.start-ok, AMQP 1.0 those of sasl-init. It answers with an ``Outcome``: the user, a
challenge to send, or a refusal. ANONYMOUS (RFC 4505) and PLAIN (RFC 4616) need no challenge.

* ``auth`` off: ANONYMOUS and PLAIN are offered; PLAIN's identity is taken without looking at the
  password, as the original does.
* ``auth`` on: PLAIN against the password table; ANONYMOUS only if it was allowed.

An identity is always ``user@REALM``. A refusal says the same whether the user is unknown, the
password wrong or the response malformed (CVE-2016-3094: that ended the original's process).
Checking a hashed password takes its time on purpose; it happens within the step of the node.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tanist.security.passwords import PasswordTable
from tanist.types import BrokerError, Condition

ANONYMOUS: Final = "ANONYMOUS"
PLAIN: Final = "PLAIN"

RESPONSE_MAX: Final = 4096
"""Octets of a response: three strings of at most 255 characters of four octets, and room."""

USER_MAX: Final = 255
"""Characters of a user name: it is sent in str8 fields (message-properties.user-id)."""

FAILED: Final = "Authentication failed"
UNSUPPORTED: Final = "Unsupported mechanism"


@dataclass(frozen=True)
class AuthenticatorConfig:
    """How this broker authenticates."""

    auth: bool = False
    """Whether credentials are verified."""
    realm: str = "QPID"
    """Appended to every user name."""
    passwords: str = ""
    """The text of the password file (``security.passwords``); used when ``auth`` is on."""
    anonymous: bool = False
    """Whether ANONYMOUS is offered although ``auth`` is on."""

    def validate(self) -> None:
        """Raises: BrokerError (INVALID_ARGUMENT) if nobody could ever get in."""
        if self.auth and not self.passwords.strip() and not self.anonymous:
            raise BrokerError(
                Condition.INVALID_ARGUMENT,
                "auth is on, but there is no password file with users (and no anonymous access)",
            )


class Outcome:
    """The answer to a client. Exactly one of the three is set.

    ``user``: accepted as this identity. ``challenge``: to be sent. ``text``: refused, and why
    (fit for the peer to see).
    """

    __slots__ = ("challenge", "text", "user")

    def __init__(self, user: str = "", challenge: bytes | None = None, text: str = "") -> None:
        self.user = user
        self.challenge = challenge
        self.text = text


class Authenticator:
    """Decides on credentials; stateless between calls, one for all connections."""

    __slots__ = ("_config", "_mechanisms", "_table")

    def __init__(self, config: AuthenticatorConfig) -> None:
        """Raises: BrokerError if the password file is malformed."""
        self._config = config
        self._table = PasswordTable(config.passwords if config.auth else "")
        offered: tuple[str, ...] = (PLAIN,)
        if config.anonymous or not config.auth:
            offered = (ANONYMOUS, PLAIN)
        self._mechanisms = offered

    def mechanisms(self) -> tuple[str, ...]:
        """The names to offer, best first for clients that take the first they know."""
        return self._mechanisms

    def start(self, mechanism: str, response: bytes | None) -> Outcome:
        """The client chose ``mechanism``; ``response`` is None if it sent none.

        The caller accepts, sends the challenge, or closes (0-10: code 320) with the text.
        """
        if not mechanism and not self._config.auth:
            mechanism = ANONYMOUS  # what links of the original say without ha-mechanism
        if mechanism not in self._mechanisms:
            return Outcome(text=UNSUPPORTED)
        if mechanism == ANONYMOUS:
            return Outcome(user=self._identity("anonymous"))
        return self._plain(response or b"")

    def _plain(self, response: bytes) -> Outcome:
        parts = response.split(b"\0", 3) if len(response) <= RESPONSE_MAX else []
        if len(parts) != 3:
            return Outcome(text=FAILED)
        try:
            acting_as, user = parts[0].decode(), parts[1].decode()
        except UnicodeDecodeError:
            return Outcome(text=FAILED)
        user = user.removesuffix(f"@{self._config.realm}")
        if not 0 < len(user) <= USER_MAX or not user.isprintable():
            return Outcome(text=FAILED)
        if self._config.auth and not self._table.check(user, parts[2]):
            return Outcome(text=FAILED)
        if acting_as and acting_as not in (user, self._identity(user)):
            return Outcome(text=FAILED)
        return Outcome(user=self._identity(user))

    def _identity(self, user: str) -> str:
        return f"{user}@{self._config.realm}"

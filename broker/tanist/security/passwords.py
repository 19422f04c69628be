"""The password file: parse it, and check a password against it.

One user a line, ``user:secret``, with ``#`` comments and blank lines. The secret is the rest of the
line, exactly, in one of these forms::

    alice:wonderland                            the password itself
    bob:{PLAIN}{wonderland}                     the same, for one that begins with a brace
    carol:{PBKDF2-SHA256}ROUNDS$SALT$HASH       salt and hash in hexadecimal
    dave:{SCRYPT}N$R$P$SALT$HASH                likewise; N a power of two

``pbkdf2_secret`` and ``scrypt_secret`` make the last two. The file is read at the edge; this module
gets its text and does no I/O.

Checking costs the same whether the user exists or not: an unknown user is checked against a decoy
of the costliest kind in the table, and all comparisons are of fixed-length digests in constant
time, so that neither answer nor timing tells which names exist.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from tanist.types import BrokerError, Condition

USERS_MAX: Final = 100_000
"""Users in one file: it is held in memory and read in one piece."""

PBKDF2_ROUNDS_MAX: Final = 10_000_000
"""Several seconds of work for one login; more is a mistake in the file."""

SCRYPT_MEMORY_MAX: Final = 256 * 1024 * 1024
"""Octets that one check may take (128 * N * R)."""

PLAIN: Final = "{PLAIN}"
PBKDF2: Final = "{PBKDF2-SHA256}"
SCRYPT: Final = "{SCRYPT}"


class Secret:
    """What a user's password is checked against.

    ``rounds``: PBKDF2 rounds or scrypt's N, 0 for a password kept as it is. ``block``,
    ``lanes``: scrypt's R and P, 0 otherwise. ``digest`` is what a right password derives to.
    """

    __slots__ = ("block", "digest", "lanes", "rounds", "salt")

    def __init__(self, rounds: int, block: int, lanes: int, salt: bytes, digest: bytes) -> None:
        self.rounds = rounds
        self.block = block
        self.lanes = lanes
        self.salt = salt
        self.digest = digest

    def cost(self) -> int:
        """Something that grows with the work of one check."""
        return self.rounds * max(self.block * self.lanes, 1)

    def matches(self, password: bytes) -> bool:
        """Whether ``password`` is right; in constant time for this secret."""
        if self.rounds == 0:
            derived = hashlib.sha256(password).digest()
        elif self.block == 0:
            derived = hashlib.pbkdf2_hmac(
                "sha256", password, self.salt, self.rounds, len(self.digest)
            )
        else:
            derived = _scrypt(
                password, self.salt, self.rounds, self.block, self.lanes, len(self.digest)
            )
        return hmac.compare_digest(derived, self.digest)


def _scrypt(password: bytes, salt: bytes, n: int, r: int, p: int, size: int) -> bytes:
    memory = 2 * 128 * r * (n + p + 2)
    return hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=memory, dklen=size)


def pbkdf2_secret(password: str, salt: bytes, rounds: int = 600_000) -> str:
    """The secret to write into the file for ``password``; ``salt``: 16 random octets."""
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    return f"{PBKDF2}{rounds}${salt.hex()}${digest.hex()}"


def scrypt_secret(password: str, salt: bytes, n: int = 16384, r: int = 8, p: int = 1) -> str:
    """The secret to write into the file for ``password``; ``salt``: 16 random octets."""
    digest = _scrypt(password.encode(), salt, n, r, p, 32)
    return f"{SCRYPT}{n}${r}${p}${salt.hex()}${digest.hex()}"


def _parse_secret(text: str) -> Secret:
    """Raises: ValueError saying what is wrong."""
    if text.startswith(PBKDF2):
        parts = text[len(PBKDF2) :].split("$")
        if len(parts) != 3:
            raise ValueError(f"{PBKDF2} needs ROUNDS$SALT$HASH")
        rounds = int(parts[0])
        if not 0 < rounds <= PBKDF2_ROUNDS_MAX:
            raise ValueError(f"{PBKDF2} rounds must be from 1 to {PBKDF2_ROUNDS_MAX}")
        return Secret(rounds, 0, 0, bytes.fromhex(parts[1]), _digest(parts[2]))
    if text.startswith(SCRYPT):
        parts = text[len(SCRYPT) :].split("$")
        if len(parts) != 5:
            raise ValueError(f"{SCRYPT} needs N$R$P$SALT$HASH")
        n, r, p = int(parts[0]), int(parts[1]), int(parts[2])
        if n < 2 or n & (n - 1) or not 0 < r <= 64 or not 0 < p <= 64:
            raise ValueError(f"{SCRYPT} needs N a power of two, R and P from 1 to 64")
        if 128 * n * r > SCRYPT_MEMORY_MAX:
            raise ValueError(f"{SCRYPT} N={n} R={r} takes more than {SCRYPT_MEMORY_MAX} octets")
        return Secret(n, r, p, bytes.fromhex(parts[3]), _digest(parts[4]))
    if text.startswith(PLAIN):
        text = text[len(PLAIN) :]
    elif text.startswith("{"):
        raise ValueError(f"unknown scheme (use {PLAIN}, {PBKDF2} or {SCRYPT})")
    return Secret(0, 0, 0, b"", hashlib.sha256(text.encode()).digest())


def _digest(text: str) -> bytes:
    digest = bytes.fromhex(text)
    if not 16 <= len(digest) <= 64:
        raise ValueError("a hash has 16 to 64 octets")
    return digest


class PasswordTable:
    """The users of a password file."""

    __slots__ = ("_decoy", "_secrets")

    def __init__(self, text: str) -> None:
        """Parse the text of a password file.

        Raises: BrokerError (INVALID_ARGUMENT) naming the line; never its secret.
        """
        self._secrets: dict[str, Secret] = {}
        decoy = Secret(0, 0, 0, b"", bytes(32))
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            user, colon, secret_text = line.partition(":")
            user = user.strip()
            try:
                if not colon or not user:
                    raise ValueError("expected user:password")
                if user in self._secrets:
                    raise ValueError(f"user {user} is there twice")
                if len(self._secrets) >= USERS_MAX:
                    raise ValueError(f"more than {USERS_MAX} users")
                secret = _parse_secret(secret_text)
            except ValueError as error:
                raise BrokerError(
                    Condition.INVALID_ARGUMENT, f"password file, line {number}: {error}"
                ) from None
            self._secrets[user] = secret
            if secret.cost() > decoy.cost():
                decoy = secret
        zeros = bytes(len(decoy.digest))
        self._decoy = Secret(decoy.rounds, decoy.block, decoy.lanes, decoy.salt, zeros)

    def __len__(self) -> int:
        return len(self._secrets)

    def check(self, user: str, password: bytes) -> bool:
        """Whether ``user`` exists and has this password; the work is done either way."""
        secret = self._secrets.get(user)
        if secret is None:
            self._decoy.matches(password)
            return False
        return secret.matches(password)

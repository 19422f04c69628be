"""Password files: what they may hold, and that a check says nothing but yes or no."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.security.passwords import PasswordTable, pbkdf2_secret, scrypt_secret
from tanist.types import BrokerError, Condition

SALT = bytes(range(16))


def test_every_form_of_secret_checks_the_password():
    table = PasswordTable(
        "\n".join(
            [
                "# users",
                "",
                "alice:wonder:land",
                "bob:{PLAIN}{braces}",
                f"carol:{pbkdf2_secret('c', SALT, rounds=10)}",
                f"dave:{scrypt_secret('d', SALT, n=16, r=1)}",
            ]
        )
    )
    assert len(table) == 4
    passwords = {"alice": b"wonder:land", "bob": b"{braces}", "carol": b"c", "dave": b"d"}
    for user, password in passwords.items():
        assert table.check(user, password)
        assert not table.check(user, password + b"x")
        assert not table.check(user, b"")
    assert not table.check("eve", b"wonder:land")
    assert not table.check("", b"")


@pytest.mark.parametrize("kind", ["plain", "pbkdf2", "scrypt"])
def test_an_unknown_user_never_matches_even_if_the_decoy_would(kind):
    secret = {
        "plain": "x",
        "pbkdf2": pbkdf2_secret("x", SALT, rounds=5),
        "scrypt": scrypt_secret("x", SALT, n=4, r=1),
    }[kind]
    table = PasswordTable(f"u:{secret}")
    assert table.check("u", b"x")
    assert not table.check("v", b"x")
    assert not PasswordTable("").check("u", b"x")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("alice", "expected user:password"),
        (":secret", "expected user:password"),
        ("a:1\na:2", "line 2: user a is there twice"),
        ("a:{MD5}00", "unknown scheme"),
        ("a:{PBKDF2-SHA256}5$00", "needs ROUNDS"),
        ("a:{PBKDF2-SHA256}0$00$" + "00" * 32, "rounds must be"),
        ("a:{PBKDF2-SHA256}99999999$00$" + "00" * 32, "rounds must be"),
        ("a:{PBKDF2-SHA256}5$00$00", "16 to 64 octets"),
        ("a:{PBKDF2-SHA256}5$0g$" + "00" * 32, "line 1"),
        ("a:{SCRYPT}16$1$1$00", "needs N"),
        ("a:{SCRYPT}15$1$1$00$" + "00" * 32, "power of two"),
        ("a:{SCRYPT}16$65$1$00$" + "00" * 32, "power of two"),
        ("a:{SCRYPT}16777216$8$1$00$" + "00" * 32, "takes more than"),
    ],
)
def test_a_bad_line_is_named_without_its_secret(line, complaint):
    with pytest.raises(BrokerError) as caught:
        PasswordTable(line)
    assert caught.value.condition is Condition.INVALID_ARGUMENT
    assert complaint in caught.value.text
    assert "secret" not in caught.value.text


def test_a_password_table_has_a_limit():
    lines = "\n".join(f"u{number}:x" for number in range(100_001))
    with pytest.raises(BrokerError, match="line 100001: more than"):
        PasswordTable(lines)


@settings(max_examples=50, deadline=None)
@given(
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zl", "Zp"])),
    st.binary(max_size=16),
)
def test_plain_lines_accept_exactly_their_password(password, other):
    table = PasswordTable("u:{PLAIN}" + password)
    assert table.check("u", password.encode())
    assert table.check("u", other) == (other == password.encode())

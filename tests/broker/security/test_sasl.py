"""SASL: ANONYMOUS and PLAIN, and every malformed PLAIN is a refusal (CVE-2016-3094)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.security.sasl import FAILED, UNSUPPORTED, Authenticator, AuthenticatorConfig
from tanist.types import BrokerError

OPEN = Authenticator(AuthenticatorConfig())
STRICT = Authenticator(AuthenticatorConfig(auth=True, passwords="alice:secret"))


def test_without_auth_the_identity_is_taken_unverified():
    assert OPEN.mechanisms() == ("ANONYMOUS", "PLAIN")
    assert OPEN.start("ANONYMOUS", None).user == "anonymous@QPID"
    assert OPEN.start("ANONYMOUS", b"mailbox").user == "anonymous@QPID"
    assert OPEN.start("PLAIN", b"\0guest\0whatever").user == "guest@QPID"
    assert OPEN.start("PLAIN", b"\0guest@QPID\0").user == "guest@QPID"
    assert OPEN.start("PLAIN", b"guest\0guest\0x").user == "guest@QPID"


def test_with_auth_the_password_decides():
    assert STRICT.mechanisms() == ("PLAIN",)
    assert STRICT.start("PLAIN", b"\0alice\0secret").user == "alice@QPID"
    assert STRICT.start("PLAIN", b"alice@QPID\0alice\0secret").user == "alice@QPID"
    wrong = STRICT.start("PLAIN", b"\0alice\0wrong")
    unknown = STRICT.start("PLAIN", b"\0eve\0secret")
    assert (wrong.user, wrong.challenge, wrong.text) == ("", None, FAILED)
    assert (unknown.user, unknown.challenge, unknown.text) == ("", None, FAILED)
    assert STRICT.start("PLAIN", b"eve\0alice\0secret").text == FAILED
    assert STRICT.start("ANONYMOUS", None).text == UNSUPPORTED


def test_anonymous_can_be_allowed_beside_passwords():
    both = Authenticator(AuthenticatorConfig(auth=True, passwords="a:b", anonymous=True, realm="R"))
    assert both.mechanisms() == ("ANONYMOUS", "PLAIN")
    assert both.start("ANONYMOUS", None).user == "anonymous@R"
    assert both.start("PLAIN", b"\0a\0b").user == "a@R"


@pytest.mark.parametrize("mechanism", ["plain", "EXTERNAL", "PLAIN ", "SCRAM-SHA-256"])
def test_other_mechanisms_are_unsupported(mechanism):
    assert OPEN.start(mechanism, b"\0a\0b").text == UNSUPPORTED


def test_no_mechanism_at_all_is_what_links_of_the_original_say():
    """Without ha-mechanism, and with two zeros as response; it needs no authentication."""
    assert OPEN.start("", b"\0\0").user == "anonymous@QPID"
    assert STRICT.start("", b"\0\0").text == UNSUPPORTED


@pytest.mark.parametrize("authenticator", [OPEN, STRICT])
@pytest.mark.parametrize(
    "response",
    [
        None,
        b"",
        b"alice",
        b"alice\0secret",
        b"\0alice\0secret\0",
        b"\0alice\0sec\0ret",
        b"\0\0secret",
        b"\0@QPID\0secret",
        b"\0\xff\0secret",
        b"\xff\0alice\0secret",
        b"\0al\nice\0secret",
        b"\0" + b"a" * 256 + b"\0secret",
        b"\0alice\0" + b"s" * 1_000_000,
        bytes(1_000_000),
    ],
)
def test_malformed_plain_is_refused(authenticator, response):
    outcome = authenticator.start("PLAIN", response)
    assert (outcome.user, outcome.challenge, outcome.text) == ("", None, FAILED)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40))
def test_random_responses_never_get_in(response):
    assert STRICT.start("PLAIN", response).text == FAILED


def test_a_configuration_that_locks_everybody_out_is_an_error():
    AuthenticatorConfig().validate()
    AuthenticatorConfig(auth=True, passwords="a:b").validate()
    AuthenticatorConfig(auth=True, anonymous=True).validate()
    with pytest.raises(BrokerError, match="no password file"):
        AuthenticatorConfig(auth=True).validate()


def test_a_malformed_password_file_is_found_at_once_but_only_if_used():
    with pytest.raises(BrokerError, match="line 1"):
        Authenticator(AuthenticatorConfig(auth=True, passwords="nonsense"))
    assert Authenticator(AuthenticatorConfig(passwords="nonsense")).mechanisms()

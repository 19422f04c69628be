from __future__ import annotations

import pytest

from tanist.wire.amqp10.settings import ConnectionSettings


@pytest.mark.parametrize(
    ("settings", "offered", "choice"),
    [
        (ConnectionSettings(), ["ANONYMOUS", "PLAIN"], ("ANONYMOUS", b"anonymous")),
        (ConnectionSettings(username="u", password="p"), ["PLAIN"], ("PLAIN", b"\0u\0p")),
        (
            ConnectionSettings(username="u", mechanism="ANONYMOUS"),
            ["ANONYMOUS"],
            ("ANONYMOUS", b"u"),
        ),
        (ConnectionSettings(), ["PLAIN"], None),
        (ConnectionSettings(username="u"), ["ANONYMOUS"], None),
        (ConnectionSettings(mechanism="EXTERNAL"), ["PLAIN"], None),
    ],
)
def test_a_client_takes_what_it_wants_or_nothing(settings, offered, choice):
    assert settings.choose_mechanism(offered) == choice

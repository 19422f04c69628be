"""Settings: the defaults are the original's, and a client chooses what is offered."""

from __future__ import annotations

from tanist.wire.amqp010.settings import ConnectionSettings


def test_the_defaults_are_what_the_original_offers():
    settings = ConnectionSettings()
    assert (settings.channel_max, settings.max_frame_size) == (0xFFFE, 65535)
    assert settings.heartbeat_max_s == 120


def test_the_mechanism_follows_the_credentials_and_the_offer():
    both = ["ANONYMOUS", "PLAIN"]
    anonymous = ConnectionSettings(role="client")
    assert anonymous.choose_mechanism(both) == ("ANONYMOUS", b"anonymous")
    assert anonymous.choose_mechanism(["PLAIN"]) is None
    plain = ConnectionSettings(role="client", username="u", password="p")
    assert plain.choose_mechanism(both) == ("PLAIN", b"\0u\0p")
    assert plain.choose_mechanism(["ANONYMOUS"]) is None
    chosen = ConnectionSettings(role="client", username="u", mechanism="ANONYMOUS")
    assert chosen.choose_mechanism(both) == ("ANONYMOUS", b"u")

from __future__ import annotations

from tanist.sessions.translation import names


def test_every_carried_header_has_the_prefix_that_says_so() -> None:
    constants = {value for name, value in vars(names).items() if name.isupper()} - {names.CARRIED}
    prefixed = {
        value
        for value in constants
        if isinstance(value, str) and value.startswith("x-amqp-") and value != names.APP_ID
    }
    assert prefixed == names.CARRIED


def test_annotations_are_optional_ones() -> None:
    """AMQP 1.0, 3.2.10: whoever does not know an annotation ``x-opt-`` may ignore it."""
    assert names.REST.startswith("x-opt-")
    assert names.JMS_MESSAGE_TYPE.startswith("x-opt-")

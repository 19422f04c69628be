"""The contract between sessions and the gate."""

from __future__ import annotations

import pytest

from tanist.core.follower import Pledge
from tanist.sessions.amqp010.state import SessionState
from tanist.sessions.held import Held


def test_a_session_is_held() -> None:
    assert issubclass(SessionState, Held)


def test_the_base_promises_nothing() -> None:
    with pytest.raises(NotImplementedError):
        Held().seal(1)
    with pytest.raises(NotImplementedError):
        Held().open_gate(1)


class Indifferent(Held):
    """Somebody who has nothing to do with messages."""


def test_who_does_not_care_waits_for_no_copies() -> None:
    indifferent = Indifferent()
    indifferent.pledge(Pledge())
    indifferent.kept()

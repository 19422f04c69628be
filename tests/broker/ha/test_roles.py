"""Every (status, trigger) pair is a row of the table or an error; nothing third."""

from __future__ import annotations

import pytest

from tanist.ha.roles import TRANSITIONS, IllegalTransition, Role, Status, Trigger, status_name


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("trigger", list(Trigger))
def test_every_pair_is_a_row_or_an_error(status: Status, trigger: Trigger) -> None:
    role = Role()
    role.status = status
    target = TRANSITIONS.get((status, trigger))
    if target is None:
        with pytest.raises(IllegalTransition, match=status_name(status)):
            role.fire(trigger)
        assert role.status is status
    else:
        assert role.fire(trigger) == (target is not status)
        assert role.status is target


def test_there_is_no_way_back_from_primary() -> None:
    for (status, _), target in TRANSITIONS.items():
        if status in (Status.RECOVERING, Status.ACTIVE):
            assert target in (Status.RECOVERING, Status.ACTIVE)


def test_a_backup_in_catchup_cannot_be_promoted() -> None:
    assert (Status.CATCHUP, Trigger.PROMOTED) not in TRANSITIONS
    assert TRANSITIONS[Status.CATCHUP, Trigger.FORCED] is Status.RECOVERING


def test_numbers_and_names_are_the_originals() -> None:
    assert [(int(s), status_name(s)) for s in Status] == [
        (0, "joining"),
        (1, "catchup"),
        (2, "ready"),
        (3, "recovering"),
        (4, "active"),
        (5, "standalone"),
    ]


def test_who_is_primary_and_who_is_backup() -> None:
    role = Role()
    assert (role.is_primary, role.is_backup, role.name) == (False, False, "standalone")
    role.fire(Trigger.CLUSTER)
    assert (role.is_primary, role.is_backup) == (False, True)
    role.fire(Trigger.PROMOTED)
    assert (role.is_primary, role.is_backup) == (True, False)

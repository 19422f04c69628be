from __future__ import annotations

from tanist.core.notices import Actor, Notice, QueueDeleteNotice


def test_a_notice_says_who() -> None:
    owner = object()
    actor = Actor("guest", "host:1", owner)
    notice = QueueDeleteNotice(actor, "q")
    assert isinstance(notice, Notice)
    assert (notice.user, notice.rhost, notice.name) == ("guest", "host:1", "q")
    assert actor.owner is owner
    assert Actor("guest", "host:1").owner is None

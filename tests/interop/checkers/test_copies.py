from __future__ import annotations


def test_copies_that_a_failover_explains(tale):
    subject = tale().begin().load().stream().fault()
    subject.story.got((5, 7), source="x.receive", producer="x.stream", redelivered=True)
    assert subject.go_on().requeue().end(total=13).cell("duplicates") == ("valid", "")


def test_one_copy_that_nothing_explains(tale):
    subject = tale("kill-backup").begin().load().stream()
    subject.story.got((7, 7), source="x.receive", producer="x.stream", redelivered=True)
    subject.story.ms += 200  # clearly before its client is killed, which would explain it
    verdict, findings = subject.fault().go_on().requeue().end().cells()["duplicates"]
    assert verdict == "invalid"
    assert findings == ["drill.x: 1 duplicates after the start, explained are 0"]


def test_a_copy_of_the_brokers_without_a_mark(tale):
    subject = tale().begin().load().stream().fault()
    subject.story.got((7, 7), source="x.receive", producer="x.stream")
    verdict, text = subject.go_on().requeue().end(total=11).cell("duplicates")
    assert (verdict, text) == ("invalid", "1 delivered again without the mark: x.stream:7")


def test_a_message_that_cannot_be_told_from_others(tale):
    subject = tale().begin().load().stream().fault()
    subject.story.got((99, 99), source="x.receive", producer="x.stream")
    verdict, text = subject.go_on().requeue().end(total=11).cell("duplicates")
    assert (verdict, text) == ("invalid", "1 that nobody sent: x.stream:99")


def test_a_client_that_got_nothing_shows_nothing(tale):
    assert tale().begin().cell("duplicates") == ("unknown", "the fault never came")
    subject = tale().begin().fault()
    assert subject.cells()["duplicates"][0] == "unknown"

from __future__ import annotations

from tanist_interop import protocol
from tanist_interop.checkers.operations import read
from tanist_interop.checkers.resend import in_flight


def test_all_that_was_unconfirmed_arrives(tale):
    subject = tale().whole()
    assert subject.cell("resend") == ("valid", "")
    cells = subject.story.verdict().as_json()["figures"]["proofs"]["cells"]
    assert cells[0]["figures"] == {"unconfirmed": 3, "arrived": 3}


def test_what_was_in_flight_is_what_had_no_outcome_then(tale):
    subject = tale().whole()
    ops = read(subject.story.records)
    begin = next(r.t for r in subject.story.records if r.type == "fault")
    assert list(in_flight(ops, "x.stream", begin)) == [("x.stream", sn) for sn in (8, 9, 10)]
    assert not in_flight(ops, "x.stream", ops.span[1])


def test_a_message_that_was_never_sent_again_is_missing(tale):
    subject = tale().begin().load().stream().fault()
    subject.story.batch(protocol.Info, [(9, 9)], "x.send", "x.stream")
    subject.go_on(again=((8, 8), (10, 10))).requeue().end(total=9)
    verdict, findings = subject.cells()["resend"]
    assert verdict == "invalid"
    assert findings == [
        "1 were not confirmed and never arrived: x.stream:9",
        "1 were confirmed and never arrived: x.stream:9",
    ]


def test_a_message_that_surely_was_not_sent_need_not_arrive(tale):
    subject = tale().begin().load().stream().fault()
    story = subject.story
    story.batch(protocol.Fail, [(10, 10)], "x.send", "x.stream")
    story.batch(protocol.Ok, [(8, 9)], "x.send", "x.stream")
    story.got((8, 9), source="x.receive", producer="x.stream")
    story.fault("end", failover=False)
    story.mark("rejoined", node="n1")
    subject.requeue().end(total=9)
    assert subject.cell("resend") == ("valid", "")


def test_a_confirmation_that_no_backup_stands_for_is_wrong(tale):
    subject = tale().begin().load().stream(hasty=[(8, 8)]).fault().go_on().requeue().end()
    text = "1 confirmed while no backup could have them: x.stream:8"
    assert subject.cell("resend") == ("invalid", text)


def test_confirmations_that_do_not_stop_are_wrong(tale):
    subject = tale().begin().load().stream()
    subject.story.mark("not_frozen")
    subject.fault().go_on().requeue().end()
    text = "confirmations went on although no backup was told of anything"
    assert subject.cell("resend") == ("invalid", text)


def test_without_a_drain_nobody_knows(tale):
    subject = tale().begin().load().stream().fault().go_on().requeue()
    verdict, text = subject.cell("resend")
    assert verdict == "unknown"
    assert text == "drill.x: the sender x.send never ended"


def test_if_nothing_was_unconfirmed_nothing_is_shown(tale):
    subject = tale().begin().load()
    story = subject.story
    story.sender("x.send", 3, "drill.x", "x.stream")
    story.receiver("x.receive", 3, "drill.x")
    story.sent((1, 10), source="x.send", producer="x.stream")
    story.got((1, 10), source="x.receive", producer="x.stream")
    story.mark("freeze")
    story.mark("frozen")
    subject.fault().requeue().end()
    assert subject.cell("resend") == ("unknown", "nothing was unconfirmed when the fault came")

from __future__ import annotations

import pytest

from tanist_interop import history, protocol
from tanist_interop.history import DamagedHistory, Journal, load, stream


def write(path, story):
    journal = Journal(path)
    for record in story.records:
        journal.add(record.at, record.source, record.event, record.t)
    journal.close()


def test_what_was_written_is_loaded(tmp_path, story):
    write(tmp_path / "h", story.good())
    assert load(tmp_path / "h") == list(stream(tmp_path / "h")) == story.records


def test_time_of_an_event_is_the_time_of_its_record_unless_given(tmp_path):
    journal = Journal(tmp_path / "h")
    journal.add(5, "x", {"type": "mark"})
    journal.add(5, "x", {"type": "mark"}, 3)
    journal.flush()
    assert [record.t for record in load(tmp_path / "h")] == [5, 3]
    journal.close()


def test_a_torn_last_line_is_dropped(tmp_path, story):
    path = tmp_path / "h"
    write(path, story.good())
    path.write_text(path.read_text()[:-5])
    assert load(path) == story.records[:-1]


@pytest.mark.parametrize("text", ["{}\n", "nonsense\n", "[1]\n", '{"at":1'])
def test_a_damaged_file_is_refused(tmp_path, text):
    (tmp_path / "h").write_text(text)
    with pytest.raises(DamagedHistory):
        load(tmp_path / "h")


def test_what_is_asked_for_is_found(story):
    records = story.good().records
    assert [m.count for _, m in history.messages(records, protocol.Ended)] == [20, 20, 2]
    assert [m.producer for _, m in history.requests(records, protocol.Send)] == ["p"]
    assert list(history.requests(records, protocol.Stop)) == []
    assert len(list(history.notes(records, "fault"))) == 2
    assert len(list(history.failovers(records))) == 1
    assert history.mark_time(records, "promoted") > history.fault_time(records)
    assert history.mark_time(records, "never") is None
    assert history.fault_time([]) is None
    with pytest.raises(AssertionError):
        history.notes(records, "no such note")

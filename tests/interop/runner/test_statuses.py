from __future__ import annotations

import os
import time
from datetime import datetime, timedelta

from tanist_interop.runner.statuses import changes


def line(moment, old, new):
    return f"{moment} [HA] info Status change: {old} -> {new}\n"


def written(path, text):
    """A log whose last line was written at the moment that it tells."""
    path.write_text(text)
    last = datetime.fromisoformat(text.splitlines()[-1][:26]).timestamp()
    os.utime(path, (last, last))


def test_changes_of_all_lives_in_the_order_of_time(tmp_path):
    written(
        tmp_path / "n1.log",
        "2026-01-01 10:00:00.000100 [Broker] notice Option x\n"
        + line("2026-01-01 10:00:01.500000", "joining", "active"),
    )
    written(tmp_path / "n1.2.log", line("2026-01-01 10:00:09.250000", "standalone", "joining"))
    written(
        tmp_path / "n2.log",
        line("2026-01-01 10:00:00.750000", "joining", "catchup")
        + line("2026-01-01 10:00:05.000001", "ready", "recovering"),
    )
    (tmp_path / "nosuch.log").write_text(line("2026-01-01 10:00:00.1", "a", "b"))
    found = changes(tmp_path, -(10**19))
    assert [(c.node, c.life, c.status) for c in found] == [
        ("n2", 1, "catchup"), ("n1", 1, "active"), ("n2", 1, "recovering"), ("n1", 2, "joining"),
    ]  # fmt: skip
    assert found[1].t - found[0].t == 750_000_000
    assert found[2].t - found[1].t == 3_500_001_000
    assert found[0].note() == {"type": "status", "node": "n2", "life": 1, "status": "catchup"}


def test_losses_are_told_as_the_log_has_them(tmp_path):
    texts = (
        "Lost primary tcp:127.0.0.1:7: closed by peer",
        "Backup 8e1c said nothing for two heartbeats",
        "Backup 8e1c disconnected",
        "Backup 8e1c is not in sync any more: it disconnected; going on without it",
        "127.0.0.1:41000: no frame for 2.0 s, heartbeat 1 s",
    )
    others = ("Backup 8e1c is ready", "Backup 8e1c connected; it goes on after 0", "Started")
    begin = datetime(2026, 1, 1, 10)
    moments = [(begin + timedelta(seconds=n)).isoformat(" ") + ".500000" for n in range(8)]
    lines = [
        f"{moment} [{'Protocol' if 'frame' in text else 'HA'}] info {text}\n"
        for moment, text in zip(moments, (*texts, *others), strict=True)
    ]
    written(tmp_path / "n3.2.log", "".join(lines))
    found = changes(tmp_path, -(10**19))
    assert [loss.text for loss in found] == list(texts)
    assert found[0].note() == {"type": "parted", "node": "n3", "life": 2, "text": texts[0]}
    assert found[4].t - found[0].t == 4_000_000_000


def test_times_are_of_the_drills_clock(tmp_path):
    now = time.monotonic_ns()
    (tmp_path / "n1.log").write_text(line(str(datetime.now()), "ready", "active"))
    (change,) = changes(tmp_path)
    assert abs(change.t - now) < 5_000_000_000


def test_another_time_zone_is_seen_by_when_the_log_was_written(tmp_path):
    now = time.monotonic_ns()
    for hours in (-9.75, 5.5):
        there = datetime.now() + timedelta(hours=hours)
        (tmp_path / "n1.log").write_text(line(there.isoformat(" "), "ready", "active"))
        (change,) = changes(tmp_path)
        assert abs(change.t - now) < 5_000_000_000


def test_a_clock_that_was_turned_is_not_believed(tmp_path):
    now = datetime.now()
    text = line((now + timedelta(hours=1)).isoformat(" "), "ready", "recovering")
    (tmp_path / "n1.log").write_text(text + line(now.isoformat(" "), "recovering", "active"))
    assert [c.status for c in changes(tmp_path)] == ["active"]
    assert changes(tmp_path, time.monotonic_ns() + 10**12) == []


def test_whole_seconds_are_not_good_enough(tmp_path):
    (tmp_path / "n1.log").write_text(line("2026-01-01 10:00:01", "ready", "active"))
    assert changes(tmp_path) == []

"""Heartbeats by a clock of our own."""

from __future__ import annotations

from math import inf

from tanist.wire.amqp010.heartbeat import BEAT, LOST, NOTHING, Heartbeat


def started(interval_s: int, now: float = 10.0) -> Heartbeat:
    heartbeat = Heartbeat()
    heartbeat.start(interval_s, now)
    return heartbeat


def test_a_beat_is_due_every_interval_whatever_is_heard():
    heartbeat = started(2)
    beats = []
    for tenth in range(100, 201):
        now = tenth / 10
        heartbeat.heard(now)
        if heartbeat.check(now) == BEAT:
            beats.append(now)
    assert beats == [12.0, 14.0, 16.0, 18.0, 20.0]
    assert heartbeat.deadline() == 22.0


def test_two_silent_intervals_are_the_end():
    heartbeat = started(2)
    assert heartbeat.check(12.0) == BEAT
    assert heartbeat.check(13.9) == NOTHING
    assert heartbeat.deadline() == 14.0
    assert heartbeat.check(14.0) == LOST


def test_our_own_absence_is_forgiven_once():
    heartbeat = started(2)
    assert heartbeat.check(100.0) == BEAT
    assert heartbeat.deadline() == 102.0
    assert heartbeat.check(102.0) == LOST
    heartbeat = started(2)
    assert heartbeat.check(100.0) == BEAT
    assert heartbeat.check(300.0) == LOST


def test_forgiveness_comes_back_with_the_peer():
    heartbeat = started(2)
    assert heartbeat.check(100.0) == BEAT
    heartbeat.heard(100.5)
    assert heartbeat.check(200.0) == BEAT


def test_no_interval_no_deadline():
    for heartbeat in (Heartbeat(), started(0)):
        assert heartbeat.deadline() == inf
        assert heartbeat.check(1e9) == NOTHING

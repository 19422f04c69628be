"""Idle time-outs by a clock of our own."""

from __future__ import annotations

from math import inf

from tanist.wire.amqp10.idle import BEAT, LOST, NOTHING, Idle


def test_empty_frames_are_due_twice_in_the_peers_limit_whatever_is_heard():
    idle = Idle()
    idle.beat(4.0, 10.0)
    beats = []
    for tenth in range(100, 201):
        now = tenth / 10
        idle.heard(now)
        if idle.check(now) == BEAT:
            beats.append(now)
    assert beats == [12.0, 14.0, 16.0, 18.0, 20.0]
    assert idle.deadline() == 22.0


def test_a_late_beat_does_not_bring_a_crowd():
    idle = Idle()
    idle.beat(4.0, 0.0)
    assert idle.check(100.0) == BEAT
    assert idle.check(100.0) == NOTHING
    assert idle.deadline() == 102.0


def test_a_silent_peer_is_lost_at_the_limit():
    idle = Idle()
    idle.watch(4.0, 10.0)
    assert idle.check(13.9) == NOTHING
    assert idle.deadline() == 14.0
    assert idle.check(14.0) == LOST


def test_a_peer_that_is_heard_is_not_lost():
    idle = Idle()
    idle.watch(4.0, 10.0)
    for now in range(11, 100):
        assert idle.check(float(now)) == NOTHING
        idle.heard(float(now))


def test_our_own_absence_is_forgiven_once_until_the_peer_is_heard():
    idle = Idle()
    idle.watch(4.0, 10.0)
    assert idle.check(100.0) == NOTHING
    assert idle.deadline() == 102.0
    assert idle.check(102.0) == LOST
    idle = Idle()
    idle.watch(4.0, 10.0)
    assert idle.check(100.0) == NOTHING
    idle.heard(100.5)
    assert idle.check(200.0) == NOTHING
    assert idle.check(300.0) == LOST


def test_no_limits_no_deadline():
    idle = Idle()
    idle.watch(0.0, 0.0)
    idle.beat(0.0, 0.0)
    assert idle.deadline() == inf
    assert idle.check(1e9) == NOTHING

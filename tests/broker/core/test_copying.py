"""What a copy's link does to the local queue, and that the backups of this broker know it."""

from __future__ import annotations

from uuid import UUID

from tanist.core.broker import Broker
from tanist.core.records import Copied, Dequeued, Entry, SourceSet
from tests.broker.core.core_model import (
    actor,
    bodies,
    consume,
    join,
    make_broker,
    message,
    publish,
    replicate,
    replicated_state,
)
from tests.broker.core.follow_model import fill, follow, settle

URL = "amqp:tcp:other:5672"
LINEAGE = UUID(int=7)
ALIEN = UUID(int=8)


def a_copy(ha: bool = False, **arguments: object) -> Broker:
    broker = make_broker(ha=ha)
    queue = broker.declare_queue("q", actor(), arguments=arguments)
    broker.set_source(queue, URL, LINEAGE)
    return broker


def copy_in(broker: Broker, *numbers: int) -> list[bool]:
    queue = broker.queues["q"]
    return [broker.copy_in(queue, number, message(b"%d" % number)) for number in numbers]


def runs(broker: Broker) -> list[tuple[int, int, int]]:
    source = broker.queues["q"].source
    assert source is not None
    return source.copies.runs()


def test_copied_messages_come_in_beside_local_ones_and_only_once() -> None:
    broker = a_copy()
    assert copy_in(broker, 5, 6) == [True, True]
    publish(broker, b"local")
    assert copy_in(broker, 7, 6) == [True, False]
    assert bodies(broker) == [b"5", b"6", b"local", b"7"]
    assert runs(broker) == [(5, 1, 2), (7, 4, 1)]


def test_what_is_gone_there_goes_here_even_from_a_consumer() -> None:
    broker = a_copy()
    copy_in(broker, 5, 6, 7)
    publish(broker, b"local")
    _, sink = consume(broker, credit=1)
    broker.dispatch()
    assert sink.bodies == [b"5"]
    assert broker.copy_out(broker.queues["q"], 1, 6) == 2
    assert bodies(broker) == [b"7", b"local"]
    broker.dequeue(sink.got)  # the consumer accepts what is gone: nothing happens
    assert bodies(broker) == [b"7", b"local"]


def test_what_was_consumed_here_does_not_come_again() -> None:
    broker = a_copy()
    copy_in(broker, 5)
    broker.dequeue(broker.queues["q"].entries())
    assert copy_in(broker, 5) == [False]
    assert broker.copy_out(broker.queues["q"], 5, 5) == 0
    assert runs(broker) == []


def test_copied_messages_are_not_refused_by_a_full_queue() -> None:
    broker = a_copy(**{"qpid.max_count": 1})
    copy_in(broker, 1, 2)
    assert bodies(broker) == [b"1", b"2"]


def test_a_ring_makes_room() -> None:
    broker = a_copy(**{"qpid.max_count": 1, "qpid.policy_type": "ring"})
    copy_in(broker, 1, 2)
    assert bodies(broker) == [b"2"]


def test_a_copy_can_be_copied_on() -> None:
    broker = a_copy()
    _, copy = follow(broker)
    copy_in(broker, 5, 6)
    settle(broker)
    assert copy.bodies == [b"5", b"6"]
    broker.copy_out(broker.queues["q"], 5, 5)
    settle(broker)
    assert copy.bodies == [b"6"]


def test_an_auto_delete_queue_stays_while_it_is_copied() -> None:
    broker = make_broker()
    queue = broker.declare_queue("q", actor(), auto_delete=True)
    broker.set_source(queue, URL, None)
    subscription, _ = consume(broker)
    broker.cancel(subscription)
    assert "q" in broker.queues
    broker.set_source(queue, "", None)
    subscription, _ = consume(broker)
    broker.cancel(subscription)
    assert "q" not in broker.queues


def test_the_ids_are_kept_for_the_same_lineage_only() -> None:
    broker = a_copy()
    queue = broker.queues["q"]
    copy_in(broker, 1)
    assert broker.set_source(queue, "", LINEAGE).active is False
    assert broker.set_source(queue, "amqp:tcp:elsewhere:1", LINEAGE).last_url.endswith(":1")
    assert runs(broker) == [(1, 1, 1)]
    broker.set_source(queue, URL, ALIEN)
    assert runs(broker) == []
    assert bodies(broker) == [b"1"]


def test_forgetting() -> None:
    broker = a_copy(ha=True)
    queue = broker.queues["q"]
    broker.forget_copies(queue)
    copy_in(broker, 3, 9)
    broker.note_copied(queue)
    broker.journal.clear()
    broker.forget_copies(queue)
    assert runs(broker) == []
    assert bodies(broker) == [b"3", b"9"]
    (record,) = broker.journal
    assert isinstance(record, Copied)
    assert (record.came, record.went) == ([], [(3, 9)])


# -- backups of this broker ------------------------------------------------------------------


def test_what_came_and_went_is_one_record_a_step() -> None:
    broker = a_copy(ha=True)
    queue = broker.queues["q"]
    assert isinstance(broker.journal[-1], SourceSet)
    broker.journal.clear()
    copy_in(broker, 5, 6, 9)
    broker.note_copied(queue)
    broker.note_copied(queue)
    assert [type(record) for record in broker.journal] == [Entry, Entry, Entry, Copied]
    record = broker.journal[-1]
    assert isinstance(record, Copied)
    assert (record.came, record.went) == ([(5, 1, 2), (9, 3, 1)], [])


def test_coming_and_going_in_one_step_stay_in_order() -> None:
    broker = a_copy(ha=True)
    queue = broker.queues["q"]
    backup = make_broker(ha=True, serving=False)
    copy_in(broker, 5)
    broker.copy_out(queue, 5, 5)
    copy_in(broker, 5)
    broker.note_copied(queue)
    assert sum(isinstance(record, Copied) for record in broker.journal) == 2
    replicate(broker, backup)
    assert runs(backup) == runs(broker) == [(5, 2, 1)]
    assert replicated_state(backup) == replicated_state(broker)


def test_ids_that_are_not_here_make_no_record() -> None:
    broker = a_copy(ha=True)
    broker.journal.clear()
    broker.copy_out(broker.queues["q"], 1, 0xFFFFFFFF)
    broker.note_copied(broker.queues["q"])
    assert broker.journal == []


def test_a_backup_and_a_late_one_know_what_is_copied() -> None:
    broker = a_copy(ha=True)
    early = make_broker(ha=True, serving=False)
    replicate(broker, early)
    copy_in(broker, 1, 2)
    publish(broker, b"local")
    copy_in(broker, 3)
    broker.copy_out(broker.queues["q"], 2, 2)
    broker.note_copied(broker.queues["q"])
    replicate(broker, early)
    late = make_broker(ha=True, serving=False)
    join(broker, late)
    assert replicated_state(early) == replicated_state(broker)
    assert replicated_state(late) == replicated_state(broker)
    assert runs(late) == [(1, 1, 1), (3, 4, 1)]
    broker.set_source(broker.queues["q"], "", LINEAGE)
    replicate(broker, early)
    late = make_broker(ha=True, serving=False)
    join(broker, late)
    assert replicated_state(late) == replicated_state(early) == replicated_state(broker)


def test_a_queue_whose_messages_are_not_replicated_begins_anew_on_a_backup() -> None:
    broker = a_copy(ha=True, **{"qpid.replicate": "configuration"})
    copy_in(broker, 1)
    broker.note_copied(broker.queues["q"])
    backup = make_broker(ha=True, serving=False)
    replicate(broker, backup)
    source = backup.queues["q"].source
    assert source is not None
    assert (source.url, source.lineage, source.copies.runs()) == (URL, LINEAGE, [])
    late = make_broker(ha=True, serving=False)
    join(broker, late)
    assert runs(late) == []


def test_a_local_dequeue_is_an_ordinary_record() -> None:
    broker = a_copy(ha=True)
    copy_in(broker, 1)
    broker.note_copied(broker.queues["q"])
    broker.journal.clear()
    broker.dequeue(broker.queues["q"].entries())
    assert [type(record) for record in broker.journal] == [Dequeued]


def test_nothing_is_noted_of_a_deleted_queue() -> None:
    broker = a_copy(ha=True)
    queue = broker.queues["q"]
    copy_in(broker, 1)
    broker.delete_queue("q", actor())
    broker.journal.clear()
    broker.note_copied(queue)
    assert broker.journal == []
    fill(broker)

"""What AMQP 1.0 client programs do whose libraries have local transactions, as tests."""

from __future__ import annotations

from tanist_interop import protocol
from tests.clients.harness import eventually

ROLLED_BACK = "rolled back"


def discharges(broker) -> list[tuple[bool, int, int]]:
    """Of each transaction that was to end: whether by a rollback, messages sent and accepted in it.
    Not of an empty one: JMS begins the next at once, and rolls it back at the session's end."""
    lines = [line for line in list(broker.heard) if "discharged" in line]
    found = [(line["failed"], line["sent"], line["accepted"]) for line in lines]
    return [(failed, sent, accepted) for failed, sent, accepted in found if sent or accepted]


def outcomes(driven, task: int) -> list[tuple[str, str, list[int]]]:
    """What a sender said of its messages, line by line: the kind, the reason, the numbers."""
    kinds = (protocol.Ok, protocol.Fail, protocol.Info)
    found = []
    for message in driven.said:
        if isinstance(message, kinds) and message.task == task:
            numbers = [sn for first, last in message.sns for sn in range(first, last + 1)]
            found.append((type(message).__name__, getattr(message, "reason", ""), numbers))
    return found


class TransactionBehaviour:
    """Tests of one program; ``NAME`` is its folder."""

    NAME = ""
    REFUSED = "Fail"
    """What becomes of the messages of a commit that the broker rejects."""

    def test_it_says_that_it_can(self, client):
        assert "transaction" in client(self.NAME).init().capabilities

    def test_a_sender_commits_and_rolls_back(self, client, peer):
        driven, broker = client(self.NAME), peer()
        driven.connect(broker.address)
        send = driven.do(protocol.Send, "q", "p", 1, 11, transaction=3, rollback_every=2)
        assert driven.ended(send) == protocol.Ended(driven.ended(send).t, send, "count", 11)
        announced = [m.sns for m in driven.said if isinstance(m, protocol.Invoke)]
        assert announced == [[[1, 3]], [[4, 6]], [[7, 9]], [[10, 11]]]
        assert driven.numbers(protocol.Ok, send) == [1, 2, 3, 7, 8, 9]
        failed = [what for what in outcomes(driven, send) if what[0] == "Fail"]
        assert [reason for _, reason, _ in failed] == [ROLLED_BACK, ROLLED_BACK]
        assert driven.numbers(protocol.Fail, send) == [4, 5, 6, 10, 11]
        eventually(
            lambda: discharges(broker), [(False, 3, 0), (True, 3, 0), (False, 3, 0), (True, 2, 0)]
        )
        assert broker.wait(lambda line: "coordinator" in line)
        drain = driven.do(protocol.Drain, "q", 0.2)
        assert driven.ended(drain).count == 6
        assert driven.numbers(protocol.Received, drain) == [1, 2, 3, 7, 8, 9]

    def test_each_transaction_has_its_own_messages(self, client, peer):
        driven, broker = client(self.NAME), peer()
        driven.connect(broker.address)
        send = driven.do(protocol.Send, "q", "p", 1, 6, transaction=3)
        assert driven.ended(send).count == 6
        lines = broker.wait(lambda line: "got" in line, 6)
        names = [line["transaction"] for line in lines]
        assert [line["got"][1] for line in lines] == [1, 2, 3, 4, 5, 6]
        assert names[0] == names[1] == names[2] != names[3] == names[4] == names[5]

    def test_nothing_is_ok_before_the_commit_is_answered(self, client, peer):
        driven, first, second = client(self.NAME), peer("--discharge", "1"), peer()
        driven.connect(first.address, second.address)
        send = driven.do(protocol.Send, "q", "p", 1, 9, transaction=3)
        first.wait(lambda line: "discharged" in line, 2)
        driven.wait(lambda _: driven.numbers(protocol.Ok, send) == [1, 2, 3])
        first.kill()
        assert driven.ended(send).reason == "count"
        assert driven.numbers(protocol.Info, send) == [4, 5, 6], "asked for, and not answered"
        assert driven.numbers(protocol.Ok, send) == [1, 2, 3, 7, 8, 9]
        assert driven.numbers(protocol.Fail, send) == []
        eventually(second.got, [7, 8, 9])

    def test_what_was_not_to_be_committed_yet_failed(self, client, peer):
        driven, first, second = client(self.NAME), peer(), peer()
        driven.connect(first.address, second.address)
        send = driven.do(protocol.Send, "q", "p", 1, 10, 5.0, transaction=5)
        first.wait(lambda line: "got" in line, 2)
        assert discharges(first) == []
        first.kill()
        assert driven.ended(send).reason == "count"
        assert driven.numbers(protocol.Fail, send) == [1, 2, 3, 4, 5]
        assert ROLLED_BACK not in [reason for _, reason, _ in outcomes(driven, send)]
        assert driven.numbers(protocol.Ok, send) == [6, 7, 8, 9, 10]
        assert driven.numbers(protocol.Info, send) == []
        eventually(second.got, [6, 7, 8, 9, 10])

    def test_a_commit_that_is_refused_is_not_ok(self, client, peer):
        driven, broker = client(self.NAME), peer()
        broker.tell(refuse=True)
        driven.connect(broker.address)
        send = driven.do(protocol.Send, "q", "p", 1, 3, transaction=3)
        assert driven.ended(send).count == 3
        ((kind, reason, numbers),) = outcomes(driven, send)
        assert (kind, numbers) == (self.REFUSED, [1, 2, 3])
        assert "told to" in reason

    def test_a_sender_that_is_stopped_finishes_its_transaction(self, client, peer):
        driven, broker = client(self.NAME), peer()
        driven.connect(broker.address)
        send = driven.do(protocol.Send, "q", "p", 1, 0, 50.0, transaction=10)
        broker.wait(lambda line: "got" in line, 12)
        driven.do(protocol.Stop, send)
        assert driven.ended(send).reason == "stopped"
        every = list(range(1, driven.ended(send).count + 1))
        assert len(every) >= 20
        assert len(every) % 10 == 0
        assert driven.numbers(protocol.Invoke, send) == every
        assert driven.numbers(protocol.Ok, send) == every

    def test_a_receiver_commits_what_it_acknowledges(self, client, peer):
        driven, broker = client(self.NAME), peer()
        driven.connect(broker.address)
        driven.ended(driven.do(protocol.Send, "q", "p", 1, 8))
        receive = driven.do(protocol.Receive, "q", 4, 2, 8, transaction=True)
        assert driven.ended(receive).reason == "count"
        acked = [m for m in driven.said if isinstance(m, protocol.Acked)]
        assert driven.numbers(protocol.Acked, receive) == list(range(1, 9))
        assert not any(m.unknown for m in acked)
        assert [m.transaction for m in acked] == list(range(1, len(acked) + 1))
        ends = [(False, 0, sum(b - a + 1 for a, b in m.sns)) for m in acked]
        eventually(lambda: discharges(broker), ends)
        assert len(ends) > 1
        nothing = driven.do(protocol.Drain, "q", 0.2)
        assert driven.ended(nothing).count == 0

    def test_a_receivers_commit_without_an_answer_is_unknown(self, client, peer):
        driven, first, second = client(self.NAME), peer("--discharge", "0"), peer()
        driven.connect(first.address, second.address)
        driven.ended(driven.do(protocol.Send, "q", "p", 1, 4))
        receive = driven.do(protocol.Receive, "q", ack_every=4, transaction=True)
        first.wait(lambda line: "discharged" in line)
        assert driven.numbers(protocol.Acked, receive) == []
        first.kill()
        driven.wait(lambda _: driven.numbers(protocol.Acked, receive) == [1, 2, 3, 4])
        assert all(m.unknown for m in driven.said if isinstance(m, protocol.Acked))
        driven.ended(driven.do(protocol.Send, "q", "p", 5, 4))
        driven.wait(lambda _: len(driven.numbers(protocol.Acked, receive)) == 8)
        last = [m for m in driven.said if isinstance(m, protocol.Acked)][-1]
        assert not last.unknown
        assert last.transaction > 1

    def test_what_is_held_in_a_transaction_comes_again_after_its_rollback(self, client, peer):
        driven, broker = client(self.NAME), peer()
        driven.connect(broker.address)
        driven.ended(driven.do(protocol.Send, "q", "p", 1, 4))
        hold = driven.do(protocol.Receive, "q", 3, count=3, hold=True, transaction=True)
        driven.wait(lambda _: driven.numbers(protocol.Received, hold) == [1, 2, 3])
        assert isinstance(driven.call(protocol.Settle, hold, "accept"), protocol.Unsupported)
        assert discharges(broker) == []
        driven.do(protocol.Settle, hold, "rollback")
        assert driven.numbers(protocol.Settled, hold) == [1, 2, 3]
        driven.do(protocol.Stop, hold)
        assert driven.ended(hold).reason == "stopped"
        eventually(lambda: discharges(broker), [(True, 0, 3)])
        drain = driven.do(protocol.Drain, "q", 0.2)
        assert driven.ended(drain).count == 4
        assert driven.numbers(protocol.Received, drain) == [1, 2, 3, 4]
        came = [m for m in driven.said if isinstance(m, protocol.Received) and m.task == drain]
        assert [(m.sns, m.redelivered) for m in came] == [([[1, 3]], True), ([[4, 4]], False)]

"""What every AMQP 1.0 client program of the drill does, as tests; each program has a class of its own.

The programs run as the drill runs them, against peer.py: the bar is docs/client-protocol.md.
"""

from __future__ import annotations

import time

from tanist_interop import protocol
from tests.clients.harness import eventually

BIG = 2**54 + 1
"""No double holds this number and the next one. (rhea rounds what it receives from 2**53 to 2**53 + 2**32.)"""


def is_fatal(message: protocol.Message) -> bool:
    """Whether this is the end of a task or of all."""
    return isinstance(message, protocol.Error) and message.fatal


class ClientBehaviour:
    """Tests of one program; ``NAME`` is its folder."""

    NAME = ""
    RESENDS = False
    """The library sends again by itself what was not acknowledged."""
    FORGIVES = False
    """The library connects again after a close with an error."""
    ONE_AT_A_TIME = False
    """Each send waits for its outcome, whatever the window."""

    COUNTS = True
    """The library tells how often a message was delivered before."""
    BODY = "str"
    """As what a Proton receiver sees the body."""
    DETECTION_S = 2.0
    """A silent broker is noticed after so long, with a heartbeat of a second."""

    def flight(self, window: int) -> int:
        """So many messages without an outcome are sent, if so many may be."""
        return 1 if self.ONE_AT_A_TIME else window

    def test_it_sends_and_receives(self, client, peer):
        driven = client(self.NAME)
        broker = peer()
        hello = driven.init()
        assert (hello.client, hello.protocol) == (self.NAME, protocol.VERSION)
        assert ("resend" in hello.capabilities) is self.RESENDS
        assert ("delivery_count" in hello.capabilities) is self.COUNTS
        assert {"send", "receive", "reopen", "auth"} < set(hello.capabilities)
        assert abs(hello.now_ns - time.monotonic_ns()) < 2_000_000_000
        driven.do(protocol.Connect, [broker.address], 1)
        driven.do(protocol.Declare, "a.queue")
        send = driven.do(protocol.Send, "a.queue", "p", BIG, 250, durable=True)
        assert driven.ended(send) == protocol.Ended(driven.ended(send).t, send, "count", 250)
        expected = list(range(BIG, BIG + 250))
        assert driven.numbers(protocol.Invoke, send) == expected
        assert sorted(driven.numbers(protocol.Ok, send)) == expected
        eventually(broker.got, expected)
        line = broker.wait(lambda line: "got" in line)[0]
        assert line == {"got": ["p", BIG], "durable": True, "length": 100, "body": self.BODY}
        drain = driven.do(protocol.Drain, "a.queue", 0.2, ack_every=7)
        assert driven.ended(drain).reason == "empty"
        assert driven.numbers(protocol.Received, drain) == expected
        assert driven.numbers(protocol.Acked, drain) == expected
        received = [m for m in driven.said if isinstance(m, protocol.Received)]
        assert {(m.producer, m.redelivered, m.count) for m in received} == {
            ("p", False, 0 if self.COUNTS else None)
        }
        nothing = driven.do(protocol.Drain, "a.queue", 0.1)
        assert driven.ended(nothing).count == 0
        assert driven.close() == 0
        assert broker.wait(lambda line: "closed" in line)

    def test_it_resends_elsewhere_what_was_not_acknowledged(self, client, peer, backup):
        driven = client(self.NAME)
        first, second = peer("--accept", "40"), peer()
        driven.connect(backup.address, first.address, second.address)
        assert backup.connections == 1
        send = driven.do(protocol.Send, "q", "p", 1, 100, window=50)
        driven.wait_ok(send, 40)
        first.wait(lambda line: "got" in line, 40 + self.flight(50))
        first.kill()
        assert driven.ended(send).reason == "count"
        every = list(range(1, 101))
        assert driven.numbers(protocol.Invoke, send) == every
        assert sorted(driven.numbers(protocol.Ok, send)) == every
        eventually(second.got, every[40:])
        assert driven.event(protocol.Disconnected)
        assert driven.event(protocol.Reconnected).address in (second.address, "")
        assert not [m for m in driven.said if isinstance(m, protocol.Info | protocol.Fail)]
        receive = driven.do(protocol.Receive, "q", count=10)
        assert driven.ended(receive) == protocol.Ended(driven.ended(receive).t, receive, "count", 10)
        rest = driven.do(protocol.Drain, "q", 0.2)
        assert driven.ended(rest).count == 50
        assert driven.numbers(protocol.Received, rest) == every[50:]

    def test_it_notices_silence_and_tells_of_earlier_deliveries(self, client, peer):
        driven = client(self.NAME)
        first, second = peer("--count", "2"), peer()
        driven.connect(first.address, second.address, heartbeat_s=1)
        send = driven.do(protocol.Send, "q", "p", 1, 0, rate_per_s=100.0)
        receive = driven.do(protocol.Receive, "q")
        driven.wait(lambda _: len(driven.numbers(protocol.Acked, receive)) > 20)
        marks = {(m.redelivered, m.count) for m in driven.said if isinstance(m, protocol.Received)}
        assert marks == {(True, 2 if self.COUNTS else None)}
        first.suspend()
        begun = time.monotonic()
        driven.event(protocol.Disconnected)
        assert 0.9 < time.monotonic() - begun < self.DETECTION_S + 1.0
        first.kill()  # as whoever promotes another one would: connecting to it takes long
        driven.event(protocol.Reconnected)
        driven.wait(lambda _: len(second.got()) > 50)
        driven.do(protocol.Stop)
        assert driven.ended(send).reason == driven.ended(receive).reason == "stopped"
        sent = sorted(driven.numbers(protocol.Ok, send))
        unsent = driven.numbers(protocol.Fail, send)  # announced, then told to stop
        assert sent + unsent == list(range(1, driven.ended(send).count + 1))
        eventually(lambda: sorted(set(first.got() + second.got())), sent)
        got = driven.numbers(protocol.Received, receive)
        assert sorted(driven.numbers(protocol.Acked, receive)) == sorted(got)

    def test_it_says_what_nobody_knows(self, client, peer):
        driven = client(self.NAME)
        broker = peer("--accept", "10")
        driven.connect(broker.address)
        send = driven.do(protocol.Send, "q", "p", 1, 100, window=30)
        broker.wait(lambda line: "got" in line, 10 + self.flight(30))
        driven.wait_ok(send, 10)
        begun = time.monotonic()
        assert driven.close() == 0
        assert time.monotonic() - begun < 2.5
        assert driven.numbers(protocol.Info, send) == list(range(11, 11 + self.flight(30)))
        announced = driven.ended(send).count
        assert driven.numbers(protocol.Fail, send) == list(range(11 + self.flight(30), announced + 1))

    def test_it_opens_a_connection_anew_if_asked(self, client, peer):
        driven = client(self.NAME)
        first, second = peer("--accept", "20"), peer()
        driven.connect(first.address, second.address, reopen=True)
        send = driven.do(protocol.Send, "q", "p", 1, 60, window=30)
        driven.wait_ok(send, 20)
        first.wait(lambda line: "got" in line, 20 + self.flight(30))
        first.tell(accept=-1, close="amqp:internal-error")
        assert driven.ended(send).reason == "count"
        assert sorted(driven.numbers(protocol.Ok, send)) == list(range(1, 61))
        if not self.FORGIVES:
            assert driven.numbers(protocol.Info, send) == list(range(21, 21 + self.flight(30)))
            reopened = driven.event(protocol.Reopened)
            assert (reopened.task, reopened.in_doubt) == (send, self.flight(30))
            assert "internal-error" in reopened.reason
        eventually(lambda: sorted(set(first.got() + second.got())), list(range(1, 61)))

    def test_a_link_that_the_broker_ends_ends_its_task(self, client, peer):
        driven = client(self.NAME)
        broker = peer()
        driven.connect(broker.address)
        receive = driven.do(protocol.Receive, "q")
        broker.wait(lambda line: line.get("attached") == "q")
        broker.tell(detach="amqp:resource-deleted")
        fatal = driven.wait(is_fatal)
        assert fatal.task == receive
        assert "told to" in fatal.text
        assert driven.ended(receive).reason == "error"
        send = driven.do(protocol.Send, "q", "p", 1, 5)
        assert driven.ended(send).reason == "count"
        assert driven.close() == 0

    def test_a_link_that_the_broker_ends_is_opened_anew_if_asked(self, client, peer):
        driven = client(self.NAME)
        broker = peer("--accept", "20")
        driven.connect(broker.address, reopen=True)
        send = driven.do(protocol.Send, "q", "p", 1, 60, window=30)
        driven.wait_ok(send, 20)
        broker.wait(lambda line: "got" in line, 20 + self.flight(30))
        broker.tell(accept=-1, detach="amqp:resource-deleted")
        assert driven.ended(send).reason == "count"
        assert driven.numbers(protocol.Info, send) == list(range(21, 21 + self.flight(30)))
        assert driven.event(protocol.Reopened).in_doubt == self.flight(30)
        eventually(lambda: broker.got()[20 + self.flight(30) :], list(range(21, 61)))

    def test_it_gives_up_if_not(self, client, peer):
        driven = client(self.NAME)
        broker = peer()
        driven.connect(broker.address, reconnect=False)
        receive = driven.do(protocol.Receive, "q")
        broker.wait(lambda line: line.get("attached") == "q")
        broker.kill()
        driven.event(protocol.Disconnected)
        driven.wait(is_fatal)
        assert driven.ended(receive).reason == "error"
        driven.program.end()
        assert driven.gone() == 0

    def test_it_is_honest_about_requests(self, client, backup):
        driven = client(self.NAME)
        hello = driven.init()
        driven.program.write('{"type":"no-such-request","id":90}')
        answer = driven.answer(90)
        assert isinstance(answer, protocol.Unsupported)
        assert answer.request == "no-such-request"
        early = driven.call(protocol.Send, "q", "p", 1, 1)
        assert isinstance(early, protocol.Failed)
        if "failover_exchange" not in hello.capabilities:
            exchange = driven.call(protocol.Connect, [backup.address], 0, failover="exchange")
            assert isinstance(exchange, protocol.Unsupported)
        nowhere = driven.call(protocol.Connect, [backup.address], 0, failover="nowhere")
        assert isinstance(nowhere, protocol.Unsupported)
        bad = driven.call(protocol.Connect, [backup.address], 0, options={"no-such": "1"})
        assert isinstance(bad, protocol.Failed)
        assert "no-such" in bad.reason
        driven.program.write("no JSON")
        assert "not a request" in driven.event(protocol.Error).text
        options = {"username": "ann", "password": "se cret"}
        driven.ask(protocol.Connect, [backup.address], 0, options=options)
        eventually(lambda: b"PLAIN" in backup.init, True)
        assert b"\0ann\0se cret" in backup.init
        assert "se cret" not in driven.log.read_text()
        driven.program.end()
        assert driven.gone() == 0

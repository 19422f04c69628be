"""What AMQP 1.0 client programs of the drill ask of a broker for selectors and topics, as tests.

peer.py tells what a link asked for and how it ended; whether a broker does what it was asked is
tested with the brokers.
"""

from __future__ import annotations

from tanist_interop import protocol
from tests.clients.harness import eventually

UNSETTLED_STATE = 2
"""The durability of a terminus that keeps what was not settled."""

SELECTOR = "apache.org:selector-filter:string"
SELECTOR_CODE = 0x0000_468C_0000_0004
"""The descriptor of a selector's filter, by name and by code."""


class ConsumerBehaviour:
    """Tests of one program; ``NAME`` is its folder."""

    NAME = ""
    TOPIC: tuple[str, ...] = ()
    """Capabilities that a terminus asks for whose address is a topic."""
    QUEUE: tuple[str, ...] = ()
    """Likewise, a queue."""
    SELECTED_BY: str | int = SELECTOR
    """How the library writes the descriptor."""

    def attached(self, broker, address: str, sends: bool = False) -> dict:
        """What the last link of the program to an address asked for."""
        return broker.wait(lambda line: line.get("attached") == address and line["sends"] is sends)[
            -1
        ]

    def detached(self, broker, name: str) -> bool:
        """Wait for the end of a link; whether it was closed."""
        line = broker.wait(lambda line: line.get("detached") == name)[-1]
        return bool(line["for_good"])

    def test_a_selector_goes_with_the_link(self, client, peer):
        driven, broker = client(self.NAME), peer()
        driven.connect(broker.address)
        receive = driven.do(protocol.Receive, "q", selector="kind = 1")
        asked = self.attached(broker, "q")
        assert list(asked["filters"].values()) == [[self.SELECTED_BY, "kind = 1"]]
        assert (asked["durable"], asked["expires"]) == (0, True)
        assert tuple(asked["capabilities"]) == self.QUEUE
        driven.do(protocol.Stop, receive)
        assert driven.ended(receive).reason == "stopped"
        assert self.detached(broker, asked["name"])

    def test_without_a_selector_nothing_is_filtered(self, client, peer):
        driven, broker = client(self.NAME), peer()
        driven.connect(broker.address)
        driven.do(protocol.Receive, "q")
        assert self.attached(broker, "q")["filters"] == {}

    def test_messages_have_kinds_for_selectors(self, client, peer):
        driven, broker = client(self.NAME), peer()
        driven.connect(broker.address)
        with_kinds = driven.do(protocol.Send, "q", "p", 7, 6, kinds=4)
        assert driven.ended(with_kinds).count == 6
        without = driven.do(protocol.Send, "q", "p", 13, 1)
        assert driven.ended(without).count == 1
        lines = broker.wait(lambda line: "got" in line, 7)
        kinds = {line["got"][1]: line.get("kind") for line in lines}
        assert kinds == {7: 3, 8: 0, 9: 1, 10: 2, 11: 3, 12: 0, 13: None}

    def test_a_subscription_to_a_topic_ends_with_its_link(self, client, peer):
        driven, broker = client(self.NAME), peer()
        driven.connect(broker.address)
        receive = driven.do(protocol.Receive, "news", topic=True)
        asked = self.attached(broker, "news")
        assert (asked["durable"], asked["expires"]) == (0, True)
        assert tuple(asked["capabilities"]) == self.TOPIC
        driven.do(protocol.Stop, receive)
        assert driven.ended(receive).reason == "stopped"
        assert self.detached(broker, asked["name"]), "it was to be closed"

    def test_messages_are_published_to_a_topic(self, client, peer):
        driven, broker = client(self.NAME), peer()
        driven.connect(broker.address)
        send = driven.do(protocol.Send, "news", "p", 1, 5, topic=True)
        assert driven.ended(send).count == 5
        assert driven.numbers(protocol.Ok, send) == [1, 2, 3, 4, 5]
        assert tuple(self.attached(broker, "news", sends=True)["capabilities"]) == self.TOPIC
        eventually(broker.got, [1, 2, 3, 4, 5])

    def test_a_durable_subscription_goes_on_without_a_receiver(self, client, peer):
        driven, broker = client(self.NAME), peer()
        driven.connect(broker.address)
        for turn in (1, 2):
            receive = driven.do(
                protocol.Receive, "news", topic=True, subscription="daily", selector="kind = 2"
            )
            asked = broker.wait(lambda line: line.get("name") == "daily", turn)[-1]
            assert asked["attached"] == "news"
            assert (asked["durable"], asked["expires"]) == (UNSETTLED_STATE, False)
            assert tuple(asked["capabilities"]) == self.TOPIC
            assert list(asked["filters"].values()) == [[self.SELECTED_BY, "kind = 2"]]
            driven.do(protocol.Stop, receive)
            assert driven.ended(receive).reason == "stopped"
            ends = broker.wait(lambda line: line.get("detached") == "daily", turn)
            assert not ends[-1]["for_good"], "it was to be detached only"

    def test_a_durable_subscription_is_taken_up_again_elsewhere(self, client, peer):
        driven, first, second = client(self.NAME), peer(), peer()
        driven.connect(first.address, second.address)
        receive = driven.do(protocol.Receive, "news", topic=True, subscription="daily")
        first.wait(lambda line: line.get("name") == "daily")
        first.kill()
        (asked,) = second.wait(lambda line: line.get("name") == "daily")
        assert (asked["attached"], asked["durable"]) == ("news", UNSETTLED_STATE)
        assert not asked["expires"]
        send = driven.do(protocol.Send, "news", "p", 1, 3, topic=True)
        assert driven.ended(send).count == 3
        driven.wait(lambda _: driven.numbers(protocol.Acked, receive) == [1, 2, 3])
        driven.do(protocol.Stop, receive)
        assert driven.ended(receive).reason == "stopped"
        assert not self.detached(second, "daily")

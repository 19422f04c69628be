"""Who knocks: the first bytes choose the protocol, however they are cut."""

from __future__ import annotations

import pytest

from tanist.node.front import Front
from tanist.node.front010 import Front010
from tanist.node.front10 import Front10
from tanist.wire.negotiate import HEADER_0_10, HEADER_1_0, HEADER_1_0_SASL
from tests.broker.node.network import Host, Network, Wire


class Mute:
    """Somebody who says only what the test wants."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.heard = b""
        self.dropped = False
        self.wire: Wire = host.accept(self)

    def say(self, data: bytes) -> None:
        self.wire.send(0, data)
        self.host.network.run()

    def wire_data(self, conn: int, data: bytes) -> None:
        self.heard += data

    def wire_gone(self, conn: int, reason: str) -> None:
        self.dropped = True

    @property
    def front(self) -> Front:
        return self.host.node._reception.fronts[self.wire.accepted]


@pytest.mark.parametrize("step", [1, 3, 8])
@pytest.mark.parametrize(
    ("header", "kind"),
    [(HEADER_0_10, Front010), (HEADER_1_0, Front10), (HEADER_1_0_SASL, Front10)],
)
def test_the_header_chooses(header: bytes, kind: type[Front], step: int) -> None:
    mute = Mute(Host(Network(), "a", 1, ha_cluster=False))
    for at in range(0, len(header), step):
        assert mute.heard == b""
        mute.say(header[at : at + step])
    assert isinstance(mute.front, kind)
    assert mute.heard.startswith(header)


@pytest.mark.parametrize("start", [b"GET / HTTP/1.1", b"\x16\x03\x01\x02", b"AMQP\x00\x00\x09\x01"])
def test_what_is_spoken_by_nobody_is_answered_with_what_is(start: bytes) -> None:
    mute = Mute(Host(Network(), "a", 1, ha_cluster=False))
    mute.say(start)
    assert mute.heard == HEADER_0_10
    assert mute.dropped


def test_encryption_is_answered_with_what_is_there() -> None:
    mute = Mute(Host(Network(), "a", 1, ha_cluster=False))
    mute.say(b"AMQP\x02\x01\x00\x00")
    assert mute.heard == HEADER_1_0_SASL
    assert mute.dropped


def test_who_says_nothing_is_dropped_in_time() -> None:
    network = Network()
    host = Host(network, "a", 1, ha_cluster=False, max_negotiate_time_s=3.0)
    mute = Mute(host)
    mute.say(b"AMQ")
    network.advance(2.9)
    assert not mute.dropped
    network.advance(0.4)
    assert mute.dropped
    assert not host.node._reception.fronts

"""Broker-info maps and the membership list."""

from __future__ import annotations

from uuid import UUID

import pytest

from tanist.ha.membership import BrokerInfo, Membership
from tanist.ha.roles import Status
from tanist.types import FramingError
from tanist.wire.amqp010.codec import decode_list, encode_list

A = UUID(int=1)
B = UUID(int=2)
C = UUID(int=3)


def test_a_map_survives_the_wire() -> None:
    info = BrokerInfo(A, Status.READY, "tcp", "node1", 5672)
    (decoded,) = decode_list(encode_list([info.to_map()]))
    again = BrokerInfo.from_map(decoded)
    assert (again.system_id, again.status) == (A, Status.READY)
    assert (again.protocol, again.host, again.port) == ("tcp", "node1", 5672)


def test_octets_are_read_as_text() -> None:
    info = BrokerInfo.from_map(
        {"system-id": A, "status": 1, "protocol": b"tcp", "host-name": b"h", "port": "x"}
    )
    assert (info.protocol, info.host, info.port) == ("tcp", "h", 0)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "x",
        {},
        {"system-id": "a", "status": 1},
        {"system-id": A},
        {"system-id": A, "status": 6},
    ],
)
def test_what_is_no_broker_info_is_refused(value: object) -> None:
    with pytest.raises(FramingError, match="broker info"):
        BrokerInfo.from_map(value)  # type: ignore[arg-type]  # bad input on purpose


def test_put_get_remove_and_who_is_ready() -> None:
    membership = Membership()
    membership.put(BrokerInfo(A, Status.ACTIVE))
    membership.put(BrokerInfo(B, Status.CATCHUP))
    assert membership.in_sync() == [A]
    membership.put(BrokerInfo(B, Status.READY))
    assert membership.in_sync() == [A, B]
    membership.remove(A)
    membership.remove(A)
    assert membership.get(A) is None
    assert [i.system_id for i in membership.members.values()] == [B]


def test_replace_takes_the_whole_list_or_nothing() -> None:
    membership = Membership()
    membership.put(BrokerInfo(A, Status.ACTIVE))
    with pytest.raises(FramingError):
        membership.replace(3, [BrokerInfo(B, Status.READY).to_map(), "nonsense"], [])
    assert (list(membership.members), membership.version) == ([A], 0)
    membership.replace(3, [BrokerInfo(B, Status.READY).to_map()], [C, "nonsense"])
    assert (list(membership.members), membership.version) == ([B], 3)
    assert membership.waited_for == {C}


def test_who_is_waited_for_is_in_sync_until_it_is_ready_or_gone() -> None:
    membership = Membership()
    membership.put(BrokerInfo(A, Status.ACTIVE))
    membership.put(BrokerInfo(B, Status.CATCHUP), waited_for=True)
    membership.put(BrokerInfo(C, Status.CATCHUP), waited_for=True)
    assert membership.in_sync() == [A, B, C]
    assert membership.survivors() == [B, C]
    membership.put(BrokerInfo(B, Status.READY))
    membership.remove(C)
    assert membership.in_sync() == [A, B]
    assert membership.waited_for == set()
    membership.put(BrokerInfo(B, Status.CATCHUP), waited_for=True)
    membership.begin(BrokerInfo(C, Status.RECOVERING), [])
    assert membership.in_sync() == [C]


def test_a_new_primary_is_first_and_keeps_whom_it_waits_for() -> None:
    membership = Membership()
    for who in (A, B, C):
        membership.put(BrokerInfo(who, Status.READY))
    membership.begin(BrokerInfo(B, Status.RECOVERING), [C])
    assert [(i.system_id, i.status) for i in membership.members.values()] == [
        (B, Status.RECOVERING),
        (C, Status.READY),
    ]

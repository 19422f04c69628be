"""What brokers say of themselves comes back as it was said; who must stop, having heard it."""

from __future__ import annotations

from uuid import UUID

import pytest

from tanist.ha.roles import Status
from tanist.ha.standing import IN_SYNC_MAX, PeerStatus, Position
from tanist.wire.amqp010.values import Value

ME, A, B = UUID(int=1), UUID(int=2), UUID(int=3)
STATUS_FIELDS = [
    "system_id",
    "status",
    "epoch",
    "owner",
    "index",
    "confirmed",
    "version",
    "in_sync",
]
POSITION_FIELDS = ["epoch", "owner", "index", "floor", "whole", "filled_queue", "filled_position"]


def status(**more) -> PeerStatus:
    fields = {"system_id": A, "status": Status.ACTIVE, "epoch": 3, "owner": B, **more}
    return PeerStatus(**fields)


def test_a_status_comes_back() -> None:
    said = status(index=9, confirmed=4, version=7, in_sync=[A, B])
    heard = PeerStatus.from_properties(said.to_properties())
    assert heard is not None
    for name in STATUS_FIELDS:
        assert getattr(heard, name) == getattr(said, name), name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("qpid.ha-system-id", "text"),
        ("qpid.ha-system-id", None),
        ("qpid.ha-status", 6),
        ("qpid.ha-status", -1),
        ("qpid.ha-status", "active"),
        ("qpid.ha-epoch", None),
        ("qpid.ha-owner", 5),
    ],
)
def test_who_does_not_say_who_it_is_is_no_member(name: str, value: Value) -> None:
    properties = {**status().to_properties(), name: value}
    assert PeerStatus.from_properties(properties) is None


def test_what_else_is_missing_is_nothing() -> None:
    properties = status(index=9, in_sync=[A]).to_properties()
    del properties["qpid.ha-index"]
    properties["qpid.ha-in-sync"] = "nobody"
    heard = PeerStatus.from_properties(properties)
    assert heard is not None
    assert (heard.index, heard.in_sync) == (0, [])


def test_an_endless_in_sync_set_is_cut() -> None:
    many = [UUID(int=number) for number in range(IN_SYNC_MAX + 5)]
    named = status(in_sync=many).to_properties()["qpid.ha-in-sync"]
    assert isinstance(named, list)
    assert len(named) == IN_SYNC_MAX
    heard = PeerStatus.from_properties({**status().to_properties(), "qpid.ha-in-sync": many})
    assert heard is not None
    assert len(heard.in_sync) == IN_SYNC_MAX


@pytest.mark.parametrize(
    ("said", "whole", "primary"),
    [
        (Status.JOINING, False, False),
        (Status.CATCHUP, False, False),
        (Status.READY, True, False),
        (Status.RECOVERING, True, True),
        (Status.ACTIVE, True, True),
    ],
)
def test_who_has_everything_and_who_serves(said, whole, primary) -> None:
    assert (status(status=said).is_whole, status(status=said).is_primary) == (whole, primary)


@pytest.mark.parametrize(
    ("peer", "stops"),
    [
        (status(epoch=4, status=Status.JOINING), True),
        (status(epoch=2, confirmed=10**9), False),
        (status(epoch=3, confirmed=6), True),
        (status(epoch=3, confirmed=5), True),
        (status(epoch=3, confirmed=4), False),
        (status(epoch=3, confirmed=9, status=Status.READY), False),
        (status(epoch=3, confirmed=9, system_id=ME), False),
    ],
)
def test_who_must_stop(peer: PeerStatus, stops: bool) -> None:
    assert peer.deposes(ME, 3, 5) is stops


@pytest.mark.parametrize(
    "position",
    [
        Position(3, A, 10, 7),
        Position(3, A, 10, 10, False),
        Position(3, A, 10, 10, False, 0, 0),
        Position(3, A, 10, 10, False, 5, 99),
    ],
)
def test_a_position_comes_back(position: Position) -> None:
    heard = Position.from_arguments(position.to_arguments())
    assert heard is not None
    for name in POSITION_FIELDS:
        assert getattr(heard, name) == getattr(position, name), name


@pytest.mark.parametrize("name", ["qpid.ha-epoch", "qpid.ha-owner", "qpid.ha-index"])
def test_a_position_without_a_place_is_none(name: str) -> None:
    arguments = Position(3, A, 10, 7).to_arguments()
    arguments[name] = None
    assert Position.from_arguments(arguments) is None


def test_who_does_not_say_what_it_can_take_back_can_take_back_nothing() -> None:
    arguments = Position(3, A, 10, 7).to_arguments()
    del arguments["qpid.ha-applied"]
    heard = Position.from_arguments(arguments)
    assert heard is not None
    assert heard.floor == 10

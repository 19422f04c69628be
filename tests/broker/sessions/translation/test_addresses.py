from __future__ import annotations

import pytest

from tanist.sessions.translation.addresses import fits, join_address, split_address

QUEUES = {"jobs", "jobs/high", "both"}
EXCHANGES = {"amq.topic", "both", "jobs"}


@pytest.mark.parametrize(
    ("address", "exchange", "key"),
    [
        ("jobs", "", "jobs"),
        ("jobs/high", "", "jobs/high"),
        ("jobs/low", "jobs", "low"),
        ("both", "", "both"),
        ("amq.topic", "amq.topic", ""),
        ("amq.topic/", "amq.topic", ""),
        ("amq.topic/a/b", "amq.topic", "a/b"),
        ("nowhere", "", "nowhere"),
        ("nowhere/k", "nowhere", "k"),
        ("", "", ""),
    ],
)
def test_what_an_address_means(address: str, exchange: str, key: str) -> None:
    assert split_address(address, QUEUES, EXCHANGES) == (exchange, key)


def test_without_names_only_the_slash_counts() -> None:
    assert split_address("amq.topic") == ("", "amq.topic")
    assert split_address("jobs/high") == ("jobs", "high")


def test_exchange_and_key_are_joined() -> None:
    assert join_address("e", "k") == "e/k"
    assert join_address("e", "") == "e"
    assert join_address("", "k") == "k"


def test_names_have_255_octets() -> None:
    assert fits("e" * 255, "ü" * 127)
    assert not fits("e" * 256, "")
    assert not fits("", "ü" * 128)

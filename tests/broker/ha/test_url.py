"""The URL grammar of the guide, and its canonical text."""

from __future__ import annotations

import pytest

from tanist.ha.url import ADDRESSES_MAX, URL_CHARACTERS_MAX, parse_url
from tanist.types import BrokerError


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", ""),
        ("none", ""),
        ("node1", "amqp:tcp:node1:5672"),
        ("amqp:node1", "amqp:tcp:node1:5672"),
        ("node1,node2:7000", "amqp:tcp:node1:5672,tcp:node2:7000"),
        ("tcp:node1:1,ssl:node2:2", "amqp:tcp:node1:1,ssl:node2:2"),
        ("rdma:node3", "amqp:rdma:node3:5672"),
        ("ha/secret@node1:5", "amqp:ha/secret@tcp:node1:5"),
        ("amqp:ha@node1", "amqp:ha@tcp:node1:5672"),
        ("[::1]:5673", "amqp:tcp:[::1]:5673"),
        ("tcp:[fe80::1]", "amqp:tcp:[fe80::1]:5672"),
        ("20.0.20.200", "amqp:tcp:20.0.20.200:5672"),
    ],
)
def test_canonical_text(text: str, canonical: str) -> None:
    url = parse_url(text)
    assert url.canonical() == canonical
    assert parse_url(canonical).canonical() == canonical


@pytest.mark.parametrize(
    "text",
    [
        "node1,",
        ":5672",
        "node1:port",
        "node1:0",
        "node1:65536",
        "[::1",
        "[::1]x",
        "user@",
        "node1:-1",
        "node1:\u0663",
        ",".join(["h"] * (ADDRESSES_MAX + 1)),
        "h" * (URL_CHARACTERS_MAX + 1),
    ],
)
def test_bad_urls_are_refused_with_the_text_and_the_grammar(text: str) -> None:
    with pytest.raises(BrokerError, match="Invalid URL") as caught:
        parse_url(text)
    assert "write amqp:" in caught.value.text


def test_login_is_split_from_the_addresses() -> None:
    url = parse_url("amqp:ha/pa@ss@node1,node2")
    assert (url.user, url.password) == ("ha", "pa@ss")
    assert [a.host for a in url.addresses] == ["node1", "node2"]


def test_failover_elements_are_one_address_each_with_explicit_port() -> None:
    assert parse_url("user@a,ssl:b:7").failover_elements() == [
        "amqp:tcp:a:5672",
        "amqp:ssl:b:7",
    ]

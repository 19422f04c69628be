"""What qpid-ha set changes, and on which brokers."""

from __future__ import annotations

import pytest

from tanist.cli.ha_set import changes, targets
from tanist.cli.qmf_client import QmfError
from tanist.ha.url import Url, parse_url


def each(text: str) -> list[Url]:
    """A URL for every address, as the tool has them."""
    return [Url([address]) for address in parse_url(text).addresses]


def told(known: str, brokers_url: str | None, public_url: str | None) -> list[str]:
    """Whom the tool turns to."""
    login = Url([], "user", "secret")
    return [
        url.canonical() for url in targets(each(known), changes(brokers_url, public_url), login)
    ]


def test_the_members_come_first_and_the_text_stays_as_it_was_given() -> None:
    found = changes("u/p@a,b:1", "")
    assert [(change.option, change.method, change.text) for change in found] == [
        ("--brokers-url", "setBrokersUrl", "u/p@a,b:1"),
        ("--public-url", "setPublicUrl", ""),
    ]
    assert found[0].url.canonical() == "amqp:u/p@tcp:a:5672,tcp:b:1"


@pytest.mark.parametrize(
    ("brokers_url", "public_url", "why"),
    [
        (None, None, "set: nothing to set; give --brokers-url URL, --public-url URL or both"),
        ("a:x", "b", "--brokers-url: Invalid URL: a:x: bad port 'x'; write "),
        ("a", "b,", "--public-url: Invalid URL: b,: an address without a host; write "),
        ("a", ",".join(["b"] * 257), "more than 256 addresses"),
        ("", "b", "--brokers-url: no address in ''; write host"),
        ("none", None, "--brokers-url: no address in 'none'; write host"),
        (None, "a\udcff", r"--public-url: Invalid URL: 'a\udcff': unprintable characters"),
        ("a\n", None, r"--brokers-url: Invalid URL: 'a\n': unprintable characters"),
    ],
)
def test_what_cannot_be_set_is_said(
    brokers_url: str | None, public_url: str | None, why: str
) -> None:
    with pytest.raises(QmfError) as caught:
        changes(brokers_url, public_url)
    assert why in str(caught.value)


def test_each_broker_of_the_old_and_the_new_list_is_told_once() -> None:
    assert told("a:1,b:1,a:1", "c:1,b:1,b:2,c:1", "d:1") == [
        f"amqp:user/secret@tcp:{address}" for address in ("a:1", "b:1", "c:1", "b:2")
    ]


def test_clients_addresses_are_not_told() -> None:
    assert told("a:1", None, "d:1") == ["amqp:user/secret@tcp:a:1"]

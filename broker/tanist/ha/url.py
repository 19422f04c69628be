"""The address lists of the HA options: grammar and canonical text.

``url = ["amqp:"][ user ["/" password] "@" ] addr ("," addr)*`` where an ``addr`` is
``[protocol ":"] host [":" port]`` (guide, "Configuring the Brokers", footnote). The canonical text
always prints the protocol and the port: clients that parse it rely on both. IPv6 hosts stand in
square brackets.
"""

from __future__ import annotations

from typing import Final

from tanist.types import BrokerError, Condition

DEFAULT_PORT: Final = 5672
PROTOCOLS: Final = ("tcp", "ssl", "rdma")
PORT_DIGITS_MAX: Final = 5

ADDRESSES_MAX: Final = 256
"""Addresses in one URL; a cluster has a handful, a pasted file must not become a dial list."""


URL_CHARACTERS_MAX: Final = 8192
"""A URL travels in fields of 65535 octets at most, and is printed; no list of brokers is longer."""


class Address:
    """One broker address."""

    __slots__ = ("host", "port", "protocol")

    def __init__(self, protocol: str, host: str, port: int) -> None:
        self.protocol = protocol
        self.host = host
        self.port = port

    def canonical(self) -> str:
        """``protocol:host:port``, IPv6 in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol}:{host}:{self.port}"


class Url:
    """A parsed URL: the addresses in order, and who to log in as (may be empty)."""

    __slots__ = ("addresses", "password", "user")

    def __init__(self, addresses: list[Address], user: str = "", password: str = "") -> None:
        self.addresses = addresses
        self.user = user
        self.password = password

    def canonical(self) -> str:
        """The text shown to tools and clients; empty if there is no address."""
        if not self.addresses:
            return ""
        login = ""
        if self.user:
            login = self.user + (f"/{self.password}" if self.password else "") + "@"
        return "amqp:" + login + ",".join(a.canonical() for a in self.addresses)

    def failover_elements(self) -> list[str]:
        """One ``amqp:tcp:host:port`` text per address, for known-hosts and ``amq.failover``.

        One address an element: the C++ client merges elements, the Java client keeps only the first
        matching address of each.
        """
        return ["amqp:" + a.canonical() for a in self.addresses]


QUOTED_MAX: Final = 256
"""Characters quoted in an error."""


def _bad(text: str, what: str) -> BrokerError:
    return BrokerError(
        Condition.INVALID_ARGUMENT,
        f"Invalid URL: {text[:QUOTED_MAX]}: {what[:QUOTED_MAX]}; "
        "write amqp:[user[/password]@]host[:port][,host[:port]]...",
    )


def _parse_address(part: str, url: str, default_port: int) -> Address:
    protocol = "tcp"
    head, colon, rest = part.partition(":")
    if colon and head in PROTOCOLS:
        protocol, part = head, rest
    if part.startswith("["):
        host, bracket, tail = part[1:].partition("]")
        if not bracket or (tail and not tail.startswith(":")):
            raise _bad(url, f"bad IPv6 address {part!r}")
        port_text = tail[1:]
    else:
        host, _, port_text = part.partition(":")
    if not host:
        raise _bad(url, "an address without a host")
    if not port_text:
        return Address(protocol, host, default_port)
    digits = port_text.isascii() and port_text.isdigit() and len(port_text) <= PORT_DIGITS_MAX
    if not digits or not 0 < int(port_text) < 65536:
        raise _bad(url, f"bad port {port_text!r}")
    return Address(protocol, host, int(port_text))


def parse_url(text: str, default_port: int = DEFAULT_PORT) -> Url:
    """Parse an HA URL. Empty text and ``none`` give a URL without addresses.

    ``default_port`` is the port of addresses that name none.

    Raises: BrokerError (INVALID_ARGUMENT) that quotes the text and the grammar.
    """
    if text in ("", "none"):
        return Url([])
    if len(text) > URL_CHARACTERS_MAX:
        raise _bad(text, f"longer than {URL_CHARACTERS_MAX} characters")
    rest = text[5:] if text.startswith("amqp:") else text
    login, at, hosts = rest.rpartition("@")
    if not at:
        login = ""
        hosts = rest
    user, _, password = login.partition("/")
    parts = hosts.split(",")
    if len(parts) > ADDRESSES_MAX:
        raise _bad(text, f"more than {ADDRESSES_MAX} addresses")
    addresses = [_parse_address(part.strip(), text, default_port) for part in parts]
    return Url(addresses, user, password)

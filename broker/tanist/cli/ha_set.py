"""What ``qpid-ha set`` changes, and on which brokers.

Pure functions. The whole command line is judged before any broker is asked, so that a mistake
changes nothing anywhere; what only a broker can judge (an address that it does not know) it
refuses itself. URLs: guide, "Configuring the Brokers"; methods: ``management/ha_broker.py``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tanist.cli.qmf_client import QmfError
from tanist.ha.url import QUOTED_MAX, Address, Url, parse_url
from tanist.types import BrokerError

BROKERS_URL: Final = "--brokers-url"
PUBLIC_URL: Final = "--public-url"
METHODS: Final = {BROKERS_URL: "setBrokersUrl", PUBLIC_URL: "setPublicUrl"}


@dataclass(frozen=True)
class Change:
    """One URL to set: the option that gave it, its text, and what it says."""

    option: str
    text: str
    url: Url

    @property
    def method(self) -> str:
        """The habroker's method that takes the text."""
        return METHODS[self.option]


def changes(brokers_url: str | None, public_url: str | None) -> list[Change]:
    """What the options ask for, in the order in which to do it; None for an option not given.

    An empty public URL means that clients are told nothing. The list of members must not be empty:
    a backup that loses its primary would look for no other.

    Raises: QmfError that names the option, if nothing is to be changed or a URL is no good.
    """
    given = ((BROKERS_URL, brokers_url), (PUBLIC_URL, public_url))
    found = [_change(option, text) for option, text in given if text is not None]
    if not found:
        raise QmfError(f"set: nothing to set; give {BROKERS_URL} URL, {PUBLIC_URL} URL or both")
    return found


def _change(option: str, text: str) -> Change:
    if not text.isprintable():
        raise QmfError(f"{option}: Invalid URL: {text[:QUOTED_MAX]!r}: unprintable characters")
    try:
        url = parse_url(text)
    except BrokerError as error:
        raise QmfError(f"{option}: {error.text}") from error
    if option == BROKERS_URL and not url.addresses:
        raise QmfError(f"{option}: no address in {text!r}; write host[:port][,host[:port]]...")
    return Change(option, text, url)


def targets(known: Iterable[Url], wanted: Iterable[Change], login: Url) -> list[Url]:
    """Every broker to tell, each once: those known until now, then those of a new list of members.

    All are logged in to as ``login`` says.
    """
    addresses = [address for url in known for address in url.addresses]
    for change in wanted:
        if change.option == BROKERS_URL:
            addresses += change.url.addresses
    once: dict[tuple[str, int], Address] = {}
    for address in addresses:
        once.setdefault((address.host, address.port), address)
    return [Url([address], login.user, login.password) for address in once.values()]

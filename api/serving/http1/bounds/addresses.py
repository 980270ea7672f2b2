"""Addresses: how many connections a client's address has, up to a bound."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address
from typing import Final

from api.http.callers.proxies import REMEMBERED, Proxies, parsed_address

SITE_BITS: Final = 64
"""The bits of an IPv6 address that a network gives its customer's machines to choose from."""


class Addresses:
    """Counts connections by address. A trusted proxy may have any number of them."""

    def __init__(self, most: int, proxies: Proxies) -> None:
        self._most = most
        self._proxies = proxies
        self._counts: dict[str, int] = {}

    def admit(self, client: str) -> bool:
        """Count one more connection of a client; False if it has as many as it may have."""
        if self._proxies.trust(client):
            return True
        site = site_of(client)
        count = self._counts.get(site, 0)
        if count >= self._most:
            return False
        self._counts[site] = count + 1
        return True

    def leave(self, client: str) -> None:
        """Count one connection less of a client that was admitted."""
        if self._proxies.trust(client):  # others of its IPv6 network are counted
            return
        site = site_of(client)
        count = self._counts.get(site, 0)
        if count > 1:
            self._counts[site] = count - 1
        elif count:
            del self._counts[site]

    def __len__(self) -> int:
        """Return the number of addresses that have connections."""
        return len(self._counts)


@lru_cache(REMEMBERED)
def site_of(client: str) -> str:
    """Return whose connections count together: one IPv4 address, or one IPv6 network of 64 bits.

    One customer of an IPv6 provider has 2^64 addresses or more.
    """
    address = parsed_address(client)
    if isinstance(address, IPv6Address):
        return f"{int(address) >> SITE_BITS:x}::/64"
    return str(address or client)

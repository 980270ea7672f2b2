"""Trusted proxies: whose word about their clients counts, and what that word is.

A proxy says in `X-Forwarded-For`, `-Proto`, `-Host` and `-Prefix` who its client is, and how that
client addressed it. Anybody can send these headers. So they count only on a connection of a proxy
that MILEPOST_TRUSTED_PROXIES names, and are ignored on all others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Address: TypeAlias = IPv4Address | IPv6Address

REMEMBERED: Final = 4096
"""How many addresses are remembered with what they are."""
FORWARDED: Final = tuple(f"HTTP_X_FORWARDED_{name}" for name in ("FOR", "PROTO", "HOST", "PREFIX"))
SCHEMES: Final = ("http", "https")
HOST: Final = re.compile(
    r"[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?"
)
PREFIX: Final = re.compile(r"(/[A-Za-z0-9._~-]{1,64}){1,8}/?")
"""A path of plain segments. What begins with two slashes would lead to another host."""


class Proxies:
    """The proxies in some networks, each written as `10.0.0.0/8`, or as one address."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = [ip_network(network) for network in networks]
        self.trust = lru_cache(REMEMBERED)(self._trust)

    def _trust(self, address: str) -> bool:
        """Tell whether this is the address of a trusted proxy."""
        if not self._networks:
            return False
        parsed = parsed_address(address)
        return parsed is not None and any(parsed in network for network in self._networks)

    def resolve(self, environ: WSGIEnvironment) -> None:
        """Put what a trusted proxy says into a WSGI environment; take the headers out of it.

        The client is the last address of `X-Forwarded-For` that is no trusted proxy. Of each other
        header the last value counts, which the nearest proxy wrote. What cannot be meant is left.
        """
        said = [environ.pop(name, "") for name in FORWARDED]
        if not any(said) or not self.trust(environ.get("REMOTE_ADDR", "")):
            return
        clients, *others = said
        for written in reversed(clients.split(",")):
            client = _without_port(written.strip())
            if parsed_address(client) is None:
                break
            environ["REMOTE_ADDR"] = client
            if not self.trust(client):
                break
        scheme, host, prefix = [values.rpartition(",")[2].strip() for values in others]
        if scheme.lower() in SCHEMES:
            environ["wsgi.url_scheme"] = scheme.lower()
        if HOST.fullmatch(host):
            environ["HTTP_HOST"] = host
        if PREFIX.fullmatch(prefix):
            environ["SCRIPT_NAME"] = prefix.rstrip("/")


def parsed_address(text: str) -> Address | None:
    """Return an address, or None for another text.

    A socket that listens at `::` shows the address of an IPv4 client as an IPv6 one.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def _without_port(written: str) -> str:
    # Some proxies write 192.0.2.1:1234 and [2001:db8::1]:1234.
    if written.startswith("["):
        return written[1:].partition("]")[0]
    return written.partition(":")[0] if written.count(":") == 1 else written

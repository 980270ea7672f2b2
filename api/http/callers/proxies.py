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

from api.settings.checks.path_prefix import PREFIX

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from api.http.headers import Headers

Address: TypeAlias = IPv4Address | IPv6Address

REMEMBERED: Final = 4096
"""How many addresses are remembered with what they are."""
FORWARDED: Final = tuple(f"HTTP_X_FORWARDED_{name}" for name in ("FOR", "PROTO", "HOST", "PREFIX"))
MAX_ADDRESS: Final = 64
"""The longest IPv6 address has 45 characters, and the name of an interface 15."""
MOST_HOPS: Final = 32
"""How many addresses of `X-Forwarded-For` are looked at, the nearest first."""
SCHEMES: Final = ("http", "https")
HOST: Final = re.compile(
    r"[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?"
)


class Proxies:
    """The proxies in some networks, each written as `10.0.0.0/8`, or as one address.

    Behind them, the server's paths begin with `prefix`, such as `/milepost`, unless a trusted proxy
    names another one.
    """

    def __init__(self, networks: Iterable[str], prefix: str = "") -> None:
        self._networks = [ip_network(network) for network in networks]
        self._prefix = prefix
        self.trust = lru_cache(REMEMBERED)(self._trust)
        self.may_add_prefixes = bool(self._networks or prefix)

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
        if any(said) and self.trust(environ.get("REMOTE_ADDR", "")):
            self._believe(environ, *said)
        # Another WSGI server may have split the path already.
        if self._prefix and not environ.get("SCRIPT_NAME"):
            environ["SCRIPT_NAME"] = self._prefix
            environ["PATH_INFO"] = self.own_path(environ.get("PATH_INFO", ""))

    def client_of(self, peer: str, header: Headers) -> str:
        """Return the address of the front's client, which a trusted proxy may say."""
        if not self.trust(peer):
            return peer
        return self._client(peer, header("X-Forwarded-For") or "")

    def asked_at(self, peer: str, header: Headers) -> tuple[str, str]:
        """Return the scheme and the host with which a client asked the front."""
        environ: WSGIEnvironment = {
            "REMOTE_ADDR": peer,
            "wsgi.url_scheme": "http",
            "HTTP_HOST": header("Host") or "",
            "HTTP_X_FORWARDED_PROTO": header("X-Forwarded-Proto") or "",
            "HTTP_X_FORWARDED_HOST": header("X-Forwarded-Host") or "",
        }
        self.resolve(environ)
        return environ["wsgi.url_scheme"], environ["HTTP_HOST"]

    def split(self, path: str, peer: str, said: str | None) -> tuple[str, str]:
        """Return the prefix under which a client asked for this path, and the path without it.

        `said` is the header `X-Forwarded-Prefix`. A proxy that names a prefix has taken it off the
        path itself, so nothing more is taken off: its rules about paths would fail otherwise.
        """
        if said and self.trust(peer) and (named := _last_prefix(said)):
            return named, path
        return self._prefix, self.own_path(path)

    def own_path(self, path: str) -> str:
        """Return a path without the configured prefix, with which it may begin."""
        if self._prefix and path.startswith(self._prefix):
            rest = path[len(self._prefix) :]
            if rest[:1] in ("", "/"):
                return rest or "/"
        return path

    def _believe(
        self, environ: WSGIEnvironment, clients: str, scheme: str, host: str, prefix: str
    ) -> None:
        environ["REMOTE_ADDR"] = self._client(environ["REMOTE_ADDR"], clients)
        if (last := _last(scheme).lower()) in SCHEMES:
            environ["wsgi.url_scheme"] = last
        if HOST.fullmatch(last := _last(host)):
            environ["HTTP_HOST"] = last
        if named := _last_prefix(prefix):
            environ["SCRIPT_NAME"] = named

    def _client(self, peer: str, clients: str) -> str:
        named = peer
        for written in reversed(clients.rsplit(",", MOST_HOPS)[-MOST_HOPS:]):
            client = _without_port(written.strip())
            if parsed_address(client) is None:
                break
            named = client
            if not self.trust(client):
                break
        return named


NO_PROXIES: Final = Proxies(())


def _last(values: str) -> str:
    return values.rpartition(",")[2].strip()


def _last_prefix(values: str) -> str | None:
    last = _last(values)
    return last.rstrip("/") if PREFIX.fullmatch(last) else None


def parsed_address(text: str) -> Address | None:
    """Return an address, or None for another text.

    A socket that listens at `::` shows the address of an IPv4 client as an IPv6 one.
    """
    if len(text) > MAX_ADDRESS:  # a zone may have any characters, and any number of them
        return None
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

"""URLs of web servers, as settings and arguments give them."""

from __future__ import annotations

from urllib.parse import urlsplit

from api.settings.checks.origins import USUAL


def is_url(url: str) -> bool:
    """Tell whether a text is the URL of a server, without a query or a password."""
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in USUAL and parts.hostname and parts.port != 0
        _in_ascii(parts.hostname or "")
    except ValueError:  # of which a UnicodeError is a kind
        return False
    return bool(is_usable) and not (parts.query or parts.fragment or parts.username)


def as_browsers_write(url: str) -> str:
    """Return the URL of a server with a host and port as browsers send them, and no last slash.

    The host is in lower case and, if it has letters beyond ASCII, in the form of DNS (`xn--…`). A
    port that the scheme implies is left out.
    """
    parts = urlsplit(url)
    host = _in_ascii(parts.hostname or "")
    host = f"[{host}]" if ":" in host else host
    port = "" if parts.port in (None, USUAL[parts.scheme]) else f":{parts.port}"
    return parts._replace(netloc=f"{host}{port}").geturl().rstrip("/")


def _in_ascii(host: str) -> str:
    """Return a host's name in the form of DNS; raise `UnicodeError` if it has none.

    Python knows the rules of 2003 only, which make `straße` the name `strasse` of somebody else: a
    name that is not the same on its way back is refused.
    """
    if host.isascii():
        return host
    name = host.encode("idna")
    if name.decode("idna") != host:
        raise UnicodeError(f"{host} has no form of DNS that is surely its own")
    return name.decode("ascii")

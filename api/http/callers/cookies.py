"""The session's cookie: it holds the session's secret, and never a token.

A browser takes a cookie whose name begins with `__Host-` or `__Secure-` over TLS only, and sends
one with `__Host-` to no other host and path than the one that set it. So no neighbour of the host's
domain can give a browser a session of his own under such a name (RFC 6265bis, 4.1.3).

Over TLS, only the name counts that Milepost itself gives the cookie there. A neighbour of the
domain, or an attacker who changes the host's answers without TLS, can set a cookie with a plain
name for a browser that has no session. Where Milepost does not know of TLS, each name counts, and
a safer one hides the others.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from api.errors import InvalidSession
from api.http.headers import Headers
from api.sessions import LASTS

NAME: Final = "milepost_session"
NAMES: Final = (f"__Host-{NAME}", f"__Secure-{NAME}", NAME)
"""The names that the cookie may have, the safest first. A safer one hides the others."""
GIVEN: Final = re.compile(rf"(?:^|;)[ \t]*((?:__Host-|__Secure-)?{NAME})=([^;]*)")


def session_secret(header: Headers, prefix: str = "", *, is_secure: bool = False) -> str | None:
    """Return the session's secret in the request's cookie; None if it has no such cookie.

    `is_secure` says that the browser asked over TLS, for a path behind the prefix. Raises
    `InvalidSession` for several cookies with one name: one of them is somebody else's.
    """
    cookies = header("Cookie")
    if cookies is None or NAME not in cookies:
        return None
    given: set[tuple[str, str]] = {(name, each.strip()) for name, each in GIVEN.findall(cookies)}
    for name in (_name(path_of(prefix), is_secure=True),) if is_secure else NAMES:
        secrets = [secret for found, secret in given if found == name]
        if len(secrets) > 1:
            raise InvalidSession
        if secrets:
            return secrets[0]
    return None


def is_over_tls(scheme: str, host: str, public_url: str) -> bool:
    """Tell whether a browser asked over TLS, as far as one can know behind a proxy."""
    public = urlsplit(public_url)
    # The setting is as browsers write it; some proxies add the port to the host.
    asked = host.lower().removesuffix(":443")
    return scheme == "https" or (public.scheme == "https" and public.netloc == asked)


def path_of(prefix: str) -> str:
    """Return the path below which the cookie is sent: that of Milepost."""
    return f"{prefix.rstrip('/')}/"


def with_secret(secret: str, path: str, *, is_secure: bool) -> str:
    """Return a Set-Cookie that lets the browser send this secret to all paths below the given one.

    `is_secure` says that the browser asked over TLS.
    """
    return _cookie(secret, path, int(LASTS.total_seconds()), is_secure=is_secure)


def without_secret(path: str, *, is_secure: bool) -> str:
    """Return a Set-Cookie that lets the browser forget the secret."""
    return _cookie("", path, 0, is_secure=is_secure)


def _cookie(secret: str, path: str, seconds: int, *, is_secure: bool) -> str:
    # Lax: a link from another page, such as a chat's, shows the page to who has signed in.
    what = f"{_name(path, is_secure=is_secure)}={secret}; Path={path}; Max-Age={seconds}"
    return f"{what}; HttpOnly; SameSite=Lax{'; Secure' if is_secure else ''}"


def _name(path: str, *, is_secure: bool) -> str:
    if not is_secure:
        return NAME
    # A browser refuses __Host- with another path than this one.
    return NAMES[0] if path == "/" else NAMES[1]

"""Forms: whether one of our own pages sent a form, and where a browser goes after it.

A browser says of a form where it comes from: in `Sec-Fetch-Site` over TLS and to this machine, and
in `Origin`. Our pages ask it to, by their `Referrer-Policy`. Programs say neither.
"""

from __future__ import annotations

import hmac
import re
from typing import Final
from urllib.parse import quote, urlsplit

from flask import request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge

from api.errors import ForeignForm
from api.http.callers.access import asked, secret_of
from api.http.callers.address import host
from api.http.headers import header
from api.sessions import form_token

MAX_FORM_BYTES: Final = 64 * 1024
MOST_FIELDS: Final = 32
"""How many fields a form may have. Anybody may send one, and 30,000 fields took 40 ms to read."""
IN_A_PATH: Final = "/:@!$&'()*+,;=~"
OURS: Final = ("same-origin", "none")
"""What `Sec-Fetch-Site` says of a request that no other site caused."""
OWN_PATH: Final = re.compile(r"/(?![/\\])[!-\[\]-~]{0,2000}")
"""A path of this site. A browser takes what begins with // or /\\ for another host, and leaves out
tabs and line breaks before it looks."""


def own_path(given: str | None, default: str) -> str:
    """Return a path that a browser may go to next, if it is one of this site; else the default."""
    return given if given and OWN_PATH.fullmatch(given) else default


def wanted_path() -> str:
    """Return the path of the page that the browser asked for, with its query."""
    path, query = quote(request.path, safe=IN_A_PATH), request.query_string.decode("latin-1")
    return f"{path}?{query}" if query else path


def fields() -> MultiDict[str, str]:
    """Return the fields of the form that Flask has in hand.

    Raises `RequestEntityTooLarge` for one of more than `MAX_FORM_BYTES` or `MOST_FIELDS`.
    """
    request.max_content_length = MAX_FORM_BYTES
    request.max_form_parts = MOST_FIELDS  # of a form that comes in parts
    if request.get_data().count(b"&") >= MOST_FIELDS:
        raise RequestEntityTooLarge
    return request.form


def check_origin(public_url: str) -> None:
    """Raise `ForeignForm` if the page of another site sent the form that Flask has in hand."""
    site, origin = header("Sec-Fetch-Site"), header("Origin")
    if site is not None:
        is_ours = site in OURS
    elif origin is not None:
        # Behind a proxy, the scheme may be another one than the browser's.
        of_page = origin.partition("://")[2]
        is_ours = bool(of_page) and of_page in (host(), urlsplit(public_url).netloc)
    else:
        is_ours = True
    if not is_ours:
        raise ForeignForm


def check_csrf() -> None:
    """Raise `ForeignForm` unless the form has the proof that pages of its session have."""
    secret = secret_of(asked())
    given = fields().get("csrf", "").encode("utf-8", "surrogateescape")
    if secret is None or not hmac.compare_digest(given, form_token(secret).encode()):
        raise ForeignForm

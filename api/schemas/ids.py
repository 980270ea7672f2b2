"""Ids and names in requests and commands. This module does not import marshmallow: see `times`."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote

MAX_ID = 200
MAX_REASON = 2_000
"""The most characters of an operator's reason."""
MAX_RUN_ATTEMPT = 2**31 - 1
OUT_OF_PATHS = (".", "..")
"""Clients take these parts out of a URL's path (RFC 3986, 5.2.4), also percent-encoded ones."""
PLAIN_ID = re.compile(rf"[^\x00-\x1f\x7f]{{1,{MAX_ID}}}")


def is_printable(value: str) -> bool:
    """Tell whether the text has no control character."""
    return not any(character < " " or character == "\x7f" for character in value)


def has_dot_parts(value: str) -> bool:
    """Tell whether a client would take parts out of a path that has this text as it is."""
    return any(part in OUT_OF_PATHS for part in value.split("/"))


def in_path(value: str) -> str:
    """Return an id as a URL's path has it, percent-encoded.

    Slashes stay readable, unless a client would take parts out between them. Nothing keeps the
    whole ids `.` and `..` in a path.
    """
    return quote(value, safe="" if has_dot_parts(value) else "/:@")


def hashed(value: str) -> str:
    """Return the SHA-256 of an id that cannot be stored as it is, in hex.

    The same id always gets the same hash, and no two ids share one, so a redelivery is recognised.
    """
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()

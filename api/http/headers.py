"""Request headers. For an absent header, werkzeug would raise and catch an exception."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from flask import request

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Headers: TypeAlias = Callable[[str], str | None]
"""Returns the value of the header with that name; None if the request lacks it.

Each byte of the value is a character (ISO 8859-1), as in WSGI.
"""


def header(name: str) -> str | None:
    """Return a header's value; None if the request lacks it."""
    value: str | None = request.environ.get(_key(name))
    return value


def headers_of(environ: WSGIEnvironment) -> Headers:
    """Return the headers of the request in a WSGI environment."""
    return lambda name: environ.get(_key(name))


@cache
def _key(name: str) -> str:
    key = name.upper().replace("-", "_")
    # WSGI (PEP 3333) has this one without the prefix.
    return key if key == "CONTENT_TYPE" else f"HTTP_{key}"

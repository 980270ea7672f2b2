"""Request headers, without the exceptions that werkzeug raises inside for every absent one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeAlias

from flask import request

Headers: TypeAlias = Callable[[str], str | None]
"""Returns the value of the header with that name, None if there is none."""


def header(name: str) -> str | None:
    """Return a header's value, None if the request has none of that name."""
    return headers_in(request.environ)(name)


def headers_in(environ: Mapping[str, Any]) -> Headers:
    """Return the headers of a WSGI request."""

    def look_up(name: str) -> str | None:
        value: str | None = environ.get(_key(name))
        return value

    return look_up


@cache
def _key(name: str) -> str:
    return "HTTP_" + name.upper().replace("-", "_")

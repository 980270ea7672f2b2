"""Request headers, without the exceptions that werkzeug raises inside for every absent one."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from flask import request


def headers() -> Callable[[str], str | None]:
    """Return what looks up a header of this request by name: its value, or None without one."""
    # Flask finds out what `request` is each time that it is asked for something.
    environ = request.environ

    def header(name: str) -> str | None:
        value: str | None = environ.get(_key(name))
        return value

    return header


@cache
def _key(name: str) -> str:
    return "HTTP_" + name.upper().replace("-", "_")

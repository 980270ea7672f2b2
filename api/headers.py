"""Request headers, without the exceptions that werkzeug raises inside for every absent one."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from flask import request


def header(name: str) -> str | None:
    """Return a header's value, None if the request has none of that name."""
    return headers()(name)


def headers() -> Callable[[str], str | None]:
    """Return what does so for any number of names."""
    # Flask finds out what `request` is each time that it is asked for something.
    environ = request.environ

    def look_up(name: str) -> str | None:
        value: str | None = environ.get(_key(name))
        return value

    return look_up


@cache
def _key(name: str) -> str:
    return "HTTP_" + name.upper().replace("-", "_")

"""Request headers, without the exceptions that werkzeug raises inside for every absent one."""

from __future__ import annotations

from functools import cache
from typing import cast

from flask import request


def header(name: str) -> str | None:
    """Return the header's value, None if the request has none of that name."""
    return cast(str | None, request.environ.get(_key(name)))


@cache
def _key(name: str) -> str:
    return "HTTP_" + name.upper().replace("-", "_")

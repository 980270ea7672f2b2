"""Request headers, without the exceptions that werkzeug raises inside for every absent one."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final, TypeAlias

from flask import request

Headers: TypeAlias = Callable[[str], str | None]
"""Returns the value of the header with that name, None if there is none."""

UNREADABLE: Final = "\0"
"""Stands for a value that is not ASCII, which the front does not get to see.

No header can have it: it is neither a signature, nor a token, nor an id.
"""


def header(name: str) -> str | None:
    """Return a header's value, None if the request has none of that name."""
    value: str | None = request.environ.get(_key(name))
    return value


@cache
def _key(name: str) -> str:
    return "HTTP_" + name.upper().replace("-", "_")

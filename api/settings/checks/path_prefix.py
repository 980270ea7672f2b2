"""The path under which clients reach Milepost behind a proxy, such as `/milepost`."""

from __future__ import annotations

import re
from typing import Final

from api.settings.variables import InvalidSetting

PREFIX: Final = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]{1,64}){1,8}/?")
"""A path of plain segments. What begins with two slashes would lead to another host."""
OWN: Final = frozenset(
    {
        "agents",
        "api",
        "audit",
        "embed",
        "favicon.ico",
        "icon.svg",
        "jobs",
        "livez",
        "metrics",
        "milepost-report",
        "milepost-report.sha256",
        "readyz",
        "sign-in",
        "sign-out",
        "static",
    }
)
"""What Milepost's own paths begin with. A prefix that begins so could not be told from them."""


def path_prefix(value: str | None) -> str:
    """Return the prefix without a slash at its end; without a value, an empty text."""
    if value is None:
        return ""
    if not PREFIX.fullmatch(value):
        raise InvalidSetting(
            f"MILEPOST_PATH_PREFIX: {value[:50]!r} must be a path such as /milepost, of letters, "
            "digits and the characters ._~-"
        )
    first = value.split("/")[1]
    if first in OWN:
        raise InvalidSetting(
            f"MILEPOST_PATH_PREFIX: must not begin with /{first}, where Milepost has paths itself"
        )
    return value.rstrip("/")

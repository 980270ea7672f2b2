"""The form in which a statement gets its values: JSON, texts of times, literals of PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from secrets import token_hex
from typing import Any, Final

import msgspec

TAG: Final = "$m$"


def as_json(value: Any) -> str:
    """Return any number of rows or names as one text, which the database takes apart."""
    return msgspec.json.encode(value).decode()


def spelled(text: str) -> str:
    """Return a text without NUL as a literal of PostgreSQL, between tags that it does not have.

    Between quotes, each quote and backslash of JSON would be doubled, here and in the server again.
    """
    tag = TAG
    # A text may end with a part of the tag, too.
    while (text + tag).index(tag) != len(text):
        tag = f"$m{token_hex(8)}$"
    return f"{tag}{text}{tag}"


def utc_text(time: datetime) -> str:
    """Return a time as the text columns of SQLite have it.

    All such texts have one length, so their order is the order of the times.
    """
    return time.astimezone(UTC).isoformat(timespec="microseconds")

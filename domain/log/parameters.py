"""The form in which a statement gets its parameters, the same in every twin."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec


def as_json(value: Any) -> str:
    """Return any number of rows or names as one parameter: the driver adapts one string."""
    return msgspec.json.encode(value).decode()


def utc_text(time: datetime) -> str:
    """Return a time as the text columns of SQLite have it.

    All such texts have one length, so their order is the order of the times.
    """
    return time.astimezone(UTC).isoformat(timespec="microseconds")

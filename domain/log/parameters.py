"""How values travel to a statement, the same in every twin."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec


def as_json(value: Any) -> str:
    """Return any number of rows or names as one parameter: the driver adapts one string."""
    return msgspec.json.encode(value).decode()


def utc_text(moment: datetime) -> str:
    """Return a time as a text column of SQLite has it.

    All such texts have one length, so that their order is the order of the times.
    """
    return moment.astimezone(UTC).isoformat(timespec="microseconds")

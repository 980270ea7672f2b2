"""Times and reported values, as JSON has them."""

from __future__ import annotations

from datetime import datetime

import msgspec

from domain.job.attempt.state import ReportedValue


def text(time: datetime | None) -> str | None:
    """Return a time in ISO 8601, with its offset."""
    if time is None:
        return None
    # An answer has seven times or more, and `isoformat` takes three times as long as msgspec.
    iso: str = msgspec.to_builtins(time)
    return f"{iso[:-1]}+00:00" if iso.endswith("Z") else iso


def value(reported: ReportedValue | None) -> str | None:
    """Return what was reported, without when it was."""
    return reported.value if reported else None

"""Times and reported values, as JSON has them."""

from __future__ import annotations

from datetime import datetime

from domain.job.attempt.state import ReportedValue


def text(time: datetime | None) -> str | None:
    """Return a time in ISO 8601, with its offset."""
    return time.isoformat() if time else None


def value(reported: ReportedValue | None) -> str | None:
    """Return what was reported, without when it was."""
    return reported.value if reported else None

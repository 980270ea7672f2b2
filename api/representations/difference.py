"""Time travel over HTTP: the differences between two states, and whether they are final."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from api.representations.changes import changes
from projections.reading.time_travel import PointInHistory
from projections.views.instance import Instance


def difference_body(
    before: Instance, after: Instance, shown: Callable[[Instance], dict[str, Any]]
) -> dict[str, Any]:
    """Return the differences between two states of a job, or of an agent's jobs."""
    return {
        "from": _end(before),
        "to": _end(after),
        "changed": changes(shown(before), shown(after)),
    }


def is_settled(place: PointInHistory, past: Instance, present: Instance) -> bool:
    """Tell whether the state at this version or time is final.

    The state at a time is final once the job has an event recorded later: the log only appends.
    """
    return place.version is not None or past.version < present.version


def _end(instance: Instance) -> dict[str, Any]:
    return {
        "job_id": instance.job_id,
        "version": instance.version,
        "position": instance.position,
        "recorded_at": instance.updated_at.isoformat() if instance.updated_at else None,
    }

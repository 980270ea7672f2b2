"""Time travel over HTTP: what differs between two moments, and for how long an answer holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from api.representations.changes import changes
from projections.reading.time_travel import PointInHistory
from projections.views.instance import Instance


def difference_body(
    before: Instance, after: Instance, shown: Callable[[Instance], dict[str, Any]]
) -> dict[str, Any]:
    """Return what differs between two states of a job, or of an agent's jobs."""
    return {
        "from": _moment(before),
        "to": _moment(after),
        "changed": changes(shown(before), shown(after)),
    }


def is_settled(place: PointInHistory, past: Instance, present: Instance) -> bool:
    """Tell whether nothing that is still to come can change how the job stood there.

    At a time that is so once an event was recorded after it: nothing is ever put in before one.
    """
    return place.version is not None or past.version < present.version


def _moment(instance: Instance) -> dict[str, Any]:
    return {
        "job_id": instance.job_id,
        "version": instance.version,
        "position": instance.position,
        "recorded_at": instance.updated_at.isoformat() if instance.updated_at else None,
    }

"""Snapshots of a job's views at some of its versions: time travel reads only the events after one.

Snapshots are a cache, like the rows: Milepost can fold them from the events again.
"""

from __future__ import annotations

from projections.read_model.rows import ViewSnapshot
from projections.views.instance import Instance
from projections.views.timeline import Timeline
from projections.views.view import Views

EVERY = 1_000
"""A snapshot of a job's views is due each time its version reaches a multiple of this."""


def due(before: Instance, after: Instance, every: int = EVERY) -> bool:
    """Tell whether the job has reached or passed a version at which a snapshot is due."""
    return after.version // every > before.version // every


def snapshots_of(views: Views, instance: Instance, timeline: Timeline) -> list[ViewSnapshot]:
    """Return snapshots of both views of a job; none for a job without a readable event."""
    recorded_at = instance.recorded_up_to
    if recorded_at is None:
        return []
    job_id, version = instance.job_id, instance.version
    documents = (
        (views.instance.name, views.instance.dump(instance)),
        (views.timeline.name, views.timeline.dump(timeline)),
    )
    return [ViewSnapshot(job_id, name, version, recorded_at, text) for name, text in documents]

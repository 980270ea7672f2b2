"""A job's views as they stood at one of its versions, so that time travel need not read it all.

Like the rows they are folded from the events, and a cache: whatever they say can be folded again.
"""

from __future__ import annotations

from projections.read_model.contract import ViewSnapshot
from projections.views.instance import Instance
from projections.views.timeline import Timeline
from projections.views.view import Views

EVERY = 1_000
"""How many events of a job go by before its views are kept again."""


def due(before: Instance, after: Instance, every: int = EVERY) -> bool:
    """Tell whether the job has come past a version at which its views are kept."""
    return after.version // every > before.version // every


def taken(views: Views, instance: Instance, timeline: Timeline) -> list[ViewSnapshot]:
    """Return both views of a job as they can be stored; none of a job without a readable event."""
    recorded_at = instance.recorded_up_to
    if recorded_at is None:
        return []
    job_id, version = instance.job_id, instance.version
    documents = (
        (views.instance.name, views.instance.dump(instance)),
        (views.timeline.name, views.timeline.dump(timeline)),
    )
    return [ViewSnapshot(job_id, name, version, recorded_at, text) for name, text in documents]

"""The rows of a view's state: the document, and the columns that queries use."""

from __future__ import annotations

from domain.job import deadlines
from domain.workflows.definition import Workflows
from projections.read_model.rows import InstanceRow, Row
from projections.views.attention import candidate
from projections.views.instance import Instance
from projections.views.timeline import Timeline
from projections.views.view import Views


def instance_row(state: Instance, views: Views, workflows: Workflows) -> InstanceRow:
    """Return the row of an instance."""
    workflow = workflows.recorded(state.workflow)
    shown, watched = state.attempt, state.watched
    first = deadlines.due(workflow, watched, watched.since or state.queued_at)
    first_at = first.at if first else None
    silent_at = deadlines.unresponsive_at(workflow, watched)
    wanted = candidate(state, workflows)
    return InstanceRow(
        state.job_id,
        state.version,
        views.instance.dump(state),
        state.first_position,
        state.agent_id,
        state.user_id,
        state.status,
        state.current_step(workflows),
        first_at,
        silent_at if watched is shown else deadlines.unresponsive_at(workflow, shown),
        deadlines.look_at(workflow, first_at, silent_at),
        wanted.rank if wanted else None,
        wanted.at if wanted else None,
        state.workflow or "",
    )


def timeline_row(state: Timeline, views: Views) -> Row:
    """Return the row of a timeline."""
    return Row(state.job_id, state.version, views.timeline.dump(state))

"""A job's timeline: its attempts, with their steps, silences and durations.

Like a job's other answers, it has every name of its schema (`api/schemas/timeline.py`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from api.representations.scalars import text, value
from domain.job.attempt.state import Attempt
from domain.workflows.definition import Workflow, Workflows
from projections.views.shown_times import clocks_of, reached, shown_claim, shown_end
from projections.views.timeline import Chapter, Timeline


def timeline_body(timeline: Timeline, workflows: Workflows) -> dict[str, Any]:
    """Return the attempts with their steps and durations."""
    workflow = workflows.recorded(timeline.workflow)
    return {
        "job_id": timeline.job_id,
        "version": timeline.version,
        "position": timeline.position,
        "queued_at": text(timeline.queued_at),
        "attempts_left_out": timeline.attempts_left_out,
        "attempts": [
            _attempt(timeline, attempt, chapter, workflow) for attempt, chapter in timeline.story
        ],
    }


def _attempt(
    timeline: Timeline, attempt: Attempt, chapter: Chapter, workflow: Workflow
) -> dict[str, Any]:
    final = attempt.final
    started_at = shown_claim(attempt, timeline.floor)
    finished_at = shown_end(attempt, timeline.floor)
    return {
        "number": attempt.number,
        "status": attempt.status,
        "outcome": attempt.outcome,
        "present": attempt is timeline.runs.present,
        "superseded": timeline.runs.is_superseded(attempt),
        "workflow_run_id": value(attempt.run_id),
        "run_attempt": attempt.run_attempt,
        "waiting_since": text(_waiting_since(timeline, attempt)),
        "started_at": text(started_at),
        "finished_at": text(finished_at),
        "duration_seconds": _seconds(started_at, finished_at),
        "error": final.error if final else None,
        "failed_step": final.failed_step if final else None,
        "timed_out": bool(final and final.inferred),
        "cancelled": bool(final and final.cancelled),
        "server_id": value(attempt.server_id),
        "rollback_requested_at": text(attempt.rollback_requested_at),
        "clock_skew_seconds": attempt.skew_seconds,
        "last_contact_at": text(chapter.last_contact),
        "steps": _steps(timeline, attempt, chapter, workflow),
        "steps_left_out": attempt.steps_left_out,
        "gaps": [
            {
                "since": text(gap.since),
                "until": text(gap.until),
                "duration_seconds": _seconds(gap.since, gap.until),
            }
            for gap in chapter.gaps
        ],
    }


def _waiting_since(timeline: Timeline, attempt: Attempt) -> datetime | None:
    """Return when somebody asked for the attempt; None if its workflow began without that."""
    if attempt.number == 1:
        return timeline.queued_at
    return attempt.since if attempt.wanted else None


def _steps(
    timeline: Timeline, attempt: Attempt, chapter: Chapter, workflow: Workflow
) -> list[dict[str, Any]]:
    ranks, activated_by, floor = workflow.ranks, workflow.activated_by, timeline.floor
    labels = {each.id: each.label for each in workflow.ui_steps}
    shown = clocks_of(attempt, floor).shown
    begins = {name: shown(seen) for name, seen in reached(attempt, floor).items()}
    order = sorted(
        begins,
        key=lambda name: (begins[name], attempt.steps[name].at, ranks.get(name, -1), name),
    )
    starts = [begins[name] for name in order]
    ends = [*starts[1:], _last_step_ends(attempt, chapter, starts[-1], floor)] if starts else []
    late = {**attempt.steps, **chapter.late}
    rows = [
        (name, start, end, False) for name, start, end in zip(order, starts, ends, strict=False)
    ]
    rows += [(name, shown(late[name]), None, True) for name in late if name not in begins]
    return [
        {
            "step": name,
            "ui_step": (ui_step := activated_by.get(name)),
            "ui_label": labels.get(ui_step or ""),
            "late": was_late,
            "started_at": text(start),
            "finished_at": text(end),
            "duration_seconds": _seconds(start, end),
        }
        for name, start, end, was_late in rows
    ]


def _last_step_ends(
    attempt: Attempt, chapter: Chapter, start: datetime, floor: datetime | None
) -> datetime | None:
    """Return when the last step ended; an order that ends a silence does not prolong it."""
    final, gaps = attempt.final, chapter.gaps
    if final and final.ordered and gaps and gaps[-1].until == final.moment.recorded_at:
        return max(start, gaps[-1].since)
    return shown_end(attempt, floor)


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return max(0.0, (end - start).total_seconds()) if start and end else None

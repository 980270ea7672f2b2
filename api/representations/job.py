"""Answers about jobs: dictionaries for JSON, as `api/schemas/` describes them.

Every answer has every name of its schema, in the schema's order; times are text.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from domain.job.attempt import ReportedValue
from domain.job.deadlines import Health, changes_with_time, health
from domain.job.provisioning_job import MAX_RETRIES
from domain.workflows.definition import Workflow, Workflows
from projections.views.instance import Instance
from projections.views.timeline import Chapter, Timeline
from projections.views.ui_steps import ShownStep, ui_steps


def shown_steps(instance: Instance, workflows: Workflows) -> list[ShownStep]:
    """Return the UI steps of an instance."""
    return ui_steps(
        workflows.recorded(instance.workflow),
        instance.status,
        instance.current_step(workflows),
        instance.failed_at_step(workflows),
    )


def uptime(instance: Instance, now: datetime) -> int | None:
    """Return whole seconds since the machine began to run; None if it is not running."""
    final = instance.attempt.final
    if final is None or instance.status != "running":
        return None
    return max(0, int((now - final.moment.at).total_seconds()))


def health_of(
    instance: Instance, workflows: Workflows, now: datetime, first_start: datetime | None = None
) -> Health:
    """Return how alive a job is; `first_start` is that of a release with start deadlines."""
    workflow = workflows.recorded(instance.workflow)
    return health(workflow, instance.attempt, instance.queued_at, now, first_start)


def varying(instance: Instance, workflows: Workflows, now: datetime) -> tuple[int | None, ...]:
    """Return what changes with time alone, for a tag, without making anything of the job."""
    return (
        uptime(instance, now),
        changes_with_time(workflows, instance.attempt, instance.queued_at, now),
    )


def instance_body(
    instance: Instance,
    workflows: Workflows,
    now: datetime,
    first_start: datetime | None = None,
) -> dict[str, Any]:
    """Return the seed system's representation (seed contract, "Instance"), and the health."""
    shown = health_of(instance, workflows, now, first_start)
    attempt = instance.attempt
    final = attempt.final
    return {
        "instance": {
            "id": instance.job_id,
            "agentId": instance.agent_id,
            "status": instance.status,
            "serverId": _value(attempt.server_id),
            "serverIp": _value(attempt.server_ip),
            "tailscaleIp": _value(attempt.tailscale_ip),
            "region": instance.region,
            "error": final.error if final else None,
            "currentStep": instance.current_step(workflows),
            "startedAt": _text(final.moment.at) if final and final.status == "running" else None,
            "stoppedAt": None,
            "createdAt": _text(instance.created_at),
            "updatedAt": _text(instance.updated_at),
        },
        "steps": shown_steps(instance, workflows),
        "uptime": uptime(instance, now),
        "health": {
            "state": shown.state,
            "sentence": shown.sentence,
            "deadline": shown.due.kind if shown.due else None,
            "dueAt": _text(shown.due.at) if shown.due else None,
        },
    }


def job_body(
    instance: Instance,
    workflows: Workflows,
    now: datetime | None = None,
    first_start: datetime | None = None,
) -> dict[str, Any]:
    """Return everything that Milepost knows about a job; without `now`, no health."""
    shown = health_of(instance, workflows, now, first_start) if now else None
    attempt = instance.attempt
    final = attempt.final
    return {
        "id": instance.job_id,
        "agent_id": instance.agent_id,
        "user_id": instance.user_id,
        "region": instance.region,
        "workflow": instance.workflow or workflows.default.ref,
        "registered": instance.queued_at is not None,
        "status": instance.status,
        "current_step": instance.current_step(workflows),
        "failed_at_step": instance.failed_at_step(workflows),
        "steps": shown_steps(instance, workflows),
        "attempt": attempt.number,
        "retry_count": attempt.number - 1,
        "max_retries": MAX_RETRIES,
        "workflow_run_id": _value(attempt.run_id),
        "server_id": _value(attempt.server_id),
        "server_ip": _value(attempt.server_ip),
        "tailscale_ip": _value(attempt.tailscale_ip),
        "error": final.error if final else None,
        "failed_step": final.failed_step if final else None,
        "timed_out": bool(final and final.inferred),
        "rollback_requested_at": _text(instance.rollback_requested_at),
        "stop_requested_at": _text(instance.stop_requested_at),
        "claimed_at": _text(attempt.claimed_at),
        "last_heartbeat_at": _text(attempt.heard_at),
        "silent_since": _text(attempt.silent_since),
        "started_at": _text(final.moment.at) if final and final.status == "running" else None,
        "completed_at": _text(final.moment.at) if final else None,
        "health": {
            "state": shown.state,
            "sentence": shown.sentence,
            "deadline": shown.due.kind if shown.due else None,
            "due_at": _text(shown.due.at) if shown.due else None,
        }
        if shown
        else None,
        "created_at": _text(instance.created_at),
        "updated_at": _text(instance.updated_at),
        "version": instance.version,
        "position": instance.position,
    }


def timeline_body(timeline: Timeline, workflows: Workflows) -> dict[str, Any]:
    """Return the attempts with their steps and durations."""
    workflow = workflows.recorded(timeline.workflow)
    return {
        "job_id": timeline.job_id,
        "version": timeline.version,
        "position": timeline.position,
        "queued_at": _text(timeline.queued_at),
        "attempts": [_attempt(chapter, workflow) for chapter in timeline.chapters],
    }


def _attempt(chapter: Chapter, workflow: Workflow) -> dict[str, Any]:
    attempt, final = chapter.attempt, chapter.attempt.final
    finished_at = final.moment.at if final else None
    return {
        "number": attempt.number,
        "status": attempt.status,
        "workflow_run_id": _value(attempt.run_id),
        "started_at": _text(attempt.claimed_at),
        "finished_at": _text(finished_at),
        "duration_seconds": _seconds(attempt.claimed_at, finished_at),
        "error": final.error if final else None,
        "failed_step": final.failed_step if final else None,
        "timed_out": bool(final and final.inferred),
        "last_contact_at": _text(chapter.last_contact),
        "steps": _steps(chapter, workflow, finished_at),
        "gaps": [
            {
                "since": _text(gap.since),
                "until": _text(gap.until),
                "duration_seconds": _seconds(gap.since, gap.until),
            }
            for gap in chapter.gaps
        ],
    }


def _steps(
    chapter: Chapter, workflow: Workflow, finished_at: datetime | None
) -> list[dict[str, Any]]:
    ranks, activated_by = workflow.ranks(), workflow.activated_by()
    reached = chapter.attempt.steps_reached
    order = sorted(reached, key=lambda name: (reached[name].at, ranks.get(name, -1), name))
    starts = [reached[name].at for name in order]
    ends = [*starts[1:], finished_at]
    late = {**chapter.attempt.steps, **chapter.late}
    shown = [
        (name, start, end, False) for name, start, end in zip(order, starts, ends, strict=False)
    ]
    shown += [(name, late[name].at, None, True) for name in late if name not in reached]
    return [
        {
            "step": name,
            "ui_step": activated_by.get(name),
            "late": was_late,
            "started_at": _text(start),
            "finished_at": _text(end),
            "duration_seconds": _seconds(start, end),
        }
        for name, start, end, was_late in shown
    ]


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return max(0.0, (end - start).total_seconds()) if start and end else None


def _text(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _value(reported: ReportedValue | None) -> str | None:
    return reported.value if reported else None

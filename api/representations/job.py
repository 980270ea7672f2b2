"""Answers about jobs: dictionaries for JSON, as `api/schemas/` describes them.

Every answer has every name of its schema, in the schema's order; times are text.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from domain.job.attempt.state import Attempt, ReportedValue
from domain.job.health import Health, changes_with_time, health
from domain.workflows.definition import Workflow, Workflows
from projections.views.instance import Instance, Refusal
from projections.views.reasons import Reason
from projections.views.shown_times import reached, shown, shown_claim, shown_end
from projections.views.timeline import Chapter, Timeline
from projections.views.ui_steps import ShownStep, ui_steps


def shown_steps(instance: Instance, workflows: Workflows) -> list[ShownStep]:
    """Return the UI steps of an instance."""
    return ui_steps(
        workflows.recorded(instance.workflow),
        instance.status,
        instance.current_step(workflows),
        instance.failed_at_step(workflows),
        instance.cancelled_while,
    )


def uptime(instance: Instance, now: datetime) -> int | None:
    """Return whole seconds since the machine began to run; None if it is not running."""
    started_at = _started_at(instance)
    if started_at is None or instance.status != "running":
        return None
    return max(0, int((now - started_at).total_seconds()))


def _started_at(instance: Instance) -> datetime | None:
    final = instance.attempt.final
    if final is None or final.status != "running":
        return None
    return shown_end(instance.attempt, instance.floor)


def health_of(
    instance: Instance, workflows: Workflows, now: datetime, first_start: datetime | None = None
) -> Health:
    """Return how alive a job is; `first_start` is that of a release with start deadlines."""
    workflow = workflows.recorded(instance.workflow)
    return health(workflow, instance.attempt, instance.expected_since, now, first_start)


def varying(instance: Instance, workflows: Workflows, now: datetime) -> tuple[int | None, ...]:
    """Return what changes with time alone, for a tag, without making anything of the job."""
    return (
        uptime(instance, now),
        changes_with_time(
            workflows.deadlines(instance.workflow), instance.attempt, instance.expected_since, now
        ),
    )


def instance_body(
    instance: Instance,
    workflows: Workflows,
    now: datetime,
    first_start: datetime | None = None,
) -> dict[str, Any]:
    """Return the seed system's representation (seed contract, "Instance"), and the health."""
    alive = health_of(instance, workflows, now, first_start)
    attempt = instance.attempt
    final = attempt.final
    return {
        "instance": {
            "id": instance.job_id,
            "agentId": instance.agent_id,
            "status": instance.status,
            "outcome": attempt.outcome,
            "serverId": _value(attempt.server_id),
            "serverIp": _value(attempt.server_ip),
            "tailscaleIp": _value(attempt.tailscale_ip),
            "region": instance.region,
            "error": final.error if final else None,
            "currentStep": instance.current_step(workflows),
            "startedAt": _text(_started_at(instance)),
            "stoppedAt": _text(attempt.stopped_at),
            "createdAt": _text(instance.created_at),
            "updatedAt": _text(instance.updated_at),
        },
        "steps": shown_steps(instance, workflows),
        "uptime": uptime(instance, now),
        "health": {
            "state": alive.state,
            "sentence": alive.sentence,
            "deadline": alive.due.kind if alive.due else None,
            "dueAt": _text(alive.due.at) if alive.due else None,
        },
    }


def job_body(
    instance: Instance,
    workflows: Workflows,
    now: datetime | None = None,
    first_start: datetime | None = None,
) -> dict[str, Any]:
    """Return everything that Milepost knows about a job; without `now`, no health."""
    alive = health_of(instance, workflows, now, first_start) if now else None
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
        "outcome": attempt.outcome,
        "current_step": instance.current_step(workflows),
        "failed_at_step": instance.failed_at_step(workflows),
        "steps": shown_steps(instance, workflows),
        "attempt": attempt.number,
        "retry_count": instance.runs.retries,
        "max_retries": workflows.recorded(instance.workflow).max_retries,
        "workflow_run_id": _value(attempt.run_id),
        "run_attempt": attempt.run_attempt,
        "server_id": _value(attempt.server_id),
        "server_ip": _value(attempt.server_ip),
        "tailscale_ip": _value(attempt.tailscale_ip),
        "error": final.error if final else None,
        "failed_step": final.failed_step if final else None,
        "timed_out": bool(final and final.inferred),
        "cancelled": bool(final and final.cancelled),
        "clock_skew_seconds": attempt.skew_seconds,
        "rollback_requested_at": _text(attempt.rollback_requested_at),
        "stop_requested_at": _text(attempt.stop_requested_at),
        "waiting_since": _text(instance.expected_since),
        "claimed_at": _text(shown_claim(attempt, instance.floor)),
        "last_heartbeat_at": _text(attempt.heard_at),
        "silent_since": _text(attempt.silent_since),
        "started_at": _text(_started_at(instance)),
        "stopped_at": _text(attempt.stopped_at),
        "completed_at": _text(shown_end(attempt, instance.floor)),
        "refused_callbacks": instance.refusals,
        "last_refusal": _refusal(instance.last_refusal),
        "health": {
            "state": alive.state,
            "sentence": alive.sentence,
            "deadline": alive.due.kind if alive.due else None,
            "due_at": _text(alive.due.at) if alive.due else None,
        }
        if alive
        else None,
        "created_at": _text(instance.created_at),
        "updated_at": _text(instance.updated_at),
        "version": instance.version,
        "position": instance.position,
    }


def _refusal(refusal: Refusal | None) -> dict[str, Any] | None:
    if refusal is None:
        return None
    return {"at": _text(refusal.at), "reason": refusal.reason, "detail": refusal.detail}


def attention_body(
    instance: Instance,
    reasons: Sequence[Reason],
    workflows: Workflows,
    now: datetime,
    first_start: datetime | None = None,
) -> dict[str, Any]:
    """Return a job with the reasons why it needs somebody."""
    shown = [
        {"reason": each.kind, "since": _text(each.since), "text": each.text} for each in reasons
    ]
    return {**job_body(instance, workflows, now, first_start), "attention": shown}


def timeline_body(timeline: Timeline, workflows: Workflows) -> dict[str, Any]:
    """Return the attempts with their steps and durations."""
    workflow = workflows.recorded(timeline.workflow)
    return {
        "job_id": timeline.job_id,
        "version": timeline.version,
        "position": timeline.position,
        "queued_at": _text(timeline.queued_at),
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
        "workflow_run_id": _value(attempt.run_id),
        "run_attempt": attempt.run_attempt,
        "waiting_since": _text(_waiting_since(timeline, attempt)),
        "started_at": _text(started_at),
        "finished_at": _text(finished_at),
        "duration_seconds": _seconds(started_at, finished_at),
        "error": final.error if final else None,
        "failed_step": final.failed_step if final else None,
        "timed_out": bool(final and final.inferred),
        "cancelled": bool(final and final.cancelled),
        "server_id": _value(attempt.server_id),
        "rollback_requested_at": _text(attempt.rollback_requested_at),
        "clock_skew_seconds": attempt.skew_seconds,
        "last_contact_at": _text(chapter.last_contact),
        "steps": _steps(timeline, attempt, chapter, workflow),
        "gaps": [
            {
                "since": _text(gap.since),
                "until": _text(gap.until),
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
    ranks, activated_by, floor = workflow.ranks, workflow.activated_by(), timeline.floor
    labels = {each.id: each.label for each in workflow.ui_steps}
    begins = {name: shown(seen, floor) for name, seen in reached(attempt, floor).items()}
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
    rows += [(name, shown(late[name], floor), None, True) for name in late if name not in begins]
    return [
        {
            "step": name,
            "ui_step": (ui_step := activated_by.get(name)),
            "ui_label": labels.get(ui_step or ""),
            "late": was_late,
            "started_at": _text(start),
            "finished_at": _text(end),
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


def _text(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _value(reported: ReportedValue | None) -> str | None:
    return reported.value if reported else None

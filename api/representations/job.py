"""Answers about jobs: dictionaries for JSON, as `api/schemas/` describes them.

Every answer has every name of its schema, in the schema's order; times are text.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from api.representations.scalars import text, value
from domain.job.health import Health, changes_with_time, health
from domain.workflows.definition import Workflows
from projections.views.instance import Instance, Refusal
from projections.views.reasons import Reason
from projections.views.shown_times import shown_claim, shown_end
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
            "attempt": attempt.number,
            "serverId": value(attempt.server_id),
            "serverIp": value(attempt.server_ip),
            "tailscaleIp": value(attempt.tailscale_ip),
            "region": instance.region,
            "error": final.error if final else None,
            "currentStep": instance.current_step(workflows),
            "waitingSince": text(instance.expected_since),
            "claimedAt": text(shown_claim(attempt, instance.floor)),
            "startedAt": text(_started_at(instance)),
            "completedAt": text(shown_end(attempt, instance.floor)),
            "stoppedAt": text(attempt.stopped_at),
            "createdAt": text(instance.created_at),
            "updatedAt": text(instance.updated_at),
        },
        "steps": shown_steps(instance, workflows),
        "uptime": uptime(instance, now),
        "health": {
            "state": alive.state,
            "sentence": alive.sentence,
            "deadline": alive.due.kind if alive.due else None,
            "dueAt": text(alive.due.at) if alive.due else None,
            "changesAt": text(alive.changes_at),
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
        "workflow_run_id": value(attempt.run_id),
        "run_attempt": attempt.run_attempt,
        "server_id": value(attempt.server_id),
        "server_ip": value(attempt.server_ip),
        "tailscale_ip": value(attempt.tailscale_ip),
        "error": final.error if final else None,
        "failed_step": final.failed_step if final else None,
        "timed_out": bool(final and final.inferred),
        "cancelled": bool(final and final.cancelled),
        "clock_skew_seconds": attempt.skew_seconds,
        "rollback_requested_at": text(attempt.rollback_requested_at),
        "stop_requested_at": text(attempt.stop_requested_at),
        "waiting_since": text(instance.expected_since),
        "claimed_at": text(shown_claim(attempt, instance.floor)),
        "last_heartbeat_at": text(attempt.heard_at),
        "silent_since": text(attempt.silent_since),
        "started_at": text(_started_at(instance)),
        "stopped_at": text(attempt.stopped_at),
        "completed_at": text(shown_end(attempt, instance.floor)),
        "refused_callbacks": instance.refusals,
        "last_refusal": _refusal(instance.last_refusal),
        "health": {
            "state": alive.state,
            "sentence": alive.sentence,
            "deadline": alive.due.kind if alive.due else None,
            "due_at": text(alive.due.at) if alive.due else None,
            "changes_at": text(alive.changes_at),
        }
        if alive
        else None,
        "created_at": text(instance.created_at),
        "updated_at": text(instance.updated_at),
        "version": instance.version,
        "position": instance.position,
    }


def _refusal(refusal: Refusal | None) -> dict[str, Any] | None:
    if refusal is None:
        return None
    return {"at": text(refusal.at), "reason": refusal.reason, "detail": refusal.detail}


def attention_body(
    instance: Instance,
    reasons: Sequence[Reason],
    workflows: Workflows,
    now: datetime,
    first_start: datetime | None = None,
) -> dict[str, Any]:
    """Return a job with the reasons why it needs somebody."""
    shown = [
        {"reason": each.kind, "since": text(each.since), "text": each.text} for each in reasons
    ]
    return {**job_body(instance, workflows, now, first_start), "attention": shown}

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
    current, failed_at = instance.current_step(workflows), instance.failed_at_step(workflows)
    return _steps(instance, workflows, current, failed_at)


def _steps(
    instance: Instance, workflows: Workflows, current: str | None, failed_at: str | None
) -> list[ShownStep]:
    workflow = workflows.recorded(instance.workflow)
    return ui_steps(workflow, instance.status, current, failed_at, instance.cancelled_while)


def _uptime(instance: Instance, ended_at: datetime | None, now: datetime) -> int | None:
    """Return whole seconds since the machine began to run; None if it is not running."""
    if ended_at is None or instance.status != "running":
        return None
    return max(0, int((now - ended_at).total_seconds()))


def health_of(
    instance: Instance, workflows: Workflows, now: datetime, first_start: datetime | None = None
) -> Health:
    """Return how alive a job is; `first_start` is that of a release with start deadlines."""
    workflow = workflows.recorded(instance.workflow)
    return health(workflow, instance.attempt, instance.expected_since, now, first_start)


def varying(
    instance: Instance, workflows: Workflows, now: datetime, first_start: datetime | None
) -> tuple[object, object]:
    """Return what changes with time alone, for a tag: the uptime, and what the health says.

    Of a job that is well, nothing is made.
    """
    attempt = instance.attempt
    if attempt.final is None:
        deadlines, since = workflows.deadlines(instance.workflow), attempt.since
        seconds = changes_with_time(deadlines, attempt, since or instance.queued_at, now)
        if seconds is None:
            return None, None
        # A deadline may pass between two whole seconds.
        alive = health_of(instance, workflows, now, first_start)
        changes_at = f"{alive.changes_at:%H%M%S%f}" if alive.changes_at else ""
        return None, f"{seconds}{alive.state[0]}{changes_at}"
    # Of a job that does not run, no time has to be found out for the uptime.
    runs = instance.status == "running"
    ended_at = shown_end(attempt, instance.floor) if runs else None
    return _uptime(instance, ended_at, now), None


def instance_body(
    instance: Instance,
    workflows: Workflows,
    now: datetime,
    first_start: datetime | None = None,
) -> dict[str, Any]:
    """Return the seed system's representation (seed contract, "Instance"), and the health."""
    alive = health_of(instance, workflows, now, first_start)
    attempt, current_step = instance.attempt, instance.current_step(workflows)
    final, ended_at = attempt.final, shown_end(attempt, instance.floor)
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
            "currentStep": current_step,
            "waitingSince": text(instance.expected_since),
            "claimedAt": text(shown_claim(attempt, instance.floor)),
            "startedAt": text(ended_at) if final and final.status == "running" else None,
            "completedAt": text(ended_at),
            "stoppedAt": text(attempt.stopped_at),
            "createdAt": text(instance.created_at),
            "updatedAt": text(instance.updated_at),
        },
        "steps": _steps(instance, workflows, current_step, instance.failed_at_step(workflows)),
        "uptime": _uptime(instance, ended_at, now),
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
    attempt, current_step = instance.attempt, instance.current_step(workflows)
    failed_at_step = instance.failed_at_step(workflows)
    final, ended_at = attempt.final, shown_end(attempt, instance.floor)
    is_held = rollback_is_held(instance)
    return {
        "id": instance.job_id,
        "agent_id": instance.agent_id,
        "user_id": instance.user_id,
        "region": instance.region,
        "workflow": instance.workflow or workflows.default.ref,
        "registered": instance.queued_at is not None,
        "status": instance.status,
        "outcome": attempt.outcome,
        "current_step": current_step,
        "failed_at_step": failed_at_step,
        "steps": _steps(instance, workflows, current_step, failed_at_step),
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
        "rollback_requested_at": None if is_held else text(attempt.rollback_requested_at),
        "rollback_held": is_held,
        "stop_requested_at": text(attempt.stop_requested_at),
        "waiting_since": text(instance.expected_since),
        "claimed_at": text(shown_claim(attempt, instance.floor)),
        "last_heartbeat_at": text(attempt.heard_at),
        "silent_since": text(attempt.silent_since),
        "started_at": text(ended_at) if final and final.status == "running" else None,
        "stopped_at": text(attempt.stopped_at),
        "completed_at": text(ended_at),
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


def rollback_is_held(instance: Instance) -> bool | None:
    """Tell whether another job uses the machine that the shown attempt's rollback names.

    None without an open rollback, where nobody has looked, and where the job shows another machine
    than that one: who reads `False` removes the machine that is shown.
    """
    attempt = instance.attempt
    if instance.used_elsewhere is None or not attempt.rollback_is_open:
        return None
    if attempt.machine_id in instance.used_elsewhere:
        return True
    return False if attempt.is_machine(value(attempt.server_id)) else None


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

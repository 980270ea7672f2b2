"""jobs: list jobs, or show one job with its timeline."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click
from rich.text import Text

from api.cli.terminal.options import shown_time
from api.cli.terminal.output import (
    ago,
    as_json,
    console,
    counted,
    indented,
    on_one_line,
    opened,
    print_json,
    print_table,
    printable,
    span,
    status_text,
)
from api.cli.terminal.steps import steps_text
from api.representations.job import job_body, shown_steps, timeline_body
from api.wiring import Services
from domain.errors import JobNotFound
from projections.read_model.contract import JobFilter
from projections.views.instance import INSTANCE_STATUSES, Instance
from projections.views.timeline import GAP

LABELS = {"silent_since": "no heartbeat since", "completed_at": "ended"}
FACTS = ("agent_id", "user_id", "silent_since", "completed_at", "error", "server_id", "server_ip")
WIDE = 18


@click.command()
@click.argument("job_id", required=False)
@click.option("--agent", "agent_id", help="List only this agent's jobs.")
@click.option("--user", "user_id", help="List only this user's jobs.")
@click.option(
    "--status", type=click.Choice(INSTANCE_STATUSES), help="List only jobs with this status."
)
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=50,
    show_default=True,
    help="The most jobs to list.",
)
@as_json
def jobs(
    job_id: str | None,
    agent_id: str | None,
    user_id: str | None,
    status: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List jobs, the newest first, or show JOB_ID and its timeline."""
    with opened(only_looks=True) as services:
        if job_id is not None:
            return _show(services, job_id, as_json)
        wanted = JobFilter(agent_id=agent_id, user_id=user_id, status=status, limit=limit)
        instances = services.reader.instances(wanted)
        if as_json:
            for instance in instances:
                print_json(job_body(instance, services.workflows))
            return None
        rows = [_row(instance, services) for instance in instances]
        headings = ("Job", "Agent", "Status", "Step", "Attempt", "Last event", "Error")
        if behind := services.reader.status().lag_events:
            click.echo(f"The list is {counted(behind, 'position')} behind the log.", err=True)
        return print_table(headings, rows, "No jobs.", cut="Error")


def _row(instance: Instance, services: Services) -> tuple[object, ...]:
    attempt, now = instance.attempt, services.clock()
    step = instance.current_step(services.workflows) or instance.failed_at_step(services.workflows)
    return (
        instance.job_id,
        instance.agent_id,
        status_text(instance.status, attempt.outcome),
        step,
        attempt.number,
        ago(instance.updated_at, now),
        on_one_line(attempt.final.error) if attempt.final else _silence(attempt.silent_since, now),
    )


def _silence(since: datetime | None, now: datetime) -> str | None:
    """Return how long the job has sent no heartbeat, once that is a gap: the job may be dead."""
    if since is None or now - since <= GAP:
        return None
    return f"no heartbeat for {span((now - since).total_seconds())}"


def _show(services: Services, job_id: str, as_json: bool) -> None:
    instance, timeline = services.reader.instance(job_id), services.reader.timeline(job_id)
    if instance is None or timeline is None:
        raise JobNotFound(f"There is no job {job_id!r}.")
    job = job_body(instance, services.workflows)
    history = timeline_body(timeline, services.workflows)
    if as_json:
        return print_json({**job, "attempts": history["attempts"]})
    steps = steps_text(shown_steps(instance, services.workflows))
    status = status_text(instance.status, instance.attempt.outcome)
    console().print(Text(f"{printable(job_id)}  "), status, steps)
    for name in FACTS:
        if job[name] is not None:
            label = LABELS.get(name, name.replace("_", " "))
            value = _when(job[name], services) if name in LABELS else str(job[name])
            click.echo(f"  {label:{WIDE}} {indented(value, WIDE + 3)}")
    if refusal := job["last_refusal"]:
        kept = job["refused_callbacks"]
        when = _when(refusal["at"], services)
        why = f"{when}: {refusal['reason']}: {refusal['detail']}"
        counted_ = f" ({kept} in all)" if kept > 1 else ""
        click.echo(f"  {'refused callback':{WIDE}} {indented(why + counted_, WIDE + 3)}")
    for attempt in history["attempts"]:
        _show_attempt(attempt)
    return None


def _show_attempt(attempt: dict[str, Any]) -> None:
    names = ("failed_step",) if attempt["present"] else ("failed_step", "error")
    reason = ": ".join(attempt[name] for name in names if attempt[name])
    status = status_text(attempt["status"], attempt["outcome"])
    click.echo(f"  attempt {attempt['number']}: {status} {indented(reason, 4)}".rstrip())
    rows = [
        (
            step["started_at"],
            step["step"] + (" (late)" if step["late"] else ""),
            step["ui_step"],
            "" if step["duration_seconds"] is None else f"{step['duration_seconds']:.1f} s",
        )
        for step in attempt["steps"]
    ]
    rows += [
        (gap["since"], "silence", None, f"{gap['duration_seconds']:.1f} s")
        for gap in attempt["gaps"]
    ]
    print_table(
        ("From (UTC)", "Step", "UI step", "Took"),
        ((_time(since), *others) for since, *others in sorted(rows, key=lambda row: row[0])),
        "    no steps reported",
    )


def _time(text: str) -> str:
    return shown_time(datetime.fromisoformat(text))


def _when(text: str, services: Services) -> str:
    return f"{_time(text)} UTC, {ago(datetime.fromisoformat(text), services.clock())}"

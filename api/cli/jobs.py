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
    status_text,
)
from api.cli.terminal.steps import steps_text
from api.representations.job import (
    attention_body,
    health_of,
    job_body,
    shown_steps,
    timeline_body,
)
from api.wiring import Services
from domain.errors import JobNotFound
from projections.read_model.contract import AttentionFilter, JobFilter
from projections.views.reasons import attention, needing
from projections.views.instance import INSTANCE_STATUSES, Instance

LABELS = {
    "silent_since": "no heartbeat since",
    "completed_at": "ended",
    "stopped_at": "machine gone since",
}
AFTER_A_SUCCESS = {"running": "running since", "stopped": "began to run"}
"""How `completed_at` is called after an attempt that succeeded, by the attempt's outcome."""
FACTS = (
    "agent_id",
    "user_id",
    "silent_since",
    "completed_at",
    "error",
    "server_id",
    "server_ip",
    "stopped_at",
)
WIDE = 18


def _status(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value == "cancelled":
        raise click.BadParameter("a cancelled job has the status failed: use --status failed")
    if value is not None and value not in INSTANCE_STATUSES:
        raise click.BadParameter(f"{value!r} is not one of {', '.join(INSTANCE_STATUSES)}")
    return value


@click.command()
@click.argument("job_id", required=False)
@click.option("--agent", "agent_id", help="List only this agent's jobs.")
@click.option("--user", "user_id", help="List only this user's jobs.")
@click.option(
    "--status",
    callback=_status,
    metavar=f"[{'|'.join(INSTANCE_STATUSES)}]",
    help="List only jobs with this status.",
)
@click.option(
    "--attention",
    "only_needing",
    is_flag=True,
    help="List what needs somebody now, the worst first, and why.",
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
    only_needing: bool,
    limit: int,
    as_json: bool,
) -> None:
    """List jobs, the newest first, or show JOB_ID and its timeline."""
    with opened(only_looks=True) as services:
        if job_id is not None:
            return _show(services, job_id, as_json)
        if only_needing:
            of_these = AttentionFilter(
                now=services.now(),
                agent_id=agent_id,
                user_id=user_id,
                status=status,
                limit=limit,
            )
            return _show_needing(services, of_these, as_json)
        wanted = JobFilter(agent_id=agent_id, user_id=user_id, status=status, limit=limit)
        instances = services.reader.instances(wanted)
        if as_json:
            for instance in instances:
                print_json(_body(instance, services))
            return None
        rows = [_row(instance, services) for instance in instances]
        headings = ("Job", "Agent", "Status", "Step", "Attempt", "Last event", "Error")
        _warn_if_behind(services)
        return print_table(headings, rows, "No jobs.", cut="Error")


def _warn_if_behind(services: Services) -> None:
    if behind := services.reader.status().lag_events:
        click.echo(f"The list is {counted(behind, 'position')} behind the log.", err=True)


def _show_needing(services: Services, wanted: AttentionFilter, as_json: bool) -> None:
    instances = services.reader.attention(wanted)
    found = needing(instances, services.workflows, wanted.now)
    if as_json:
        for instance, reasons in found:
            print_json(
                attention_body(
                    instance, reasons, services.workflows, wanted.now, services.reader.first_start
                )
            )
        return
    rows = [
        (
            instance.job_id,
            instance.agent_id,
            status_text(instance.status, instance.attempt.outcome),
            ago(reasons[0].since, wanted.now),
            "\n".join(reason.text for reason in reasons),
        )
        for instance, reasons in found
    ]
    _warn_if_behind(services)
    print_table(("Job", "Agent", "Status", "Since", "Why"), rows, "No job needs you now.")


def _row(instance: Instance, services: Services) -> tuple[object, ...]:
    attempt, now = instance.attempt, services.now()
    step = instance.current_step(services.workflows) or instance.failed_at_step(services.workflows)
    return (
        instance.job_id,
        instance.agent_id,
        status_text(instance.status, attempt.outcome),
        step,
        attempt.number,
        ago(instance.updated_at, now),
        on_one_line(attempt.final.error) if attempt.final else _trouble(instance, services),
    )


def _trouble(instance: Instance, services: Services) -> str | None:
    """Return the health of a job that may be dead, in a sentence."""
    found = health_of(instance, services.workflows, services.now(), services.reader.first_start)
    return None if found.state == "ok" else found.sentence


def _body(instance: Instance, services: Services) -> dict[str, Any]:
    return job_body(instance, services.workflows, services.now(), services.reader.first_start)


def _show(services: Services, job_id: str, as_json: bool) -> None:
    instance, timeline = services.reader.instance(job_id), services.reader.timeline(job_id)
    if instance is None or timeline is None:
        raise JobNotFound(f"There is no job {job_id!r}.")
    if missing := services.workflows.missing(instance.workflow):
        click.echo(printable(missing), err=True)
    job = _body(instance, services)
    history = timeline_body(timeline, services.workflows)
    if as_json:
        return print_json({**job, "attempts": history["attempts"]})
    steps = steps_text(shown_steps(instance, services.workflows))
    status = status_text(instance.status, instance.attempt.outcome)
    console().print(Text(f"{printable(job_id)}  "), status, steps)
    for reason in attention(instance, services.workflows, services.now()):
        click.echo(f"  {'needs somebody':{WIDE}} {printable(reason.text)}")
    for name in FACTS:
        if job[name] is not None:
            label = LABELS.get(name, name.replace("_", " "))
            if name == "completed_at":
                label = AFTER_A_SUCCESS.get(job["outcome"], label)
            value = _when(job[name], services) if name in LABELS else str(job[name])
            click.echo(f"  {label:{WIDE}} {indented(value, WIDE + 3)}")
    if refusal := job["last_refusal"]:
        kept = job["refused_callbacks"]
        when = _when(refusal["at"], services)
        why = f"{when}: {refusal['reason']}: {refusal['detail']}"
        counted_ = f" ({kept} in all)" if kept > 1 else ""
        click.echo(f"  {'refused callback':{WIDE}} {indented(why + counted_, WIDE + 3)}")
    if sentence := job["health"]["sentence"]:
        click.echo(f"  {job['health']['state']:{WIDE}} {sentence}")
    for attempt in history["attempts"]:
        _show_attempt(attempt, is_one_of_many=len(history["attempts"]) > 1)
    return None


def _show_attempt(attempt: dict[str, Any], *, is_one_of_many: bool) -> None:
    names = ("failed_step",) if attempt["present"] else ("failed_step", "error")
    reason = "".join(f": {attempt[name]}" for name in names if attempt[name])
    marks = [
        f"run {attempt['workflow_run_id']}" if attempt["workflow_run_id"] else "",
        f"run_attempt {attempt['run_attempt']}" if attempt["run_attempt"] else "",
        "superseded by another run" if attempt["superseded"] else "",
        "shown" if attempt["present"] and is_one_of_many else "",
    ]
    beside = ", ".join(filter(None, marks))
    status = f"{status_text(attempt['status'], attempt['outcome'])}{beside and f' ({beside})'}"
    click.echo(f"  attempt {attempt['number']}: {indented(status + reason, 4)}")
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
    return f"{_time(text)} UTC, {ago(datetime.fromisoformat(text), services.now())}"

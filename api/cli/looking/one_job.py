"""One job, with its timeline, as the terminal shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click
from rich.text import Text

from api.cli.terminal.options import shown_time
from api.cli.terminal.output import ago, counted, indented, print_json
from api.cli.terminal.steps import steps_text
from api.cli.terminal.tables import console, print_table, status_text
from api.representations.job import job_body, shown_steps
from api.representations.timeline import timeline_body
from api.wiring import Services
from domain.errors import JobNotFound
from domain.unseen import visible
from projections.views.attention import attention

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


def show_job(services: Services, job_id: str, as_json: bool) -> None:
    """Print a job and its timeline, or one JSON object; raise `JobNotFound`."""
    instance, timeline = services.reader.present(job_id), services.reader.timeline(job_id)
    if instance is None or timeline is None:
        raise JobNotFound(f"There is no job {job_id!r}.")
    instance = services.history.with_whole_errors(instance)
    timeline = services.history.with_whole_errors(timeline)
    if missing := services.workflows.missing(instance.workflow):
        click.echo(visible(missing), err=True)
    job = job_body(instance, services.workflows, services.now(), services.reader.first_start)
    history = timeline_body(timeline, services.workflows)
    if as_json:
        return print_json({**job, "attempts": history["attempts"]})
    steps = steps_text(shown_steps(instance, services.workflows))
    status = status_text(instance.status, instance.attempt.outcome)
    console().print(Text(f"{visible(job_id)}  "), status, steps)
    for reason in attention(instance, services.workflows, services.now()):
        click.echo(f"  {'needs somebody':{WIDE}} {visible(reason.text)}")
    is_silent = job["health"]["state"] != "ok"
    for name in FACTS:
        if job[name] is not None and (is_silent or name != "silent_since"):
            label = LABELS.get(name, name.replace("_", " "))
            if name == "completed_at":
                label = AFTER_A_SUCCESS.get(job["outcome"], label)
            value = _when(job[name], services) if name in LABELS else str(job[name])
            click.echo(f"  {label:{WIDE}} {indented(value, WIDE + 3)}")
    if refusal := job["last_refusal"]:
        count = job["refused_callbacks"]
        when = _when(refusal["at"], services)
        why = f"{when}: {refusal['reason']}: {refusal['detail']}"
        counted_ = f" ({count} in all)" if count > 1 else ""
        click.echo(f"  {'refused callback':{WIDE}} {indented(why + counted_, WIDE + 3)}")
    if sentence := job["health"]["sentence"]:
        click.echo(f"  {job['health']['state']:{WIDE}} {visible(sentence)}")
    if left_out := history["attempts_left_out"]:
        sentence = f"{counted(left_out, 'attempt')}, which only the job's events have"
        click.echo(f"  {'left out':{WIDE}} {sentence}")
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
        "without its earlier steps" if attempt["steps_left_out"] else "",
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

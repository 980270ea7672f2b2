"""jobs: list jobs, or show one job with its timeline."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from typing import Final

import click
import msgspec

from api.cli.looking.one_job import show_job
from api.cli.terminal.opening import opened
from api.cli.terminal.output import ago, as_json, counted, on_one_line, print_json
from api.cli.terminal.tables import print_table, status_text
from api.representations.job import attention_body, health_of, job_body
from api.schemas.statuses import ONLY_OUTCOMES, status_and_outcome
from api.wiring import Services
from projections.read_model.filters import AttentionFilter, JobFilter
from projections.views.attention import candidate, needing
from projections.views.instance import INSTANCE_STATUSES, Instance
from projections.views.reasons import Reason

STATUSES: Final = (*INSTANCE_STATUSES, *ONLY_OUTCOMES)
"""What a list can be asked for: the statuses, and how a failed job ended."""


def _status(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and value not in STATUSES:
        raise click.BadParameter(f"{value!r} is not one of {', '.join(STATUSES)}")
    return value


@click.command()
@click.argument("job_id", required=False)
@click.option("--agent", "agent_id", help="List only this agent's jobs.")
@click.option("--user", "user_id", help="List only this user's jobs.")
@click.option(
    "--status",
    callback=_status,
    metavar=f"[{'|'.join(STATUSES)}]",
    help="List only jobs with this status, or that ended so.",
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
            return show_job(services, job_id, as_json)
        status, outcome = status_and_outcome(status)
        if only_needing:
            if outcome:
                raise click.UsageError(f"--attention has no --status {outcome}, but failed")
            of_these = AttentionFilter(
                now=services.now(),
                agent_id=agent_id,
                user_id=user_id,
                status=status,
                limit=limit,
            )
            return _show_needing(services, of_these, as_json)
        wanted = JobFilter(agent_id=agent_id, user_id=user_id, status=status, limit=limit)
        instances = _found(services, wanted, outcome)
        if as_json:
            for instance in instances:
                body = job_body(
                    instance, services.workflows, services.now(), services.reader.first_start
                )
                print_json(body)
            return None
        rows = [_row(instance, services) for instance in instances]
        headings = ("Job", "Agent", "Status", "Step", "Attempt", "Last event", "Error")
        _warn_if_behind(services)
        return print_table(headings, rows, "No jobs.", cut="Error", spare=("Agent", "Attempt"))


def _found(services: Services, wanted: JobFilter, outcome: str | None) -> Iterator[Instance]:
    """Yield the wanted jobs, or those that ended in one way.

    A job may take 512 KiB, so no more of them are in memory than one read has.
    """
    if outcome is None:
        return services.reader.instances(wanted)
    # An outcome is no column of the rows, so jobs are read until enough of them ended so.
    every = services.reader.instances(msgspec.structs.replace(wanted, limit=sys.maxsize))
    ended = (instance for instance in every if instance.attempt.outcome == outcome)
    return islice(ended, wanted.limit)


def _warn_if_behind(services: Services) -> None:
    if behind := services.reader.status().lag_events:
        click.echo(f"The list is {counted(behind, 'position')} behind the log.", err=True)


def _show_needing(services: Services, wanted: AttentionFilter, as_json: bool) -> None:
    found = _needing(services, wanted)
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


def _needing(
    services: Services, wanted: AttentionFilter
) -> Iterator[tuple[Instance, list[Reason]]]:
    """Yield what `needing` returns for the jobs of each page."""
    while wanted.limit > 0:
        page, more = services.reader.attention(wanted)
        yield from needing(page, services.workflows, wanted.now)
        last = candidate(page[-1], services.workflows) if more else None
        if last is None:
            return
        after, left = (last.rank, page[-1].first_position), wanted.limit - len(page)
        wanted = msgspec.structs.replace(wanted, after=after, limit=left)


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

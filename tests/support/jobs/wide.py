"""Rows that are wider than those of any job, so that few of them fill a read."""

from __future__ import annotations

from functools import cache

from domain.job.attempt.clocks import Timestamp
from domain.job.attempt.final import Final
from domain.job.attempt.machine import MAX_MACHINES
from domain.job.attempt.state import Attempt, OtherMachine, ReportedValue
from domain.job.runs.state import MAX_RUNS, Runs
from domain.log.bounded import READ_BYTES
from projections.read_model.contract import ReadModel
from projections.read_model.rows import Changes, InstanceRow
from projections.views.instance import Instance
from projections.views.timeline import Timeline
from projections.views.view import Views
from tests.support.jobs.strategies import minute

WIDTH = READ_BYTES // 4
"""Four rows fill a read."""


def wide(number: int) -> InstanceRow:
    """Return the row of a job that is due, and has needed somebody since minute 1."""
    attempt = Attempt(
        final=Final(status="failed", moment=Timestamp(minute(1))),
        server_id=ReportedValue("left"),
        rollback_requested_at=minute(1),
    )
    instance = Instance(
        f"job-{number}",
        1,
        number + 1,
        number + 1,
        "agent",
        "ada",
        "世" * (WIDTH // 3),
        runs=Runs((attempt,)),
        created_at=minute(0),
        queued_at=minute(0),
        updated_at=minute(0),
    )
    return InstanceRow(
        instance.job_id,
        1,
        Views().instance.dump(instance),
        instance.first_position,
        instance.agent_id,
        instance.user_id,
        instance.status,
        None,
        due_at=minute(3),
        look_at=minute(number // 4),
        attention_rank=number // 4,
        attention_from=minute(1),
    )


def widen(read_model: ReadModel, jobs: int) -> None:
    """Store the rows of so many jobs, `job-0` and so on."""
    rows = [wide(number) for number in range(jobs)]
    read_model.apply(Changes(read_model.position(), read_model.position() + 1, rows))


def wide_states(job_id: str) -> tuple[Instance, Timeline]:
    """Return both views of a job at version 1: 50 runs, and 20 machines with long names in each."""
    runs = _wide_runs()
    return (
        Instance(job_id, 1, runs=runs, created_at=minute(0), queued_at=minute(0)),
        Timeline(job_id, 1, runs=runs, created_at=minute(0), queued_at=minute(0)),
    )


@cache
def _wide_runs() -> Runs:
    return Runs(
        tuple(
            Attempt(
                number=run + 1,
                run_id=ReportedValue(f"run-{run}"),
                final=Final(status="failed", moment=Timestamp(minute(1))),
                machines=tuple(
                    OtherMachine(f"{run}-{number} \N{ROCKET}".ljust(180, "x"), left_at=minute(1))
                    for number in range(MAX_MACHINES)
                ),
            )
            for run in range(MAX_RUNS)
        ),
        opened=MAX_RUNS,
    )

"""Which machines other jobs use, also while their callbacks are not projected yet."""

from __future__ import annotations

import random
from collections.abc import Set as AbstractSet
from contextlib import suppress
from itertools import chain
from typing import Final, Literal

import pytest

from domain.errors import JobNotFound, NotPossible
from domain.job.callback import Callback
from domain.job.runs.machines import machines_in_use, machines_to_remove
from projections.reading.uses import Uses
from tests.support.jobs.rows import JOBS
from tests.support.stores.deployment import Deployment
from tests.support.stores.tampering import Database

STATUSES: Final[tuple[Literal["provisioning", "running", "failed", "stopped"], ...]] = (
    "provisioning",
    "provisioning",
    "running",
    "failed",
    "stopped",
)

SPOIL: Final = "UPDATE milepost_instances SET document = '{' WHERE job_id = 'b'"


def reported(made: Deployment, job_id: str, status: str, server_id: str | None = None) -> None:
    callback = Callback(job_id=job_id, status=status, server_id=server_id)  # type: ignore[arg-type]
    made.milepost.record(callback)


@pytest.fixture
def left(stores: Deployment) -> Deployment:
    """The job `a` has left the machine srv-1."""
    reported(stores, "a", "failed", "srv-1")
    stores.projector.catch_up()
    return stores


def used(made: Deployment, **bounds: int) -> dict[str, str | None] | None:
    uses = Uses(made.read_model, made.milepost.mapper, made.reader.instance, **bounds)
    instance = made.reader.instance("a")
    assert instance is not None
    [found] = uses.added_to([instance])
    return found.used_elsewhere


def test_a_job_that_asks_nobody_to_remove_a_machine_is_not_looked_at(left: Deployment) -> None:
    reported(left, "a", "stopped", "srv-1")

    assert used(left) is None


def test_a_rerun_that_names_no_machine_goes_on_with_that_of_the_failed_try(
    left: Deployment,
) -> None:
    """GitHub runs only the parts again that failed; the part that made the machine is not one."""
    for attempt, status, server_id in ((1, "failed", "srv-1"), (2, "running", None)):
        run = {"workflow_run_id": "7", "run_attempt": attempt, "server_id": server_id}
        left.milepost.record(Callback(job_id="b", status=status, **run))  # type: ignore[arg-type]

    assert used(left) == {"srv-1": "b"}
    left.projector.catch_up()
    assert used(left) == {"srv-1": "b"}

    stopped = {"workflow_run_id": "7", "run_attempt": 2}
    left.milepost.record(Callback(job_id="b", status="stopped", **stopped))  # type: ignore[arg-type]
    left.projector.catch_up()
    assert used(left) == {}


@pytest.mark.parametrize(
    ("before", "since", "uses"),
    [
        (("provisioning", "srv-9"), ("provisioning", "srv-1"), {"srv-1": "b"}),
        (("provisioning", "srv-1"), ("failed", None), {}),
    ],
)
def test_machines_of_a_row_that_cannot_be_read_are_written_anew(
    databases: Deployment,
    before: tuple[str, str],
    since: tuple[str, str | None],
    uses: dict[str, str],
) -> None:
    """The projector folds the whole history then, and does not know what is written."""
    reported(databases, "a", "failed", "srv-1")
    reported(databases, "b", *before)
    databases.projector.catch_up()
    reported(databases, "b", *since)
    assert Database(databases).run(SPOIL) == 1
    restarted = databases.again()

    restarted.projector.catch_up()

    assert used(restarted) == uses
    restarted.close()


def test_a_machine_of_its_own_is_not_another_jobs(left: Deployment) -> None:
    reported(left, "c", "provisioning", "srv-2")

    assert used(left) == {}


def test_what_is_not_projected_yet_counts(left: Deployment) -> None:
    reported(left, "b", "running", "srv-1")
    assert used(left) == {"srv-1": "b"}

    left.projector.catch_up()
    assert used(left) == {"srv-1": "b"}


def test_a_job_that_gave_the_machine_up_counts_until_that_is_projected(left: Deployment) -> None:
    reported(left, "b", "provisioning", "srv-1")
    left.projector.catch_up()

    reported(left, "b", "failed")

    assert used(left) == {"srv-1": "b"}
    left.projector.catch_up()
    assert used(left) == {}


def test_far_behind_nobody_knows(left: Deployment) -> None:
    for _ in range(3):
        reported(left, "b", "provisioning", "srv-2")

    assert used(left, most_behind=3) == {}
    assert used(left, most_behind=2) is None


def test_of_too_many_jobs_nobody_knows(left: Deployment) -> None:
    reported(left, "b", "provisioning", "srv-1")
    reported(left, "c", "provisioning", "srv-1")

    assert used(left, most_looked_at=2) == {"srv-1": "b"}
    assert used(left, most_looked_at=1) is None


@pytest.mark.parametrize("seed", range(40))
def test_no_machine_in_use_is_missed_however_far_the_read_model_is(
    memory: Deployment, seed: int
) -> None:
    """It misses none while it is behind, and names no other one once it has caught up."""
    chance = random.Random(seed)
    for _ in range(40):
        _let_something_happen(memory, chance)

        for job_id in JOBS:
            assert not exactly(memory, job_id) - found(memory, job_id), (seed, job_id)
        if chance.random() < 0.3:
            memory.projector.catch_up()
            for job_id in JOBS:
                assert found(memory, job_id) == exactly(memory, job_id), (seed, job_id)


def _let_something_happen(made: Deployment, chance: random.Random) -> None:
    made.clock.advance(chance.choice((1, 30)))
    job_id = chance.choice(JOBS)
    if chance.random() < 0.1:
        made.clock.advance(1000)
        made.milepost.time_out(job_id)
    elif chance.random() < 0.1:
        with suppress(NotPossible, JobNotFound):
            made.milepost.order(chance.choice(("fail", "cancel", "retry")), job_id)
    else:
        made.milepost.record(
            Callback(
                job_id=job_id,
                type=chance.choice(("heartbeat", None, None, None)),
                status=chance.choice(STATUSES),
                step=chance.choice((None, "vm_created")),
                workflow_run_id=chance.choice((None, "1", "2")),
                server_id=chance.choice((None, "srv-1", "srv-2")),
            )
        )


def exactly(made: Deployment, job_id: str) -> AbstractSet[str]:
    """Return the machines to remove of the job that another job uses, by all events."""
    jobs = {name: made.reader.instance(name) for name in JOBS}
    used = [machines_in_use(job.runs) for name, job in jobs.items() if job and name != job_id]
    job = jobs[job_id]
    return machines_to_remove(job.runs) & frozenset(chain(*used)) if job else frozenset()


def found(made: Deployment, job_id: str) -> AbstractSet[str]:
    instance = made.reader.present(job_id)
    return frozenset((instance.used_elsewhere or {}) if instance else ())

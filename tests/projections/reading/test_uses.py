"""Which machines other jobs use, also while their callbacks are not projected yet."""

from __future__ import annotations

import pytest

from domain.job.callback import Callback
from projections.reading.uses import Uses
from tests.support.stores.deployment import Deployment


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

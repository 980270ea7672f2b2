"""After a failover, another server answers under the same name, and may lack the newest events."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from domain.application import Milepost
from domain.errors import NothingToStop
from domain.job.callback import Callback
from tests.support.stores.failover import Failover


@pytest.fixture
def failover(postgres_server_dsn: str, postgres_dsn: str) -> Failover:
    """A failover of the database."""
    return Failover(postgres_server_dsn, postgres_dsn)


@pytest.fixture
def milepost(postgres_dsn: str) -> Iterator[Milepost]:
    """A process that commits."""
    made = opened(postgres_dsn)
    yield made
    made.close()


def opened(dsn: str) -> Milepost:
    return Milepost({"PERSISTENCE_MODULE": "domain.log.postgres", "DATABASE_URL": dsn})


def test_what_a_process_knew_of_a_job_before_a_failover_decides_nothing_after_it(
    milepost: Milepost, failover: Failover, postgres_dsn: str
) -> None:
    """The event that it knew is lost, and another one is stored under the same version."""
    milepost.record(Callback(job_id="job", status="provisioning"))
    failover.copy()
    assert milepost.record(Callback(job_id="job", status="running")).version == 2
    failover.happen()
    other = opened(postgres_dsn)
    assert other.record(Callback(job_id="job", status="failed", error="no")).version == 2
    other.close()
    # A reader meets the dead connection first, and replaces it.
    milepost.find("job")

    with pytest.raises(NothingToStop):
        milepost.stop("job")


def test_the_first_callback_after_a_failover_is_stored(
    milepost: Milepost, failover: Failover
) -> None:
    milepost.record(Callback(job_id="job", status="provisioning"))
    failover.copy()
    milepost.record(Callback(job_id="job", type="heartbeat"))
    failover.happen()

    assert milepost.record(Callback(job_id="job", type="heartbeat")).version == 2

"""A failover between the commit of a request and the read for its answer: try again, no bug."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from werkzeug.test import TestResponse

from tests.support.stores.deployment import Deployment
from tests.support.stores.failover import Failover
from tests.support.stores.postgres_server import create_database
from tests.support.stores.prepared import make_tables
from tests.support.web.site import MACHINE, Site, problem_of


@pytest.fixture
def prepared_dsn(postgres_server_dsn: str) -> str:
    """A database of its own, which a copy replaces."""
    dsn = create_database(postgres_server_dsn)
    make_tables({"PERSISTENCE_MODULE": "domain.log.postgres", "DATABASE_URL": dsn})
    return dsn


@pytest.fixture
def site(postgres: Deployment) -> Site:
    """The application over that database."""
    return Site(postgres)


@pytest.fixture
def failover(postgres_server_dsn: str, prepared_dsn: str) -> Failover:
    """A failover of the database."""
    return Failover(postgres_server_dsn, prepared_dsn)


def register(site: Site) -> TestResponse:
    return site.post_job({"job_id": "job-2", "agent_id": "agent-2", "user_id": "user-2"})


def order(site: Site) -> TestResponse:
    return site.order("stop")


def stop(site: Site) -> TestResponse:
    return site.stop("agent-1")


@pytest.mark.parametrize("ask", [register, order, stop])
def test_what_a_failover_took_back_before_the_answer_is_asked_for_again(
    site: Site, failover: Failover, ask: Callable[[Site], TestResponse]
) -> None:
    """The standby was asynchronous and behind. The sender repeats what has a 503."""
    site.register(job_id="job-1", agent_id="agent-1")
    site.report("job-1", status="running", **MACHINE)
    failover.copy()
    ahead = [failover.happen]

    def fail_over_once() -> None:
        while ahead:
            ahead.pop()()

    site.services.milepost.committing.when_committed(fail_over_once)

    problem_of(ask(site), 503, "store-unavailable")

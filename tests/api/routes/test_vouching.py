"""What is signed survives a failover: nothing vouches for events that a standby may lack."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from domain.workflows.files import load
from tests.support.people.shell import beside
from tests.support.projectors.projecting import wait_until
from tests.support.stores.deployment import Clock, Deployment, settle
from tests.support.stores.postgres_server import PostgresServer, create_database, own_server
from tests.support.stores.standby import (
    NOBODY,
    Operator,
    await_standby,
    interrupt,
    operating,
    waiting_for_a_standby,
)
from tests.support.web.site import SIGNER, Site, problem_of

EVIDENCE = [
    "/api/checkpoint",
    "/api/checkpoint/extension?first_size=1",
    "/api/jobs/job-1/events/1/proof",
    "/api/jobs/job-1/events/1/proof?size=1",
]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL whose settings these tests change."""
    with own_server() as made:
        yield made


@pytest.fixture
def operator(server: PostgresServer) -> Iterator[Operator]:
    """A connection that changes the server's settings, and puts them back at the end."""
    with operating(server) as connection:
        yield connection


@pytest.fixture
def made(server: PostgresServer) -> Iterator[Deployment]:
    """Everything over an empty database."""
    env = {
        "PERSISTENCE_MODULE": "domain.log.postgres",
        "DATABASE_URL": create_database(server.dsn),
    }
    deployment = Deployment(env, load(), Clock())
    yield deployment
    deployment.close()


@pytest.fixture
def site(made: Deployment) -> Site:
    """A site over two events, which no standby has."""
    site = Site(made)
    site.report(status="provisioning")
    site.report(status="provisioning", step="vm_created")
    settle(made)
    return site


@pytest.fixture
def caller() -> Iterator[ThreadPoolExecutor]:
    """A thread in which a caller waits."""
    with ThreadPoolExecutor(1) as thread:
        yield thread


@pytest.mark.parametrize("path", EVIDENCE)
def test_evidence_waits_until_the_standby_has_what_it_is_about(
    site: Site, operator: Operator, caller: ThreadPoolExecutor, path: str
) -> None:
    """After a failover without these events, `verify` would call an honest log forged."""
    await_standby(operator, NOBODY)

    call = caller.submit(site.get, path)
    wait_until(lambda: bool(waiting_for_a_standby(operator)) or call.done())
    assert not call.done()

    await_standby(operator, "")
    assert call.result(timeout=15).status_code == 200


def test_evidence_is_refused_when_the_wait_for_the_standby_is_interrupted(
    site: Site, operator: Operator, caller: ThreadPoolExecutor
) -> None:
    await_standby(operator, NOBODY)

    call = caller.submit(site.get, "/api/checkpoint")
    interrupt(operator, "pg_cancel_backend", call)

    answer = call.result()
    problem_of(answer, 503, "not-durable-yet")
    assert answer.headers["Retry-After"] == "2"


def test_evidence_is_refused_after_a_bounded_wait(site: Site, operator: Operator) -> None:
    await_standby(operator, NOBODY)
    site.services.milepost.vouching_seconds = 0.1

    answers = [site.get(path).status_code for path in EVIDENCE]

    assert answers == [503] * len(EVIDENCE)
    assert not waiting_for_a_standby(operator), "a refused wait holds a connection"
    assert site.get("/api/jobs/job-1").status_code == 200


@pytest.mark.parametrize("command", [["checkpoint"], ["export", "log.jsonl"], ["export", "-"]])
def test_a_command_signs_nothing_that_the_standby_may_lack(
    site: Site,
    made: Deployment,
    operator: Operator,
    caller: ThreadPoolExecutor,
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    shell = beside(made, tmp_path, MILEPOST_CHECKPOINT_KEY=SIGNER.secret())
    await_standby(operator, NOBODY)

    call = caller.submit(shell.fails, *command)
    interrupt(operator, "pg_cancel_backend", call)

    assert "survive a failover" in call.result()
    assert not list(tmp_path.glob("log.jsonl*"))

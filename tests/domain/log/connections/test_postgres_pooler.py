"""A real PgBouncer: session mode works, and every other mode is refused in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from domain.job.callback import Callback
from domain.workflows.definition import Workflows
from tests.support.people.shell import Shell
from tests.support.projectors.verifying import verify
from tests.support.stores.deployment import Clock, Deployment, settle
from tests.support.stores.pgbouncer import PgBouncer

Pooled = Callable[..., str]


@pytest.fixture
def pooled(postgres_dsn: str) -> Iterator[Pooled]:
    """Puts a pooler with these settings before an empty database; returns the URL through it."""
    poolers: list[PgBouncer] = []

    def made(**settings: object) -> str:
        poolers.append(PgBouncer(postgres_dsn, **settings))
        return poolers[-1].dsn(postgres_dsn)

    yield made
    for pooler in poolers:
        pooler.end()


def shell_of(dsn: str, folder: Path) -> Shell:
    return Shell(MILEPOST_HOME=str(folder / "home"), MILEPOST_DATABASE_URL=dsn)


@pytest.mark.parametrize(
    "settings",
    [
        {"pool_mode": "transaction"},
        {"pool_mode": "transaction", "server_round_robin": 1, "min_pool_size": 2},
        {"pool_mode": "transaction", "default_pool_size": 1},
        {"pool_mode": "statement"},
    ],
    ids=lambda settings: "-".join(map(str, settings.values())),
)
def test_sessions_that_change_between_transactions_are_refused_in_one_line(
    pooled: Pooled, tmp_path: Path, settings: dict[str, Any]
) -> None:
    dsn = pooled(**settings)
    warm_up(dsn, 1 if "default_pool_size" in settings else 2)

    said = shell_of(dsn, tmp_path).fails("init-db")

    assert "set pool_mode = session" in said
    assert "MILEPOST_DATABASE_URL" in said


def warm_up(dsn: str, sessions: int) -> None:
    """Leave so many idle sessions in the pool."""
    with ThreadPoolExecutor(sessions) as clients:
        list(clients.map(lambda _: sleep_on(dsn), range(sessions)))


def sleep_on(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SELECT pg_sleep(0.2)")


def test_everything_works_in_session_mode(
    pooled: Pooled, workflows: Workflows, clock: Clock, tmp_path: Path
) -> None:
    dsn = pooled(pool_mode="session")
    env = {"PERSISTENCE_MODULE": "domain.log.postgres", "DATABASE_URL": dsn}
    made, another = (Deployment(env, workflows, clock) for _ in range(2))
    for number in range(20):
        made.milepost.record(Callback(job_id="job", type="heartbeat", callback_id=str(number)))
        another.milepost.record(Callback(job_id="job", type="heartbeat"))
    with made.read_model.projector_lock() as one, another.read_model.projector_lock() as other:
        assert (one is None, other is None) == (False, True)
    settle(made)

    assert verify(made).findings == []
    assert made.rebuild.run().differences == 0
    assert shell_of(dsn, tmp_path).json("status")["lag_events"] == 0
    for each in (made, another):
        each.close()


def test_a_full_pool_in_session_mode_is_no_reason_to_refuse(pooled: Pooled, tmp_path: Path) -> None:
    """A further connection would wait until one of the others ends."""
    dsn = pooled(pool_mode="session", default_pool_size=1)

    assert "is ready" in shell_of(dsn, tmp_path)("init-db")

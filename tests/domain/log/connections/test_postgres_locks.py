"""Locks are those of one log: two logs in one database do not stop one another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from socket import socketpair
from typing import NamedTuple
from urllib.parse import quote

import psycopg
import pytest
from psycopg import Notify, sql
from psycopg.errors import LockNotAvailable

from domain.job.callback import Callback
from domain.log.connections.postgres import PostgresDatastore
from domain.log.connections.postgres_locks import LOCK_LOG, LOCK_SCHEMA
from domain.log.postgres import PostgresRecorder
from domain.workflows.definition import Workflows
from projections.read_model.interruption import Interruption
from projections.read_model.postgres.waking import WakeUpsOf
from tests.support.projectors.projecting import PATIENCE, wait_until
from tests.support.stores.deployment import Clock, Deployment, settle

SOON = "SET lock_timeout = '100ms'"


class Logs(NamedTuple):
    """Two logs in two schemas of one database, and a second process over the first of them."""

    one: Deployment
    same: Deployment
    other: Deployment


@pytest.fixture
def logs(postgres_dsn: str, workflows: Workflows, clock: Clock) -> Iterator[Logs]:
    """Two logs in one database."""
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA one")
        connection.execute("CREATE SCHEMA other")
    made = Logs(
        *(
            Deployment(
                {
                    "PERSISTENCE_MODULE": "domain.log.postgres",
                    "DATABASE_URL": f"{postgres_dsn}&options=-csearch_path%3D{schema}",
                },
                workflows,
                clock,
            )
            for schema in ("one", "one", "other")
        )
    )
    yield made
    for each in made:
        each.close()


@pytest.fixture
def earlier(postgres_dsn: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A session of an earlier release, whose locks are those of the whole database."""
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        yield connection


def datastore(made: Deployment) -> PostgresDatastore:
    recorder = made.milepost.recorder
    assert isinstance(recorder, PostgresRecorder)
    return recorder.datastore


@pytest.mark.parametrize("schema", ["Team-A", 'a "b" c', "select"])
def test_a_schema_may_have_any_name(
    postgres_dsn: str, workflows: Workflows, clock: Clock, schema: str
) -> None:
    name = sql.Identifier(schema)
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(name))
        path = quote("-csearch_path=" + name.as_string(connection).replace(" ", "\\ "))
    env = {
        "PERSISTENCE_MODULE": "domain.log.postgres",
        "DATABASE_URL": f"{postgres_dsn}&options={path}",
    }

    made = Deployment(env, workflows, clock)

    made.milepost.record(Callback(job_id="job", type="heartbeat"))
    settle(made)
    made.rebuild.run()

    assert made.read_model.position() == 1
    made.close()


@pytest.mark.parametrize("lock", [LOCK_LOG, LOCK_SCHEMA])
def test_a_transaction_of_one_log_waits_for_those_of_its_own_log_only(
    logs: Logs, lock: str
) -> None:
    one, same, other = (datastore(each) for each in logs)
    with one.transaction() as holder:
        holder.execute(lock)

        with other.transaction() as cursor:
            cursor.execute(SOON)
            cursor.execute(lock)
        with same.session() as connection:
            connection.execute(SOON)
            with pytest.raises(LockNotAvailable):
                connection.execute(lock)


def test_each_log_has_a_projector_and_a_rebuild_of_its_own(logs: Logs) -> None:
    for lock in ("read_model.projector_lock", "shadow.lock"):
        part, name = lock.split(".")
        one, same, other = (getattr(getattr(each, part), name) for each in logs)
        with one() as has_one, same() as has_same, other() as has_other:
            assert (bool(has_one), bool(has_same), bool(has_other)) == (True, False, True), lock


def test_a_projector_of_an_earlier_release_and_a_new_one_exclude_one_another(
    logs: Logs, earlier: psycopg.Connection[tuple[object, ...]]
) -> None:
    old = "SELECT pg_try_advisory_lock(hashtext('milepost projector'))"
    with logs.one.read_model.projector_lock():
        assert earlier.execute(old).fetchall() == [(False,)]
    # The server ends the other session in its own time.
    wait_until(lambda: earlier.execute(old).fetchall() == [(True,)])

    with logs.one.read_model.projector_lock() as held:
        assert held is None


def test_writers_of_an_earlier_release_and_new_ones_exclude_one_another(
    logs: Logs, earlier: psycopg.Connection[tuple[object, ...]]
) -> None:
    old = "SELECT pg_advisory_xact_lock(hashtext('milepost events'))"
    with datastore(logs.one).transaction() as holder:
        holder.execute(LOCK_LOG)
        earlier.execute(SOON)
        with pytest.raises(LockNotAvailable):
            earlier.execute(old)
    with earlier.transaction():
        earlier.execute(old)
        with datastore(logs.one).session() as connection:
            connection.execute(SOON)
            with pytest.raises(LockNotAvailable):
                connection.execute(LOCK_LOG)


def test_every_wake_up_names_its_log(
    logs: Logs, earlier: psycopg.Connection[tuple[object, ...]]
) -> None:
    earlier.execute("LISTEN milepost_events")

    for made in (logs.one, logs.other):
        made.milepost.record(Callback(job_id="job", type="heartbeat"))

    rows = earlier.execute(
        "SELECT 'one.milepost_events'::regclass::oid::text, "
        "'other.milepost_events'::regclass::oid::text"
    ).fetchall()
    heard = [each.payload for each in earlier.notifies(timeout=30, stop_after=2)]
    assert heard == list(rows[0])


@pytest.mark.parametrize("own", ["17", ""])
def test_a_projector_sleeps_on_while_other_logs_grow(own: str) -> None:
    """An earlier release does not say which log it is."""
    heard = Heard(["4", "5", own, "never heard"])

    with closing(Interruption()) as interruption, closing(heard):
        WakeUpsOf(heard, "17", interruption).wait(PATIENCE)

    assert heard.left == ["never heard"]


class Heard:
    """A connection with wake-ups."""

    def __init__(self, payloads: Sequence[str]) -> None:
        self.left = list(payloads)
        self._socket, self._server = socketpair()
        self._server.send(b"wake-ups")

    def fileno(self) -> int:
        """Return a socket that is readable: `left` has come."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the sockets."""
        self._socket.close()
        self._server.close()

    def notifies(self, *, timeout: float | None = None) -> Iterator[Notify]:
        """Yield the wake-ups."""
        while self.left:
            yield Notify("milepost_events", self.left.pop(0), 1)

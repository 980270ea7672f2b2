"""What is around Milepost in PostgreSQL: room for connections, and others' old transactions."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from domain.log.connections.postgres import PostgresDatastore
from domain.log.postgres import PostgresRecorder
from domain.log.surroundings.postgres import PostgresSurroundings
from tests.support.stores.deployment import Deployment
from tests.support.stores.postgres_server import create_database, own_server


def surroundings(made: Deployment, old_seconds: float = -1) -> PostgresSurroundings:
    recorder = made.milepost.recorder
    assert isinstance(recorder, PostgresRecorder)
    return PostgresSurroundings(recorder.datastore, old_seconds)


@pytest.fixture
def only_session(prepared_dsn: str) -> Iterator[PostgresSurroundings]:
    """The surroundings as one session sees them.

    A pool may still open its next connection while the first one asks, and that reads catalogs.
    """
    with PostgresDatastore(prepared_dsn, connections=1) as datastore:
        yield PostgresSurroundings(datastore, old_seconds=-1)


def test_an_open_transaction_is_named_with_its_account_its_program_and_its_age(
    postgres: Deployment,
) -> None:
    dsn = postgres.env["DATABASE_URL"] + "&application_name=report.py"
    with psycopg.connect(dsn) as reader:
        reader.execute("SELECT pg_current_xact_id()")

        said = surroundings(postgres).held_back()

        assert said is not None
        assert said.startswith(
            f"a transaction of postgres (report.py), process {reader.info.backend_pid}, "
            "idle in transaction, has been open for 0 min: "
        )
        assert surroundings(postgres, old_seconds=600).held_back() is None


def test_a_prepared_transaction_is_named() -> None:
    """It outlives its session, and the server, until somebody ends it by its name."""
    with own_server(settings={"max_prepared_transactions": 2}) as server:
        dsn = create_database(server.dsn)
        with psycopg.connect(dsn, autocommit=True) as other:
            other.execute("BEGIN")
            other.execute("SELECT pg_current_xact_id()")
            other.execute("PREPARE TRANSACTION 'half'")
            with PostgresDatastore(dsn) as datastore:
                said = PostgresSurroundings(datastore, old_seconds=-1).held_back()

    assert said is not None
    assert said.startswith("the prepared transaction half of postgres, has been open for 0 min")


def test_nobody_holds_back_a_database_that_nobody_else_uses(
    only_session: PostgresSurroundings,
) -> None:
    assert only_session.held_back() is None


def test_a_schema_in_which_everybody_may_create_is_named(postgres: Deployment) -> None:
    """So `public` is made before PostgreSQL 15, and stays in a database that is moved on."""
    dsn = postgres.env["DATABASE_URL"]
    assert surroundings(postgres).open_to_all() is None
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
        said = surroundings(postgres).open_to_all()
        owner.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")

    assert said is not None
    assert said.endswith("REVOKE CREATE ON SCHEMA public FROM PUBLIC")


def test_other_databases_hold_nothing_back(
    only_session: PostgresSurroundings, postgres_server_dsn: str
) -> None:
    with psycopg.connect(postgres_server_dsn) as elsewhere:
        elsewhere.execute("SELECT pg_current_xact_id()")

        assert only_session.held_back() is None


def test_the_smallest_of_the_servers_the_databases_and_the_accounts_bounds_counts(
    postgres: Deployment,
) -> None:
    dsn = postgres.env["DATABASE_URL"]
    with psycopg.connect(dsn, autocommit=True) as owner:
        [(of_server,)] = owner.execute(
            "SELECT current_setting('max_connections')::int"
            " - current_setting('superuser_reserved_connections')::int"
            " - coalesce(current_setting('reserved_connections', true)::int, 0)"
        )
        assert surroundings(postgres).connections_allowed() == of_server
        database = owner.info.dbname
        owner.execute(f"CREATE ROLE bounded_{database} LOGIN")
        with PostgresDatastore(dsn.replace("postgres@", f"bounded_{database}@")) as datastore:
            there = PostgresSurroundings(datastore)
            assert there.connections_allowed() == of_server
            owner.execute(f"ALTER DATABASE {database} CONNECTION LIMIT 9")
            assert there.connections_allowed() == 9
            owner.execute(f"ALTER ROLE bounded_{database} CONNECTION LIMIT 7")
            assert there.connections_allowed() == 7
        owner.execute(f"DROP ROLE bounded_{database}")

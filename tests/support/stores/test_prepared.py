"""A test gets a prepared database as if it were new, whatever the test before it did there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from operator import itemgetter
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from tests.support.stores.prepared import PreparedDatabases, Session

INSERT = """
    INSERT INTO milepost_events (originator_id, originator_version, topic, state)
    SELECT 'job', number, 'HeartbeatReceived', '{}' FROM generate_series(1, %s) AS number
    RETURNING notification_id
"""
SELECT_COLUMNS = """
    SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns
     WHERE table_schema = 'public' AND table_name <> 'milepost_schema' AND is_nullable = 'NO'
     ORDER BY table_name
"""


@pytest.fixture
def databases(postgres_server_dsn: str) -> Iterator[PreparedDatabases]:
    """Databases of which none was lent."""
    with closing(PreparedDatabases(postgres_server_dsn)) as prepared:
        yield prepared


def fill(session: Session) -> list[str]:
    """Put a row into every table, and return the names of the tables."""
    columns = session.execute(SELECT_COLUMNS).fetchall()
    tables = {table: [each[1:] for each in its] for table, its in groupby(columns, itemgetter(0))}
    for table, described in tables.items():
        insert = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(sql.Identifier(name) for name, _ in described),
            sql.SQL(", ").join(
                sql.Literal("epoch" if kind.startswith("timestamp") else "1")
                for _, kind in described
            ),
        )
        session.execute(insert)
    return list(tables)


def run(dsn: str, statement: LiteralString) -> None:
    with psycopg.connect(dsn, autocommit=True) as session:
        session.execute(sql.SQL(statement).format(sql.Identifier(session.info.dbname)))


@pytest.mark.parametrize("events", [1, 5_000])
def test_the_next_test_finds_empty_tables_and_the_first_position(
    databases: PreparedDatabases, events: int
) -> None:
    for _ in range(3):
        with databases.lent() as dsn, psycopg.connect(dsn) as session:
            assert session.execute(INSERT, [events]).fetchone() == (1,)
            session.commit()

    with databases.lent() as again:
        assert again == dsn


def test_the_next_test_finds_no_row_in_any_table(databases: PreparedDatabases) -> None:
    with databases.lent() as dsn, psycopg.connect(dsn) as session:
        tables = fill(session)
        session.commit()

    assert {"milepost_events", "milepost_instances", "milepost_tree", "milepost_tokens"} < {*tables}
    with databases.lent() as again, psycopg.connect(again) as session:
        assert again == dsn
        for table in tables:
            count = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
            assert session.execute(count).fetchone() == (0,), table


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE milepost_keys ADD note text",
        "ALTER TABLE milepost_keys RENAME COLUMN digest TO digested",
        "ALTER TABLE milepost_keys ADD CHECK (version > 0)",
        "CREATE INDEX ON milepost_keys (version)",
        "DROP TABLE milepost_keys; CREATE TABLE milepost_keys ()",
        "DROP TABLE milepost_schema",
        "DELETE FROM milepost_schema WHERE part = 'tree'",
        "GRANT SELECT ON milepost_keys TO PUBLIC",
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
        "CREATE VIEW shown AS SELECT 1",
        "CREATE FUNCTION hashtext(text) RETURNS integer LANGUAGE sql AS 'SELECT 7'",
        "CREATE SCHEMA postgres",
        "CREATE TYPE status AS ENUM ('queued')",
        "CREATE DOMAIN name_of_job AS text",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
        "CREATE PUBLICATION everything",
        "ANALYZE milepost_keys",
        "ALTER DATABASE {} SET jit = on",
        "ALTER ROLE postgres IN DATABASE {} SET jit = on",
        "ALTER DATABASE {} CONNECTION LIMIT 9",
    ],
)
def test_a_changed_database_is_not_lent_again(
    databases: PreparedDatabases, statement: LiteralString
) -> None:
    with databases.lent() as changed:
        run(changed, statement)

    with databases.lent() as other:
        assert other != changed


def test_a_database_with_an_open_session_is_not_lent_again(databases: PreparedDatabases) -> None:
    with databases.lent() as held:
        session = psycopg.connect(held)

    with databases.lent() as other:
        assert other != held
    session.close()


def test_a_database_that_was_closed_is_not_lent_again(
    databases: PreparedDatabases, postgres_server_dsn: str
) -> None:
    with databases.lent() as closed, psycopg.connect(postgres_server_dsn, autocommit=True) as other:
        name = sql.Identifier(str(psycopg.conninfo.conninfo_to_dict(closed)["dbname"]))
        other.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))

    with databases.lent() as another:
        assert another != closed

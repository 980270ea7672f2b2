"""The tables of a database are there for every account and from every release before."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, Popen
from threading import Event
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from domain.job.callback import Callback
from domain.log.schema.steps import SchemaBehind
from tests.support.stores.deployment import Deployment
from tests.support.stores.tampering import Database
from tests.support.web.site import Site

MILEPOST = Path(sys.executable).with_name("milepost")
ALL = [
    ("log", 1),
    ("log", 2),
    ("read model", 1),
    ("read model", 2),
    ("read model", 3),
    ("sessions", 1),
    ("tokens", 1),
    ("tokens", 2),
    ("tree", 1),
    ("tree", 2),
]
OF_POSTGRES = [*ALL, ("tree", 3)]
BEFORE_THE_TREE = (
    "DROP TABLE milepost_tree",
    "DROP TABLE milepost_tree_head",
    "DROP TABLE milepost_view_snapshots",
    "DROP TABLE milepost_snapshots",
    "DROP TABLE milepost_token_uses",
)
BEFORE_GENERATIONS = (
    "CREATE TABLE before (shape text NOT NULL, position bigint NOT NULL)",
    "INSERT INTO before SELECT shape, position FROM milepost_read_model",
    "DROP TABLE milepost_read_model",
    "ALTER TABLE before RENAME TO milepost_read_model",
)
BEFORE_DEADLINES = (
    "DROP TABLE milepost_notes",
    "DROP TABLE milepost_instances",
    """CREATE TABLE milepost_instances (
         job_id text PRIMARY KEY, version bigint NOT NULL, document text NOT NULL,
         first_position bigint NOT NULL, agent_id text, user_id text, status text NOT NULL,
         current_step text, silent_since text)""",
    "UPDATE milepost_read_model SET shape = '1'",
)


def applied(made: Deployment) -> list[tuple[str, int]]:
    """Return the steps that are recorded."""
    return [
        (row[0], row[1])
        for row in Database(made).rows("SELECT part, step FROM milepost_schema ORDER BY part, step")
    ]


@pytest.mark.parametrize("missing", [(), BEFORE_THE_TREE, BEFORE_GENERATIONS])
def test_a_database_of_an_older_release_gets_what_it_lacks(
    database_site: Site, missing: tuple[str, ...]
) -> None:
    site, made = database_site, database_site.deployment
    site.register()
    site.report(status="provisioning")
    site.project()
    position = made.read_model.position()
    for statement in (*missing, "DROP TABLE milepost_schema"):
        Database(made).run(statement)

    again = made.again()
    Site(again).report(status="running")

    assert applied(made) == (ALL if Database(made).is_sqlite else OF_POSTGRES)
    assert again.read_model.position() == position
    assert Site(again).job()["status"] == "running"
    again.close()


@pytest.mark.parametrize("also", [(), BEFORE_THE_TREE[2:3]])
def test_a_database_from_before_deadlines_is_rebuilt(
    database_site: Site, also: tuple[str, ...]
) -> None:
    """Also where a step has to make another table anew, beside rows that lack the new columns."""
    site, made = database_site, database_site.deployment
    site.register()
    site.report(type="heartbeat")
    site.project()
    for statement in (*BEFORE_DEADLINES, *also, "DROP TABLE milepost_schema"):
        Database(made).run(statement)

    again = made.again()
    assert again.rebuild.is_current(Event())
    site.clock.advance(901)
    Site(again).watch()

    assert Site(again).job()["status"] == "failed"
    indexed = (
        "SELECT name FROM sqlite_master WHERE type = 'index' AND instr(name, 'look')"
        if Database(made).is_sqlite
        else "SELECT indexname FROM pg_indexes"
        " WHERE strpos(indexname, 'look') > 0 AND schemaname = current_schema()"
    )
    assert len(Database(made).rows(indexed)) == 1
    again.close()


def test_processes_that_start_at_once_make_the_tables_once(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    addresses = [f"sqlite:///{tmp_path}/new.db", request.getfixturevalue("postgres_dsn")]
    for address in addresses:
        settings = {"MILEPOST_HOME": str(tmp_path), "MILEPOST_DATABASE_URL": address}
        started = [Popen([MILEPOST, "init-db"], env=settings, stderr=PIPE) for _ in range(3)]
        said = [process.communicate(timeout=60)[1] for process in started]
        assert [process.returncode for process in started] == [0, 0, 0], said


@pytest.fixture
def account(postgres: Deployment) -> Iterator[str]:
    """The database by an account that may read and write all tables, and make none."""
    role, url = f"serving_{uuid4().hex}", postgres.env["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as owner:
        schema = str(owner.execute("SELECT current_schema()").fetchone()[0])  # type: ignore[index]
        names = {"r": sql.Identifier(role), "s": sql.Identifier(schema)}
        owner.execute("DROP TABLE milepost_schema")
        for statement in (
            "CREATE ROLE {r} LOGIN",
            "GRANT USAGE ON SCHEMA {s} TO {r}",
            "GRANT ALL ON ALL TABLES IN SCHEMA {s} TO {r}",
            "GRANT ALL ON ALL SEQUENCES IN SCHEMA {s} TO {r}",
        ):
            owner.execute(sql.SQL(statement).format(**names))
        yield url.replace("postgres@", f"{role}@")
        owner.execute(sql.SQL("DROP OWNED BY {r}; DROP ROLE {r}").format(**names))


def by(made: Deployment, address: str) -> Deployment:
    """Return the deployment of another account; it prepares as the server does."""
    env = {**made.env, "DATABASE_URL": address, "CREATE_TABLE": "no"}
    return Deployment(env, made.workflows, made.clock)


def test_an_account_that_may_not_create_serves_a_database_of_an_older_release(
    postgres: Deployment, account: str
) -> None:
    served = by(postgres, account)
    served.milepost.record(Callback(job_id="job", type="heartbeat"))
    served.close()


def test_an_account_that_may_not_create_reads_what_the_owner_recorded(
    postgres: Deployment, account: str
) -> None:
    """Also of a record that was made after the account got its rights."""
    postgres.kit.schema.apply()

    served = by(postgres, account)
    served.close()

    assert applied(postgres) == OF_POSTGRES


def test_an_account_that_may_not_create_is_told_who_can(postgres: Deployment, account: str) -> None:
    Database(postgres).run("DROP TABLE milepost_view_snapshots")

    with pytest.raises(SchemaBehind, match="init-db with the account that owns the tables"):
        by(postgres, account)


def test_an_account_that_may_create_but_owns_nothing_leaves_the_record_to_the_owner(
    postgres: Deployment, account: str
) -> None:
    """As every account may create in the schema `public` before PostgreSQL 15."""
    with psycopg.connect(postgres.env["DATABASE_URL"], autocommit=True) as owner:
        schema = owner.execute("SELECT current_schema()").fetchone()
        assert schema
        role = psycopg.conninfo.conninfo_to_dict(account)["user"]
        granted = sql.SQL("GRANT CREATE ON SCHEMA {} TO {}")
        owner.execute(granted.format(sql.Identifier(schema[0]), sql.Identifier(str(role))))

    served = by(postgres, account)
    served.milepost.record(Callback(job_id="job", type="heartbeat"))
    served.close()
    postgres.kit.schema.apply()

    assert applied(postgres) == OF_POSTGRES
    owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE starts_with(tablename, 'milepost')"
    assert [row[0] for row in Database(postgres).rows(owners)] == ["postgres"]

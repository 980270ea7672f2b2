"""A role that owns nothing can serve with exactly the rights that `init-db --grants` prints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from tests.support.people.shell import Shell, beside
from tests.support.processes.server import Make
from tests.support.stores.deployment import Deployment, settle

JOB = {"job_id": "job-2", "agent_id": "agent-1", "user_id": "user-1"}


class Account(NamedTuple):
    """A role without any right yet, and the database as it sees it."""

    role: str
    dsn: str
    owner: psycopg.Connection[tuple[object, ...]]

    def give(self, statements: str) -> None:
        """Run what `init-db --grants` has printed."""
        self.owner.execute(statements.encode())

    def take(self, statement: str) -> None:
        """Revoke what a GRANT gave."""
        self.owner.execute(statement.replace("GRANT", "REVOKE").replace(" TO ", " FROM ").encode())

    def shell(self, folder: Path) -> Shell:
        """Return a shell of this account."""
        return Shell(MILEPOST_HOME=str(folder / "account"), MILEPOST_DATABASE_URL=self.dsn)


@pytest.fixture
def account(postgres: Deployment) -> Iterator[Account]:
    """A role that owns nothing, and has no right that every role has by default."""
    role, url = f"app-{uuid4().hex}", postgres.env["DATABASE_URL"]
    assert "postgres@" in url
    with psycopg.connect(url, autocommit=True) as owner:
        database = sql.Identifier(owner.info.dbname)
        owner.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
        owner.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
        owner.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        yield Account(role, url.replace("postgres@", f"{role}@"), owner)
        # Other tests of this process use the same database.
        owner.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO PUBLIC").format(database))
        owner.execute("GRANT USAGE ON SCHEMA public TO PUBLIC")
        owner.execute(sql.SQL("DROP OWNED BY {r}; DROP ROLE {r}").format(r=sql.Identifier(role)))


@pytest.fixture
def owner(postgres: Deployment, tmp_path: Path) -> Shell:
    """A shell of the account that owns the tables."""
    return beside(postgres, tmp_path)


def each_grant(printed: str) -> list[str]:
    """Split the GRANTs into those of one right each."""
    single = []
    for line in printed.splitlines():
        rights, _, rest = line.removeprefix("GRANT ").partition(" ON ")
        single += [f"GRANT {right} ON {rest}" for right in rights.split(", ")]
    return single


def test_a_role_with_these_rights_serves(
    account: Account, owner: Shell, make_server: Make, tmp_path: Path
) -> None:
    account.give(owner("init-db", "--grants", account.role))
    server = make_server(account.dsn).start()
    body = {"job_id": "job-1", "status": "provisioning", "callback_id": "one"}

    assert server.callback(body).status == 200
    assert server.callback(body).body["duplicate"] is True
    assert server.post("/api/jobs", JOB).status == 201
    assert server.get("/api/jobs/job-1").body["status"] == "provisioning"
    server.until(lambda: server.get("/readyz").body["lag_events"] == 0, "does not project")
    server.until(lambda: server.get("/readyz").body["tree_lag_events"] == 0, "grows no tree")
    assert server.get("/api/checkpoint").status == 200
    shell = account.shell(tmp_path)
    shell("tokens", "create", "of a reader")
    assert shell.lines("verify")[-1]["findings"] == 0
    assert len(shell("export").splitlines()) == 2
    assert "owns the present ones" in shell.fails("rebuild")
    assert server.stop() == 0


def test_a_role_with_the_rights_to_read_reads_all_but_tokens(
    account: Account, owner: Shell, postgres: Deployment, tmp_path: Path
) -> None:
    owner("init-db")
    settle(postgres)
    account.give(owner("init-db", "--grants", account.role, "--read-only"))
    shell = account.shell(tmp_path)

    assert shell.lines("verify")[-1]["findings"] == 0
    assert shell.json("status")["log_position"] == 0
    assert shell("export") == ""
    assert shell.lines("rebuild", "--dry-run") == []
    said = shell.fails("tokens", "list")
    assert "milepost_tokens" in said
    assert "milepost init-db --grants" in said
    said = shell.fails("fail", "job-1")
    assert "GRANT INSERT ON milepost_events" in said


def test_each_missing_right_is_named_in_one_line(
    account: Account, owner: Shell, tmp_path: Path
) -> None:
    printed = owner("init-db", "--grants", account.role)
    account.owner.execute("REVOKE ALL ON milepost_schema FROM PUBLIC")
    account.give(printed)
    shell = account.shell(tmp_path)
    shell("init-db")
    connect, usage, *others = each_grant(printed)
    assert "CONNECT" in connect
    assert "USAGE ON SCHEMA" in usage
    assert len(others) > 30
    # Of the other rights all are checked together, so that one line names all that are missing.
    for grant in others:
        account.take(grant)
        said = shell.fails("init-db")
        account.give(grant)

        right, _, rest = grant.removeprefix("GRANT ").partition(" ON ")
        name = rest.split(" TO ")[0].split(".")[1].strip('"')
        assert right in said or name == "milepost_schema", said
        assert name in said, said
        assert "GRANT" in said
        assert "milepost init-db --grants" in said
    for grant in (usage, connect):
        account.take(grant)
        said = shell.fails("init-db")
        account.give(grant)
        assert "milepost init-db --grants" in said or "permission denied for database" in said


def test_row_security_is_not_called_a_missing_grant(
    account: Account, owner: Shell, tmp_path: Path
) -> None:
    account.give(owner("init-db", "--grants", account.role))
    account.owner.execute("ALTER TABLE milepost_events ENABLE ROW LEVEL SECURITY")

    said = account.shell(tmp_path).fails("status")

    assert "row-level security" in said
    assert "BYPASSRLS" in said
    assert "--grants" not in said


def test_only_postgresql_has_roles(sqlite: Deployment, tmp_path: Path) -> None:
    shell = beside(sqlite, tmp_path)

    said = shell.run("init-db", "--grants", "app")

    assert said.exit_code == 1
    assert "Only PostgreSQL" in said.stderr


def test_a_read_only_role_without_a_name_is_no_question(owner: Shell) -> None:
    assert owner.run("init-db", "--read-only").exit_code == 2


def test_a_name_of_a_role_is_quoted(owner: Shell) -> None:
    printed = owner("init-db", "--grants", 'x"; DROP TABLE milepost_events; --')

    assert 'TO "x""; DROP TABLE milepost_events; --";' in printed

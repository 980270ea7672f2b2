"""An auditor with an account that may only read, on a standby, or on a read-only disk, can look."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from domain.workflows.definition import Workflows
from tests.support.people.shell import Shell
from tests.support.processes.disks import read_only
from tests.support.stores.deployment import Clock, Deployment, settle
from tests.support.stores.tampering import Database
from tests.support.web.site import Site


@pytest.fixture
def lived(postgres: Deployment) -> Site:
    """A site with some history, folded and hashed."""
    site = Site(postgres)
    site.register()
    site.report(status="provisioning", step="vm_created")
    site.report(status="running", server_ip="203.0.113.7")
    settle(postgres)
    return site


@pytest.fixture
def account(lived: Site) -> Iterator[str]:
    """The database by an account that may read all tables, and nothing else."""
    role, url = f"auditor_{uuid4().hex}", lived.deployment.env["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as owner:
        schema = str(owner.execute("SELECT current_schema()").fetchone()[0])  # type: ignore[index]
        names = {"r": sql.Identifier(role), "s": sql.Identifier(schema)}
        for statement in (
            "CREATE ROLE {r} LOGIN",
            "GRANT USAGE ON SCHEMA {s} TO {r}",
            "GRANT SELECT ON ALL TABLES IN SCHEMA {s} TO {r}",
        ):
            owner.execute(sql.SQL(statement).format(**names))
        assert "postgres@" in url
        yield url.replace("postgres@", f"{role}@")
        owner.execute(sql.SQL("DROP OWNED BY {r}; DROP ROLE {r}").format(**names))


@pytest.fixture
def standby(lived: Site) -> str:
    """The database as a standby has it: every transaction is read-only."""
    url = lived.deployment.env["DATABASE_URL"]
    assert "options=" not in url
    read_only = quote("-cdefault_transaction_read_only=on")
    separator = "&" if "?" in url else "?"
    return f"{url}{separator}target_session_attrs=any&options={read_only}"


@pytest.fixture(params=["account", "standby"])
def auditor(request: pytest.FixtureRequest, tmp_path: Path) -> Shell:
    """A shell of somebody who cannot write."""
    url = request.getfixturevalue(request.param)
    with (
        psycopg.connect(url) as connection,
        pytest.raises(psycopg.Error, match=r"denied|read-only"),
    ):
        connection.execute("DELETE FROM milepost_events")
    return Shell(MILEPOST_HOME=str(tmp_path / "home"), MILEPOST_DATABASE_URL=url)


def test_who_cannot_write_can_look_at_everything(auditor: Shell) -> None:
    assert auditor.lines("verify")[-1]["findings"] == 0
    assert [event["version"] for event in auditor.lines("audit", "job-1")] == [1, 2, 3]
    assert [job["status"] for job in auditor.lines("jobs")] == ["running"]
    assert auditor.json("status")["lag_events"] == 0


def test_commands_that_look_make_no_table(
    shell: Shell,
    database_site: Site,
) -> None:
    database = Database(database_site.deployment)
    database_site.register()
    database_site.project()
    database.run("DROP TABLE milepost_schema")

    for command in ("status", "jobs", "audit job-1", "verify", "tokens list"):
        shell(*command.split())
    with pytest.raises(Exception, match="milepost_schema"):
        database.rows("SELECT * FROM milepost_schema")
    database.run("DROP TABLE milepost_tree_head")

    for command in ("status", "verify", "rebuild --dry-run"):
        said = shell.fails(*command.split())
        assert (
            said == "Error: the database has no milepost_tree_head; milepost init-db creates it\n"
        )


def test_who_cannot_write_can_take_everything_along(auditor: Shell, tmp_path: Path) -> None:
    auditor("export", str(tmp_path / "export.jsonl"))

    exported = (tmp_path / "export.jsonl").read_text().splitlines()
    assert [json.loads(line)["version"] for line in exported] == [1, 2, 3]


def test_who_only_looks_leaves_no_file_beside_a_sqlite_database(
    sqlite: Deployment, tmp_path: Path
) -> None:
    site = Site(sqlite)
    site.register()
    site.report(status="running", server_ip="203.0.113.7")
    settle(sqlite)
    file = Path(sqlite.env["SQLITE_DBNAME"])
    shell = Shell(MILEPOST_HOME=str(tmp_path / "home"), MILEPOST_DATABASE_URL=f"sqlite:///{file}")

    assert shell.lines("verify")[-1]["findings"] == 0
    assert [event["version"] for event in shell.lines("audit", "job-1")][:1] == [1]
    assert [job["status"] for job in shell.lines("jobs")] == ["running"]
    assert shell.json("status")["lag_events"] == 0

    # SQLite's own are there because the test has the database open.
    there = {path.name for path in file.parent.glob(f"{file.name}*")}
    assert there == {file.name, f"{file.name}-wal", f"{file.name}-shm"}


# A SQLite file on a read-only disk


def looks_at_everything(shell: Shell, tmp_path: Path) -> None:
    assert shell.lines("verify")[-1]["findings"] == 0
    assert [event["version"] for event in shell.lines("audit", "job-1")] == [1, 2]
    assert [job["status"] for job in shell.lines("jobs")] == ["running"]
    assert shell.json("status")["lag_events"] == 0
    shell("export", str(tmp_path / "export.jsonl"), "--force")
    exported = (tmp_path / "export.jsonl").read_text().splitlines()
    assert [json.loads(line)["version"] for line in exported] == [1, 2]


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A folder for a disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


@pytest.fixture
def at_work(disk: Path, workflows: Workflows, clock: Clock) -> Iterator[Deployment]:
    """A SQLite database on the disk, with some history, that a server has open."""
    env = {"PERSISTENCE_MODULE": "domain.log.sqlite", "SQLITE_DBNAME": str(disk / "test.db")}
    made = Deployment(env, workflows, clock)
    site = Site(made)
    site.register()
    site.report(status="running", server_ip="203.0.113.7")
    settle(made)
    yield made
    made.close()


def auditor_of(disk: Path) -> Shell:
    return Shell(MILEPOST_HOME=str(disk), MILEPOST_DATABASE_URL=f"sqlite:///{disk}/test.db")


def test_a_read_only_disk_is_enough_to_look(
    at_work: Deployment, disk: Path, tmp_path: Path
) -> None:
    at_work.close()
    assert [path.name for path in disk.iterdir() if "-wal" in path.name] == []

    with read_only(disk):
        looks_at_everything(auditor_of(disk), tmp_path)


def test_a_read_only_mount_of_a_database_at_work_is_enough_to_look(
    at_work: Deployment, disk: Path, tmp_path: Path
) -> None:
    """As in another container. Its newest commits are in `-wal`, and it goes on."""
    mount = tmp_path / "mount"
    mount.mkdir()
    with read_only(disk, at=mount):
        looks_at_everything(auditor_of(mount), tmp_path)
        site = Site(at_work)
        site.register("job-2", "agent-2", "user-2")
        assert auditor_of(mount).json("status")["log_position"] == site.position


def test_commits_that_cannot_be_read_without_writing_are_one_line(
    at_work: Deployment, disk: Path, tmp_path: Path
) -> None:
    """A copy that lacks them must not look like the whole log."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for end in ("", "-wal"):
        shutil.copyfile(disk / f"test.db{end}", copy / f"test.db{end}")

    with read_only(copy):
        for command in ("status", "verify", "jobs"):
            said = auditor_of(copy).fails(command)
            assert f"{copy}/test.db-wal has commits that SQLite cannot read" in said


def test_a_backup_on_a_read_only_disk_is_enough_to_look(
    at_work: Deployment, disk: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    auditor_of(disk)("backup", str(copy / "test.db"))

    with read_only(copy):
        looks_at_everything(auditor_of(copy), tmp_path)
        auditor_of(copy)("backup", str(tmp_path / "again.db"))


def test_looking_leaves_the_journal_mode_as_it_is(
    at_work: Deployment, disk: Path, tmp_path: Path
) -> None:
    auditor_of(disk)("backup", str(tmp_path / "test.db"))
    before = (tmp_path / "test.db").read_bytes()

    auditor_of(tmp_path)("status")

    assert (tmp_path / "test.db").read_bytes() == before
    assert [path.name for path in tmp_path.glob("test.db*")] == ["test.db"]

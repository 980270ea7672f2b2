"""`milepost backup` makes a copy that lacks nothing, beside a database at work."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

import pytest

from domain.log.connections.sqlite_copy import NotCopied, copy_database
from domain.log.sqlite import SQLiteRecorder
from tests.support.people.shell import Shell, beside
from tests.support.processes.disks import small_disk
from tests.support.stores.deployment import Deployment, settle
from tests.support.web.site import Site


@pytest.fixture
def site(sqlite: Deployment) -> Site:
    """A site with some history on SQLite, folded and hashed, that is open."""
    site = Site(sqlite)
    site.register()
    site.report(status="provisioning", step="vm_created")
    site.report(status="running", server_ip="203.0.113.7")
    settle(sqlite)
    return site


@pytest.fixture
def shell(site: Site, tmp_path: Path) -> Shell:
    """A shell beside the site."""
    return beside(site.deployment, tmp_path)


def test_a_backup_is_one_private_file_with_everything(shell: Shell, tmp_path: Path) -> None:
    target = tmp_path / "backup" / "milepost.db"
    target.parent.mkdir()
    before = os.umask(0)
    try:
        said = shell("backup", str(target))
    finally:
        os.umask(before)

    assert list(target.parent.iterdir()) == [target]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    first, second, last = said.splitlines()
    size = f"{target.stat().st_size:,} bytes"
    assert first == f"Copied 3 events of 1 job, up to position 3, to {target} ({size})."
    assert second in shell("verify").splitlines()
    assert last == "Verified the copy: no findings."
    restored = Shell(MILEPOST_DATABASE_URL=f"sqlite:///{target}")
    for command in ("status", "jobs", "audit job-1", "verify"):
        assert without_path(restored(*command.split())) == without_path(shell(*command.split()))


def without_path(said: str) -> list[str]:
    return [line for line in said.splitlines() if "sqlite:///" not in line and "as of" not in line]


def test_a_program_hears_of_what_was_copied(shell: Shell, tmp_path: Path) -> None:
    made = shell.json("backup", str(tmp_path / "copy.db"))

    assert made["file"] == str(tmp_path / "copy.db")
    assert made["bytes"] == (tmp_path / "copy.db").stat().st_size
    assert (made["events"], made["jobs"], made["position"]) == (3, 1, 3)
    assert (made["findings"], made["found"]) == (0, [])


def test_a_backup_replaces_no_file(shell: Shell, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")

    said = shell.fails("backup", str(target))

    assert said == f"Error: {target} exists already; choose another name\n"
    assert target.read_text() == "precious"


@pytest.mark.parametrize("end", ["-wal", "-shm", "-journal"])
def test_a_file_left_of_another_database_is_not_made_part_of_a_backup(
    shell: Shell, tmp_path: Path, end: str
) -> None:
    """SQLite writes what is in such a file into the database that it finds beside."""
    target, left = tmp_path / "copy.db", tmp_path / f"copy.db{end}"
    left.write_bytes(b"of another database")

    said = shell.fails("backup", str(target))

    assert said.startswith(f"Error: {left} is left of another database")
    assert not target.exists()
    assert left.read_bytes() == b"of another database"


@pytest.mark.parametrize("place", ["missing/copy.db", "file/copy.db"])
def test_a_place_that_cannot_be_is_one_line(shell: Shell, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")

    assert "cannot be written" in shell.fails("backup", str(tmp_path / place))


def test_a_full_disk_leaves_no_half_a_backup(shell: Shell, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk, "64k"):
        said = shell.fails("backup", str(disk / "copy.db"))

        assert said == "Error: the copy cannot be made: database or disk is full\n"
        assert list(disk.iterdir()) == []


def test_a_copy_of_a_changed_log_is_kept_and_its_findings_are_told(
    shell: Shell, site: Site, tmp_path: Path
) -> None:
    """It is the newest backup there is, and evidence; a script must hear of it all the same."""
    with closing(sqlite3.connect(site.deployment.env["SQLITE_DBNAME"])) as forger, forger:
        forger.execute("UPDATE milepost_events SET state = '{}' WHERE notification_id = 2")
    target = tmp_path / "copy.db"

    result = shell.run("backup", str(target))

    assert result.exit_code == 1
    assert "position 2" in result.stdout
    assert "as the database has." in result.stdout
    assert target.is_file()


def test_a_damaged_file_is_not_a_backup(shell: Shell, site: Site, tmp_path: Path) -> None:
    file = Path(site.deployment.env["SQLITE_DBNAME"])
    site.deployment.close()
    with closing(sqlite3.connect(file)) as connection:
        [page] = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'milepost_tokens'"
        ).fetchone()
        [size] = connection.execute("PRAGMA page_size").fetchone()
    with file.open("r+b") as opened:
        opened.seek((page - 1) * size)
        opened.write(b"\xff" * size)

    said = shell.fails("backup", str(tmp_path / "copy.db"))

    assert said.startswith("Error: the copy is damaged, and so may be the database: ")
    assert not (tmp_path / "copy.db").exists()


def test_a_copy_beside_a_writer_that_never_rests_ends_and_is_of_one_moment(
    site: Site, shell: Shell, tmp_path: Path
) -> None:
    """Each commit of another process would otherwise begin the copy anew."""
    other = site.deployment.again()
    recorder = other.milepost.recorder
    assert isinstance(recorder, SQLiteRecorder)
    slices: list[int] = []

    def reached(done: int, total: int) -> None:
        slices.append(done)
        site.report(type="heartbeat")

    before = site.position
    target = tmp_path / "copy.db"
    target.touch()
    copy_database(recorder.datastore, target, reached, pages=1)

    assert slices == sorted(set(slices))
    assert site.position == before + len(slices)
    copied = Shell(MILEPOST_DATABASE_URL=f"sqlite:///{target}").lines("verify")[-1]
    assert (copied["position"], copied["findings"]) == (before, 0)
    other.close()


def test_a_server_writes_while_a_copy_is_made(site: Site, tmp_path: Path) -> None:
    other = site.deployment.again()
    recorder = other.milepost.recorder
    assert isinstance(recorder, SQLiteRecorder)
    target, is_copying, may_go_on = tmp_path / "copy.db", Event(), Event()

    def reached(done: int, total: int) -> None:
        is_copying.set()
        assert may_go_on.wait(60)

    copying = Thread(target=copy_database, args=(recorder.datastore, target, reached))
    copying.start()
    assert is_copying.wait(60)

    assert site.report(type="heartbeat")["received"]

    may_go_on.set()
    copying.join(60)
    assert target.is_file()
    other.close()


def test_a_copy_that_cannot_be_written_is_said_to_be_so(site: Site, tmp_path: Path) -> None:
    recorder = site.deployment.milepost.recorder
    assert isinstance(recorder, SQLiteRecorder)

    with pytest.raises(NotCopied, match="unable to open database file"):
        copy_database(recorder.datastore, tmp_path / "missing" / "copy.db", lambda *_: None)


@pytest.mark.parametrize(
    ("url", "command"),
    [
        (
            "postgresql://milepost:hunter2@db.example:5433/events?sslmode=verify-full",
            "'--dbname=host=db.example port=5433 dbname=events user=milepost sslmode=verify-full'",
        ),
        (
            "postgresql:///events?host=/run/pg&password=hunter2",
            "'--dbname=host=/run/pg dbname=events'",
        ),
    ],
)
def test_for_postgresql_the_command_is_said_without_the_password(url: str, command: str) -> None:
    said = Shell(MILEPOST_DATABASE_URL=url).fails("backup", "milepost.dump")

    assert said.startswith("Error: milepost backup copies SQLite databases; for PostgreSQL run: ")
    assert f"umask 077; pg_dump --format=custom --file=milepost.dump {command}\n" in said
    assert "hunter2" not in said

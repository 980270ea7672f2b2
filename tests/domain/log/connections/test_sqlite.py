"""Connections to a SQLite file that another program has made."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from eventsourcing.persistence import OperationalError

from domain.log.connections.sqlite import WAL_BYTES, SQLiteDatastore


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    """Its order of texts would be another, and with it that of jobs in an export."""
    file = tmp_path / "milepost.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA encoding='UTF-16'")
        connection.execute("CREATE TABLE theirs (a TEXT)")

    with (
        pytest.raises(OperationalError, match=r"milepost\.db is encoded in UTF-16le"),
        SQLiteDatastore(str(file)).reading(),
    ):
        pass


def test_a_file_with_another_journal_mode_gets_milepost_s(tmp_path: Path) -> None:
    file = tmp_path / "milepost.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode=TRUNCATE")
        connection.execute("CREATE TABLE theirs (a TEXT)")

    with SQLiteDatastore(str(file)).reading() as cursor:
        assert cursor.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert cursor.execute("PRAGMA synchronous").fetchone()[0] == 2


def test_the_newest_commits_take_little_room_again_after_a_long_reader(tmp_path: Path) -> None:
    file, wal = tmp_path / "milepost.db", tmp_path / "milepost.db-wal"
    datastore = SQLiteDatastore(str(file))

    def write(size: int) -> None:
        with datastore.writing() as cursor:
            cursor.execute("INSERT INTO blobs VALUES (zeroblob(?))", (size,))

    with datastore.writing() as cursor:
        cursor.execute("CREATE TABLE blobs (blob BLOB)")
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT COUNT(*) FROM blobs").fetchone()
        for _ in range(4):
            write(WAL_BYTES // 2)
        assert wal.stat().st_size > 2 * WAL_BYTES

    for _ in range(3):
        write(1)

    assert wal.stat().st_size <= WAL_BYTES
    datastore.close()


def test_who_only_looks_changes_no_journal_mode(tmp_path: Path) -> None:
    file = tmp_path / "milepost.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE theirs (a TEXT)")

    with SQLiteDatastore(str(file), only_looks=True).reading() as cursor:
        assert cursor.execute("PRAGMA journal_mode").fetchone()[0] == "delete"
    assert [path.name for path in tmp_path.iterdir()] == ["milepost.db"]


@pytest.mark.parametrize("only_looks", [True, False])
def test_a_file_that_is_refused_does_not_stay_open(tmp_path: Path, only_looks: bool) -> None:
    file = tmp_path / "test.db"
    file.write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 16)
    datastore = SQLiteDatastore(str(file), only_looks=only_looks)

    with closing(datastore):
        # The error's frames hold all that nobody closed.
        with pytest.raises(OperationalError) as refused, datastore.reading():
            pass
        held = [each.path for each in psutil.Process().open_files()]

    assert refused.tb
    assert str(file) not in held

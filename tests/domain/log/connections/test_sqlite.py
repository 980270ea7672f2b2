"""Connections to a SQLite file that another program has made."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from eventsourcing.persistence import OperationalError

from domain.log.connections.sqlite import SQLiteDatastore


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

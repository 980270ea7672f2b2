"""A commit into a SQLite file that is no longer at its path is never answered as durable."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from eventsourcing.persistence import OperationalError

from domain.errors import StoreUnavailable
from domain.job.callback import Callback
from domain.log.connections.sqlite import SQLiteDatastore
from domain.log.connections.sqlite_place import is_open_here
from tests.support.stores.deployment import Deployment

HEARTBEAT = Callback(job_id="job", type="heartbeat")


@pytest.fixture
def file(sqlite: Deployment) -> Path:
    """The file of a store with an event."""
    sqlite.milepost.record(HEARTBEAT)
    return Path(sqlite.env["SQLITE_DBNAME"])


def beside(file: Path, end: str) -> Path:
    return file.with_name(file.name + end)


def remove(file: Path) -> None:
    file.unlink()


def replace(file: Path) -> None:
    """Put a copy in its place, as `cp` to a new file and `mv` do."""
    copy = beside(file, ".copy")
    shutil.copy(file, copy)
    copy.replace(file)


def remove_wal(file: Path) -> None:
    beside(file, "-wal").unlink()


def remove_shm(file: Path) -> None:
    beside(file, "-shm").unlink()


def rename_folder(file: Path) -> None:
    file.parent.rename(elsewhere(file))


def elsewhere(file: Path) -> Path:
    return file.parent.with_name(f"{file.parent.name}-elsewhere")


def exchange_folder(file: Path) -> None:
    """Put another folder in its place, as a restore of the whole home does."""
    rename_folder(file)
    shutil.copytree(elsewhere(file), file.parent)


@pytest.mark.parametrize(
    "harm", [remove, replace, remove_wal, remove_shm, rename_folder, exchange_folder]
)
def test_no_commit_is_answered_once_the_open_file_is_elsewhere(
    sqlite: Deployment,
    file: Path,
    harm: Callable[[Path], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    harm(file)

    with caplog.at_level(logging.INFO, "milepost"):
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match="while it was open"):
                sqlite.milepost.record(HEARTBEAT)

    trouble = sqlite.milepost.committing.trouble()
    assert trouble
    assert trouble.reason == "file_replaced"
    [line] = caplog.messages
    assert line.startswith(str(file))
    assert "no callback is taken" in line


def test_a_server_that_nobody_calls_says_so_all_the_same(sqlite: Deployment, file: Path) -> None:
    assert sqlite.milepost.committing.trouble() is None

    remove(file)

    trouble = sqlite.milepost.committing.trouble()
    assert trouble
    assert trouble.reason == "file_replaced"


def test_a_file_that_comes_back_is_written_again(
    sqlite: Deployment, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = sqlite.milepost.store.newest_position()
    file.rename(beside(file, ".away"))
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            sqlite.milepost.record(HEARTBEAT)
    beside(file, ".away").rename(file)

    with caplog.at_level(logging.INFO, "milepost"):
        receipt = sqlite.milepost.record(HEARTBEAT)

    assert caplog.messages[1:] == [f"{file} is at its path again: callbacks are taken"]
    assert sqlite.milepost.committing.trouble() is None
    assert receipt.position == before + 2, "the first refused commit was in the file all the same"
    with sqlite3.connect(file) as other:
        [(events,)] = other.execute("SELECT COUNT(*) FROM milepost_events")
    other.close()
    assert events == receipt.position


def test_a_further_connection_opens_no_other_file(sqlite: Deployment, file: Path) -> None:
    """SQLite would make a new file where the open one was removed."""
    datastore: Any = sqlite.milepost.recorder.datastore  # type: ignore[attr-defined]
    remove(file)

    def lend_more_than_the_pool_has(held: ExitStack) -> None:
        for _ in range(10):
            held.enter_context(datastore.get_connection(commit=False))

    with ExitStack() as held, pytest.raises(OperationalError, match="was removed"):
        lend_more_than_the_pool_has(held)

    assert not file.exists()


def test_what_others_rightly_do_beside_forbids_no_commit(sqlite: Deployment, file: Path) -> None:
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("VACUUM")
    other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    copy = sqlite3.connect(beside(file, ".copy"))
    other.backup(copy)
    for connection in (copy, other):
        connection.close()
    again = sqlite.again()
    again.rebuild.run()
    again.rebuild.delete_replaced()
    again.close()

    assert sqlite.milepost.record(HEARTBEAT).position


def test_a_file_is_open_here_until_the_store_is_closed(tmp_path: Path) -> None:
    """The file system may give the number of a removed file to the next one."""
    file = tmp_path / "test.db"
    store = SQLiteDatastore(str(file))
    with store.reading():
        assert is_open_here(file)

    store.close()

    assert not is_open_here(file)

"""A lost end of the log is noticed by what a process has seen, on every store."""

from __future__ import annotations

import logging
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from domain.job.callback import Callback
from domain.log.lost_end.contract import Loss
from tests.support.stores.deployment import NOON, Deployment, kind_of
from tests.support.stores.losing import lose


def record(made: Deployment, job_id: str, times: int = 1) -> int:
    """Record heartbeats, and return the position of the last one."""
    for _ in range(times):
        receipt = made.milepost.record(Callback(job_id=job_id, type="heartbeat"))
    assert receipt.position is not None
    return receipt.position


def losses(made: Deployment) -> list[Loss]:
    return list(made.milepost.store.losses())


def acknowledge(made: Deployment) -> int:
    return made.milepost.store.acknowledge_losses(made.clock.now, "a drill")


def test_a_log_that_goes_on_has_lost_nothing(stores: Deployment) -> None:
    for number in range(50):
        record(stores, f"job-{number}")
        assert stores.milepost.end.look()

    assert losses(stores) == []


def test_a_commit_below_what_was_seen_shows_the_loss_at_once(stores: Deployment) -> None:
    whole = record(stores, "one")
    stores.milepost.end.look()
    stores.clock.advance(60)
    lost = record(stores, "two", times=3)

    lose(stores, after=whole)
    record(stores, "three")

    [loss] = losses(stores)
    assert (loss.position, loss.job_id, loss.version) == (lost, "two", 3)
    assert (loss.agreed_position, loss.agreed_at) == (whole, NOON)
    assert loss.log_position == whole + 1
    assert loss.noticed_at == NOON + timedelta(seconds=60)
    assert loss.acknowledged_at is None


def test_a_job_that_lost_events_shows_the_loss_at_once(databases: Deployment) -> None:
    """The committer knows the job's version. It goes on by itself, and must tell of it."""
    whole = record(databases, "job")
    record(databases, "job")
    lose(databases, after=whole)
    # Another process has filled the positions up to the one that this process has seen.
    other = databases.again()
    record(other, "other", times=5)

    record(databases, "job")

    [loss] = losses(databases)
    other.close()
    assert (loss.position, loss.job_id, loss.version) == (whole + 1, "job", 2)
    assert loss.agreed_at is None, "this process has looked for the first time"


def test_a_log_that_has_grown_past_what_was_seen_shows_the_loss(databases: Deployment) -> None:
    record(databases, "one")
    databases.milepost.end.look()
    lost = record(databases, "two")
    lose(databases, after=lost - 1)
    other = databases.again()
    record(other, "three", times=4)

    databases.milepost.end.look()

    [loss] = losses(databases)
    assert (loss.position, loss.agreed_position) == (lost, lost - 1)
    other.close()


def test_an_empty_log_in_place_of_the_one_that_was_seen_is_a_loss(stores: Deployment) -> None:
    record(stores, "one")

    lose(stores, after=0)
    stores.milepost.end.look()

    [loss] = losses(stores)
    assert (loss.log_position, loss.agreed_position, loss.agreed_at) == (0, 0, None)


def test_a_backup_that_is_restored_into_the_open_file_is_a_loss(
    sqlite: Deployment, tmp_path: Path
) -> None:
    """As `.restore` of SQLite's shell does: the file at the path remains the same."""
    whole = record(sqlite, "one")
    sqlite.milepost.end.look()
    backup, live = (
        sqlite3.connect(file) for file in (tmp_path / "backup.db", sqlite.env["SQLITE_DBNAME"])
    )
    live.backup(backup)
    lost = record(sqlite, "two")

    backup.backup(live)
    record(sqlite, "three")

    [loss] = losses(sqlite)
    assert (loss.position, loss.agreed_position) == (lost, whole)
    for connection in (backup, live):
        connection.close()


def test_a_loss_is_recorded_and_told_once(
    stores: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    lost = record(stores, "one", times=2)
    lose(stores, after=1)

    with caplog.at_level(logging.ERROR, "milepost"):
        for _ in range(3):
            stores.milepost.end.look()

    assert len(losses(stores)) == 1
    [line] = caplog.messages
    assert line == (
        f"the log has lost its end: position {lost} was version 2 of job 'one' at 2026-03-02 "
        "12:00:00 UTC, and is not any more; nothing that was seen is in the log; see milepost "
        "losses list"
    )


def test_processes_that_notice_the_same_loss_record_it_once(databases: Deployment) -> None:
    other = databases.again()
    record(databases, "one")
    record(other, "two")
    lose(databases, after=0)

    databases.milepost.end.look()
    other.milepost.end.look()

    assert len(losses(databases)) == 1
    other.close()


def test_an_acknowledgement_holds_for_every_process_that_had_seen_more(
    databases: Deployment,
) -> None:
    other = databases.again()
    record(databases, "one")
    record(other, "two")
    lose(databases, after=0)
    databases.milepost.end.look()

    assert acknowledge(databases) == 1
    other.milepost.end.look()
    other.milepost.end.look()

    assert [loss.acknowledged_at for loss in losses(databases)] == [NOON]
    assert [loss.reason for loss in losses(databases)] == ["a drill"]
    assert acknowledge(other) == 0
    other.close()


def test_another_loss_after_an_acknowledgement_is_recorded(stores: Deployment) -> None:
    record(stores, "one", times=3)
    lose(stores, after=2)
    stores.milepost.end.look()
    acknowledge(stores)

    stores.clock.advance(1)
    record(stores, "two")
    stores.milepost.end.look()
    lose(stores, after=1)
    stores.milepost.end.look()

    first, second = losses(stores)
    assert first.acknowledged_at
    assert second.acknowledged_at is None
    assert second.job_id == "two"


def test_a_backup_that_has_lost_its_losses_too_shows_a_loss_again(stores: Deployment) -> None:
    """The table of losses is restored with the events."""
    record(stores, "one", times=2)
    lose(stores, after=1)
    stores.milepost.end.look()
    record(stores, "two")
    forget_losses(stores)
    lose(stores, after=1)

    stores.milepost.end.look()

    assert [loss.job_id for loss in losses(stores)] == ["two"]


def forget_losses(made: Deployment) -> None:
    recorder = made.milepost.recorder
    if kind_of(made) == "memory":
        recorder._losses.clear()  # type: ignore[attr-defined]
    elif kind_of(made) == "sqlite":
        with recorder.datastore.writing() as cursor:  # type: ignore[attr-defined]
            cursor.execute("DELETE FROM milepost_lost_ends")
    else:
        with recorder.datastore.transaction(commit=True) as cursor:  # type: ignore[attr-defined]
            cursor.execute("DELETE FROM milepost_lost_ends")


def test_a_process_that_follows_an_empty_log_remembers_nothing(stores: Deployment) -> None:
    stores.milepost.end.follow()
    stores.milepost.end.follow()

    assert losses(stores) == []


def test_a_process_that_only_follows_notices_a_loss(databases: Deployment) -> None:
    """The projector commits nothing, and sees every event."""
    follower = databases.again()
    record(databases, "one", times=3)
    follower.milepost.end.follow()
    lose(databases, after=1)

    follower.milepost.end.follow()

    [loss] = losses(databases)
    assert (loss.position, loss.job_id) == (3, "one")
    follower.close()


def test_a_log_that_cannot_be_watched_is_told_once_and_nothing_seen_is_forgotten(
    databases: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    """As where the account has no right on the table of losses: commits go on."""
    lost = record(databases, "one", times=3)
    rename(databases, "milepost_lost_ends", "hidden")
    lose(databases, after=1)

    with caplog.at_level(logging.WARNING, "milepost"):
        record(databases, "two", times=5)

    # SQLite says of a missing table what it says of a database that is away.
    assert len(caplog.messages) == (1 if kind_of(databases) == "postgres" else 0)
    rename(databases, "hidden", "milepost_lost_ends")
    databases.milepost.end.look()
    [loss] = losses(databases)
    assert (loss.position, loss.job_id) == (lost, "one")


def rename(made: Deployment, table: str, name: str) -> None:
    statement = f"ALTER TABLE {table} RENAME TO {name}"
    recorder = made.milepost.recorder
    if kind_of(made) == "sqlite":
        with recorder.datastore.writing() as cursor:  # type: ignore[attr-defined]
            cursor.execute(statement)
    else:
        with recorder.datastore.transaction(commit=True) as cursor:  # type: ignore[attr-defined]
            cursor.execute(statement)

"""The lock of the next writer: one writer at a time waits for SQLite's lock."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import pytest
from eventsourcing.persistence import OperationalError

from domain.log.connections.sqlite import SQLiteDatastore
from domain.log.connections.sqlite_lock import BUSY_SECONDS, NextWriterLock

LONG = 20.0
"""The most seconds that a test waits before it fails."""
HOLD = """
import sys
from pathlib import Path
from domain.log.connections.sqlite_lock import NextWriterLock
with NextWriterLock(Path(sys.argv[1])).held() as held:
    print("held" if held else "not held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a lock's file that does not exist yet."""
    return tmp_path / "test.db-next-writer"


def is_free(path: Path) -> bool:
    """Tell whether the lock is free."""
    with NextWriterLock(path, next_seconds=0).held() as held:
        return held


def refusing(number: int) -> Callable[[int, int], object]:
    """Return the `flock` of a file system that refuses every lock with this error."""

    def flock(_: int, __: int) -> None:
        raise OSError(number, os.strerror(number))

    return flock


def open_files() -> int:
    """Return the number of files that this process has open."""
    return len(os.listdir("/dev/fd"))  # noqa: PTH208  the names alone


def test_one_writer_at_a_time_holds_the_lock(path: Path) -> None:
    """Threads exclude one another, although each has a lock object of its own."""
    inside, most, count = 0, 0, 0

    def write() -> None:
        nonlocal inside, most, count
        for _ in range(100):
            with NextWriterLock(path, LONG).held() as held:
                assert held
                inside += 1
                most = max(most, inside)
                Event().wait(0)  # let the others run
                count += 1
                inside -= 1

    threads = [Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)

    assert (most, count) == (1, 400)


def test_the_lock_of_a_process_that_was_killed_is_free(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert not is_free(path)

        holder.kill()
        holder.wait(LONG)

    assert is_free(path)


def test_a_writer_that_fails_frees_the_lock(path: Path) -> None:
    before = open_files()

    with pytest.raises(LookupError), NextWriterLock(path).held():
        raise LookupError

    assert is_free(path)
    assert open_files() == before


# Without the lock


def test_a_writer_does_not_wait_for_ever_to_be_the_next(path: Path) -> None:
    """The process that holds the lock may have been stopped."""
    with NextWriterLock(path).held():
        before = open_files()
        with NextWriterLock(path, 0.01).held() as held:
            assert not held
        assert open_files() == before


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_where_the_file_system_knows_no_locks_a_writer_goes_on(path: Path, number: int) -> None:
    before = open_files()

    with NextWriterLock(path, LONG, flock=refusing(number)).held() as held:
        assert not held

    assert open_files() == before


@pytest.mark.parametrize("in_the_way", ["folder", "link", "no folder"])
def test_where_the_lock_has_no_file_a_writer_goes_on(tmp_path: Path, in_the_way: str) -> None:
    path = tmp_path / "missing" / "lock" if in_the_way == "no folder" else tmp_path / "lock"
    if in_the_way == "folder":
        path.mkdir()
    elif in_the_way == "link":
        path.symlink_to(tmp_path / "elsewhere")

    with NextWriterLock(path, LONG).held() as held:
        assert not held

    assert not (tmp_path / "elsewhere").exists()


# Beginning


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Callable[[], sqlite3.Connection]]:
    """A function that returns a new connection to one SQLite file, as the pool makes them."""
    made = list[sqlite3.Connection]()

    def connect() -> sqlite3.Connection:
        made.append(
            sqlite3.connect(
                tmp_path / "test.db",
                isolation_level=None,
                check_same_thread=False,
                timeout=BUSY_SECONDS,
            )
        )
        return made[-1]

    connect().execute("PRAGMA journal_mode=WAL").fetchall()
    yield connect
    for connection in made:
        connection.close()


Connect = Callable[[], sqlite3.Connection]
LOCKS = pytest.mark.parametrize("flock", [None, refusing(errno.ENOLCK)], ids=["locks", "no locks"])


@LOCKS
def test_a_writer_begins_once_the_one_before_has_ended(
    database: Connect, path: Path, flock: Callable[[int, int], object] | None
) -> None:
    options = {"flock": flock} if flock else {}
    first, second, begun = database(), database(), Event()
    NextWriterLock(path, **options).begin(first)  # type: ignore[arg-type]

    def begin() -> None:
        NextWriterLock(path, busy_seconds=LONG, **options).begin(second)  # type: ignore[arg-type]
        begun.set()

    waiting = Thread(target=begin)
    waiting.start()
    assert not begun.wait(0.05)
    first.execute("COMMIT")

    assert begun.wait(LONG)
    waiting.join(LONG)
    assert (first.in_transaction, second.in_transaction) == (False, True)


def test_the_writer_that_waits_is_the_next_and_not_the_one_that_has_just_committed(
    database: Connect, path: Path
) -> None:
    first, second = database(), database()
    NextWriterLock(path).begin(first)

    waiting = Thread(target=NextWriterLock(path, busy_seconds=LONG).begin, args=(second,))
    waiting.start()
    deadline = monotonic() + LONG
    while is_free(path):
        assert monotonic() < deadline
        Event().wait(0.001)
    first.execute("COMMIT")
    # It asks at once and waits longer than the second writer, and still does not overtake it.
    with NextWriterLock(path, LONG).held() as held:
        assert held
        assert second.in_transaction

    waiting.join(LONG)


def test_the_lock_is_free_as_soon_as_the_writer_has_begun(database: Connect, path: Path) -> None:
    connection = database()

    NextWriterLock(path).begin(connection)

    assert connection.in_transaction
    assert is_free(path)


def test_a_writer_gives_up_when_another_does_not_end(database: Connect, path: Path) -> None:
    """Its connection keeps the pragma that other users of the pool rely on."""
    first, second = database(), database()
    first.execute("BEGIN IMMEDIATE")

    with pytest.raises(sqlite3.OperationalError, match="database is locked"):
        NextWriterLock(path, busy_seconds=0.01).begin(second)

    assert is_free(path)
    assert not second.in_transaction
    [patience] = second.execute("PRAGMA busy_timeout").fetchone()
    assert patience == BUSY_SECONDS * 1000


def test_another_error_than_a_busy_database_is_raised_at_once(
    database: Connect, path: Path
) -> None:
    connection = database()
    connection.execute("BEGIN")

    with pytest.raises(sqlite3.OperationalError, match="within a transaction"):
        NextWriterLock(path, busy_seconds=LONG).begin(connection)


# In the datastore


@pytest.fixture
def datastore(tmp_path: Path) -> Iterator[SQLiteDatastore]:
    """A datastore with a table of numbers."""
    made = SQLiteDatastore(str(tmp_path / "test.db"))
    with made.writing() as cursor:
        cursor.execute("CREATE TABLE numbers (number INTEGER)")
    yield made
    made.close()


def numbers(datastore: SQLiteDatastore) -> list[int]:
    """Return the numbers in the table."""
    with datastore.reading() as cursor:
        return [row[0] for row in cursor.execute("SELECT number FROM numbers").fetchall()]


def test_on_a_quiet_database_no_file_is_made(datastore: SQLiteDatastore, path: Path) -> None:
    """For example, a command that only reads, after it has made sure that the tables exist."""
    with datastore.writing() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS numbers (number INTEGER)")
    assert numbers(datastore) == []

    assert not path.exists()


def test_the_first_writer_that_has_to_wait_makes_the_file(
    datastore: SQLiteDatastore, database: Connect, path: Path
) -> None:
    busy, begun = database(), Event()
    busy.execute("BEGIN IMMEDIATE")

    def write() -> None:
        with datastore.writing():
            begun.set()

    waiting = Thread(target=write)
    waiting.start()
    deadline = monotonic() + LONG
    while not path.exists():
        assert monotonic() < deadline
        Event().wait(0.001)
    assert not begun.is_set()
    busy.execute("COMMIT")

    assert begun.wait(LONG)
    waiting.join(LONG)


def test_a_reader_reads_while_another_one_waits_to_write(
    datastore: SQLiteDatastore, path: Path
) -> None:
    with datastore.writing(), NextWriterLock(path).held() as held:
        assert held
        assert numbers(datastore) == []


@pytest.mark.parametrize("can_lock", [True, False])
def test_writers_exclude_one_another_with_and_without_the_lock(
    datastore: SQLiteDatastore, tmp_path: Path, path: Path, can_lock: bool
) -> None:
    """SQLite's own lock keeps the rows right."""
    path.touch() if can_lock else path.mkdir()
    with closing(sqlite3.connect(tmp_path / "test.db", timeout=0)) as stranger:
        with datastore.writing() as cursor:
            cursor.execute("INSERT INTO numbers VALUES (1)")
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                stranger.execute("INSERT INTO numbers VALUES (2)")

    assert numbers(datastore) == [1]


def test_a_transaction_that_fails_leaves_nothing_and_the_next_may_begin(
    datastore: SQLiteDatastore,
) -> None:
    def fail() -> None:
        with datastore.writing() as cursor:
            cursor.execute("INSERT INTO numbers VALUES (1)")
            cursor.execute("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(OperationalError):
        fail()

    with datastore.writing() as cursor:
        cursor.execute("INSERT INTO numbers VALUES (2)")

    assert numbers(datastore) == [2]

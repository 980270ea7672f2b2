"""Files beside the database get its owner and its mode, whoever makes them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from domain.log.connections.beside import open_beside
from tests.support.processes.accounts import ANOTHER, give_away


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database that belongs to another account."""
    path = tmp_path / "test.db"
    path.touch()
    give_away(path)
    return path


def opened(path: Path, like: Path | None) -> os.stat_result:
    os.close(open_beside(path, like, os.O_RDONLY))
    return path.stat()


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o660])
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_a_file_that_root_makes_belongs_to_the_owner_of_the_database(
    database: Path, mode: int, umask: int
) -> None:
    database.chmod(mode)
    before = os.umask(umask)
    try:
        found = opened(database.with_name("lock"), database)
    finally:
        os.umask(before)

    assert (found.st_uid, found.st_gid) == (ANOTHER, ANOTHER)
    assert stat.S_IMODE(found.st_mode) == mode


def test_a_file_that_is_there_stays_as_it_is(database: Path) -> None:
    lock = database.with_name("lock")
    lock.touch(0o644)

    found = opened(lock, database)

    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (os.geteuid(), 0o644)


def test_without_a_database_a_file_is_for_this_account_alone(tmp_path: Path) -> None:
    found = opened(tmp_path / "lock", None)

    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (os.geteuid(), 0o600)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="lock"):
        open_beside(tmp_path / "lock", None, os.O_RDWR)

    assert not (tmp_path / "elsewhere").exists()

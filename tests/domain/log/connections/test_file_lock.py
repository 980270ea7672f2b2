"""A lock on a file is held by one process at a time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from eventsourcing.persistence import OperationalError

from domain.log.connections.file_lock import file_lock


def test_one_holds_the_lock_until_it_leaves(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with file_lock(path) as first, file_lock(path) as second:
        assert (first, second) == (True, False)

    with file_lock(path) as third:
        assert third


def test_an_error_lets_the_lock_go(tmp_path: Path) -> None:
    with pytest.raises(BlockingIOError), file_lock(tmp_path / "lock"):
        raise BlockingIOError

    with file_lock(tmp_path / "lock") as again:
        assert again


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OperationalError, match="lock cannot be opened: it is a symbolic link"):
        with file_lock(tmp_path / "lock"):
            pass

    assert not (tmp_path / "elsewhere").exists()


def test_a_named_pipe_in_its_place_is_no_lock_that_waits_for_ever(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lock")

    with file_lock(tmp_path / "lock") as is_held:
        assert is_held

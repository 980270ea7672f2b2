"""A file has its whole content under its name, or does not have the name."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.atomic_file import FileNotWritten, atomic_file


def interrupted(path: Path) -> None:
    with atomic_file(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt


def both_at_once(path: Path) -> None:
    with atomic_file(path, replace=False) as second, atomic_file(path, replace=False) as first:
        first.write(b"first")
        second.write(b"second")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file goes."""
    return tmp_path / "file"


def test_the_file_gets_its_name_with_its_whole_content_for_this_user_alone(path: Path) -> None:
    with atomic_file(path) as file:
        file.write(b"whole")
        assert not path.exists()

    assert path.read_bytes() == b"whole"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_after_an_error_the_older_file_is_still_the_file(path: Path) -> None:
    path.write_bytes(b"older")

    with pytest.raises(KeyboardInterrupt):
        interrupted(path)

    assert path.read_bytes() == b"older"
    assert list(path.parent.iterdir()) == [path]


def test_the_first_of_two_that_must_not_replace_names_the_file(path: Path) -> None:
    with pytest.raises(FileExistsError):
        both_at_once(path)

    assert path.read_bytes() == b"first"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "file"

    with pytest.raises(FileNotWritten) as caught, atomic_file(path):
        pass

    assert str(caught.value) == f"{path} cannot be written: No such file or directory"

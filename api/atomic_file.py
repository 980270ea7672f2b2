"""Atomic files: a reader sees the whole content under a file's name, or no new content at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from domain.errors import MilepostError
from domain.log.connections.beside import NEW, restore_own_mode


class FileNotWritten(MilepostError):
    """A file cannot be written; the message names it and the reason."""


@contextmanager
def atomic_file(path: Path, *, replace: bool = True) -> Iterator[BinaryIO]:
    """Write a file for this user alone; it gets its name once its content is on the disk.

    Until then it is `.NAME….part` in the same folder; only a killed process leaves that file
    behind. Raises `FileNotWritten`. Without `replace`, raises `FileExistsError` if another file
    has the name by then.
    """
    with atomic_path(path, replace=replace) as part, part.open("wb") as file:
        yield file


@contextmanager
def atomic_path(path: Path, *, replace: bool = True) -> Iterator[Path]:
    """Yield the path of an empty file to be filled, which then gets its name as `atomic_file` says.

    The file is closed by then.
    """
    try:
        descriptor, name = tempfile.mkstemp(".part", f".{path.name}.", path.parent)
        part = Path(name)
        try:
            try:
                restore_own_mode(descriptor, NEW)
                yield part
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if replace:
                part.replace(path)
            else:
                path.hardlink_to(part)
        finally:
            part.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except FileExistsError:
        raise
    except OSError as error:
        raise FileNotWritten(f"{path} cannot be written: {error.strerror}") from error


def _sync_folder(folder: Path) -> None:
    # A name is on the disk only once the folder is written to the disk, too.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

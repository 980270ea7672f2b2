"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file, for this user alone, that takes its name when it is whole and on the disk.

    Until then it is `.NAME….part` beside it; only a process that is killed leaves that behind.
    """
    try:
        descriptor, name = tempfile.mkstemp(".part", f".{path.name}.", path.parent)
        part = Path(name)
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123  a descriptor is no path
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error


def _sync_folder(folder: Path) -> None:
    # The name is on the disk only when its folder is.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

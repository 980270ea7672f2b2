"""A lock on a file beside the database: one process holds it, and it ends with that process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eventsourcing.persistence import OperationalError

from domain.log.connections.beside import open_beside


@contextmanager
def file_lock(path: Path, like: Path | None = None) -> Iterator[bool]:
    """Hold the lock on this file and yield True; yield False while another process holds it.

    Makes the file if it is missing, with the owner and mode of the file `like`. Raises
    `OperationalError` if this account cannot open or lock it, and for a symbolic link: another
    account may have made it to have Milepost open some other file.
    """
    try:
        # For reading: to close a file that was open for writing is how others ring the doorbell.
        descriptor = open_beside(path, like, os.O_RDONLY)
    except OSError as error:
        raise OperationalError(f"{path} cannot be opened: {_reason(path, error)}") from error
    try:
        yield _is_locked(descriptor, path)
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise OperationalError(f"{path} cannot be locked: {error.strerror}") from error
    return True


def _reason(path: Path, error: OSError) -> str:
    if path.is_symlink():
        return "it is a symbolic link"
    if isinstance(error, PermissionError) and path.exists():
        owner, user = path.stat().st_uid, os.geteuid()
        if owner != user:
            return f"it belongs to the user {owner}, and this is the user {user}; chown {user} it"
    return error.strerror or str(error)

"""Files that Milepost makes beside a SQLite file: they get its owner and its mode.

An operator may run a command as root (`sudo milepost rebuild`). A lock that belonged to root then
would stop the service, whose account could not open it.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

ROOT: Final = 0
NEW: Final = 0o600
# A symbolic link may have been made to have Milepost open some other file. To open a named pipe
# could wait for ever.
CAREFUL: Final = os.O_NOFOLLOW | os.O_NONBLOCK


def open_beside(path: Path, like: Path | None, access: int) -> int:
    """Open a file, and make it if it is missing, like the database; return its descriptor.

    Without `like`, a new file is for this account alone. Raises `OSError`, also for a symbolic
    link.
    """
    while True:
        try:
            return os.open(path, access | CAREFUL)
        except FileNotFoundError:
            pass
        try:
            descriptor = os.open(path, access | CAREFUL | os.O_CREAT | os.O_EXCL, NEW)
        except FileExistsError:
            continue  # another process has just made it
        if like:
            with suppress(OSError):  # a file system without owners or modes
                belong_like(descriptor, like.stat())
        return descriptor


def belong_like(descriptor: int, original: os.stat_result) -> None:
    """Give an open file of this account the owner of another file, if this is root, and its mode.

    Raises `OSError` on a file system that has no owners or modes, or that is read-only.
    """
    if os.geteuid() == ROOT and original.st_uid != ROOT:
        os.fchown(descriptor, original.st_uid, original.st_gid)
    wanted = stat.S_IMODE(original.st_mode) & 0o666
    if stat.S_IMODE(os.fstat(descriptor).st_mode) != wanted:
        os.fchmod(descriptor, wanted)

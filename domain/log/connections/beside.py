"""Files that Milepost makes beside a SQLite file and in its home: they get the right owner.

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
OWN: Final = 0o700
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


def make_own_folder(path: Path) -> bool:
    """Make a folder for this account alone, unless there is one; tell whether it is new.

    Raises `OSError`, also if something else than a folder is there. Root may get a folder with less
    than mode 0700, which it can use all the same.
    """
    try:
        path.mkdir(mode=OWN)
    except FileExistsError:
        if not path.is_dir():
            raise
        return False
    # A umask such as 0177 takes the owner's own bits away. As root, this could follow a link that
    # the owner of the folder above has put there meanwhile.
    if os.geteuid() != ROOT and path.lstat().st_mode & OWN != OWN:
        path.chmod(OWN)
    return True


def restore_own_mode(file: int, mode: int) -> None:
    """Give a new file or folder its mode if the umask took some of the owner's own bits away.

    Where none are missing, nothing is done: a FAT disk has modes that cannot be changed.
    """
    if os.fstat(file).st_mode & mode != mode:
        os.fchmod(file, mode)


def give_to_owner_of(folder: Path, file: int | Path) -> None:
    """Give what root has just made to the owner of a folder; raise `OSError`.

    A file is given by its descriptor, and a folder by its path.
    """
    found = folder.stat()
    if os.geteuid() == ROOT and found.st_uid != ROOT:
        os.chown(file, found.st_uid, found.st_gid)


def belong_like(descriptor: int, original: os.stat_result) -> None:
    """Give an open file of this account the owner of another file, if this is root, and its mode.

    Raises `OSError` on a file system that has no owners or modes, or that is read-only.
    """
    if os.geteuid() == ROOT and original.st_uid != ROOT:
        os.fchown(descriptor, original.st_uid, original.st_gid)
    wanted = stat.S_IMODE(original.st_mode) & 0o666
    if stat.S_IMODE(os.fstat(descriptor).st_mode) != wanted:
        os.fchmod(descriptor, wanted)

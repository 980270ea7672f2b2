"""Private files: this account alone may read what Milepost keeps on the disk."""

from __future__ import annotations

import os
import stat
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from api.settings.checks.sqlite_file import OF_SQLITE, ROOT
from api.settings.settings import Settings
from api.settings.variables import InvalidSetting
from domain.log.connections.beside import (
    OWN,
    belong_like,
    give_to_owner_of,
    make_own_folder,
    restore_own_mode,
)
from domain.log.connections.sqlite_place import is_open_here

PRIVATE: Final = 0o600
OTHERS: Final = 0o077
"""The bits of a mode that let other accounts in."""
MAX_SECRET: Final = 4096
"""The most bytes of a file with a credential."""
LOCKS: Final = ("-projector", "-rebuild", "-next-writer")
BESIDE: Final = ("", *OF_SQLITE, *LOCKS)
"""The ends of the names of a SQLite database's files."""
OF_HOME: Final = (
    "callback-secret",
    "admin-token",
    "checkpoint-key",
    "job-key-secret",
    "link-secret",
    "verify*.json",
)


def make_private(path: Path) -> None:
    """Make an empty file for one account alone, unless there is a file; raise `OSError`.

    The account is this one. If it is root, the account is the one that the folder belongs to: a
    service could not open a database that `sudo milepost init-db` made for root. SQLite gives
    `-wal` and `-shm` the owner and the mode of the database's file.
    """
    with suppress(FileExistsError):
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE)
        try:
            os.fchmod(file, PRIVATE)  # whatever the umask takes away
            give_to_owner_of(path.parent, file)
        finally:
            os.close(file)


def make_private_folder(path: Path) -> None:
    """Make a folder as `make_private` makes a file; the folder above it exists."""
    is_made = make_own_folder(path)
    # The owner of the folder above could have put something else there meanwhile.
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        is_new = not os.listdir(folder)  # noqa: PTH208  a Path has no descriptor
        if is_new and os.fstat(folder).st_uid == os.geteuid():
            if is_made:
                restore_own_mode(folder, OWN)
            give_to_owner_of(path.parent, folder)
    finally:
        os.close(folder)


def read_private(path: Path) -> str:
    """Return the text of a file that only this account, or root, may have written or read.

    Raises an `InvalidSetting` that says what is wrong with the file, and how to put it right.
    """
    try:
        # A symbolic link is refused, and a named pipe without a writer does not block.
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if path.is_symlink():
            raise _unfit(path, "is a symbolic link; put the file itself there") from error
        raise InvalidSetting(f"MILEPOST_HOME: {path} cannot be read: {error.strerror}") from error
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            raise _unfit(path, "is no regular file; remove it, and Milepost makes a new one")
        if found.st_uid not in _trusted_owners(path.parent):
            raise _unfit(path, f"belongs to the user {found.st_uid}; chown {os.geteuid()} {path}")
        if found.st_mode & OTHERS:
            raise _unfit(
                path,
                f"is open to others (mode {stat.S_IMODE(found.st_mode):04o}); chmod 600 {path}, "
                "and make a new one if others may have read it. Where chmod changes nothing, as on "
                "a Windows disk in WSL, set MILEPOST_HOME to a folder on a disk of this system",
            )
        if found.st_size > MAX_SECRET:
            raise _unfit(path, f"has {found.st_size} bytes; at most {MAX_SECRET} can be a secret")
        content = os.read(file, MAX_SECRET)
    finally:
        os.close(file)
    try:
        # Some editors begin a file with a byte-order mark, which is no part of the secret.
        return content.removeprefix(BOM_UTF8).decode("ascii").strip()
    except UnicodeDecodeError as error:
        raise _unfit(path, "has bytes that are no ASCII; remove it or restore it") from error


def _trusted_owners(folder: Path) -> set[int]:
    """Return the accounts whose files this account trusts; for root, the folder's owner too."""
    user = os.geteuid()
    return {user, ROOT, folder.stat().st_uid} if user == ROOT else {user, ROOT}


def made_private(settings: Settings) -> Iterator[str]:
    """Close the files that earlier releases left open to others; yield a line for what is open.

    Files of other accounts, symbolic links and folders stay as they are. Only root gives the locks
    that an earlier release made for root to the owner of the database.

    A file to which this process has a connection stays as it is; see `is_open_here`.
    """
    closed, still_open = list[Path](), dict[Path, str]()
    for path in _files(settings):
        try:
            if _was_closed(path):
                closed.append(path)
        except OSError as error:
            still_open[path] = error.strerror or str(error)
    if closed:
        yield (
            f"made {_listed(closed)} private (mode 0600): other accounts could open "
            f"{'it' if len(closed) == 1 else 'them'} until now"
        )
    for reason in sorted(set(still_open.values())):
        paths = [path for path, why in still_open.items() if why == reason]
        yield f"other accounts may open {_listed(paths)}, and chmod fails: {reason}"
    if given := [path for path in _locks(settings) if _was_given_back(path, settings.sqlite_file)]:
        yield f"gave {_listed(given)} to the owner of the database: root had made it"
    if open_folders := [folder for folder in _folders(settings) if _is_open(folder)]:
        folders = " ".join(map(str, open_folders))
        yield f"other accounts may enter {_listed(open_folders)}; to forbid it: chmod 700 {folders}"


def _files(settings: Settings) -> Iterator[Path]:
    for name in OF_HOME:
        yield from settings.home.glob(name)
    if settings.database == "sqlite":
        for end in BESIDE:
            yield settings.sqlite_file.with_name(settings.sqlite_file.name + end)


def _locks(settings: Settings) -> list[Path]:
    if settings.database != "sqlite":
        return []
    return [settings.sqlite_file.with_name(settings.sqlite_file.name + end) for end in LOCKS]


def _folders(settings: Settings) -> list[Path]:
    folders = [settings.home]
    if settings.database == "sqlite" and not settings.sqlite_file.parent.samefile(settings.home):
        folders.append(settings.sqlite_file.parent)
    return folders


def _was_closed(path: Path) -> bool:
    if is_open_here(path):
        return False
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # there is none, it is a link, or it is another account's
        return False
    try:
        found = os.fstat(file)
        is_file = stat.S_ISREG(found.st_mode)
        if not (is_file and found.st_uid == os.geteuid() and found.st_mode & OTHERS):
            return False
        os.fchmod(file, PRIVATE)
    finally:
        os.close(file)
    return True


def _was_given_back(path: Path, database: Path) -> bool:
    if os.geteuid() != ROOT:
        return False
    with suppress(OSError):  # no lock, a link, or a file system that changes no owner
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            found, owner = os.fstat(file), database.stat()
            # The folder's owner could have put another name of a file of root's there.
            is_lock = stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_size == 0
            if is_lock and found.st_uid == ROOT != owner.st_uid:
                belong_like(file, owner)
                return True
        finally:
            os.close(file)
    return False


def _is_open(folder: Path) -> bool:
    return bool(folder.stat().st_mode & OTHERS)


def _unfit(path: Path, fault: str) -> InvalidSetting:
    return InvalidSetting(f"MILEPOST_HOME: {path} {fault}")


def _listed(paths: Iterable[Path]) -> str:
    return ", ".join(map(str, paths))

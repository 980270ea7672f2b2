"""The SQLite file that the settings name: its URL, and whether this account can use the file."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from api.settings.variables import InvalidSetting
from domain.log.connections.sqlite_place import is_open_here

SCHEME: Final = "sqlite:///"
NAME: Final = "MILEPOST_DATABASE_URL"
MAGIC: Final = b"SQLite format 3\0"
# The eventsourcing library takes names with these for databases in memory.
IN_MEMORY: Final = (":memory:", "mode=memory")
OF_SQLITE: Final = ("-wal", "-shm", "-journal")
"""The ends of the names of the files that SQLite itself makes beside a database."""
ROOT: Final = 0
OTHERS_WRITE: Final = 0o022
"""The bits of a mode that let other accounts write."""
KINDS: Final = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def url_of(file: Path) -> str:
    """Return the URL of a SQLite file."""
    return SCHEME + quote(str(file.absolute()))


def file_of(url: str) -> Path:
    """Return the file of a checked URL. A symbolic link is followed, as SQLite does.

    So the locks and SQLite's `-wal` are beside the same file, by whichever name it is opened.
    """
    return Path(os.path.realpath(_named(url)))


def _named(url: str) -> Path:
    return Path(unquote(url.removeprefix(SCHEME)))


def check_link(url: str) -> None:
    """Raise an `InvalidSetting` for a file that is a link to a folder that is not there.

    The folder's disk may not be mounted. Milepost would begin another log on the disk below.
    """
    named, folder = _named(url), file_of(url).parent
    if named.is_symlink() and not folder.exists():
        raise _unfit(f"{named} is a link to nothing: {folder} does not exist")


def checked_url(url: str) -> str:
    """Return the URL of a SQLite file; raise an `InvalidSetting` that shows the right form."""
    path = url.removeprefix(SCHEME)
    try:
        plain = unquote(path, errors="strict")
    except UnicodeDecodeError:
        raise InvalidSetting(f"{NAME}: the path is not UTF-8: {path!r}") from None
    if not plain.strip("/"):
        raise InvalidSetting(f"{NAME}: must be sqlite:////PATH or postgresql://…")
    if any(word in plain for word in IN_MEMORY):
        raise InvalidSetting(
            f"{NAME}: Milepost stores events in a file, such as sqlite:////var/lib/milepost.db; "
            "a database in memory would lose them"
        )
    for mark in "?#":
        if mark in path:
            raise InvalidSetting(
                f"{NAME}: a sqlite URL has no options; write %{ord(mark):02X} for a {mark} in the "
                "path"
            )
    if "\0" in plain:
        raise InvalidSetting(f"{NAME}: the path has a NUL character")
    if plain.startswith(("~", "$")):
        raise InvalidSetting(
            f"{NAME}: only a shell replaces {plain.partition('/')[0]} in {plain}; write the whole "
            "path, as in sqlite:////var/lib/milepost.db"
        )
    if not plain.startswith("/"):
        raise InvalidSetting(
            f"{NAME}: the path {plain} is relative, and each command would look beside itself; "
            f"write {url_of(Path(plain))} (four slashes)"
        )
    return url


def check_file(file: Path, *, only_looks: bool = False) -> None:
    """Raise an `InvalidSetting` unless this account can use the file as its database.

    A missing file is no fault. The file is neither written nor made.
    """
    try:
        found = file.stat()
        _check_beside(file, found)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise _unfit(f"{file} cannot be reached: {error.strerror}") from error
    if kind := KINDS.get(stat.S_IFMT(found.st_mode)):
        raise _unfit(f"{file} is {kind}, and no SQLite file")
    if not only_looks:
        _check_writable(file, found)
    if is_open_here(file):
        return
    try:
        with file.open("rb") as opened:
            begin = opened.read(len(MAGIC))
    except OSError as error:
        raise _unfit(f"{file} cannot be read: {error.strerror}{_whose(found)}") from error
    if begin and begin != MAGIC:
        raise _unfit(f"{file} is no SQLite database, or another program has encrypted it")


def _check_beside(file: Path, database: os.stat_result) -> None:
    """Raise an `InvalidSetting` for a file that another account has put beside the database.

    SQLite takes the pages in its `-wal` and `-journal` for newer than those in the database, also
    if their owner may not write the database. An account that may write it may make them.
    """
    trusted = (database.st_uid, os.geteuid(), ROOT)
    for end in OF_SQLITE:
        beside = file.with_name(file.name + end)
        try:
            found = beside.lstat()
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(found.st_mode):
            raise _unfit(f"{beside} is no file of SQLite's; see who has put it there")
        if found.st_uid not in trusted and not database.st_mode & OTHERS_WRITE:
            raise _unfit(
                f"{beside} may be forged: it belongs to the user {found.st_uid}, who may not write "
                f"{file.name}. If it is right, chown it like {file.name}; else remove it"
            )


def _check_writable(file: Path, found: os.stat_result) -> None:
    if os.statvfs(file).f_flag & os.ST_RDONLY:
        raise _unfit(f"{file} is on a read-only file system")
    if not _may(file, os.W_OK):
        raise _unfit(f"{file} cannot be written by this account{_whose(found)}")
    if not _may(file.parent, os.W_OK | os.X_OK):
        raise _unfit(
            f"{file.parent} cannot be written by this account{_whose(file.parent.stat())}; SQLite "
            "makes files beside the database"
        )


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _whose(found: os.stat_result) -> str:
    owner, user = found.st_uid, os.geteuid()
    mode = stat.S_IMODE(found.st_mode)
    return f" (mode {mode:04o}, of the user {owner}; this is the user {user})"


def _unfit(fault: str) -> InvalidSetting:
    return InvalidSetting(f"{NAME}: {fault}")

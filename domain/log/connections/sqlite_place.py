"""The place of a SQLite file: the file that is open must be the one at its path.

A file that was removed, renamed or replaced stays open. All goes on as before, and every commit
goes into a file without a name, which is gone once the process ends. SQLite itself does not tell in
WAL mode. So the files at the paths are compared with those that were opened, by device and inode.
A commit of many callbacks needs one comparison, which takes some microseconds.

The same holds for `-wal`, which has the newest commits, and for `-shm`, by which processes find
them: once another process makes new ones, the two do not see one another's commits.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Final, TypeAlias
from weakref import WeakSet

from domain.log.refusals import FileReplaced

log = logging.getLogger("milepost")

ENDS: Final = ("-wal", "-shm")
Identity: TypeAlias = tuple[int, int]
_PLACES: Final[WeakSet[Place]] = WeakSet()
"""The places of this process. POSIX locks belong to a process, so this cannot be passed around."""


class Place:
    """The paths of a SQLite database's files, and the files that this process opened there."""

    def __init__(self, path: str) -> None:
        # SQLite follows a symbolic link, and makes its other files beside the file itself.
        real = os.path.realpath(path)
        self._paths = (path, *(real + end for end in ENDS))
        self._opened: list[Identity | None] = []
        self._is_left = False
        _PLACES.add(self)

    def opened(self) -> None:
        """Note the files that a connection has just opened, by reading something.

        If another connection has opened them before, compare them: raises `OperationalError`. In a
        database without tables, the first commit makes `-wal` and `-shm`: they are noted then.
        """
        if self._opened:
            self.check()
        else:
            self._opened = [_identity(path) for path in self._paths]

    def closed(self) -> None:
        """Note that no connection is left: another file may get the number of this one."""
        _PLACES.discard(self)

    def has_opened(self, identity: Identity) -> bool:
        """Tell whether a connection has opened this file here."""
        return identity in self._opened

    def refuse_if_left(self) -> None:
        """Raise `OperationalError` if the last comparison found a difference, and it remains."""
        if self._is_left:
            self.check()

    def check(self) -> None:
        """Raise `OperationalError` unless the files at the paths are those that are open."""
        for number, opened in enumerate(self._opened):
            path = self._paths[number]
            found = _identity(path)
            if opened is None:
                self._opened[number] = found
            elif found != opened:
                what = "removed" if found is None else "replaced"
                self._tell(path, what)
                # Commands that only speak to a server need no library of the store.
                from eventsourcing.persistence import OperationalError

                raise OperationalError(f"{path} was {what} while it was open") from FileReplaced()
        if self._is_left:
            self._is_left = False
            log.warning("%s is at its path again: callbacks are taken", self._paths[0])

    def _tell(self, path: str, what: str) -> None:
        if not self._is_left:
            self._is_left = True
            log.error(
                "%s was %s while Milepost has it open: no callback is taken until the same file is "
                "there again. To go on with another one, stop Milepost, see that no -wal and -shm "
                "of the old one are beside it, and start Milepost again",
                path,
                what,
            )


def is_open_here(path: Path) -> bool:
    """Tell whether a connection of this process may have the file at a path open.

    Nothing else may open such a file: when a process closes any of its descriptors of a file, it
    loses all its locks on that file (POSIX), also those of SQLite. Another process then removes
    `-wal` when it closes its last connection, with commits in it.
    """
    identity = _identity(str(path))
    return identity is not None and any(place.has_opened(identity) for place in list(_PLACES))


def _identity(path: str) -> Identity | None:
    try:
        found = os.stat(path)  # noqa: PTH116  a Path costs more than the question
    except OSError:
        return None
    return found.st_dev, found.st_ino

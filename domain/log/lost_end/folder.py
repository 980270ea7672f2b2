"""Memories in a folder: a file for each log and each database in which that log was seen.

A home may serve several databases one after another, and several servers may share a home. The
folder may be read-only: then a process forgets at its end what it has seen.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from domain.log.connections.beside import (
    NEW,
    give_to_owner_of,
    make_own_folder,
    restore_own_mode,
)
from domain.log.lost_end.marks import Memory

log = logging.getLogger("milepost")

NAME_DIGITS: Final = 16
ROOT: Final = 0


class Entry(msgspec.Struct, frozen=True):
    """A memory of the log of this origin, as it was seen in this database."""

    origin: str
    database: str
    memory: Memory


class MemoryFolder:
    """Stores the memory of the log in one database.

    `database` is the name of the database, without a password. `origin` asks the database which
    log it has.
    """

    def __init__(self, folder: Path, database: str, origin: Callable[[], str | None]) -> None:
        self._folder = folder
        self._database = database
        self._ask_origin = origin
        self._origin: str | None = None
        self._has_complained = False

    def load(self) -> Memory:
        """See `MemoryStore.load`.

        Return the newest memory of this log in this database. Without one, return the newest memory
        of this log in another database: a failover by hand changes the address of the database.
        Without that, return the newest memory of another log in this database: somebody may have
        replaced the log by an empty one.
        """
        self._origin = origin = self._ask_origin() or ""
        entries = list(self._entries())
        of_log = [entry for entry in entries if entry.origin == origin]
        of_database = [entry for entry in entries if entry.database == self._database]
        of_both = [entry for entry in of_log if entry in of_database]
        for candidates in (of_both, of_log, of_database):
            if candidates:
                return max((entry.memory for entry in candidates), key=_newest)
        return Memory()

    def save(self, memory: Memory) -> None:
        """See `MemoryStore.save`."""
        if self._origin is None:
            return
        path = self._folder / f"{self._name(self._origin)}.json"
        stored = _read(path)
        if stored and not _is_better(memory, stored.memory):
            return
        content = msgspec.json.encode(Entry(self._origin, self._database, memory))
        try:
            if _is_a_guest(self._folder.parent):
                return
            make_own_folder(self._folder)
            _replace(path, content)
        except OSError as error:
            if not self._has_complained:
                self._has_complained = True
                log.warning("a restart forgets what was seen of the log: %s", error)

    def _name(self, origin: str) -> str:
        named = f"{origin}\n{self._database}".encode()
        return hashlib.sha256(named).hexdigest()[:NAME_DIGITS]

    def _entries(self) -> Iterator[Entry]:
        # A folder that is missing, or that this account may not read, has no files.
        for path in sorted(self._folder.glob("*.json")):
            if entry := _read(path):
                yield entry


def _is_a_guest(home: Path) -> bool:
    # The owner of the home could neither read nor replace a file that root makes there.
    return os.geteuid() == ROOT != home.stat().st_uid


def _newest(memory: Memory) -> float:
    return memory.marks[-1].at.timestamp() if memory.marks else 0.0


def _is_better(memory: Memory, stored: Memory) -> bool:
    """Tell whether a memory knows more losses than the stored one, or as many and a newer event."""
    if memory.known == stored.known:
        return memory.position > stored.position
    return memory.known > stored.known


def _read(path: Path) -> Entry | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Entry)
    except (OSError, msgspec.DecodeError):
        return None


def _replace(path: Path, content: bytes) -> None:
    # Nobody waits for the disk: after a power cut, an older memory is as right.
    file, name = tempfile.mkstemp(".part", f".{path.name}.", path.parent)
    try:
        with os.fdopen(file, "wb") as part:
            restore_own_mode(file, NEW)
            give_to_owner_of(path.parent, file)
            part.write(content)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)

"""Memories in a folder: a file for each log and each database that this log was seen in.

A home may serve several databases in turn, and several servers may share a home. The folder may be
read-only: then a restart forgets what the process has seen.
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

from domain.log.lost_end.marks import Memory

log = logging.getLogger("milepost")

NAME_DIGITS: Final = 16


class Entry(msgspec.Struct, frozen=True):
    """What was seen of the log of this origin in this database."""

    origin: str
    database: str
    memory: Memory


class MemoryFolder:
    """Keeps the memory of the log in one database.

    `database` is its name, without a password. `origin` asks the database which log it has.
    """

    def __init__(self, folder: Path, database: str, origin: Callable[[], str | None]) -> None:
        self._folder = folder
        self._database = database
        self._ask_origin = origin
        self._origin: str | None = None
        self._has_complained = False

    def load(self) -> Memory:
        """See `Kept.load`.

        If this log was never seen in this database, the newest memory of it in another database
        counts: the address of a database changes in a failover by hand. Else what was seen of
        another log in this database counts: somebody may have put an empty one in its place.
        """
        self._origin = origin = self._ask_origin() or ""
        entries = list(self._entries())
        of_log = [entry for entry in entries if entry.origin == origin]
        here = [entry for entry in entries if entry.database == self._database]
        for kept in ([entry for entry in of_log if entry in here], of_log, here):
            if kept:
                return max((entry.memory for entry in kept), key=_newest)
        return Memory()

    def save(self, memory: Memory) -> None:
        """See `Kept.save`."""
        if self._origin is None:
            return
        path = self._folder / f"{self._name(self._origin)}.json"
        kept = _read(path)
        if kept and not _is_better(memory, kept.memory):
            return
        content = msgspec.json.encode(Entry(self._origin, self._database, memory))
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
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


def _newest(memory: Memory) -> float:
    return memory.marks[-1].at.timestamp() if memory.marks else 0.0


def _is_better(memory: Memory, kept: Memory) -> bool:
    """Tell whether a memory knows more losses than the kept one, or as many and a newer event."""
    if memory.known == kept.known:
        return memory.position > kept.position
    return memory.known > kept.known


def _read(path: Path) -> Entry | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Entry)
    except (OSError, msgspec.DecodeError):
        return None


def _replace(path: Path, content: bytes) -> None:
    # Without a wait for the disk: after a power cut, an older memory is as right.
    file, name = tempfile.mkstemp(".part", f".{path.name}.", path.parent)
    try:
        with os.fdopen(file, "wb") as part:
            part.write(content)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)

"""The watch over the log's end: what this process has seen must still be in the log.

After a failover to a standby that was behind, or a restore of an older backup, the positions of
receipts name other events. The database itself cannot tell: its tree and its rows are equally far
behind. So each process remembers what it has seen, and compares it with the log.

Several processes notice the same loss. Each one knows the losses that were recorded when it last
found its memory right. If another loss has been recorded since then, it was noticed already.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Final, Protocol

from eventsourcing.persistence import (
    InterfaceError,
    OperationalError,
    PersistenceError,
    StoredEvent,
)

from domain.log.lost_end.contract import Loss
from domain.log.lost_end.marks import Mark, Memory
from domain.log.store import JobStore
from domain.log.stored import Stored

log = logging.getLogger("milepost")

LOOK_SECONDS: Final = 1.0
"""How long a process that commits trusts its last look."""
ID_BYTES: Final = 8


class Kept(Protocol):
    """Where a memory outlives its process."""

    def load(self) -> Memory:
        """Return what was kept of this log; may raise the library's `PersistenceError`."""
        ...

    def save(self, memory: Memory) -> None:
        """Keep this memory, unless a better one is kept. Never raises."""
        ...


class EndWatch:
    """Remembers the newest events that this process has seen, and compares them with the log.

    `passed` is a monotonic clock.
    """

    def __init__(self, store: JobStore, passed: Callable[[], float]) -> None:
        self._store = store
        self._passed = passed
        self._lock = Lock()
        self._kept: Kept | None = None
        self._memory = Memory()
        self._is_begun = False
        self._appended: tuple[int, StoredEvent] | None = None
        self._position = 0
        self._due = passed()
        self._has_complained = False

    def keep_in(self, kept: Kept) -> None:
        """Begin with the memory that is kept there, and keep this process's memory there, too."""
        self._kept = kept

    def committed(self, events: Sequence[StoredEvent], positions: Sequence[int]) -> None:
        """Remember events that were just stored; look first, if a look is due.

        Only the committing thread calls this. It costs a statement only if a look is due.
        """
        if positions[0] <= self._position or self._passed() >= self._due:
            if not self.look():
                return
        self._position = positions[-1]
        self._appended = positions[-1], events[-1]

    def suspect(self) -> None:
        """Let the next commit look: another database may answer."""
        self._due = self._passed()

    def look(self) -> bool:
        """Compare the memory with the log, and record a loss.

        Returns False if the database does not answer: then the next commit looks again.
        """
        try:
            with self._lock:
                self._look()
        except PersistenceError as error:
            self._complain(error)
            return False
        return True

    def follow(self) -> None:
        """Look, remember the log's newest event, and keep the memory.

        Raises the library's `PersistenceError`.
        """
        with self._lock:
            before = self._memory
            self._look()
            newest = self._store.newest_position()
            if newest > self._memory.position:
                for event in self._store.events(newest - 1, 1):
                    self._memory = self._memory.with_mark(Mark.of(event, self._store.about_now()))
                self._position = max(self._position, newest)
            if self._memory != before:
                self.keep()

    def keep(self) -> None:
        """Keep the memory for the next process, if this one has compared it with the log."""
        if self._kept and self._is_begun:
            self._kept.save(self._memory_now())

    def _look(self) -> None:
        if not self._is_begun:
            if self._kept:
                self._memory = self._kept.load()
            self._is_begun = True
        losses = frozenset(loss.id for loss in self._store.losses())
        memory = self._memory_now()
        if memory.marks and not self._is_in_log(memory.marks[-1]):
            memory = self._lost(memory)
            losses = frozenset(loss.id for loss in self._store.losses())
            self._appended = None
            self._position = memory.position
        self._memory = Memory(memory.marks, losses | memory.known)
        self._position = max(self._position, memory.position)
        self._due = self._passed() + LOOK_SECONDS

    def _memory_now(self) -> Memory:
        memory = self._memory
        if self._appended and self._appended[0] > memory.position:
            position, event = self._appended
            stored = Stored(
                position,
                str(event.originator_id),
                event.originator_version,
                event.topic,
                event.state,
            )
            memory = memory.with_mark(Mark.of(stored, self._store.about_now()))
        return memory

    def _is_in_log(self, mark: Mark) -> bool:
        found = self._store.events(mark.position - 1, 1)
        return bool(found) and found[0].position == mark.position and found[0].leaf == mark.leaf

    def _lost(self, memory: Memory) -> Memory:
        """Record a loss, unless another process has; return the memory of what is in the log."""
        lost = memory.marks[-1]
        agreed = next((mark for mark in reversed(memory.marks) if self._is_in_log(mark)), None)
        loss = Loss(
            id=secrets.token_hex(ID_BYTES),
            noticed_at=self._store.about_now(),
            position=lost.position,
            job_id=lost.job_id,
            version=lost.version,
            seen_at=lost.at,
            log_position=self._store.newest_position(),
            agreed_position=agreed.position if agreed else 0,
            agreed_at=agreed.at if agreed else None,
        )
        if self._store.report_loss(loss, memory.known):
            log.error("the log has lost its end: %s; see milepost losses", loss.sentence())
        else:
            log.info(
                "another process has recorded what this one had seen, too: %s", loss.sentence()
            )
        return memory.up_to(loss.agreed_position)

    def _complain(self, error: PersistenceError) -> None:
        # A database that is away is told of by the commits. A missing right would be told by none.
        if not self._has_complained and not isinstance(error, OperationalError | InterfaceError):
            self._has_complained = True
            log.warning("the end of the log cannot be watched: %s", error)

"""The watch over the log's end: the log must still have the events that this process has seen.

After a failover to a standby that was behind, or a restore of an older backup, the positions of
receipts name other events. The database itself cannot show this: its tree and its rows are equally
far behind. So each process remembers events that it has seen, and compares them with the log.

Several processes notice the same loss. Each process knows the losses that were recorded when it
last compared its memory without a difference. If another loss was recorded since then, another
process has noticed this one already.
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
"""How long a process that commits relies on its last comparison."""
ID_BYTES: Final = 8


class MemoryStore(Protocol):
    """Where a memory outlives its process."""

    def load(self) -> Memory:
        """Return the stored memory of this log; may raise the library's `PersistenceError`."""
        ...

    def save(self, memory: Memory) -> None:
        """Store this memory, unless a better one is stored. Never raises."""
        ...


class EndWatch:
    """Remembers the newest events that this process has seen, and compares them with the log.

    `passed` is a monotonic clock.
    """

    def __init__(self, store: JobStore, passed: Callable[[], float]) -> None:
        self._store = store
        self._passed = passed
        self._lock = Lock()
        self._memory_store: MemoryStore | None = None
        self._memory = Memory()
        self._is_begun = False
        self._appended: tuple[int, StoredEvent] | None = None
        self._position = 0
        self._due = passed()
        self._is_compared = False
        self._has_complained = False

    def keep_in(self, memory_store: MemoryStore) -> None:
        """Begin with the memory that is stored there, and store this process's memory there."""
        self._memory_store = memory_store

    def committed(self, events: Sequence[StoredEvent], positions: Sequence[int]) -> None:
        """Remember events that were just stored; compare first, if that is due.

        Only the committing thread calls this. It costs a statement only if a comparison is due.
        """
        if positions[0] <= self._position or self._passed() >= self._due:
            self.look()
        # A newer event must not take the place of one that was not compared yet.
        if self._is_compared:
            self._position = positions[-1]
            self._appended = positions[-1], events[-1]

    def suspect(self) -> None:
        """Let the next commit compare: another database may answer."""
        self._is_compared = False
        self._due = self._passed()

    def look(self) -> bool:
        """Compare the memory with the log, and record a loss.

        Returns False if the database does not answer.
        """
        self._due = self._passed() + LOOK_SECONDS
        try:
            with self._lock:
                self._look()
        except PersistenceError as error:
            self._is_compared = False
            self._complain(error)
            return False
        self._is_compared = True
        return True

    def follow(self) -> None:
        """Compare, remember the log's newest event, and store the memory.

        Raises the library's `PersistenceError`.
        """
        with self._lock:
            before = self._memory
            # Read the newest event before the older ones are compared. If another database answers
            # in between, this event is compared the next time.
            newest = self._store.events(max(0, self._store.newest_position() - 1), 1)
            is_whole = self._look()
            if is_whole and newest and newest[0].position > self._memory.position:
                mark = Mark.of(newest[0], self._store.about_now())
                self._memory = self._memory.with_mark(mark)
                self._position = max(self._position, mark.position)
            if self._memory != before:
                self.keep()

    def keep(self) -> None:
        """Store the memory for the next process, if this one has compared it with the log."""
        if self._memory_store and self._is_begun:
            self._memory_store.save(self._memory_now())

    def _look(self) -> bool:
        """Compare the memory with the log, and record a loss; return whether the log is whole."""
        if not self._is_begun:
            if self._memory_store:
                self._memory = self._memory_store.load()
            self._is_begun = True
        losses = frozenset(loss.id for loss in self._store.losses())
        memory = self._memory_now()
        is_whole = not memory.marks or self._is_in_log(memory.marks[-1])
        if not is_whole:
            memory = self._lost(memory)
            losses = frozenset(loss.id for loss in self._store.losses())
            self._appended = None
            self._position = memory.position
        self._memory = Memory(memory.marks, losses | memory.known)
        self._position = max(self._position, memory.position)
        return is_whole

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
        events = self._store.events(mark.position - 1, 1)
        return any(each.position == mark.position and each.leaf == mark.leaf for each in events)

    def _lost(self, memory: Memory) -> Memory:
        """Record a loss, unless another process did; return the memory without the lost events."""
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
            log.error("the log has lost its end: %s; see milepost losses list", loss.sentence())
        else:
            log.info(
                "another process has recorded what this one had seen, too: %s", loss.sentence()
            )
        return memory.up_to(loss.agreed_position)

    def _complain(self, error: PersistenceError) -> None:
        # The commits log that a database is away. Nothing else logs that a right is missing.
        if not self._has_complained and not isinstance(error, OperationalError | InterfaceError):
            self._has_complained = True
            log.warning("the end of the log cannot be watched: %s", error)

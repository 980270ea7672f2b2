"""Committing: one transaction reads, decides and appends what a batch of commands asks for.

1. Read the histories of jobs that no cache holds, before the transaction begins.
2. In the transaction, read what other processes wrote meanwhile, decide and append.
3. If the transaction failed before anything was decided, read afresh and try once more. A failure
   after that is the callers': the database may have stored the events.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from eventsourcing.persistence import PersistenceError

from domain.errors import StoreUnavailable
from domain.job.commands.contract import Command
from domain.log.lost_end.watch import EndWatch
from domain.log.mapper import JobEventMapper
from domain.log.recalling.recall import Folded, recall
from domain.log.recalling.recent_jobs import RecentJobs
from domain.log.store import JobStore, NothingDecided, TooMuchMissed, translated
from domain.writing.batch import Batch, Receipt
from domain.writing.commit_watch import CommitWatch, Trouble

log = logging.getLogger("milepost")

CACHED_BYTES = 48 * 2**20
"""About how many bytes the states of the cached jobs take at most, in each process that commits: of
jobs with one attempt of five steps, 17,000."""
OUTAGE_SECONDS = 60.0
"""How long no commit succeeds until jobs get time to be heard: as long as from one heartbeat to the
next."""


class Committing:
    """Commits batches to a store, whose newest events `end` watches.

    `passed` is a monotonic clock, in seconds.
    """

    def __init__(
        self,
        store: JobStore,
        mapper: JobEventMapper,
        end: EndWatch,
        passed: Callable[[], float],
    ) -> None:
        self._store = store
        self._mapper = mapper
        self._end = end
        self._passed = passed
        self._jobs = RecentJobs[Folded](CACHED_BYTES, Folded.weight)
        self._watch = CommitWatch(passed)
        self._failing_since: float | None = None
        self._listeners: list[Callable[[], None]] = []
        self._when_back: list[Callable[[datetime], None]] = []

    def when_committed(self, listener: Callable[[], None]) -> None:
        """Call the listener in the committing thread after every commit. It must return at once."""
        self._listeners.append(listener)

    def when_back(self, listener: Callable[[datetime], None]) -> None:
        """Call the listener after the first commit that follows `OUTAGE_SECONDS` without one.

        Callbacks were answered 503 meanwhile. It gets the time of the store's clock, runs in the
        committing thread, and may raise the library's `PersistenceError`: then it is called again.
        """
        self._when_back.append(listener)

    def trouble(self) -> Trouble | None:
        """Return why commits of this process do not succeed at present; None if they may."""
        try:
            self._store.check_place()
        except PersistenceError as error:
            self._watch.fail(error)
        return self._watch.trouble()

    def commit(self, commands: Sequence[Command]) -> Sequence[Receipt | Exception]:
        """Decide the commands in order, and store their events in one transaction.

        Return for each command its receipt, or the exception that refuses it. Raises
        `StoreUnavailable` if nothing could be stored. One thread at a time may call this.
        """
        self._watch.begin()
        try:
            return self._committed(commands)
        except (StoreUnavailable, PersistenceError) as error:
            self._watch.fail(error)
            raise
        finally:
            self._watch.end()

    def _committed(self, commands: Sequence[Command]) -> Sequence[Receipt | Exception]:
        began = self._passed()
        try:
            with translated():
                try:
                    batch, positions = self._attempt(commands)
                except TooMuchMissed:
                    # Only these jobs are stale; the cache of the other jobs stays right.
                    for command in commands:
                        self._jobs.forget(command.job_id)
                    batch, positions = self._attempt(commands)
                except NothingDecided:
                    # The connection was dead or the cache does not fit the database: after a
                    # failover, another database may answer, which lacks the newest events.
                    self._jobs.clear()
                    self._end.suspect()
                    batch, positions = self._attempt(commands)
        except StoreUnavailable:
            self._jobs.clear()
            self._end.suspect()
            if self._failing_since is None:
                self._failing_since = began
            raise
        self._watch.succeed()
        self._remember(batch.jobs)
        if positions:
            self._end.committed(batch.events, positions)
        self._end_outage(began, batch.now)
        if positions:
            for listener in self._listeners:
                listener()
        return batch.receipts(positions)

    def _end_outage(self, began: float, now: datetime | None) -> None:
        since = began if self._failing_since is None else self._failing_since
        if now and self._passed() - since > OUTAGE_SECONDS:
            try:
                for listener in self._when_back:
                    listener(now)
            except PersistenceError as error:
                self._failing_since = since
                log.warning("the end of an outage could not be noted: %s", error)
                return
        self._failing_since = None

    def _attempt(self, commands: Sequence[Command]) -> tuple[Batch, Sequence[int]]:
        batch = Batch(commands, self._jobs, self._mapper)
        cold = [job_id for job_id, version in batch.known.items() if version == 0]
        if cold:
            # Read histories before taking the write lock, so that no other process waits.
            batch.jobs.update(recall(self._store, cold, self._mapper))
        return batch, self._store.transact(batch.known, batch.names, batch.decide)

    def _remember(self, jobs: Mapping[str, Folded]) -> None:
        for job_id, folded in jobs.items():
            self._jobs.remember(job_id, folded)
        self._jobs.evict()

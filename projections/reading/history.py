"""History: the events with what they changed, and a job's state at any point in its history."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, TypeAlias

import msgspec
from eventsourcing.persistence import MapperDeserialisationError

from domain.job.events import JobEvent
from domain.log.bounded import is_full
from domain.log.mapper import JobEventMapper, decoded
from domain.log.reading.contract import NEWEST
from domain.log.store import translated
from domain.log.stored import Stored
from projections.folding.snapshots import EVERY
from projections.read_model.contract import ReadModel
from projections.reading.entries import Entry, JobState, Wanted, alone, audit
from projections.reading.time_travel import PointInHistory, checked, travel
from projections.reading.whole_errors import State, WholeErrors
from projections.views.instance import Instance
from projections.views.view import Views

SCANNED = 5_000
"""The most events that a page with a filter reads."""
EARLIEST = datetime.min.replace(tzinfo=UTC)
AFFORDED = 10_000
"""About the most earlier events that a page of the log folds to know the states of its jobs."""
PAGE_BYTES: Final = 1024 * 1024
"""A page ends after the event with which the stored states that it has read exceed this: an answer
waits in memory for as long as its client is slow."""
FIRST_READ: Final = 16
"""How many events a page reads at first: a refused callback may have 6 MiB, as JSON."""
READ_GROWTH: Final = 4
"""How many times as many events each further read of a page returns."""

Read: TypeAlias = Callable[[int, int], Sequence[Stored]]
"""Returns events after a version or a position, at most so many."""


class Page(msgspec.Struct, frozen=True):
    """Some events in order. The next page begins after `following`, if `more` is true.

    An empty page can have more after it, because a page reads a bounded number of events and bytes.
    """

    entries: Sequence[Entry]
    following: int
    more: bool


class History:
    """Answers from the events. Every method may raise `StoreUnavailable`."""

    def __init__(
        self,
        read_model: ReadModel,
        mapper: JobEventMapper,
        *,
        scanned: int = SCANNED,
        afforded: int = AFFORDED,
        page_bytes: int = PAGE_BYTES,
    ) -> None:
        self._read_model = read_model
        self._mapper = mapper
        self._scanned = scanned
        self._afforded = afforded
        self._page_bytes = page_bytes
        self._views = Views(mapper.cipher)
        self._whole_errors = WholeErrors(read_model.log, mapper)

    def instance(self, present: Instance, point: PointInHistory) -> Instance:
        """Return a job's instance at a point in its history; raise `NoSuchMoment`.

        `present` is the instance after the job's newest event.
        """
        until = checked(point, present).version or present.version
        if until == present.version and point.at is None:
            return present
        wanted = PointInHistory(until, point.at)
        view, job_id = self._views.instance, present.job_id
        with translated():
            return travel(view, job_id, wanted, self._read_model, self._mapper)

    def after(self, job_id: str, version: int) -> tuple[Entry, JobState]:
        """Return a job's event of that version, which it must have, and both views after it."""
        with translated():
            state = self._state(job_id, version - 1)
            [stored] = self._read_model.log.history(job_id, version - 1, limit=1)
            [(_, event)] = decoded([stored], self._mapper)
            return audit(state, stored, event, self._views, self._mapper)

    def alone(self, job_id: str, after: int, limit: int) -> Sequence[Entry]:
        """Return events after that version without folding the job, as `entries.alone` does.

        There are fewer than `limit` if the job has no more, or if these have many bytes.
        """
        with translated():
            stored = self._read_model.log.history(job_id, after, limit=limit)
            pairs = decoded(stored, self._mapper)
            return [alone(row, event, self._mapper) for row, event in pairs]

    def with_whole_errors(self, state: State) -> State:
        """Return a job's state with its errors whole, of which a state keeps head and tail."""
        with translated():
            return self._whole_errors.of(state)

    def of_job(self, job_id: str, after: int, limit: int, wanted: Wanted) -> Page:
        """Return the job's events after that version."""
        with translated():
            after = self._skipping(job_id, after, wanted)

            def read(after: int, most: int) -> Sequence[Stored]:
                return self._read_model.log.history(job_id, after, limit=most)

            return self._page(read, _version, after, limit, wanted)

    def of_all(self, after: int, limit: int, wanted: Wanted, user_id: str | None = None) -> Page:
        """Return events after that position; with a user, only events of the user's jobs.

        The rows say which jobs a user has. So a user's page ends at the read model's position.
        """
        with translated():
            read: Read = self._read_model.log.events
            if user_id is not None:
                read = partial(self._read_model.events_of, user_id)
            return self._page(read, _position, after, limit, wanted)

    def entries(self, job_id: str, wanted: Wanted) -> Iterator[Entry]:
        """Yield all events of the job, and read a page when its first event is needed."""
        page = Page((), 0, more=True)
        while page.more:
            page = self.of_job(job_id, page.following, self._scanned, wanted)
            yield from page.entries

    def _page(
        self,
        read: Read,
        number: Callable[[Stored], int],
        following: int,
        limit: int,
        wanted: Wanted,
    ) -> Page:
        entries: list[Entry] = []
        states: dict[str, JobState] = {}
        scanned = limit + 1 if wanted.everything else self._scanned
        seen = size = 0
        afforded = self._afforded
        for row, event in self._events(read, number, following, scanned):
            job_id, may_be = str(row.job_id), wanted.may_be(row, event)
            is_full = len(entries) == limit or size > self._page_bytes
            if is_full or (may_be and afforded <= 0):
                return Page(entries, following, more=True)
            following = number(row)
            seen += 1
            size += len(row.state)
            if job_id not in states:
                # Fold a job only if the page may show one of its events.
                if not may_be:
                    continue
                earlier = row.version - 1
                states[job_id] = self._state(job_id, earlier)
                afforded -= min(earlier, EVERY)
            entry, states[job_id] = audit(states[job_id], row, event, self._views, self._mapper)
            if may_be and wanted.admits(entry):
                entries.append(entry)
        return Page(entries, following, more=seen == scanned)

    def _events(
        self, read: Read, number: Callable[[Stored], int], after: int, left: int
    ) -> Iterator[tuple[Stored, JobEvent | MapperDeserialisationError]]:
        """Yield at most `left` events. Read few at first, because the page may end with them."""
        most = FIRST_READ
        while left > 0:
            stored = read(after, min(most, left))
            yield from decoded(stored, self._mapper)
            if not is_full(stored, min(most, left)):
                return
            after = number(stored[-1])
            left -= len(stored)
            most *= READ_GROWTH

    def _state(self, job_id: str, version: int) -> JobState:
        point, views = PointInHistory(version), self._views
        return JobState(
            travel(views.instance, job_id, point, self._read_model, self._mapper),
            travel(views.timeline, job_id, point, self._read_model, self._mapper),
        )

    def _skipping(self, job_id: str, after: int, wanted: Wanted) -> int:
        """Return the version to read after: skip the events up to a snapshot before `since`."""
        if wanted.since is None or wanted.since == EARLIEST:
            return after
        before = wanted.since - timedelta(microseconds=1)
        snapshot = self._read_model.snapshot(self._views.instance.name, job_id, NEWEST, before)
        return max(after, snapshot.version if snapshot else 0)


def _version(stored: Stored) -> int:
    return stored.version


def _position(stored: Stored) -> int:
    return stored.position

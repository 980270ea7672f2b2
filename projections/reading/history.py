"""History: what happened, event by event, and how a job stood at any moment of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from domain.log.mapper import JobEventMapper, decoded
from domain.log.reading.contract import NEWEST
from domain.log.store import translated
from domain.log.stored import Stored
from projections.folding.snapshots import EVERY
from projections.read_model.contract import ReadModel
from projections.reading.entries import Entry, Standing, Wanted, audit
from projections.reading.time_travel import Place, checked, travel
from projections.views.instance import Instance
from projections.views.view import Views

SCANNED = 5_000
"""How many events a page looks through at most when it is to show some of them only."""
EARLIEST = datetime.min.replace(tzinfo=UTC)
AFFORDED = 10_000
"""About how many events a page of the log reads at most to know how its jobs stood before it."""


class Page(msgspec.Struct, frozen=True):
    """Some events in order; `following` is what to go on after, `more` whether there is more.

    A page can be empty and have more: it looks through a bounded number of events.
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
    ) -> None:
        self._read_model = read_model
        self._mapper = mapper
        self._scanned = scanned
        self._afforded = afforded
        self._views = Views(mapper.cipher)

    def instance(self, present: Instance, place: Place) -> Instance:
        """Return a job's instance as it was at that place; raise `NoSuchMoment`.

        `present` is how it stands now.
        """
        until = checked(place, present).version or present.version
        if until == present.version and place.at is None:
            return present
        wanted = Place(until, place.at)
        view, job_id = self._views.instance, present.job_id
        with translated():
            return travel(view, job_id, wanted, self._read_model, self._mapper)

    def of_job(self, job_id: str, after: int, limit: int, wanted: Wanted) -> Page:
        """Return events of the job after that version."""
        with translated():
            after = self._skipping(job_id, after, wanted)
            scanned = limit + 1 if wanted.everything else self._scanned
            stored = self._read_model.log.history(job_id, after, limit=scanned)
            standings = {job_id: self._standing(job_id, after)} if stored else {}
            return self._page(stored, _version, after, limit, scanned, standings, wanted)

    def of_all(self, after: int, limit: int, wanted: Wanted, user_id: str | None = None) -> Page:
        """Return events after that position; with a user, those of their jobs.

        Whose a job is, is known as far as the read model goes, and so far the page goes.
        """
        with translated():
            scanned = limit + 1 if wanted.everything else self._scanned
            if user_id is None:
                stored = self._read_model.log.events(after, scanned)
            else:
                stored = self._read_model.events_of(user_id, after, scanned)
            return self._page(stored, _position, after, limit, scanned, {}, wanted)

    def entries(self, job_id: str, wanted: Wanted) -> Iterator[Entry]:
        """Return all events of the job, reading as they are asked for."""
        page = Page((), 0, more=True)
        while page.more:
            page = self.of_job(job_id, page.following, self._scanned, wanted)
            yield from page.entries

    def _page(
        self,
        stored: Sequence[Stored],
        number: Callable[[Stored], int],
        following: int,
        limit: int,
        scanned: int,
        standings: dict[str, Standing],
        wanted: Wanted,
    ) -> Page:
        entries: list[Entry] = []
        afforded = self._afforded
        for row, event in decoded(stored, self._mapper):
            job_id, may_be = str(row.job_id), wanted.may_be(row, event)
            if len(entries) == limit or (may_be and afforded <= 0):
                return Page(entries, following, more=True)
            following = number(row)
            if job_id not in standings:
                # A job is only folded once there is something to show of it.
                if not may_be:
                    continue
                earlier = row.version - 1
                standings[job_id] = self._standing(job_id, earlier)
                afforded -= min(earlier, EVERY)
            entry, standings[job_id] = audit(
                standings[job_id], row, event, self._views, self._mapper
            )
            if may_be and wanted.admits(entry):
                entries.append(entry)
        return Page(entries, following, more=len(stored) == scanned)

    def _standing(self, job_id: str, version: int) -> Standing:
        place, views = Place(version), self._views
        return Standing(
            travel(views.instance, job_id, place, self._read_model, self._mapper),
            travel(views.timeline, job_id, place, self._read_model, self._mapper),
        )

    def _skipping(self, job_id: str, after: int, wanted: Wanted) -> int:
        """Return the version to go on after: nothing up to a snapshot before `since` is wanted."""
        if wanted.since is None or wanted.since == EARLIEST:
            return after
        before = wanted.since - timedelta(microseconds=1)
        kept = self._read_model.snapshot(self._views.instance.name, job_id, NEWEST, before)
        return max(after, kept.version if kept else 0)


def _version(stored: Stored) -> int:
    return stored.version


def _position(stored: Stored) -> int:
    return stored.position

"""Exporting events, all or a selection, in order of position and in small batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from domain.evidence.merkle import Frontier
from domain.job.events import JobQueued, Time
from domain.log.mapper import JobEventMapper
from domain.log.store import JobStore
from domain.log.stored import Stored
from domain.transfer.jsonl import CannotOpen, Portable, as_stored, unsealed
from domain.transfer.manifest import Manifest, Root

BATCH = 1000
"""At most this many events are in memory at a time."""


class Selection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which events to export; None does not filter.

    `user_id` is the owner of the job. `recorded_at` is at or after `since` and before `until`. Both
    positions are inclusive.
    """

    job_id: str | None = None
    user_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    from_position: int | None = None
    to_position: int | None = None

    @property
    def filters(self) -> dict[str, Any]:
        """The filters that are set, as the manifest contains them."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


class _Recorded(msgspec.Struct):
    recorded_at: Time


_recorded = msgspec.json.Decoder(_Recorded)


class Export:
    """One pass over a log up to a position, and afterwards the manifest of what it exported."""

    def __init__(
        self,
        store: JobStore,
        mapper: JobEventMapper,
        selection: Selection,
        stop: int,
        *,
        sealed: bool = False,
    ) -> None:
        self._store, self._mapper = store, mapper
        self._selection = selection
        self._sealed = sealed and mapper.seals
        self.first = selection.from_position or 1
        self.stop = min(stop, selection.to_position or stop)
        self._tree = None if selection.filters else Frontier()
        self._events = self._begun = 0
        self._jobs: set[str] = set()
        self._positions: tuple[int, int] | None = None

    @property
    def decrypted(self) -> bool:
        """True when the store is encrypted and the export is not."""
        return bool(self._mapper.cipher) and not self._sealed

    def batches(self) -> Iterator[tuple[int, Sequence[Portable]]]:
        """Yield the position up to which the log is read, and the selected events of that part.

        Raises `CannotOpen` for an event that cannot be decrypted or decompressed or has no time.
        """
        wanted = self._wanted()
        after = self.first - 1
        while after < self.stop:
            found = self._store.events(after, BATCH, self.stop)
            if not found:
                return
            after = found[-1].position
            yield after, self._counted([each for each in found if wanted(each)])

    def manifest(self, milepost_version: str, made_at: datetime, **file: Any) -> Manifest:
        """Return the manifest of what was exported; `file` has format, length and digest."""
        first, last = self._positions or (None, None)
        return Manifest(
            **file,
            milepost_version=milepost_version,
            made_at=made_at,
            complete=self._tree is not None,
            filters=self._selection.filters,
            first_position=first,
            last_position=last,
            events=self._events,
            jobs=len(self._jobs) if self._tree is None else self._begun,
            sealed=self._sealed,
            decrypted=self.decrypted,
            decompressed=bool(self._mapper.compressor) and not self._sealed,
            merkle=Root.of(self._tree) if self._tree else None,
            signed=False,
        )

    def _counted(self, stored: Sequence[Stored]) -> list[Portable]:
        if not stored:
            return []
        self._events += len(stored)
        self._positions = (self._positions or (stored[0].position,))[0], stored[-1].position
        if self._tree is None:
            self._jobs.update(str(each.job_id) for each in stored)
        else:
            # A whole log contains every job's first event, so count those and store no ids.
            self._begun += sum(each.version == 1 for each in stored)
            self._tree = self._tree.grown(each.leaf for each in stored)
        carried = as_stored if self._sealed else unsealed
        return [carried(each, self._mapper) for each in stored]

    def _wanted(self) -> Callable[[Stored], bool]:
        jobs = self._jobs_wanted()
        since, until = self._selection.since, self._selection.until

        def wanted(stored: Stored) -> bool:
            if jobs is not None and stored.job_id not in jobs:
                return False
            if since is None and until is None:
                return True
            recorded_at = self._recorded_at(stored)
            return (since is None or since <= recorded_at) and (
                until is None or recorded_at < until
            )

        return wanted

    def _jobs_wanted(self) -> set[str] | None:
        job_id, user_id = self._selection.job_id, self._selection.user_id
        if user_id is None:
            return None if job_id is None else {job_id}
        return {found for found in self._jobs_of(user_id) if job_id is None or found == job_id}

    def _jobs_of(self, user_id: str) -> Iterator[str]:
        # The log says it, because the read model may be behind. This pass comes before the export,
        # because a job's callbacks may precede its registration.
        topics = self._mapper.shapes.topics([JobQueued])
        after = 0
        while found := self._store.events(after, BATCH, self.stop, topics):
            after = found[-1].position
            for stored in found:
                fact = self._mapper.read(stored).fact
                if isinstance(fact, JobQueued) and fact.user_id == user_id:
                    yield str(stored.job_id)

    def _recorded_at(self, stored: Stored) -> datetime:
        try:
            return _recorded.decode(unsealed(stored, self._mapper).state).recorded_at
        except msgspec.MsgspecError as error:
            raise CannotOpen(
                f"The event at position {stored.position} has no time: {error}."
            ) from error

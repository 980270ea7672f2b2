"""The event store in memory: for tests, and as the shortest reading of the contract."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import chain

import msgspec
from eventsourcing import popo
from eventsourcing.persistence import (
    ApplicationRecorder,
    IntegrityError,
    StoredEvent,
)

from domain.job.keys.key import Key
from domain.log.bounded import within_bytes
from domain.log.clock import utc_now
from domain.log.lost_end.memory import MemoryLosses
from domain.log.reading.contract import NEWEST, Recalled, pages_of
from domain.log.recalling.snapshots import Snapshot
from domain.log.store import MAX_TAIL, Append, Filling, Found, StoreNotEmpty
from domain.log.stored import Stored
from domain.log.vouching.local import LocalVouching


class MemoryRecorder(LocalVouching, MemoryLosses, popo.POPOApplicationRecorder):
    """Store events, keys and snapshots in lists and dictionaries under one lock."""

    def __init__(self) -> None:
        super().__init__()
        self.clock: Callable[[], datetime] | None = None
        self._keys: dict[str, Key] = {}
        self._snapshots: dict[str, Snapshot] = {}

    def now(self) -> datetime:
        """See `JobStore.now`."""
        return (self.clock or utc_now)()

    about_now = now

    def read_clock(self) -> None:
        """Do nothing: this store has the clock of its host."""

    def check_place(self) -> None:
        """Do nothing: memory has no path."""

    def create_table(self) -> None:
        """Do nothing: memory has no tables."""

    def transact(
        self,
        known: Mapping[str, int],
        names: Collection[str],
        decide: Callable[[Found], Append],
    ) -> Sequence[int]:
        """See `JobStore.transact`."""
        with self._database_lock:
            tail = self._tail(known)[: MAX_TAIL + 1]
            append = decide(
                Found(
                    tail,
                    {name: self._located(name) for name in names if name in self._keys},
                    self.now(),
                )
            )
            if not append.events:
                return ()
            positions = self.insert_events(append.events)
            for name, job_id in append.releases:
                if name in self._keys and self._keys[name].job_id == job_id:
                    del self._keys[name]
            for key in append.claims:
                self._keys.setdefault(key.name, key)
            for key in append.pointers:
                self._keys[key.name] = key
            for snapshot in append.snapshots:
                self._snapshots[snapshot.job_id] = snapshot
            return positions or ()

    @contextmanager
    def filling(self) -> Iterator[Filling]:
        """See `JobStore.filling`. In memory a position is an index in a list, so it has no gaps."""
        with self._database_lock:
            if events := len(self._stored_events):
                raise StoreNotEmpty.of(events)
            filling = MemoryRecorder()
            yield filling
            self._stored_events = filling._stored_events
            self._stored_events_index = filling._stored_events_index
            self._keys, self._snapshots = filling._keys, filling._snapshots
        self._notify_listeners()

    def append(
        self,
        events: Sequence[Stored],
        claims: Sequence[Key] = (),
        pointers: Sequence[Key] = (),
        snapshots: Sequence[Snapshot] = (),
    ) -> None:
        """See `Filling.append`."""
        free = [len(self._stored_events) + number for number, _ in enumerate(events, start=1)]
        if free != [event.position for event in events]:
            raise IntegrityError("there are no gaps between positions in memory")
        self._insert_events([StoredEvent(e.job_id, e.version, e.topic, e.state) for e in events])
        for key in claims:
            self._keys.setdefault(key.name, key)
        for key in pointers:
            self._keys[key.name] = key
        for snapshot in snapshots:
            self._snapshots[snapshot.job_id] = snapshot

    def newest_position(self) -> int:
        """See `Log.newest_position`."""
        return self.max_notification_id() or 0

    def events(
        self, after: int, limit: int, until: int = NEWEST, topics: Sequence[str] = ()
    ) -> Sequence[Stored]:
        """See `Log.events`."""
        return within_bytes(self._events(after, limit, until, topics))

    def _events(
        self, after: int, limit: int, until: int = NEWEST, topics: Sequence[str] = ()
    ) -> list[Stored]:
        with self._database_lock:
            rows = self.select_notifications(after, limit, until, topics, inclusive_of_start=False)
            return [
                Stored(e.id, str(e.originator_id), e.originator_version, e.topic, bytes(e.state))
                for e in rows
            ]

    def history(
        self, job_id: str, after: int = 0, until: int = NEWEST, limit: int = NEWEST
    ) -> Sequence[Stored]:
        """See `Recalling.history`."""
        with self._database_lock:
            index = self._stored_events_index[job_id]
            rows = self.select_events(job_id, gt=after, lte=until)[:limit]
            return within_bytes(
                Stored(
                    index[e.originator_version] + 1, job_id, e.originator_version, e.topic, e.state
                )
                for e in rows
            )

    def histories(
        self, after: tuple[str, int], limit: int, until: int = NEWEST
    ) -> Sequence[Stored]:
        """See `Log.histories`."""
        later = [e for e in self._events(0, NEWEST, until) if (e.job_id, e.version) > after]
        ordered = sorted(later, key=lambda event: (event.job_id, event.version))
        return within_bytes(ordered[:limit])

    def event(self, job_id: str, version: int) -> Stored | None:
        """See `Log.event`."""
        return next(iter(self.history(job_id, version - 1, version)), None)

    def count(self, upto: int) -> int:
        """See `Log.count`."""
        return len(self._events(0, NEWEST, upto))

    def recall(self, job_ids: Collection[str]) -> Recalled:
        """See `JobStore.recall`."""
        with self._database_lock:
            snapshots = [
                snapshot
                for job_id in job_ids
                if (snapshot := self._snapshots.get(job_id))
                and snapshot.version in self._stored_events_index[job_id]
            ]
            known = dict.fromkeys(job_ids, 0)
            known |= {snapshot.job_id: snapshot.version + 1 for snapshot in snapshots}
            return Recalled(snapshots, self._tail(known))

    def _tail(self, known: Mapping[str, int]) -> Sequence[Stored]:
        tail: list[Stored] = []
        for job_id, version in known.items():
            tail += chain.from_iterable(pages_of(self.history, job_id, version - 1))
        return tail

    def key(self, name: str) -> Key | None:
        """Return the key with this name and the position of its event; None without one."""
        with self._database_lock:
            return self._located(name) if name in self._keys else None

    def _located(self, name: str) -> Key:
        key = self._keys[name]
        index = self._stored_events_index[key.job_id][key.version]
        return msgspec.structs.replace(key, position=index + 1)


class Factory(popo.POPOFactory):
    """Makes recorders in memory."""

    def application_recorder(self) -> ApplicationRecorder:
        """Return a new, empty store."""
        return MemoryRecorder()

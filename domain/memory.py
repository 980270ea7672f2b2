"""The event store in memory: for tests, and as the shortest reading of the contract."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec
from eventsourcing import popo
from eventsourcing.persistence import ApplicationRecorder, StoredEvent

from domain.keys import Key
from domain.store import Append, Found


class MemoryRecorder(popo.POPOApplicationRecorder):
    """Keep events and keys in dictionaries under one lock."""

    def __init__(self) -> None:
        super().__init__()
        self._keys: dict[str, Key] = {}

    def create_table(self) -> None:
        """Do nothing: there are no tables."""

    def transact(
        self,
        known: Mapping[str, int],
        names: Collection[str],
        decide: Callable[[Found], Append],
    ) -> Sequence[int]:
        """See `JobStore.transact`."""
        with self._database_lock:
            tail = self.tail(known)
            append = decide(
                Found(tail, {name: self._located(name) for name in names if name in self._keys})
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
            return positions or ()

    def tail(self, known: Mapping[str, int]) -> Sequence[StoredEvent]:
        """See `JobStore.tail`."""
        tail: list[StoredEvent] = []
        for job_id, version in known.items():
            tail += self.select_events(job_id, gt=version)
        return tail

    def key(self, name: str) -> Key | None:
        """Return a key as it stands."""
        with self._database_lock:
            return self._located(name) if name in self._keys else None

    def _located(self, name: str) -> Key:
        key = self._keys[name]
        index = self._stored_events_index[key.job_id][key.version]
        return msgspec.structs.replace(key, position=index + 1)


class Factory(popo.POPOFactory):
    """Make in-memory recorders."""

    def application_recorder(self) -> ApplicationRecorder:
        """Return a store of its own."""
        return MemoryRecorder()

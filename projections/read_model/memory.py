"""The read model in memory: for tests, and as the shortest reading of the contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import takewhile
from threading import Event, Lock, RLock

from domain.job.keys.key import agent_key
from domain.log.bounded import within_bytes
from domain.log.memory import MemoryRecorder
from domain.log.stored import Stored
from projections.read_model.bounded import within_bytes as within_row_bytes
from projections.read_model.contract import SHAPE, PositionMoved, WakeUps
from projections.read_model.filters import AttentionFilter, JobFilter
from projections.read_model.machines import MOST_USES, MachineRow, MachineUse, MachineUses
from projections.read_model.rows import (
    Changes,
    DueRow,
    Edition,
    InstanceRow,
    Row,
    SetAside,
    ViewSnapshot,
)
from projections.read_model.sightings import MAX_SIGHTED, MAX_SIGHTED_BYTES, Sighting


class MemoryReadModel:
    """Store rows in dictionaries under the event store's lock.

    The rows end with the process, so they never have another shape, and no rebuild is needed.
    """

    def __init__(self, recorder: MemoryRecorder, shape: str = SHAPE) -> None:
        self.shape = shape
        self.log = recorder
        self._lock: RLock = recorder._database_lock
        self._projecting = Lock()
        self._woken = Event()
        self._followers: list[Event] = []
        self._position = 0
        self._notes: dict[str, str] = {}
        self._instances: dict[str, InstanceRow] = {}
        self._timelines: dict[str, Row] = {}
        self._set_aside: dict[tuple[int, str], SetAside] = {}
        self._snapshots: dict[tuple[str, str, int], ViewSnapshot] = {}
        self._machines: set[MachineRow] = set()

    def prepare(self) -> None:
        """Do nothing: memory has no tables."""

    def edition(self) -> Edition:
        """See `ReadModel.edition`."""
        return Edition(self.shape, 0)

    def rebuilt_position(self) -> int | None:
        """See `ReadModel.rebuilt_position`."""
        return None

    def position(self) -> int:
        """See `ReadModel.position`."""
        return self._position

    def documents(self, view: str, job_ids: Sequence[str]) -> Mapping[str, str]:
        """See `ReadModel.documents`."""
        with self._lock:
            rows = self._rows(view)
            found = within_row_bytes(rows[job_id] for job_id in job_ids if job_id in rows)
            return {row.job_id: row.document for row in found}

    def apply(self, changes: Changes) -> None:
        """See `ReadModel.apply`."""
        with self._lock:
            if self._position != changes.since:
                raise PositionMoved
            self._position = changes.position
            self._instances |= {row.job_id: row for row in changes.instances}
            self._timelines |= {row.job_id: row for row in changes.timelines}
            for event_and_view, event in list(self._set_aside.items()):
                if event.job_id in changes.tried_again:
                    del self._set_aside[event_and_view]
            for job_view_version in list(self._snapshots):
                if job_view_version[0] in changes.tried_again:
                    del self._snapshots[job_view_version]
            self._snapshots |= {(s.job_id, s.view, s.version): s for s in changes.snapshots}
            self._set_aside |= {(event.position, event.view): event for event in changes.set_aside}
            if anew := {*changes.tried_again, *changes.machines_anew}:
                self._machines = {row for row in self._machines if row.job_id not in anew}
            self._machines.difference_update(changes.machines_given_up)
            self._machines.update(changes.machines)

    def sight(self, view: str, job_id: str) -> Sighting:
        """See `ReadModel.sight`."""
        with self._lock:
            row = self._rows(view).get(job_id)
            after = row.version if row else 0
            tail = self.log.history(job_id, after, limit=MAX_SIGHTED)
            fits = list(takewhile(lambda event: len(event.state) <= MAX_SIGHTED_BYTES, tail))
            more = len(fits) < len(tail) or len(fits) == MAX_SIGHTED
            return Sighting(job_id, row.document if row else None, fits, more)

    def snapshot(
        self, view: str, job_id: str, until: int, recorded_by: datetime | None = None
    ) -> ViewSnapshot | None:
        """See `ReadModel.snapshot`."""
        with self._lock:
            usable = [
                snapshot
                for snapshot in self._snapshots.values()
                if (snapshot.job_id, snapshot.view) == (job_id, view)
                and snapshot.version <= until
                and (recorded_by is None or snapshot.recorded_at <= recorded_by)
            ]
        return max(usable, key=lambda snapshot: snapshot.version, default=None)

    def events_of(self, user_id: str, after: int, limit: int) -> Sequence[Stored]:
        """See `ReadModel.events_of`."""
        with self._lock:
            own = {row.job_id for row in self._instances.values() if row.user_id == user_id}
            found: list[Stored] = []
            while events := self.log.events(after, limit, self._position):
                after = events[-1].position
                found += [event for event in events if event.job_id in own]
            return within_bytes(found[:limit])

    def sight_agents(self, agent_ids: Sequence[str]) -> Sequence[Sighting | None]:
        """See `ReadModel.sight_agents`."""
        with self._lock:
            keys = [self.log.key(agent_key(agent_id)) for agent_id in agent_ids]
            return [self.sight("instances", key.job_id) if key else None for key in keys]

    def instances(self, wanted: JobFilter) -> Sequence[Row]:
        """See `ReadModel.instances`."""
        matching = sorted(self._matching(wanted), key=lambda row: -row.first_position)
        return [_row(row) for row in within_row_bytes(matching[: wanted.limit])]

    def _matching(self, wanted: JobFilter) -> list[InstanceRow]:
        with self._lock:
            return [
                row
                for row in self._instances.values()
                if wanted.agent_id in (None, row.agent_id)
                and wanted.user_id in (None, row.user_id)
                and wanted.status in (None, row.status)
                and (wanted.before is None or row.first_position < wanted.before)
            ]

    def uses_of(self, machines: Collection[str]) -> MachineUses | None:
        """See `ReadModel.uses_of`."""
        with self._lock:
            found: list[MachineUse] = []
            for machine in sorted(machines):
                its_own = sorted(row.job_id for row in self._machines if row.machine == machine)
                found += [
                    MachineUse(machine, job_id, self._instances[job_id].user_id)
                    for job_id in its_own[:MOST_USES]
                    if job_id in self._instances
                ]
            return MachineUses(self._position, found)

    def last_run(self, workflow: str) -> Row | None:
        """See `ReadModel.last_run`."""
        with self._lock:
            its_own = [row for row in self._instances.values() if row.workflow == workflow]
        last = max(its_own, key=lambda row: row.first_position, default=None)
        return _row(last) if last else None

    def count(self, wanted: JobFilter) -> int:
        """See `ReadModel.count`."""
        return len(self._matching(wanted)[: wanted.limit])

    def attention(self, wanted: AttentionFilter) -> Sequence[Row]:
        """See `ReadModel.attention`."""
        with self._lock:
            matching = [
                (row.attention_rank, row.first_position, row)
                for row in self._instances.values()
                if row.attention_rank is not None
                and row.attention_from is not None
                and row.attention_from <= wanted.now
                and wanted.agent_id in (None, row.agent_id)
                and wanted.user_id in (None, row.user_id)
                and wanted.status in (None, row.status)
                and (
                    wanted.after is None or (row.attention_rank, row.first_position) > wanted.after
                )
            ]
        matching.sort(key=lambda found: found[:2])
        page = [row for *_, row in matching[: wanted.limit]]
        return [_row(row) for row in within_row_bytes(page)]

    def attention_counts(self, now: datetime) -> Mapping[int, int]:
        """See `ReadModel.attention_counts`."""
        with self._lock:
            return Counter(
                row.attention_rank
                for row in self._instances.values()
                if row.attention_rank is not None
                and row.attention_from is not None
                and row.attention_from <= now
            )

    def counts(self) -> Mapping[str, int]:
        """See `ReadModel.counts`."""
        with self._lock:
            return Counter(row.status for row in self._instances.values())

    def due(self, before: datetime, after: DueRow | None, limit: int) -> Sequence[DueRow]:
        """See `ReadModel.due`."""
        with self._lock:
            found = [
                DueRow(row.job_id, row.version, row.document, row.look_at)
                for row in self._instances.values()
                if row.look_at and row.due_at and row.due_at < before
            ]
        found.sort(key=_place)
        following = [row for row in found if after is None or _place(row) > _place(after)]
        return within_row_bytes(following[:limit])

    def provisioning(self) -> int:
        """See `ReadModel.provisioning`."""
        return self.counts().get("provisioning", 0)

    def silent(self, until: datetime, since: datetime | None = None) -> int:
        """See `ReadModel.silent`."""
        with self._lock:
            return sum(
                (since is None or row.unresponsive_at > since) and row.unresponsive_at <= until
                for row in self._instances.values()
                if row.unresponsive_at
            )

    def set_aside(self, limit: int = 100) -> Sequence[SetAside]:
        """See `ReadModel.set_aside`."""
        with self._lock:
            newest = sorted(self._set_aside, reverse=True)[:limit]
            return [self._set_aside[event_and_view] for event_and_view in newest]

    def note(self, name: str) -> str | None:
        """See `ReadModel.note`."""
        return self._notes.get(name)

    def keep_note(self, name: str, text: str) -> None:
        """See `ReadModel.keep_note`."""
        self._notes[name] = text

    def wake(self) -> None:
        """See `ReadModel.wake`."""
        self._woken.set()
        for woken in tuple(self._followers):
            woken.set()

    @contextmanager
    def wake_ups(self) -> Iterator[WakeUps]:
        """See `ReadModel.wake_ups`."""
        woken = Event()
        self._followers.append(woken)
        try:
            yield _WakeUps(woken)
        finally:
            self._followers.remove(woken)

    @contextmanager
    def projector_lock(self) -> Iterator[WakeUps | None]:
        """See `ReadModel.projector_lock`."""
        if not self._projecting.acquire(blocking=False):
            yield None
            return
        try:
            yield _WakeUps(self._woken)
        finally:
            self._projecting.release()

    def _rows(self, view: str) -> Mapping[str, InstanceRow] | Mapping[str, Row]:
        return self._instances if view == "instances" else self._timelines


def _row(row: InstanceRow) -> Row:
    return Row(row.job_id, row.version, row.document)


def _place(row: DueRow) -> tuple[datetime, str]:
    return row.look_at, row.job_id


class _WakeUps:
    def __init__(self, woken: Event) -> None:
        self._woken = woken
        self._is_interrupted = False

    def wait(self, seconds: float) -> None:
        """See `WakeUps.wait`."""
        self._woken.wait(seconds)
        if not self._is_interrupted:
            self._woken.clear()

    def interrupt(self) -> None:
        """See `WakeUps.interrupt`."""
        self._is_interrupted = True
        self._woken.set()

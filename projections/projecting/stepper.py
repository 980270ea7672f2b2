"""One step of the projector: read events in batches, fold them, commit rows and position."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import islice

import msgspec

from domain.log.bounded import is_full
from domain.log.reading.contract import pages_of
from domain.log.recalling.recent_jobs import RecentJobs
from domain.log.store import JobStore
from domain.log.stored import Stored
from projections.folding.job_fold import Folded, JobFold, New
from projections.folding.weight import weight
from projections.read_model.bounded import read_of
from projections.read_model.contract import ReadModel
from projections.read_model.rows import SetAside, ViewSnapshot

log = logging.getLogger("milepost.projector")

BATCH = 10_000
"""How many events one read of the log returns at most."""
BATCHES = 4
"""How many batches one step folds at most before it writes the rows. Of a job that occurs in
several batches, it writes only the last state."""
RETRIED = 1000
"""How many of the events that were set aside are tried again at most."""
JOBS_AT_ONCE = 2_000
"""Events of at most this many jobs are folded at once, because their rows may have to be read."""
HELD_BYTES = 16 * 2**20
"""A step takes no further job once the states that it holds take about this many bytes."""
REMEMBERED_BYTES = 32 * 2**20
"""About how many bytes of jobs' states are remembered from one step to the next."""


class Stepper:
    """Fold the events after a read model's position into its rows; remember the jobs' states."""

    def __init__(
        self,
        store: JobStore,
        read_model: ReadModel,
        fold: JobFold,
        *,
        batch: int = BATCH,
        batches: int = BATCHES,
        jobs_at_once: int = JOBS_AT_ONCE,
        held_bytes: int = HELD_BYTES,
    ) -> None:
        self._store = store
        self._read_model = read_model
        self._fold = fold
        self.batch = batch
        self._batches = batches
        self._jobs_at_once = jobs_at_once
        self._held_bytes = held_bytes
        self._remembered = RecentJobs[Folded](REMEMBERED_BYTES, weight)
        self._remembered_at = 0
        self._generation = 0
        self._unfolded: Sequence[Stored] = ()
        self._read_is_full = False
        self.is_behind = False
        """True when the last step ended at a bound, so that more events may follow."""

    def begin(self) -> None:
        """Forget the remembered states, and go on from the read model's present position."""
        # While another projector held the lock, it may have folded rows anew without moving the
        # position.
        self._remembered.clear()
        self._unfolded = ()
        # The generation is read before any row: if a rebuild replaces the tables after this line,
        # `apply` fails, and the projector gives the lock back.
        self._generation = self._read_model.edition().generation

    def is_of_these_tables(self) -> bool:
        """Tell whether the served tables are still those that `begin` found."""
        return self._read_model.edition().generation == self._generation

    def step(self) -> int:
        """Fold the next events and write their rows; return how many events that was.

        Raises `PositionMoved` if another process has moved the read model's position.
        """
        # The position is not read again while states are remembered: if another process has moved
        # it, `apply` fails.
        since = self._remembered_at if self._remembered else self._read_model.position()
        position, count, new, room = since, 0, New(), self._held_bytes
        for _ in range(self._batches):
            events = self._unfolded
            if not events:
                events = self._store.events(position, self.batch)
                self._read_is_full = is_full(events, self.batch)
            folded = self._fold_in(events, new, room)
            if folded:
                position, count = events[folded - 1].position, count + folded
            self._unfolded = events[folded:]
            self.is_behind = bool(self._unfolded) or self._read_is_full
            # A step that keeps up ends here, and need not weigh what it holds.
            if not self.is_behind or (room := self._held_bytes - _held(new)) <= 0:
                break
        if count:
            self._read_model.apply(self._fold.changes(since, position, new, self._generation))
            self._remember(position, new)
        return count

    def try_again(self) -> None:
        """Fold the jobs anew that have events set aside: this release may understand them.

        Their rows are written once the states that are held take about `held_bytes`.
        """
        job_ids = sorted({event.job_id for event in self._read_model.set_aside(RETRIED)})
        if not job_ids:
            return
        log.info("folding %d jobs anew whose events had been set aside", len(job_ids))
        position, new, folded, held = self._read_model.position(), New(), list[str](), 0
        for job_id in job_ids:
            states, snapshots = self._fold.beginning(job_id), len(new.snapshots)
            for page in pages_of(self._store.history, job_id):
                states = self._fold_on(states, page, new)
            folded.append(job_id)
            held += weight(states) + _length(new.snapshots[snapshots:])
            if held >= self._held_bytes:
                self._write_anew(position, new, folded)
                new, folded, held = New(), [], 0
        if folded:
            self._write_anew(position, new, folded)

    def _write_anew(self, position: int, new: New, job_ids: Sequence[str]) -> None:
        changes = self._fold.changes(position, position, new, self._generation)
        self._read_model.apply(msgspec.structs.replace(changes, tried_again=job_ids))

    def _fold_in(self, events: Sequence[Stored], new: New, room: int) -> int:
        """Fold the first events, of a bounded number of jobs; return how many that was.

        There are at most `jobs_at_once` jobs, and those that have to be read take about `room`
        bytes.
        """
        job_ids = dict.fromkeys(str(event.job_id) for event in events)
        beginnings = self._beginnings(list(islice(job_ids, self._jobs_at_once)), new, room)
        by_job: dict[str, list[Stored]] = {job_id: [] for job_id in beginnings}
        folded = 0
        for event in events:
            if (history := by_job.get(str(event.job_id))) is None:
                break
            history.append(event)
            folded += 1
        for job_id, history in by_job.items():
            self._fold_on(beginnings[job_id], history, new)
        return folded

    def _fold_on(self, before: Folded, events: Sequence[Stored], new: New) -> Folded:
        job_id = before[0].job_id
        if job_id not in new.states:
            new.runs_before[job_id] = before[0].runs
            if before[0].version >= events[0].version:  # from its history, and not from its row
                new.unreadable.add(job_id)
        after = self._fold.folded(before, events, new.set_aside)
        new.snapshots += self._fold.snapshots(before, after)
        new.states[job_id] = after
        return after

    def _beginnings(self, job_ids: Sequence[str], new: New, room: int) -> dict[str, Folded]:
        """Return the states of the first of these jobs, up to the one that fills the room.

        They are from this step, remembered ones, or from the jobs' rows.
        """
        known = {
            job_id: states
            for job_id in job_ids
            if (states := new.states.get(job_id) or self._remembered.get(job_id))
        }
        documents = self._documents([job_id for job_id in job_ids if job_id not in known])
        beginnings: dict[str, Folded] = {}
        for job_id in job_ids:
            if room <= 0 or (job_id not in known and job_id not in documents):
                break
            states = known.get(job_id) or self._loaded(job_id, *documents[job_id], new.set_aside)
            beginnings[job_id] = states
            if job_id not in known:  # what is known is in memory, and has a bound of its own
                room -= weight(states)
        return beginnings

    def _documents(self, job_ids: Sequence[str]) -> dict[str, tuple[str | None, str | None]]:
        """Return both documents of the first of these jobs, as many as two reads return."""
        if not job_ids:
            return {}
        views = self._fold.views
        instances = self._read_model.documents(views.instance.name, job_ids)
        job_ids = read_of(job_ids, instances)
        timelines = self._read_model.documents(views.timeline.name, job_ids)
        job_ids = read_of(job_ids, timelines)
        return {job_id: (instances.get(job_id), timelines.get(job_id)) for job_id in job_ids}

    def _loaded(
        self, job_id: str, instance: str | None, timeline: str | None, set_aside: list[SetAside]
    ) -> Folded:
        history = partial(pages_of, self._store.history)
        return self._fold.loaded(job_id, instance, timeline, history, set_aside)

    def _remember(self, position: int, new: New) -> None:
        self._remembered_at = position
        for job_id, states in new.states.items():
            self._remembered.remember(job_id, states)
        self._remembered.evict()


def _held(new: New) -> int:
    """Return about how many bytes the states and snapshots take that are not written yet."""
    return sum(map(weight, new.states.values())) + _length(new.snapshots)


def _length(snapshots: Iterable[ViewSnapshot]) -> int:
    return sum(len(snapshot.document) for snapshot in snapshots)

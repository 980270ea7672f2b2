"""One step of the projector: read events in batches, fold them, commit rows and position."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from functools import partial

import msgspec

from domain.log.bounded import is_full
from domain.log.reading.contract import pages_of
from domain.log.recalling.recent_jobs import RecentJobs
from domain.log.store import JobStore
from domain.log.stored import Stored
from projections.folding.job_fold import Folded, JobFold, New
from projections.folding.weight import weight
from projections.read_model.contract import ReadModel
from projections.read_model.rows import SetAside

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
"""A step reads no further batch once the states that it holds take about this many bytes."""
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
    ) -> None:
        self._store = store
        self._read_model = read_model
        self._fold = fold
        self.batch = batch
        self._batches = batches
        self._jobs_at_once = jobs_at_once
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
        position, count, new = since, 0, New()
        for _ in range(self._batches):
            events = self._unfolded
            if not events:
                events = self._store.events(position, self.batch)
                self._read_is_full = is_full(events, self.batch)
            folded = self._fold_in(events, new)
            if folded:
                position, count = events[folded - 1].position, count + folded
            self._unfolded = events[folded:]
            self.is_behind = bool(self._unfolded) or self._read_is_full
            # A step that keeps up ends here, and need not weigh what it holds.
            if not self.is_behind or sum(map(weight, new.states.values())) >= HELD_BYTES:
                break
        if count:
            self._read_model.apply(self._fold.changes(since, position, new, self._generation))
            self._remember(position, new)
        return count

    def try_again(self) -> None:
        """Fold the jobs anew that have events set aside: this release may understand them."""
        job_ids = sorted({event.job_id for event in self._read_model.set_aside(RETRIED)})
        if job_ids:
            log.info("folding %d jobs anew whose events had been set aside", len(job_ids))
            position, new = self._read_model.position(), New()
            for job_id in job_ids:
                states = self._fold.beginning(job_id)
                for page in pages_of(self._store.history, job_id):
                    states = self._fold_on(states, page, new)
            changes = self._fold.changes(position, position, new, self._generation)
            self._read_model.apply(msgspec.structs.replace(changes, tried_again=job_ids))

    def _fold_in(self, events: Sequence[Stored], new: New) -> int:
        """Fold the first events, of at most `jobs_at_once` jobs; return how many that was."""
        by_job: dict[str, list[Stored]] = {}
        folded = 0
        for event in events:
            job_id = str(event.job_id)
            if job_id in by_job:
                by_job[job_id].append(event)
            elif len(by_job) < self._jobs_at_once:
                by_job[job_id] = [event]
            else:
                break
            folded += 1
        beginnings = self._beginnings(by_job, new)
        for states, history in zip(beginnings, by_job.values(), strict=True):
            self._fold_on(states, history, new)
        return folded

    def _fold_on(self, before: Folded, events: Sequence[Stored], new: New) -> Folded:
        job_id = before[0].job_id
        if job_id not in new.states:
            new.runs_before[job_id] = before[0].runs
        after = self._fold.folded(before, events, new.set_aside)
        new.snapshots += self._fold.snapshots(before, after)
        new.states[job_id] = after
        return after

    def _beginnings(self, job_ids: Collection[str], new: New) -> Sequence[Folded]:
        """Return the states of these jobs: from this step, remembered ones, or from their rows."""
        known = {
            job_id: states
            for job_id in job_ids
            if (states := new.states.get(job_id) or self._remembered.get(job_id))
        }
        unknown = [job_id for job_id in job_ids if job_id not in known]
        views = self._fold.views
        instances, timelines = (
            self._read_model.documents(name, unknown) if unknown else {}
            for name in (views.instance.name, views.timeline.name)
        )
        return [
            known.get(job_id)
            or self._loaded(job_id, instances.get(job_id), timelines.get(job_id), new.set_aside)
            for job_id in job_ids
        ]

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

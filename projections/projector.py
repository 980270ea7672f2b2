"""The projector: pulls events in batches, folds them, writes rows and position in one commit."""

from __future__ import annotations

import logging
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from threading import Event
from time import monotonic

import msgspec
from eventsourcing.persistence import Notification, PersistenceError

from domain.errors import Unavailable
from domain.mapper import JobEventMapper
from domain.store import JobStore
from domain.workflow import Workflows
from projections.folding import begin, decoded, fold
from projections.instance import Instance
from projections.read_model import (
    Changes,
    PositionMoved,
    ReadModel,
    SetAside,
    Turn,
    ViewSnapshot,
)
from projections.rows import instance_row, timeline_row
from projections.timeline import Timeline
from projections.view_snapshots import EVERY, due, taken
from projections.views import Views

log = logging.getLogger("milepost.projector")

BATCH = 4000
BATCHES = 10
"""How many batches are folded at most before their rows are written: of a job that comes in many
of them, only the last state is."""
RETRIED = 1000
"""How many events that were set aside are tried again at most."""
HELD_JOBS = 4_000
"""How many jobs' states are held, about, until their rows are written."""
REMEMBERED_JOBS = 5_000
"""How many jobs' states are kept from one batch to the next; with more, rows are written sooner."""
GATHER_SECONDS = 0.012
"""How far apart the steps of a projector that keeps up begin at least."""
GATHER_SHARE = 2
"""How many times as long as a step takes it is until the next one."""
Folded = tuple[Instance, Timeline]
LOOK_SECONDS = 1.0
"""How often an idle projector looks whether it should stop, and a waiting one for its turn."""


class _New:
    """What a step has come to so far: states by job, and what else is to be written."""

    def __init__(self) -> None:
        self.states: dict[str, Folded] = {}
        self.set_aside: list[SetAside] = []
        self.snapshots: list[ViewSnapshot] = []


class Projector:
    """Keeps a read model up to date with an event store; any number may run, one is active.

    `when_active` is called whenever it is this projector's turn, `every_second` during it. `beside`
    does a piece of other work then, and after every step for as long as it returns True.
    `may_project` tells whether the served rows are of this release, and may make them so first.
    """

    def __init__(
        self,
        store: JobStore,
        read_model: ReadModel,
        mapper: JobEventMapper,
        workflows: Workflows,
        *,
        batch: int = BATCH,
        batches: int = BATCHES,
        snapshot_every: int = EVERY,
        when_active: Callable[[], object] = lambda: None,
        every_second: Callable[[], object] = lambda: None,
        beside: Callable[[], bool] = lambda: False,
        may_project: Callable[[Event], bool] = lambda _: True,
    ) -> None:
        self._store = store
        self._read_model = read_model
        self._mapper = mapper
        self._workflows = workflows
        self._views = Views(mapper.cipher)
        self._batch = batch
        self._batches = batches
        self._snapshot_every = snapshot_every
        self._remembered: OrderedDict[str, Folded] = OrderedDict()
        self._remembered_at = 0
        self._generation = 0
        self._when_active = when_active
        self._every_second = every_second
        self._beside = beside
        self._may_project = may_project

    def run(self, stop: Event) -> None:
        """Project until `stop` is set; survive a database that goes away and comes back."""
        while not stop.is_set():
            try:
                if self._may_project(stop):
                    with self._read_model.turn() as turn:
                        if turn:
                            log.info("projecting")
                            self._when_active()
                            self._take(turn, stop)
            except (PersistenceError, Unavailable) as error:
                log.warning("the database is away, trying again: %s", error)
            except PositionMoved:
                log.warning("another projector or a rebuild was faster, starting again from there")
            except Exception:
                # A bug of ours must be seen, as a growing lag and here, and not end the thread.
                log.exception("cannot go on, trying again")
            stop.wait(LOOK_SECONDS)

    def catch_up(self, after_each: Callable[[int], object] = lambda _: None) -> int:
        """Fold every event there is, tell how many after each batch; return how many there were."""
        self._begin()
        folded = 0
        while (count := self._step()) > 0:
            folded += count
            after_each(count)
        return folded

    def _take(self, turn: Turn, stop: Event) -> None:
        self._begin()
        self._try_again()
        due, more = 0.0, False
        while not stop.is_set():
            began = monotonic()
            folded = self._step()
            if monotonic() >= due:
                if self._read_model.edition().generation != self._generation:
                    raise PositionMoved
                self._every_second()
                due, more = monotonic() + LOOK_SECONDS, True
            more = more and self._beside()
            if folded < self._batch and not more:
                worked = monotonic() - began
                turn.wait(LOOK_SECONDS)
                # The first event after a pause is folded at once; of many, some gather, because a
                # step costs about the same for one as for fifty, and who answers needs the cores.
                gathered = began + max(GATHER_SECONDS, worked * GATHER_SHARE)
                stop.wait(max(0.0, gathered - monotonic()))

    def _begin(self) -> None:
        # In another one's turn rows may have been folded anew without the position moving.
        self._remembered.clear()
        # Before anything is read: whoever puts other tables in the place of these makes `apply`
        # fail, and that ends the turn.
        self._generation = self._read_model.edition().generation

    def _try_again(self) -> None:
        """Fold anew the jobs whose events were set aside: this release may understand them."""
        job_ids = sorted({event.job_id for event in self._read_model.set_aside(RETRIED)})
        if job_ids:
            log.info("folding %d jobs anew whose events had been set aside", len(job_ids))
            position = self._read_model.position()
            by_job = {job_id: self._read_model.history(job_id) for job_id in job_ids}
            beginnings = [self._begun(job_id, None, None, []) for job_id in job_ids]
            folded, set_aside = self._folded(beginnings, by_job)
            changes = msgspec.structs.replace(
                self._changes(position, position, folded, set_aside),
                tried_again=job_ids,
                snapshots=self._snapshots(beginnings, folded),
            )
            self._read_model.apply(changes)

    def _step(self) -> int:
        # Who else moves it makes `apply` fail, and that ends the turn.
        since = self._remembered_at if self._remembered else self._read_model.position()
        position, count, new = since, 0, _New()
        for _ in range(self._batches):
            events = self._store.select_notifications(
                position, self._batch, inclusive_of_start=False
            )
            if events:
                self._fold_in(events, new)
                position, count = events[-1].id, count + len(events)
            if len(events) < self._batch or len(new.states) >= HELD_JOBS:
                break
        if count:
            folded = list(new.states.values())
            changes = self._changes(since, position, folded, new.set_aside)
            if new.snapshots:
                changes = msgspec.structs.replace(changes, snapshots=new.snapshots)
            self._read_model.apply(changes)
            self._remember(position, folded)
        return count

    def _fold_in(self, events: Sequence[Notification], new: _New) -> None:
        by_job = defaultdict[str, list[Notification]](list)
        for event in events:
            by_job[str(event.originator_id)].append(event)
        beginnings = self._beginnings(by_job, new)
        folded, set_aside = self._folded(beginnings, by_job)
        new.set_aside += set_aside
        new.snapshots += self._snapshots(beginnings, folded)
        new.states.update(zip(by_job, folded, strict=True))

    def _beginnings(self, job_ids: Collection[str], new: _New) -> Sequence[Folded]:
        """Return the states of these jobs as they stand: known, remembered, or from their rows."""
        known = {
            job_id: state
            for job_id in job_ids
            if (state := new.states.get(job_id) or self._remembered.get(job_id))
        }
        unknown = [job_id for job_id in job_ids if job_id not in known]
        instances, timelines = (
            self._read_model.documents(name, unknown) if unknown else {}
            for name in (self._views.instance.name, self._views.timeline.name)
        )
        return [
            known.get(job_id)
            or self._begun(job_id, instances.get(job_id), timelines.get(job_id), new.set_aside)
            for job_id in job_ids
        ]

    def _begun(
        self, job_id: str, instance: str | None, timeline: str | None, set_aside: list[SetAside]
    ) -> Folded:
        mapper, history = self._mapper, self._read_model.history
        return (
            begin(self._views.instance, job_id, instance, mapper, history, set_aside),
            begin(self._views.timeline, job_id, timeline, mapper, history, set_aside),
        )

    def _folded(
        self, beginnings: Sequence[Folded], by_job: Mapping[str, Sequence[Notification]]
    ) -> tuple[Sequence[Folded], Sequence[SetAside]]:
        set_aside: list[SetAside] = []
        folded = []
        for instance, timeline in beginnings:
            events = decoded(by_job[instance.job_id], self._mapper)
            folded.append(
                (
                    fold(self._views.instance, instance, events, set_aside),
                    fold(self._views.timeline, timeline, events, set_aside),
                )
            )
        return folded, set_aside

    def _snapshots(
        self, beginnings: Sequence[Folded], folded: Sequence[Folded]
    ) -> list[ViewSnapshot]:
        """Keep the views of the jobs that came past a version at which that is due."""
        return [
            snapshot
            for (before, _), (after, timeline) in zip(beginnings, folded, strict=True)
            if due(before, after, self._snapshot_every)
            for snapshot in taken(self._views, after, timeline)
        ]

    def _remember(self, position: int, folded: Sequence[Folded]) -> None:
        self._remembered_at = position
        for instance, timeline in folded:
            self._remembered[instance.job_id] = instance, timeline
            self._remembered.move_to_end(instance.job_id)
        while len(self._remembered) > REMEMBERED_JOBS:
            self._remembered.popitem(last=False)

    def _changes(
        self,
        since: int,
        position: int,
        folded: Sequence[Folded],
        set_aside: Sequence[SetAside],
    ) -> Changes:
        # What no view can read is told once.
        once = {(event.position, event.error): event for event in reversed(set_aside)}
        told = sorted(once.values(), key=lambda event: event.position)
        for event in told:
            log.error("set aside %s: %s", event.view, event)
        return Changes(
            since,
            position,
            [instance_row(instance, self._views, self._workflows) for instance, _ in folded],
            [timeline_row(timeline, self._views) for _, timeline in folded],
            told,
            generation=self._generation,
        )

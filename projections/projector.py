"""The projector: pulls events in batches, folds them, writes rows and position in one commit."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from threading import Event
from time import monotonic

import msgspec
from eventsourcing.persistence import Notification, PersistenceError

from domain.errors import Unavailable
from domain.mapper import JobEventMapper
from domain.store import JobStore
from domain.workflow import Workflows
from projections.folding import fold_sighting
from projections.instance import Instance
from projections.read_model import (
    SHAPE,
    Changes,
    InstanceRow,
    PositionMoved,
    ReadModel,
    Row,
    SetAside,
    Sighting,
    Turn,
)
from projections.timeline import Timeline
from projections.views import State, View, Views

log = logging.getLogger("milepost.projector")

BATCH = 1000
RETRIED = 1000
"""How many events that were set aside are tried again at most."""
LOOK_SECONDS = 1.0
"""How often an idle projector looks whether it should stop, and a waiting one for its turn."""


class Projector:
    """Keeps a read model up to date with an event store; any number may run, one is active.

    `when_active` is called whenever it is this projector's turn, `every_second` during it.
    """

    def __init__(
        self,
        store: JobStore,
        read_model: ReadModel,
        mapper: JobEventMapper,
        workflows: Workflows,
        *,
        batch: int = BATCH,
        when_active: Callable[[], object] = lambda: None,
        every_second: Callable[[], object] = lambda: None,
    ) -> None:
        self._store = store
        self._read_model = read_model
        self._mapper = mapper
        self._workflows = workflows
        self._views = Views(mapper.cipher)
        self._batch = batch
        self._when_active = when_active
        self._every_second = every_second

    def run(self, stop: Event) -> None:
        """Project until `stop` is set; survive a database that goes away and comes back."""
        while not stop.is_set():
            try:
                with self._read_model.turn() as turn:
                    if turn:
                        log.info("projecting")
                        self._when_active()
                        self._take(turn, stop)
            except (PersistenceError, Unavailable) as error:
                log.warning("the database is away, trying again: %s", error)
            except PositionMoved:
                log.warning("another projector was faster, starting again from its position")
            except Exception:
                # A bug of ours must be seen, as a growing lag and here, and not end the thread.
                log.exception("cannot go on, trying again")
            stop.wait(LOOK_SECONDS)

    def catch_up(self) -> int:
        """Fold every event there is; return how many there were."""
        folded = 0
        while (count := self._step()) > 0:
            folded += count
        return folded

    def _take(self, turn: Turn, stop: Event) -> None:
        self._read_model.restart(SHAPE)
        self._try_again()
        due = 0.0
        while not stop.is_set():
            folded = self._step()
            if monotonic() >= due:
                self._every_second()
                due = monotonic() + LOOK_SECONDS
            if folded < self._batch:
                turn.wait(LOOK_SECONDS)

    def _try_again(self) -> None:
        """Fold anew the jobs whose events were set aside: this release may understand them."""
        job_ids = sorted({event.job_id for event in self._read_model.set_aside(RETRIED)})
        if job_ids:
            log.info("folding %d jobs anew whose events had been set aside", len(job_ids))
            position = self._read_model.position()
            by_job = {job_id: self._read_model.history(job_id) for job_id in job_ids}
            changes = self._changes(position, position, by_job, anew=True)
            self._read_model.apply(msgspec.structs.replace(changes, tried_again=job_ids))

    def _step(self) -> int:
        since = self._read_model.position()
        events = self._store.select_notifications(since, self._batch, inclusive_of_start=False)
        if events:
            by_job = defaultdict[str, list[Notification]](list)
            for event in events:
                by_job[str(event.originator_id)].append(event)
            self._read_model.apply(self._changes(since, events[-1].id, by_job))
        return len(events)

    def _changes(
        self,
        since: int,
        position: int,
        by_job: Mapping[str, Sequence[Notification]],
        *,
        anew: bool = False,
    ) -> Changes:
        set_aside: list[SetAside] = []
        instances = self._folded(self._views.instance, by_job, set_aside, anew=anew)
        told = {(event.position, event.error) for event in set_aside}
        again: list[SetAside] = []
        timelines = self._folded(self._views.timeline, by_job, again, anew=anew)
        # What no view can read is told once.
        set_aside += [event for event in again if (event.position, event.error) not in told]
        for event in set_aside:
            log.error("set aside %s: %s", event.view, event)
        return Changes(
            since,
            position,
            [self._instance_row(state) for state in instances],
            [self._timeline_row(state) for state in timelines],
            set_aside,
        )

    def _folded(
        self,
        view: View[State],
        by_job: Mapping[str, Sequence[Notification]],
        set_aside: list[SetAside],
        *,
        anew: bool,
    ) -> list[State]:
        documents = {} if anew else self._read_model.documents(view.name, by_job)
        return [
            fold_sighting(
                view,
                Sighting(job_id, documents.get(job_id), events),
                self._mapper,
                self._read_model.history,
                set_aside,
            )
            for job_id, events in by_job.items()
        ]

    def _instance_row(self, state: Instance) -> InstanceRow:
        return InstanceRow(
            state.job_id,
            state.version,
            self._views.instance.dump(state),
            state.first_position,
            state.agent_id,
            state.user_id,
            state.status,
            state.current_step(self._workflows),
            state.attempt.silent_since,
        )

    def _timeline_row(self, state: Timeline) -> Row:
        return Row(state.job_id, state.version, self._views.timeline.dump(state))

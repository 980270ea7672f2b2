"""The projector: pulls events in batches, folds them, writes rows and position in one commit."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from threading import Event
from time import monotonic

from eventsourcing.persistence import Notification, PersistenceError

from domain.errors import Unavailable
from domain.mapper import JobEventMapper
from domain.store import JobStore
from domain.workflow import Workflows
from projections.folding import fold
from projections.instance import Instance
from projections.read_model import (
    Changes,
    InstanceRow,
    PositionMoved,
    ReadModel,
    Row,
    SetAside,
    Turn,
)
from projections.timeline import Timeline
from projections.views import SHAPE, State, View, Views

log = logging.getLogger("milepost.projector")

BATCH = 1000
LOOK_SECONDS = 1.0
"""How often an idle projector looks whether it should stop, and a waiting one for its turn."""


class Projector:
    """Keeps a read model up to date with an event store; any number may run, one is active.

    `when_idle` is called whenever everything is folded, at most once a second.
    """

    def __init__(
        self,
        store: JobStore,
        read_model: ReadModel,
        mapper: JobEventMapper,
        workflows: Workflows,
        *,
        batch: int = BATCH,
        when_idle: Callable[[], object] = lambda: None,
    ) -> None:
        self._store = store
        self._read_model = read_model
        self._mapper = mapper
        self._workflows = workflows
        self._views = Views(mapper.cipher)
        self._batch = batch
        self._when_idle = when_idle

    def run(self, stop: Event) -> None:
        """Project until `stop` is set; survive a database that goes away and comes back."""
        while not stop.is_set():
            try:
                with self._read_model.turn() as turn:
                    if turn:
                        log.info("projecting")
                        self._read_model.prepare(SHAPE)
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
        idle_at = 0.0
        while not stop.is_set():
            if self._step() < self._batch:
                if monotonic() >= idle_at:
                    self._when_idle()
                    idle_at = monotonic() + LOOK_SECONDS
                turn.wait(LOOK_SECONDS)

    def _step(self) -> int:
        since = self._read_model.position()
        events = self._store.select_notifications(since, self._batch, inclusive_of_start=False)
        if events:
            self._read_model.apply(self._changes(since, events))
        return len(events)

    def _changes(self, since: int, events: Iterable[Notification]) -> Changes:
        by_job = defaultdict[str, list[Notification]](list)
        position = since
        for event in events:
            by_job[str(event.originator_id)].append(event)
            position = event.id
        set_aside: list[SetAside] = []
        instances = self._folded(self._views.instance, by_job, set_aside)
        timelines = self._folded(self._views.timeline, by_job, None)
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
        by_job: dict[str, list[Notification]],
        set_aside: list[SetAside] | None,
    ) -> list[State]:
        documents = self._read_model.documents(view.name, by_job)
        return [
            fold(view, view.load(job_id, documents.get(job_id)), events, self._mapper, set_aside)
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

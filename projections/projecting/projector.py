"""The projector: takes its turn, steps on while there are events, and sleeps until more come."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event
from time import monotonic

from eventsourcing.persistence import PersistenceError

from domain.errors import Unavailable
from domain.log.mapper import JobEventMapper
from domain.log.store import JobStore
from domain.workflows.definition import Workflows
from projections.folding.job_fold import JobFold
from projections.folding.snapshots import EVERY
from projections.projecting.stepper import BATCH, BATCHES, Stepper
from projections.read_model.contract import PositionMoved, ReadModel, Turn

log = logging.getLogger("milepost.projector")

GATHER_SECONDS = 0.012
"""How far apart the steps of a projector that keeps up begin at least."""
GATHER_SHARE = 2
"""How many times as long as a step takes it is until the next one."""
LOOK_SECONDS = 1.0
"""How often an idle projector looks whether it should stop, and a waiting one for its turn."""


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
        self._read_model = read_model
        fold = JobFold(mapper, workflows, snapshot_every)
        self._steps = Stepper(store, read_model, fold, batch=batch, batches=batches)
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
        self._steps.begin()
        folded = 0
        while (count := self._steps.step()) > 0:
            folded += count
            after_each(count)
        return folded

    def _take(self, turn: Turn, stop: Event) -> None:
        self._steps.begin()
        self._steps.try_again()
        due, more = 0.0, False
        while not stop.is_set():
            began = monotonic()
            folded = self._steps.step()
            if monotonic() >= due:
                if not self._steps.is_of_these_tables():
                    raise PositionMoved
                self._every_second()
                due, more = monotonic() + LOOK_SECONDS, True
            more = more and self._beside()
            if folded < self._steps.batch and not more:
                worked = monotonic() - began
                turn.wait(LOOK_SECONDS)
                # The first event after a pause is folded at once; of many, some gather, because a
                # step costs about the same for one as for fifty, and who answers needs the cores.
                gathered = began + max(GATHER_SECONDS, worked * GATHER_SHARE)
                stop.wait(max(0.0, gathered - monotonic()))

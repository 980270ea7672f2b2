"""The projector: follow the log, keep the rows up to date, and sleep until more events come."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from threading import Event
from time import monotonic

from eventsourcing.persistence import PersistenceError

from domain.errors import Unavailable
from domain.log.mapper import JobEventMapper
from domain.log.store import JobStore
from domain.workflows.definition import Workflows
from projections.chore import AT_ONCE, Chore
from projections.folding.job_fold import JobFold
from projections.folding.snapshots import EVERY
from projections.projecting.chores import Chores
from projections.projecting.seldom import Seldom
from projections.projecting.stepper import BATCH, BATCHES, Stepper
from projections.read_model.contract import PositionMoved, ReadModel, WakeUps

log = logging.getLogger("milepost.projector")

GATHER_SECONDS = 0.012
"""The shortest time from the beginning of a step to the next, while the projector keeps up."""
GATHER_SHARE = 2
"""After a step of t seconds, the next one waits until GATHER_SHARE * t have passed since it began.

Of the two times, the longer one counts. The pause ends after LOOK_SECONDS at the latest."""
LOOK_SECONDS = 1.0
"""How often an idle projector asks whether it should stop, and a waiting one asks for the lock."""


class Projector:
    """Keep a read model up to date with an event store.

    Any number of projectors may run over one database. The one that holds the projector's lock is
    active: it projects, and it does the chores beside. Before a projector asks for the lock, it
    asks `may_project`, which says whether the served rows have the shape of this release and may
    rebuild them first.
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
        chores: Sequence[Chore] = (),
        may_project: Callable[[Event], bool] = lambda _: True,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._read_model = read_model
        fold = JobFold(mapper, workflows, snapshot_every)
        self._steps = Stepper(store, read_model, fold, batch=batch, batches=batches)
        self._chores = Chores(chores, clock)
        self._may_project = may_project
        self._clock = clock
        self._seldom = Seldom(log, clock)
        self._wake_ups: WakeUps | None = None

    def run(self, stop: Event) -> None:
        """Project until `stop` is set; survive a database that goes away and comes back."""
        while not stop.is_set():
            try:
                if self._may_project(stop):
                    with self._read_model.projector_lock() as wake_ups:
                        if wake_ups:
                            self._project(wake_ups, stop)
            except (PersistenceError, Unavailable) as error:
                # A full disk is found full each second.
                self._seldom.warning("the database is away, trying again: %s", error)
            except PositionMoved:
                log.warning("another projector or a rebuild was faster, starting again from there")
            except Exception as error:
                # A bug of ours must be seen, as a growing lag and in the log, and must not end
                # the thread.
                self._seldom.exception("cannot go on, trying again", error)
            stop.wait(LOOK_SECONDS)

    def interrupt(self) -> None:
        """End the pause of `run`, which then sees that its event is set; any thread may call this.

        Without this call, `run` sees it after LOOK_SECONDS at the latest.
        """
        if self._wake_ups:
            self._wake_ups.interrupt()

    def catch_up(self, after_each: Callable[[int], object] = lambda _: None) -> int:
        """Fold every event of the log; return how many events that was.

        After each batch, call `after_each` with the number of its events.
        """
        self._steps.begin()
        folded = 0
        while (count := self._steps.step()) > 0:
            folded += count
            after_each(count)
        return folded

    def _project(self, wake_ups: WakeUps, stop: Event) -> None:
        self._wake_ups = wake_ups
        self._steps.begin()
        self._steps.try_again()
        self._chores.begin()
        look_at, is_projecting = 0.0, False
        while not stop.is_set():
            began = self._clock()
            self._steps.step()
            if not is_projecting:
                log.info("projecting")
                is_projecting = True
                self._seldom.forget()
            if self._clock() >= look_at:
                if not self._steps.is_of_these_tables():
                    raise PositionMoved
                look_at = self._clock() + LOOK_SECONDS
            chore_due_in = self._chores.step()
            if not self._steps.is_behind and chore_due_in > AT_ONCE:
                worked = self._clock() - began
                wake_ups.wait(min(LOOK_SECONDS, chore_due_in))
                # The first event after a pause is folded at once. Of many events some gather,
                # because a step costs about the same for one event as for fifty, and the
                # processes that answer requests need the cores.
                gathered = began + max(GATHER_SECONDS, worked * GATHER_SHARE)
                # A process that was stopped during a step took long, and must not rest for long.
                stop.wait(min(LOOK_SECONDS, max(0.0, gathered - self._clock())))

"""Rebuilding: fold the whole history into new tables, then swap them with the served ones.

Callbacks and reads go on during a rebuild. An interrupted rebuild leaves the rows that it has
folded, and the next one goes on from them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from threading import Event
from time import monotonic

import msgspec

from domain.errors import MilepostError
from domain.log.mapper import JobEventMapper
from domain.log.store import JobStore
from domain.workflows.definition import Workflows
from projections.comparing.contract import ServedRows
from projections.comparing.rows import RowDifference
from projections.folding.job_fold import JobFold
from projections.projecting.projector import Projector
from projections.read_model.contract import ReadModel
from projections.read_model.tables import VIEWS
from projections.rebuilding.comparison import Comparison
from projections.rebuilding.contract import RebuildForbidden, Shadow
from projections.rebuilding.first_pass import PAGE, FirstPass

log = logging.getLogger("milepost.rebuild")

BATCH, BATCHES = 2_000, 10
"""After the first pass, a rebuild folds BATCH * BATCHES events before it writes their rows. More
events mean fewer writes, because it writes each job among them once. But the rows wait in memory,
and no other process can write to SQLite during the write."""
SHORTEST_PAUSE, LONGEST_PAUSE = 0.01, 2.0
"""Seconds between attempts to swap. The first attempts wait for a projector that was faster, later
attempts for a transaction that reads for long. No pause between slices of a deletion is longer."""


class RebuildUnderWay(MilepostError):
    """Another rebuild of this database is under way."""


class RebuildInterrupted(MilepostError):
    """The rebuild was interrupted; the next one goes on from where it was."""


class Rebuilt(msgspec.Struct, frozen=True):
    """What a rebuild did. `differences` is None if the served rows had another shape."""

    began_at: int
    position: int
    events: int
    seconds: float
    differences: int | None


class Progress(msgspec.Struct, frozen=True):
    """A rebuild's number of folded events, its position, and the log's last position."""

    events: int
    position: int
    newest_position: int


class Rebuild:
    """Folds all rows of a read model again, in the shape of this release."""

    def __init__(
        self,
        store: JobStore,
        read_model: ReadModel,
        shadow: Shadow,
        reads: ServedRows,
        mapper: JobEventMapper,
        workflows: Workflows,
        *,
        batch: int = BATCH,
        batches: int = BATCHES,
        page: int = PAGE,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._store = store
        self._read_model = read_model
        self._shadow = shadow
        self._reads = reads
        self._mapper = mapper
        self._workflows = workflows
        self._batch, self._batches, self._page = batch, batches, page
        self._clock = clock
        self._standing_by_for: str | None = None

    def run(
        self,
        *,
        afresh: bool = False,
        wanted: Collection[str] = VIEWS,
        on_progress: Callable[[Progress], object] = lambda _: None,
        on_difference: Callable[[RowDifference], object] = lambda _: None,
        stop: Event | None = None,
    ) -> Rebuilt:
        """Fold the whole log into new tables, compare them with the served tables, and swap.

        All tables are rebuilt together, because all rows have one position; only the `wanted` views
        are compared. With `afresh`, the tables of an interrupted rebuild are not used. Raises
        `RebuildUnderWay`, `RebuildForbidden`, or `RebuildInterrupted` when `stop` is set.
        """
        stop = stop or Event()
        with self._shadow.lock() as is_held:
            if not is_held:
                raise RebuildUnderWay
            began, events = self._clock(), 0
            self.delete_replaced(stop)
            if stop.is_set():
                raise RebuildInterrupted
            began_at = self._shadow.begin(afresh=afresh)
            rows = self._shadow.read_model

            def after_each(folded: int, position: int | None = None) -> None:
                nonlocal events
                events += folded
                position = rows.position() if position is None else position
                on_progress(Progress(events, position, self._read_model.log.newest_position()))
                if stop.is_set():
                    raise RebuildInterrupted

            after_each(0)
            fold = JobFold(self._mapper, self._workflows)
            FirstPass(self._shadow, fold, page=self._page).catch_up(after_each)
            projector = Projector(
                self._store,
                rows,
                self._mapper,
                self._workflows,
                batch=self._batch,
                batches=self._batches,
            )
            projector.catch_up(after_each)
            self._shadow.make_indexes()
            differences = self._compared(wanted, on_difference)
            pause = SHORTEST_PAUSE
            while True:
                projector.catch_up(after_each)
                position = rows.position()
                if self._shadow.swap():
                    return Rebuilt(began_at, position, events, self._clock() - began, differences)
                after_each(0)
                stop.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    def comparison(self, wanted: Collection[str] = VIEWS) -> Comparison:
        """Return the comparison of the served rows with the events."""
        return Comparison(
            self._reads, self._read_model, self._shadow, self._mapper, self._workflows, wanted
        )

    def drop(self) -> bool:
        """Drop the tables of an interrupted rebuild; return whether any existed.

        Raises `RebuildUnderWay`.
        """
        with self._shadow.lock() as is_held:
            if not is_held:
                raise RebuildUnderWay
            return self._shadow.drop()

    def delete_replaced(self, stop: Event | None = None) -> None:
        """Delete replaced and dropped tables, slice by slice, until `stop` is set.

        If it stops early, the projector or the next rebuild deletes the rest.
        """
        stop, began = stop or Event(), self._clock()
        while not stop.is_set() and self._shadow.clear():
            # After a slice of t seconds, pause for t seconds: writers that wait for SQLite's lock
            # only poll it. A process that was stopped during a slice pauses no longer for that.
            stop.wait(min(LONGEST_PAUSE, self._clock() - began))
            began = self._clock()

    def is_current(self, stop: Event) -> bool:
        """Tell whether the served rows have this release's shape; rebuild rows of an older one.

        It leaves rows of a newer release alone. Otherwise two releases side by side would rebuild
        each other's rows for ever.
        """
        served, shape = self._read_model.edition(), self._read_model.shape
        if served.shape == shape:
            self._standing_by_for = None
            return True
        if not served.is_older_than(shape):
            self._stand_by(
                f"the read model is of a newer release (shape {served.shape}, here {shape}); "
                "standing by, and leaving it alone"
            )
            return False
        try:
            log.info("rebuilding the read model: it has shape %s, here %s", served.shape, shape)
            rebuilt = self.run(stop=stop)
        except RebuildInterrupted:
            return False
        except (RebuildUnderWay, RebuildForbidden) as error:
            self._stand_by(str(error) or str(error.__doc__))
            return False
        log.info("rebuilt the read model: %d events, %.1f s", rebuilt.events, rebuilt.seconds)
        return True

    def _compared(
        self, wanted: Collection[str], on_difference: Callable[[RowDifference], object]
    ) -> int | None:
        if self._read_model.edition().shape != self._read_model.shape:
            return None
        differences = 0
        for difference in self.comparison(wanted).with_rebuilt():
            differences += 1
            on_difference(difference)
        return differences

    def _stand_by(self, reason: str) -> None:
        # The projector asks every second, so log the same reason only once.
        if reason != self._standing_by_for:
            self._standing_by_for = reason
            log.warning("%s", reason)
